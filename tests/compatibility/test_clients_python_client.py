"""`monailabel.client` and scripts: the addresses that no desktop program calls, as Python's clients send them."""

import hashlib
import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.server.running import IMAGE, LABEL, Answer, Server, folder_of_two, running


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """Serve two images, the first with labels `original` and `final`."""
    with running(folder_of_two(tmp_path / "studies")) as server:
        server.put("/datastore/label?image=case_1", "label", "x.nii.gz", LABEL)
        yield server


def ask(server: Server, method: str, address: str, body: bytes = b"", kind: str = "") -> Answer:
    """Send a request as `requests` does."""
    head = f"{method} {address} HTTP/1.1\r\nHost: {server.host}\r\nUser-Agent: python-requests/2.31.0\r\n"
    head += "Accept-Encoding: gzip, deflate\r\nAccept: */*\r\nConnection: keep-alive\r\n"
    if kind:
        head += f"Content-Type: {kind}\r\n"
    if body or method == "PUT":
        head += f"Content-Length: {len(body)}\r\n"
    return server.send(head.encode() + b"\r\n" + body)


def put_info(server: Server, address: str, info: bytes, kind: str = "application/x-www-form-urlencoded") -> Answer:
    """PUT an info."""
    return ask(server, "PUT", address, info, kind)


def test_the_counts(server: Server) -> None:
    """GET /datastore/ and ?output=stats: total, completed and labels by tag."""
    for address in ("/datastore/", "/datastore", "/datastore/?output=stats"):
        answer = ask(server, "GET", address)
        assert answer.json == {"total": 2, "completed": 1, "label_tags": {"original": 1, "final": 1}}


def test_what_to_train_with(server: Server) -> None:
    """GET /datastore/?output=train: image and label of each labelled case, as paths."""
    folder = server.folder.resolve()
    case = {"image": str(folder / "case_1.nii.gz"), "label": str(folder / "labels" / "final" / "case_1.nii.gz")}
    assert ask(server, "GET", "/datastore/?output=train").json == [case]


def test_the_whole_datastore(server: Server) -> None:
    """GET /datastore/?output=all: the document, as the library gives it."""
    answer = ask(server, "GET", "/datastore/?output=all")
    assert answer.json == server.store.json()
    assert set(answer.json) == {"name", "description", "images_dir", "labels_dir", "objects"}


def test_the_info_of_an_image(server: Server) -> None:
    """GET and PUT /datastore/image/info: PUT answers null and merges; of the unknown GET gives `{}`, PUT 404."""
    address = "/datastore/image/info?image=case_1"
    before = ask(server, "GET", address).json
    answer = put_info(server, address, b"info=%7B%22dice%22%3A+0.5%7D")
    assert (answer.status, answer.body) == (200, b"null")
    assert ask(server, "GET", address).json == {**before, "dice": 0.5}
    assert ask(server, "GET", "/datastore/image/info?image=unknown").json == {}
    assert put_info(server, "/datastore/image/info?image=unknown", b"info=%7B%7D").status == 404


def test_the_info_of_a_label(server: Server) -> None:
    """GET and PUT /datastore/label/info, the latter also as a multipart form."""
    address = "/datastore/label/info?label=case_1&tag=final"
    before = ask(server, "GET", address).json
    part = b'--x1\r\nContent-Disposition: form-data; name="info"\r\n\r\n{"sum": 4}\r\n--x1--\r\n'
    answer = put_info(server, address, part, "multipart/form-data; boundary=x1")
    assert (answer.status, answer.body) == (200, b"null")
    assert ask(server, "GET", address).json == {**before, "sum": 4}
    assert ask(server, "GET", "/datastore/label/info?label=case_1&tag=unknown").json == {}


@pytest.mark.parametrize("info", ["[]", "1", "{", '"text"'])
def test_an_info_that_is_no_object_is_refused(server: Server, info: str) -> None:
    """400, for images and for labels."""
    body = f"info={info}".encode()
    for address in ("/datastore/image/info?image=case_1", "/datastore/label/info?label=case_1&tag=final"):
        assert put_info(server, address, body).status == 400


