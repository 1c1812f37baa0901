"""3D Slicer's MONAILabelReviewer module: its requests byte for byte, as `requests` sends them, and what it reads."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote_plus, urlencode

import pytest

from tests.unit.server.running import IMAGE, LABEL, Answer, Server, folder_of_two, running

BOUNDARY = "d3bd7c9a8f9d4b53b7f0a1e4d5c6b7a8"
META = {"status": "approved", "level": "easy", "approvedBy": "r1", "comment": "gut, \u00fc", "editTime": "2026-01-02"}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """Serve two images, the first with labels `original` and `final`."""
    with running(folder_of_two(tmp_path / "studies")) as server:
        params = json.dumps({"label_info": [{"name": "liver", "idx": 1}], "client_id": "anna"})
        server.put("/datastore/label?image=case_1&tag=final", "label", "x.nii.gz", LABEL, params=params)
        yield server


def ask(server: Server, method: str, address: str, body: bytes = b"", **headers: str) -> Answer:
    """Send a request as `requests` does."""
    lines = {"Host": server.host, "User-Agent": "python-requests/2.28.1", "Accept-Encoding": "gzip, deflate"}
    lines |= {"Accept": "*/*", "Connection": "keep-alive"} | {k.replace("_", "-"): v for k, v in headers.items()}
    if method in ("PUT", "DELETE"):
        lines["Content-Length"] = str(len(body))
    head = f"{method} {address} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return server.send(head.encode() + b"\r\n" + body)


def put_label(server: Server, image: str, tag: str, params: object, data: bytes) -> Answer:
    """Send a label as the module does: id and tag stand in the address as they are, the file is `<id>.nrrd`."""
    body = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="params"\r\n\r\n{json.dumps(params)}\r\n'
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="label"; filename="{image}.nrrd"\r\n\r\n'
    ).encode()
    body += data + f"\r\n--{BOUNDARY}--\r\n".encode()
    kind = f"multipart/form-data; boundary={BOUNDARY}"
    return ask(server, "PUT", f"/datastore/label?image={image}&tag={tag}", body, Content_Type=kind)


def put_info(server: Server, image: str, tag: str, params: object) -> Answer:
    """Send a review as the module does."""
    address = f"/datastore/updatelabelinfo?label={quote_plus(image)}&tag={quote_plus(tag)}"
    body = urlencode({"params": json.dumps(params)}).encode()
    return ask(
        server, "PUT", address, body, Content_Type="application/x-www-form-urlencoded", accept="application/json"
    )


def objects(server: Server) -> dict[str, dict[str, dict[str, dict[str, dict[str, object]]]]]:
    """Read the whole datastore as the module does."""
    answer = ask(server, "GET", "/datastore/?output=all")
    assert answer.status == 200
    found: dict[str, dict[str, dict[str, dict[str, dict[str, object]]]]] = answer.json["objects"]
    return found


def test_it_sees_that_the_server_is_there(server: Server) -> None:
    """GET /: 200."""
    assert ask(server, "GET", "/").status == 200


def test_it_reads_the_whole_datastore_within_its_time(server: Server) -> None:
    """GET /datastore/?output=all, in five seconds at most: infos of images, and of each label under its tag."""
    began = time.monotonic()
    found = objects(server)
    assert time.monotonic() - began < 5
    info = found["case_1"]["image"]["info"]
    assert (info["name"], type(info["ts"])) == ("case_1.nii.gz", int)
    assert {tag: type(label["info"]) for tag, label in found["case_1"]["labels"].items()} == {
        "original": dict,
        "final": dict,
    }
    assert found["case_1"]["labels"]["final"]["info"]["client_id"] == "anna"


def test_it_sees_who_was_asked_to_annotate(server: Server) -> None:
    """`image.info.strategy.random` has `ts` and `client_id`."""
    server.ask("POST", "/activelearning/random", b'{"client_id": "ben"}')
    strategy = objects(server)["case_2"]["image"]["info"]["strategy"]
    assert isinstance(strategy, dict)
    assert strategy["random"]["client_id"] == "ben"


def test_it_downloads_an_image_and_a_label(server: Server) -> None:
    """GET /datastore/image and /datastore/label, to be saved under the names in the infos."""
    assert ask(server, "GET", "/datastore/image?image=case_1").body == IMAGE
    answer = ask(server, "GET", "/datastore/label?label=case_1&tag=final")
    assert (answer.status, answer.body) == (200, LABEL)
    assert objects(server)["case_1"]["labels"]["final"]["info"]["name"] == "case_1.nii.gz"


def test_a_review_is_merged_into_what_is_known(server: Server) -> None:
    """PUT /datastore/updatelabelinfo: what else is known stays; all five words of the review are there."""
    before = objects(server)["case_1"]["labels"]["final"]["info"]
    assert put_info(server, "case_1", "final", {"segmentationMeta": META}).status == 200
    assert objects(server)["case_1"]["labels"]["final"]["info"] == {**before, "segmentationMeta": META}


def test_a_review_of_a_label_that_is_gone_is_refused(server: Server) -> None:
    """404, which the module tells its user."""
    assert put_info(server, "case_2", "final", {"segmentationMeta": META}).status == 404


def test_a_new_version_is_saved_under_its_own_tag(server: Server) -> None:
    """PUT /datastore/label with `version_1` as the tag: label and review are kept, `final` stays as it was."""
    params = {"label_info": [{"name": "liver", "idx": 1}], "segmentationMeta": META}
    answer = put_label(server, "case_1", "version_1", params, b"corrected")
    assert (answer.status, answer.json) == (200, {"image": "case_1", "label": "case_1"})
    assert (server.folder / "labels" / "version_1" / "case_1.nrrd").read_bytes() == b"corrected"
    labels = objects(server)["case_1"]["labels"]
    assert labels["version_1"]["info"]["segmentationMeta"] == META
    assert ask(server, "GET", "/datastore/label?label=case_1&tag=final").body == LABEL


def test_tags_stand_in_the_order_in_which_they_were_made(server: Server) -> None:
    """The last key decides the next version, whatever is saved again or reviewed meanwhile."""
    for tag in ("version_1", "version_2", "version_10"):
        put_label(server, "case_1", tag, {}, tag.encode())
    put_label(server, "case_1", "version_1", {"segmentationMeta": META}, b"again")
    put_info(server, "case_1", "original", {"segmentationMeta": META})
    assert list(objects(server)["case_1"]["labels"]) == ["original", "final", "version_1", "version_2", "version_10"]


@pytest.mark.parametrize("image", ["1.2.840.113619.2.55", "case 3", "a+b"])
def test_ids_reach_the_server_as_they_are(server: Server, image: str) -> None:
    """Saving and deleting a version with the id unquoted in the address: dots, spaces, which become %20, and plus."""
    server.put(f"/datastore/image?image={quote_plus(image)}", "file", "x.nii.gz", b"voxels")
    sent = image.replace(" ", "%20")
    assert put_label(server, sent, "version_1", {}, b"voxels").status == 200
    assert list(objects(server)[image]["labels"]) == ["version_1"]
    answer = ask(server, "DELETE", f"/datastore/label?id={sent}&tag=version_1")
    assert (answer.status, answer.json) == (200, {})
    assert objects(server)[image]["labels"] == {}


def test_a_version_is_deleted(server: Server) -> None:
    """DELETE /datastore/label: 200, also when it was gone already."""
    put_label(server, "case_1", "version_1", {}, b"voxels")
    for _ in range(2):
        answer = ask(server, "DELETE", "/datastore/label?id=case_1&tag=version_1")
        assert (answer.status, answer.json) == (200, {})
    assert list(objects(server)["case_1"]["labels"]) == ["original", "final"]
