"""Errors: one shape, the right status, and no path of the server's disk, whatever a client sends."""

import errno
import json
import os
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest

from tests.unit.server.running import Server, form

HOSTILE = ["", ".", "..", "../x", "../../etc/passwd", "/etc/passwd", "a/b", "a\\b", "a\0b", "a\nb", "x" * 300, "con"]
HOSTILE += [".hidden", "\u2028", "trailing.", "\ufeff", "%00", "%2e%2e", "'; drop table images; --", "${x}", "🦴" * 80]


def _is_error(answer: object) -> bool:
    return isinstance(answer, dict) and set(answer) == {"detail"} and isinstance(answer["detail"], str)


@pytest.mark.parametrize(
    ("method", "address", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/train/", 404),
        ("GET", "/train/?check_if_running=true", 404),
        ("GET", "/infer/x", 404),
        ("GET", "/static/x.js", 404),
        ("POST", "/info/", 405),
        ("DELETE", "/info", 405),
        ("PATCH", "/datastore/image", 405),
        ("GET", "/datastore/image", 422),
        ("GET", "/datastore/image?image=unknown", 404),
        ("GET", "/datastore/label?label=case_1", 422),
        ("GET", "/datastore/label?label=case_1&tag=unknown", 404),
        ("GET", "/datastore/label?label=unknown&tag=final", 404),
        ("GET", "/datastore/?output=nonsense", 422),
        ("GET", "/datastore/dataset?limit_cases=many", 422),
        ("GET", "/datastore/dataset", 409),
        ("DELETE", "/datastore/image", 422),
        ("DELETE", "/datastore/image?id=unknown", 404),
        ("DELETE", "/datastore/label?id=case_1", 422),
        ("PUT", "/datastore/image/info?image=unknown", 404),
        ("PUT", "/datastore/label/info?label=unknown&tag=final", 404),
        ("PUT", "/datastore/updatelabelinfo?label=case_1&tag=unknown", 404),
        ("POST", "/activelearning/unknown", 404),
        ("GET", "/session/unknown", 404),
        ("DELETE", "/session/unknown", 404),
        ("POST", "/auth/token", 422),
    ],
)
def test_every_error_has_the_one_shape(shared: Server, method: str, address: str, status: int) -> None:
    """`{"detail": sentence}`, with the status that the kind of error has."""
    answer = shared.ask(method, address)
    assert answer.status == status
    assert answer.headers["content-type"] == "application/json"
    assert _is_error(answer.json)
    assert str(shared.folder) not in answer.body.decode()


def test_a_method_that_is_not_for_an_address_is_told_which_are(shared: Server) -> None:
    """405 names all of them in Allow."""
    assert shared.ask("POST", "/auth/").headers["allow"] == "GET"
    assert shared.ask("POST", "/datastore/image").headers["allow"] == "GET, HEAD, PUT, DELETE"


@pytest.mark.parametrize("name", HOSTILE, ids=lambda name: ascii(name)[:30])
def test_a_hostile_name_is_refused_everywhere(shared: Server, name: str) -> None:
    """No address takes it for a file: an error of the client's, or nothing there; never 500, nothing written."""
    before = shared.lying_around()
    kind, label = form({"label": ("x.nii.gz", b"voxels"), "params": "{}"})
    _, info = form({"info": "{}", "params": "{}"})
    q = quote_plus(name)
    asked = [
        ("GET", f"/datastore/image?image={q}", None),
        ("HEAD", f"/datastore/image?image={q}", None),
        ("HEAD", f"/datastore/image?image={q}&check_sum={q}", None),
        ("GET", f"/datastore/label?label={q}&tag=final", None),
        ("GET", f"/datastore/label?label=case_1&tag={q}", None),
        ("PUT", f"/datastore/label?image={q}", label),
        ("PUT", f"/datastore/image/info?image={q}", info),
        ("PUT", f"/datastore/label/info?label={q}&tag=original", info),
        ("PUT", f"/datastore/label/info?label=case_1&tag={q}", info),
        ("DELETE", f"/datastore/image?id={q}", None),
        ("GET", f"/session/{quote(name, safe='')}", None),
        ("DELETE", f"/session/{quote(name, safe='')}", None),
        ("POST", f"/activelearning/{quote(name, safe='')}", None),
    ]
    answers = [(method, a, shared.ask(method, a, body, content_type=kind).status) for method, a, body in asked]
    assert [answer for answer in answers if answer[2] not in (400, 404, 405)] == []
    for address in (f"/datastore/image/info?image={q}", f"/datastore/label/info?label={q}&tag={q}"):
        assert shared.get(address).json == {}
    assert shared.lying_around() == before


@pytest.mark.parametrize(
    "name", [name for name in HOSTILE if (name and not name.isascii()) or "/" in name or "\0" in name]
)
def test_a_hostile_name_never_becomes_a_new_one(shared: Server, name: str) -> None:
    """Adding an image and saving a label under such a name is refused or keeps within the folder."""
    for address, part in ((f"/datastore/image?image={quote_plus(name)}", "file"),
                          (f"/datastore/label?image=case_2&tag={quote_plus(name)}", "label")):  # fmt: skip
        answer = shared.put(address, part, "x.nii.gz", b"voxels")
        assert answer.status in (200, 400)
        if answer.status == 400:
            assert _is_error(answer.json)
    assert not (shared.folder.parent / "x.nii.gz").exists()