def test_whether_a_label_is_there(server: Server) -> None:
    """HEAD /datastore/label: both `label` and `image` name it."""
    for parameter in ("label", "image"):
        assert ask(server, "HEAD", f"/datastore/label?{parameter}=case_1&tag=final").status == 200
        assert ask(server, "HEAD", f"/datastore/label?{parameter}=case_1&tag=unknown").status == 404
    assert ask(server, "HEAD", "/datastore/label?tag=final").status == 422


@pytest.mark.parametrize("algorithm", ["SHA256", "SHA512", "MD5"])
def test_whether_an_image_has_these_bytes(server: Server, algorithm: str) -> None:
    """HEAD /datastore/image with `check_sum`: 200 for the right one, in either letter case, 404 for another."""
    right = hashlib.new(algorithm, IMAGE).hexdigest()
    for digest, status in ((right, 200), (right.upper(), 200), ("0" * len(right), 404)):
        answer = ask(server, "HEAD", f"/datastore/image?image=case_1&check_sum={algorithm}:{digest}")
        assert answer.status == status


def test_a_checksum_alone_is_a_sha256(server: Server) -> None:
    """As in MONAI Label; an algorithm that nobody knows is refused."""
    right = hashlib.sha256(IMAGE).hexdigest()
    assert ask(server, "HEAD", f"/datastore/image?image=case_1&check_sum={right}").status == 200
    assert ask(server, "HEAD", f"/datastore/image?image=case_1&check_sum=CRC:{right}").status == 400


def test_the_dataset_as_a_zip(server: Server) -> None:
    """GET /datastore/dataset: images, labels and metadata, of the length that was told beforehand."""
    answer = ask(server, "GET", "/datastore/dataset")
    assert answer.status == 200
    assert answer.headers["content-disposition"] == 'attachment; filename="dataset.zip"'
    assert int(answer.headers["content-length"]) == len(answer.body)
    with zipfile.ZipFile(io.BytesIO(answer.body)) as archive:
        assert archive.testzip() is None
        assert sorted(archive.namelist()) == ["image/case_1.nii.gz", "label/case_1.nii.gz", "metadata.json"]
        assert archive.read("image/case_1.nii.gz") == IMAGE
        assert list(json.loads(archive.read("metadata.json"))["objects"]) == ["case_1"]


@pytest.mark.parametrize("limit", ["1", "0", "-1", "99999"])
def test_the_dataset_takes_a_limit(server: Server, limit: str) -> None:
    """The first so many cases; zero, negative and too large numbers mean all."""
    server.put("/datastore/label?image=case_2", "label", "x.nii.gz", LABEL)
    answer = ask(server, "GET", f"/datastore/dataset?limit_cases={limit}")
    with zipfile.ZipFile(io.BytesIO(answer.body)) as archive:
        assert len(archive.namelist()) == (3 if limit == "1" else 5)


@pytest.mark.parametrize("address", ["/datastore/", "/datastore/image", "/datastore"])
def test_an_image_is_removed_with_its_labels(server: Server, address: str) -> None:
    """DELETE: `{}`; a second time it is not there, and 404."""
    answer = ask(server, "DELETE", f"{address}?id=case_1")
    assert (answer.status, answer.json) == (200, {})
    assert ask(server, "DELETE", f"{address}?id=case_1").status == 404
    assert ask(server, "GET", "/datastore/").json == {"total": 1, "completed": 0, "label_tags": {}}


def test_who_saved_a_label_is_recorded(server: Server) -> None:
    """The `client_id` of the params is the actor of the event."""
    server.put("/datastore/label?image=case_2", "label", "x.nii.gz", LABEL, params='{"client_id": "anna"}')
    assert server.store.events()[-1]["actor"] == "anna"
    assert server.store.get_label_info("case_2", "final")["client_id"] == "anna"
