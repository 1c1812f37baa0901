"""Earlier versions over HTTP: which there are, their bytes, and bringing them back under somebody's name."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from monailabel.datastore.local import LocalDatastore
from tests.unit.server.running import IMAGE, Server

LABEL = "/datastore/label?image=case_1&tag=final"
OF = "label=case_1&tag=final"
BYTES = [f"voxels as they were saved in round {n}".encode() for n in range(1, 6)]


@pytest.fixture
def five(server: Server) -> Server:
    """Give a server of a label that two people saved five times, each round with an info of its own."""
    for n, data in enumerate(BYTES, 1):
        who = "anna" if n % 2 else "ben"
        server.put(LABEL, "label", "x.nii.gz", data, params=f'{{"client_id": "{who}", "round": {n}}}')
    return server


def _versions(server: Server, query: str = "image=case_1&tag=final", what: str = "label") -> list[dict[str, Any]]:
    answer = server.get(f"/datastore/{what}/versions?{query}")
    assert answer.status == 200
    return list(answer.json)


def _damage(server: Server, data: bytes) -> None:
    """Change a byte of the file in the history that holds these bytes."""
    history = server.folder / ".monailabel" / "history"
    (path,) = (path for path in history.rglob("*") if path.is_file() and path.read_bytes() == data)
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))


def test_versions_tell_who_when_and_what(five: Server) -> None:
    """Five savings by two people are five versions, in order, the last of them current, as the library tells them."""
    versions = _versions(five)
    assert [(v["version"], v["actor"], v["action"]) for v in versions] == [
        (1, "anna", "added"), (2, "ben", "replaced"), (3, "anna", "replaced"), (4, "ben", "replaced"),
        (5, "anna", "replaced"),
    ]  # fmt: skip
    assert [v["current"] for v in versions] == [False] * 4 + [True]
    assert [(v["size"], v["kept"], v["authenticated"]) for v in versions] == [(len(BYTES[0]), True, False)] * 5
    assert versions == five.store.label_versions("case_1", "final")


def test_each_versions_bytes_come_back_as_a_download(five: Server) -> None:
    """Every version downloads with the headers of other downloads, and its ETag is the SHA-256 of its bytes."""
    for known in _versions(five):
        answer = five.get(f"/datastore/label?{OF}&version={known['version']}")
        assert (answer.status, answer.body) == (200, BYTES[known["version"] - 1])
        assert answer.headers["content-disposition"] == 'attachment; filename="case_1.nii.gz"'
        assert answer.headers["etag"] == f'"{known["sha256"]}"' == f'"{answer.sha256}"'


def test_an_earlier_version_answers_ranges_and_conditions(five: Server) -> None:
    """206, 304, 412 and 416 as for the newest version, and HEAD without a body."""
    address = f"/datastore/label?{OF}&version=2"
    etag = five.get(address).headers["etag"]
    part = five.get(address, Range="bytes=7-12", If_Range=etag)
    assert (part.status, part.body) == (206, BYTES[1][7:13])
    assert five.get(address, If_None_Match=etag).status == 304
    assert five.get(address, If_Match='"other"').status == 412
    assert five.get(address, Range="bytes=999-").status == 416
    for head in (five.ask("HEAD", address), five.ask("HEAD", "/datastore/label?image=case_1&tag=final&version=2")):
        assert (head.status, head.body, head.headers["etag"]) == (200, b"", etag)
        assert head.headers["content-length"] == str(len(BYTES[1]))


def test_a_large_earlier_version_is_sent_whole(server: Server) -> None:
    """What the server sends by itself is the version that was asked for, too."""
    large = [bytes([n]) * (6 * 2**20 + n) for n in range(2)]
    for data in large:
        server.put(LABEL, "label", "x.nii.gz", data)
    assert [server.get(f"/datastore/label?{OF}&version={n}").body == large[n - 1] for n in (1, 2)] == [True, True]


def test_an_earlier_version_of_an_image_comes_back(server: Server) -> None:
    """An image has versions as a label has, and HEAD compares the checksum of the version that is asked for."""
    server.put("/datastore/image?image=case_1", "file", "x.nii.gz", b"a second scan")
    versions = _versions(server, "image=case_1", "image")
    assert [(v["version"], v["for_present_image"]) for v in versions] == [(1, None), (2, None)]
    first = "/datastore/image?image=case_1&version=1"
    assert server.get(first).body == IMAGE
    for number, status in ((1, 200), (2, 404)):
        for check_sum in (versions[0]["sha256"], f"SHA256:{versions[0]['sha256'].upper()}"):
            asked = server.ask("HEAD", f"/datastore/image?image=case_1&version={number}&check_sum={check_sum}")
            assert asked.status == status


@pytest.mark.parametrize("version", ["0", "-1", "6", "9" * 30])
def test_an_unknown_version_is_told_with_those_that_there_are(five: Server, version: str) -> None:
    """404 names the versions that there are, for a download and for a restore, and nothing is changed."""
    asked = [("GET", f"/datastore/label?{OF}&version={version}"),
             ("GET", f"/datastore/image?image=case_1&version={version}"),
             ("PUT", f"/datastore/label/restore?image=case_1&tag=final&version={version}"),
             ("PUT", f"/datastore/image/restore?image=case_1&version={version}")]  # fmt: skip
    last = five.store.last_event()
    for method, address in asked:
        answer = five.ask(method, address)
        assert answer.status == 404
        there = "1, 2, 3, 4, 5" if "label" in address else "1"
        assert answer.json["detail"].endswith(f"not found; there are: {there}")
    assert five.store.last_event() == last


@pytest.mark.parametrize(
    ("method", "address", "status"),
    [
        ("GET", "/datastore/label/versions?image=case_1&tag=unknown", 404),
        ("GET", "/datastore/label/versions?image=unknown&tag=final", 404),
        ("GET", "/datastore/label/versions?image=case_1", 422),
        ("GET", "/datastore/label/versions?image=case_1&tag=../x", 400),
        ("GET", "/datastore/image/versions?image=unknown", 404),
        ("GET", "/datastore/label?label=case_1&tag=final&version=two", 422),
        ("GET", "/datastore/label?label=case_1&tag=&version=1", 404),
        ("PUT", "/datastore/label/restore?image=case_1&tag=final", 422),
        ("PUT", "/datastore/label/restore?image=unknown&tag=final&version=1", 404),
        ("PUT", "/datastore/image/restore?image=unknown", 404),
        ("POST", "/datastore/image/restore?image=case_1", 405),
    ],
)
def test_what_is_not_there_is_an_error_of_the_one_shape(shared: Server, method: str, address: str, status: int) -> None:
    """Unknown images and tags, missing and senseless parameters each get their status and one sentence."""
    answer = shared.ask(method, address)
    assert (answer.status, set(answer.json)) == (status, {"detail"})


def test_damaged_bytes_are_never_sent_nor_restored(five: Server) -> None:
    """One bit changed in the history: 409 says that this version is damaged, and the others still come."""
    _damage(five, BYTES[1])
    for method, address in (
        ("GET", f"/datastore/label?{OF}&version=2"),
        ("PUT", "/datastore/label/restore?image=case_1&tag=final&version=2"),
    ):
        answer = five.ask(method, address)
        assert answer.status == 409
        assert answer.json["detail"].startswith("version 2 of label 'final' of image 'case_1' is damaged")
    assert five.ask("HEAD", f"/datastore/label?{OF}&version=2").status == 409
    assert five.get(f"/datastore/label?{OF}&version=2", Range="bytes=0-3").status == 409
    assert [five.get(f"/datastore/label?{OF}&version={n}").body for n in (1, 3)] == [BYTES[0], BYTES[2]]
    assert len(_versions(five)) == 5


def test_another_programs_bytes_are_no_version_of_ours(five: Server) -> None:
    """A file that another program wrote over is not sent as the version that lay there."""
    (five.folder / "labels" / "final" / "case_1.nii.gz").write_bytes(b"scribbled by a script, and of another length")
    answer = five.get(f"/datastore/label?{OF}&version=5")
    assert answer.status == 409
    assert "another program changed it" in answer.json["detail"]


def test_a_restored_label_is_a_version_of_its_own(five: Server) -> None:
    """`restore` answers with the sixth version, which has the bytes and the info of the one that was asked for."""
    answer = five.ask("PUT", "/datastore/label/restore?image=case_1&tag=final&version=2&client_id=carl")
    assert answer.json == {"image": "case_1", "label": "case_1", "version": 6}
    assert five.get(f"/datastore/label?{OF}").body == BYTES[1]
    assert five.get(f"/datastore/label/info?{OF}").json["round"] == 2
    newest = _versions(five)[-1]
    assert (newest["actor"], newest["action"], newest["current"]) == ("carl", "restored", True)


def test_a_removed_label_and_a_removed_image_come_back(five: Server) -> None:
    """Both can be asked for, looked at and restored after their removal, an image with the labels that went with it."""
    five.ask("DELETE", "/datastore/image?id=case_1&client_id=ben")
    assert five.store.events()[-1]["actor"] == "ben"
    assert [v["current"] for v in _versions(five, "image=case_1", "image")] == [False]
    assert five.get("/datastore/image?image=case_1&version=1").body == IMAGE
    assert five.get(f"/datastore/label?{OF}&version=3").body == BYTES[2]
    assert five.ask("PUT", "/datastore/label/restore?image=case_1&tag=final&version=3").status == 404
    assert five.ask("PUT", "/datastore/image/restore?image=case_1").json == {"image": "case_1", "version": 2}
    assert five.get("/datastore/image?image=case_1").body == IMAGE
    assert five.get(f"/datastore/label?{OF}").body == BYTES[4]
    five.ask("DELETE", "/datastore/label?id=case_1&tag=final&client_id=ben")
    assert five.store.events()[-1]["actor"] == "ben"
    five.ask("PUT", "/datastore/label/restore?image=case_1&tag=final&version=1")
    assert five.get(f"/datastore/label?{OF}").body == BYTES[0]


def test_who_does_not_say_who_they_are_is_anonymous(five: Server) -> None:
    """A restore without `client_id` is recorded as anonymous; a name is bounded and printable."""
    address = "/datastore/label/restore?image=case_1&tag=final&version=1"
    five.ask("PUT", address)
    five.ask("PUT", f"{address}&client_id=%0A{'x' * 1000}")
    assert [v["actor"] for v in _versions(five)[-2:]] == ["anonymous", "x" * 199]


def test_a_label_tells_for_which_version_of_its_image_it_was_made(five: Server) -> None:
    """After the image was replaced its labels are told as made for another version, until the same bytes are back."""
    assert {(v["image_version"], v["for_present_image"]) for v in _versions(five)} == {(1, True)}
    five.put("/datastore/image?image=case_1", "file", "x.nii.gz", b"another scan")
    assert {(v["image_version"], v["for_present_image"]) for v in _versions(five)} == {(1, False)}
    five.put(LABEL, "label", "x.nii.gz", b"for the new scan")
    assert [(v["image_version"], v["for_present_image"]) for v in _versions(five)[-2:]] == [(1, False), (2, True)]
    assert five.ask("PUT", "/datastore/image/restore?image=case_1&version=1").json["version"] == 3
    assert [(v["image_version"], v["for_present_image"]) for v in _versions(five)[-2:]] == [(1, True), (2, False)]


def test_a_read_only_server_shows_versions_and_restores_none(serve: Callable[..., Server], tmp_path: Path) -> None:
    """403 for both ways to restore, while versions and their bytes come."""
    server = serve(read_only=True)
    with LocalDatastore(server.folder) as store:
        for data in BYTES[:2]:
            (tmp_path / "x.nii.gz").write_bytes(data)
            store.add_image("made", str(tmp_path / "x.nii.gz"), {})
    for address in ("image/restore?image=made", "label/restore?image=case_1&tag=original&version=1"):
        assert server.ask("PUT", f"/datastore/{address}").status == 403
    assert [v["version"] for v in _versions(server, "image=made", "image")] == [1, 2]
    assert server.get("/datastore/image?image=made&version=1").body == BYTES[0]