@pytest.mark.parametrize(
    "query",
    [b"image=%ff", b"image=%c3%28", b"%ff=1&image=case_1", b"image=%ed%a0%80", b"image=case_1&x=%80"],
)  # fmt: skip
def test_an_address_that_is_no_utf8_is_refused(shared: Server, query: bytes) -> None:
    """400, as two such names could mean one and the same image."""
    request = b"GET /datastore/image?" + query + b" HTTP/1.1\r\nHost: " + shared.host.encode() + b"\r\n\r\n"
    answer = shared.send(request)
    assert (answer.status, _is_error(answer.json)) == (400, True)


def test_a_path_that_is_no_utf8_is_refused(shared: Server) -> None:
    """400 for the path as for the query."""
    answer = shared.send(b"POST /activelearning/%ff HTTP/1.1\r\nHost: " + shared.host.encode() + b"\r\n\r\n")
    assert answer.status == 400


@pytest.mark.parametrize("number", ["9" * 30, "-1", "0", "9" * 4000, str(2**63), str(-(2**64))])
def test_numbers_of_any_size_are_no_trouble(server: Server, number: str) -> None:
    """Too large, negative and zero: all cases, and the server's own expiry."""
    server.put("/datastore/label?image=case_1", "label", "x.nii.gz", b"voxels")
    assert server.get(f"/datastore/dataset?limit_cases={number}").status in (200, 422)
    answer = server.put(f"/session/?expiry={number}", "files", "x.nii.gz", b"voxels")
    assert answer.status in (200, 422)


@pytest.mark.parametrize(
    "body",
    [
        b"[]", b"1", b"null", b"{", b"\xff", b'{"client_id": {}}', b'{"client_id": "\\ud800"}', b'{"image": 1}',
        b'{"image": "\\ud800"}', b'{"image": "case_1", "patch_size": "x"}', b'{"image": "x", "patch_size": [1e9, 1]}',
        b'{"image": "x", "image_size": [true, 1]}', b'{"labels": "liver"}', b'{"labels": [1]}', b'{"label_tag": []}',
        b'{"image": "x", "image_size": [' + b"9" * 400 + b", 1]}", b"[" * 50_000,
    ],
    ids=lambda body: body[:30].decode("latin-1"),
)  # fmt: skip
def test_options_that_cannot_be_read_are_refused(shared: Server, body: bytes) -> None:
    """400 and one sentence, never a sample and never 500."""
    answer = shared.ask("POST", "/activelearning/random", body, content_type="application/json")
    assert (answer.status, _is_error(answer.json)) == (400, True)


def test_a_conflict_is_told_as_one(shared: Server) -> None:
    """409 says what would have to be there."""
    answer = shared.get("/datastore/dataset")
    assert answer.status == 409
    assert "final" in answer.json["detail"]


def test_a_read_only_datastore_refuses_every_change(serve: Callable[..., Server]) -> None:
    """403 for each verb that changes, while all that read go on."""
    server = serve(read_only=True)
    kind, body = form({"file": ("x.nii.gz", b"v"), "label": ("x.nii.gz", b"v"), "info": '{"a": 1}'})
    changes = [
        ("PUT", "/datastore/"), ("PUT", "/datastore/image?image=x"), ("PUT", "/datastore/label?image=case_1"),
        ("PUT", "/datastore/image/info?image=case_1"), ("PUT", "/datastore/label/info?label=case_1&tag=original"),
        ("DELETE", "/datastore/image?id=case_1"), ("DELETE", "/datastore/label?id=case_1&tag=original"),
    ]  # fmt: skip
    statuses = [server.ask(method, address, body, content_type=kind).status for method, address in changes]
    assert statuses == [403] * len(changes)
    assert server.get("/datastore/image?image=case_1").status == 200
    assert server.ask("POST", "/activelearning/random").json["id"] in ("case_1", "case_2")


@pytest.mark.parametrize(("number", "status"), [(errno.ENOSPC, 507), (errno.EDQUOT, 507), (errno.EIO, 500)])
def test_a_disk_that_fails_is_told_without_its_paths(
    server: Server, monkeypatch: pytest.MonkeyPatch, number: int, status: int
) -> None:
    """507 where space is lacking; the sentence names no file of the server's. The disk's failure is simulated."""

    def fail(*arguments: object) -> None:
        raise OSError(number, os.strerror(number), str(server.folder / "secret"))

    monkeypatch.setattr(server.store, "update_image_info", fail)
    answer = server.ask("PUT", "/datastore/image/info?image=case_1", b"info={}",
                        content_type="application/x-www-form-urlencoded")  # fmt: skip
    assert (answer.status, _is_error(answer.json)) == (status, True)
    assert str(server.folder) not in answer.json["detail"]


def test_what_nobody_foresaw_is_told_in_the_same_shape(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistake of ours gives 500 and the one shape, without what went wrong inside. The mistake is simulated."""

    def fail(*arguments: object) -> None:
        raise ZeroDivisionError(str(server.folder))

    monkeypatch.setattr(server.store, "get_label_info", fail)
    answer = server.get("/datastore/label/info?label=case_1&tag=final")
    assert (answer.status, _is_error(answer.json)) == (500, True)
    assert str(server.folder) not in json.dumps(answer.json)
