"""QuPath's MONAI Label extension: its requests byte for byte, as Java's HttpClient sends them, and what it reads."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.server.running import IMAGE, Answer, Server, folder_of_two, running

BOUNDARY = "164208417513279310963318911937301386957"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """Serve two images."""
    with running(folder_of_two(tmp_path / "studies")) as server:
        yield server


def ask(server: Server, method: str, uri: str, body: bytes = b"", kind: str = "") -> Answer:
    """Send a request as Java does: with an offer of HTTP/2 nowhere, and no content type for JSON."""
    head = f"{method} {uri} HTTP/1.1\r\n"
    if body or method in ("PUT", "POST"):
        head += f"Content-Length: {len(body)}\r\n"
    head += f"Host: {server.host}\r\nUser-Agent: Java-http-client/17.0.6\r\n"
    return server.send((head + (f"Content-Type: {kind}\r\n" if kind else "")).encode() + b"\r\n" + body)


def put(server: Server, uri: str, part: str, name: str, data: bytes, kind: str = "null") -> Answer:
    """Send a file as the extension does: the file first, then `params`, and no line after the last boundary."""
    body = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{part}"; filename="{name}"\r\n'.encode()
    body += f"Content-Type: {kind}\r\n\r\n".encode() + data + b"\r\n"
    body += f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="params"\r\n\r\n{{}}\r\n--{BOUNDARY}--'.encode()
    return ask(server, "PUT", uri, body, f"multipart/form-data; boundary={BOUNDARY}")


def test_it_asks_whether_an_image_is_there(server: Server) -> None:
    """HEAD /datastore/image: 200 for there, anything else for not."""
    assert ask(server, "HEAD", "/datastore/image?image=case_1").status == 200
    assert ask(server, "HEAD", "/datastore/image?image=unknown").status == 404


def test_it_uploads_an_image(server: Server) -> None:
    """PUT /datastore/image: `image` of the answer is its id."""
    answer = put(server, "/datastore/image?image=JP2K-33003-1", "file", "JP2K-33003-1.svs", b"tiles")
    assert (answer.status, answer.json) == (200, {"image": "JP2K-33003-1"})
    assert (server.folder / "JP2K-33003-1.svs").read_bytes() == b"tiles"


def test_it_downloads_an_image(server: Server) -> None:
    """GET /datastore/image: the bytes."""
    assert ask(server, "GET", "/datastore/image?image=case_1").body == IMAGE


def test_it_submits_its_annotations(server: Server) -> None:
    """PUT /datastore/label: an XML document under the tag `final`; `label` of the answer is its id."""
    document = b'<?xml version="1.0" encoding="UTF-8"?><ASAP_Annotations/>'
    answer = put(server, "/datastore/label?image=case_1", "label", "qupath123.xml", document, "application/xml")
    assert (answer.status, answer.json["label"]) == (200, "case_1")
    assert (server.folder / "labels" / "final" / "case_1.xml").read_bytes() == document


def test_it_gets_another_image(server: Server) -> None:
    """POST /activelearning/random without an image: an id, and a path that is never null."""
    body = b'{"image": "", "patch_size": [1024, 1024],"image_size": [46000, 32914]}'
    sample = ask(server, "POST", "/activelearning/random", body).json
    assert sample["id"] in ("case_1", "case_2")
    assert sample["path"].endswith(f"{sample['id']}.nii.gz")


@pytest.mark.parametrize("strategy", ["random", "first"])
@pytest.mark.parametrize("image", ["case_1", "not-sent-yet"])
def test_it_gets_a_patch_of_the_image_that_it_shows(server: Server, strategy: str, image: str) -> None:
    """POST with the image's id: the same id, and a `bbox` of the patch's size that lies inside the image."""
    body = f'{{"image": "{image}", "patch_size": [1024, 512],"image_size": [4600, 3291]}}'.encode()
    sample = ask(server, "POST", f"/activelearning/{strategy}", body).json
    x, y, width, height = sample["bbox"]
    assert (sample["id"], width, height) == (image, 1024, 512)
    assert 0 <= x <= 4600 - 1024
    assert 0 <= y <= 3291 - 512
    assert isinstance(sample["path"], str)


def test_a_patch_is_never_larger_than_its_image(server: Server) -> None:
    """An image smaller than the patch is given whole."""
    body = b'{"image": "case_1", "patch_size": [1024, 1024],"image_size": [300, 2000]}'
    x, _, width, height = ask(server, "POST", "/activelearning/random", body).json["bbox"]
    assert (x, width, height) == (0, 300, 1024)
