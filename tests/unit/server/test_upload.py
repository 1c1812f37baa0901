"""Uploads: streamed, bounded, and gone without a trace when they break off."""

import hashlib
import json
import os
import resource
import socket
import threading
from collections.abc import Callable

import pytest

from tests.unit.server.running import Server, form, read
from tests.waiting import until

MIB = 2**20


def _request(server: Server, address: str, kind: str, body: bytes, length: int | None = None) -> bytes:
    head = f"PUT {address} HTTP/1.1\r\nHost: {server.host}\r\nContent-Type: {kind}\r\n"
    return f"{head}Content-Length: {len(body) if length is None else length}\r\n\r\n".encode() + body


def test_the_bytes_arrive_as_they_were_sent(server: Server) -> None:
    """A file of several megabytes, with the form's own boundary's beginnings in it, is kept byte for byte."""
    data = os.urandom(3 * MIB) + b"\r\n--front\r\n--frontier" + os.urandom(MIB) + b"\r\n--frontie"
    data = data.replace(b"\r\n--frontier\r\n", b"")
    kind, body = form({"file": ("x.nii.gz", data), "params": "{}"}, boundary="frontierX")
    assert server.ask("PUT", "/datastore/image?image=x", body, content_type=kind).json == {"image": "x"}
    assert (server.folder / "x.nii.gz").read_bytes() == data
    assert server.store.image_checksum("x") == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("file_first", [True, False], ids=["before its info", "after its info"])
def test_a_file_may_come_in_any_order(server: Server, file_first: bool) -> None:
    """The info is kept whether it is sent before the file or after it."""
    parts = {"label": ("x.nrrd", b"voxels"), "params": '{"model": "m"}'}
    kind, body = form(parts if file_first else dict(reversed(parts.items())))
    assert server.ask("PUT", "/datastore/label?image=case_1", body, content_type=kind).status == 200
    assert server.store.get_label_info("case_1", "final")["model"] == "m"


def test_an_upload_that_breaks_off_leaves_nothing(server: Server) -> None:
    """Wherever a body is cut, in a header, a boundary, the file or its end, no file and no image is left."""
    kind, body = form({"params": '{"a": 1}', "file": ("x.nii.gz", os.urandom(2 * MIB + 17))})
    start = body.index(b"\r\n\r\n", body.index(b'name="file"'))
    for cut in (0, 1, 30, start - 5, start, start + 10, start + MIB, len(body) - 20, len(body) - 5, len(body) - 3):
        with server.connect() as connection:
            connection.sendall(_request(server, "/datastore/image?image=cut", kind, body[:cut], len(body)))
    until(lambda: not server.staged(), within=10)
    assert server.get("/datastore/image/info?image=cut").json == {}
    assert not list(server.folder.glob("cut*"))


def test_a_body_that_ends_before_its_last_boundary_is_refused(server: Server) -> None:
    """A body that says it is complete but is cut is answered with 400, and leaves nothing."""
    kind, body = form({"file": ("x.nii.gz", b"voxels" * 1000)})
    for cut in (1, 20, len(body) - 40, len(body) - 6):
        answer = server.ask("PUT", "/datastore/image?image=cut", body[:cut], content_type=kind)
        assert (answer.status, set(answer.json)) == (400, {"detail"})
    assert server.staged() == []


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        pytest.param("application/json", b'{"file": 1}', id="JSON instead of a form"),
        pytest.param("multipart/form-data", b"--x\r\n\r\n", id="no boundary"),
        pytest.param("multipart/form-data; boundary=x", b"no boundary in here", id="another body"),
        pytest.param(f"multipart/form-data; boundary={'x' * 5000}", b"--x\r\n", id="a boundary without end"),
        pytest.param("multipart/form-data; boundary=x", b"--x\r\nno header\r\n\r\n\r\n--x--", id="no header"),
        pytest.param("multipart/form-data; boundary=x", b"--x\r\nA: " + b"b" * 20_000, id="a header without end"),
        pytest.param("\xff", b"--x", id="a content type that is no text"),
        pytest.param(
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="params"\r\n\r\n\xff\xfe\r\n--x--\r\n',
            id="a field that is no UTF-8",
        ),
    ],
)
def test_a_form_that_cannot_be_read_is_refused(shared: Server, kind: str, body: bytes) -> None:
    """400 and one sentence."""
    request = _request(shared, "/datastore/image?image=y", "KIND", body).replace(b"KIND", kind.encode("latin-1"))
    answer = shared.send(request)
    assert (answer.status, set(answer.json)) == (400, {"detail"})


@pytest.mark.parametrize(
    "params", ["[1]", "1", '"text"', "null", "{", "NaN", '{"a": NaN}', '{"a": "\\ud800"}', "9" * 5000, "[" * 100_000]
)
@pytest.mark.parametrize("address", ["/datastore/image?image=y", "/datastore/label?image=case_1"])
def test_params_that_are_no_json_object_are_refused(shared: Server, address: str, params: str) -> None:
    """400, and nothing is saved."""
    part = "label" if "label" in address else "file"
    answer = shared.put(address, part, "x.nii.gz", b"voxels", params=params)
    assert (answer.status, set(answer.json)) == (400, {"detail"})
    assert shared.get("/datastore/image/info?image=y").json == {}
    assert shared.staged() == []


@pytest.mark.parametrize("address", ["/datastore/", "/datastore/image?image=y", "/datastore/label?image=case_1"])
def test_a_file_that_is_missing_is_named(shared: Server, address: str) -> None:
    """Without a body, without the part, and with text in its place, the answer is 422."""
    part = "label" if "label" in address else "file"
    kind, body = form({"params": "{}", part: "text"})
    answers = [shared.ask("PUT", address), shared.ask("PUT", address, body, content_type=kind)]
    answers.append(shared.put(address, "other", "x.nii.gz", b"voxels"))
    assert [answer.status for answer in answers] == [422] * 3
    assert all(part in answer.json["detail"] for answer in answers)


def test_two_files_in_one_form_are_refused(shared: Server) -> None:
    """One image is one file; nothing of either is kept."""
    kind, body = form({"file": ("x.nii.gz", b"one")})
    twice = body.replace(b"--frontier--\r\n", b"") + body
    assert shared.ask("PUT", "/datastore/image?image=y", twice, content_type=kind).status == 400
    assert shared.staged() == []


@pytest.mark.parametrize("chunked", [False, True], ids=["with its length", "in chunks"])
def test_an_upload_over_the_limit_is_refused(serve: Callable[..., Server], chunked: bool) -> None:
    """413 as soon as the limit is passed, the client gets to read it, and nothing is left."""
    server = serve(max_upload=MIB)
    kind, body = form({"file": ("x.nii.gz", bytes(8 * MIB))})
    if chunked:
        body = b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in (body[:MIB], body[MIB:])) + b"0\r\n\r\n"
        head = f"PUT /datastore/image HTTP/1.1\r\nHost: {server.host}\r\nContent-Type: {kind}\r\n"
        answer = server.send(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode() + body)
    else:
        answer = server.ask("PUT", "/datastore/image", body, content_type=kind)
    assert (answer.status, set(answer.json)) == (413, {"detail"})
    assert server.staged() == []


def test_text_fields_are_limited(serve: Callable[..., Server]) -> None:
    """413 for one large field, for many that are large together, and for too many parts."""
    server = serve(max_field=10_000, max_parts=20)
    kind, body = form({"params": json.dumps({"a": "x" * 20_000}), "file": ("x.nii.gz", b"voxels")})
    assert server.ask("PUT", "/datastore/image", body, content_type=kind).status == 413
    kind, body = form({f"field{n}": "x" * 2000 for n in range(10)})
    assert server.ask("PUT", "/datastore/image", body, content_type=kind).status == 413
    kind, body = form({f"field{n}": "x" for n in range(30)})
    assert server.ask("PUT", "/datastore/image", body, content_type=kind).status == 413
    for address in ("/datastore/image/info?image=case_1", "/activelearning/first"):
        method = "PUT" if "info" in address else "POST"
        large = b"info=" + b"x" * 20_000
        kind = "application/x-www-form-urlencoded"
        assert server.ask(method, address, large, content_type=kind).status == 413


def test_a_body_that_pauses_is_ended(serve: Callable[..., Server]) -> None:
    """408 after the time that a pause may take, and nothing is left."""
    server = serve(body_timeout=0.2)
    kind, body = form({"file": ("x.nii.gz", b"voxels" * 100)})
    with server.connect() as connection:
        connection.sendall(_request(server, "/datastore/image", kind, body[:200], len(body)))
        answer = read(connection, "PUT")
    assert (answer.status, set(answer.json)) == (408, {"detail"})
    assert server.staged() == []


def test_a_body_that_trickles_is_ended(serve: Callable[..., Server]) -> None:
    """408 also where no single pause is long, but the whole takes for ever."""
    server = serve(body_timeout=0.5, min_rate=MIB)
    kind, body = form({"file": ("x.nii.gz", b"voxels" * 100)})
    ended, waiting = threading.Event(), threading.Event()
    with server.connect() as connection:
        connection.sendall(_request(server, "/datastore/image", kind, body[:200], MIB))

        def trickle() -> None:
            while not ended.is_set():
                try:
                    connection.send(b"v")
                except OSError:
                    return
                waiting.wait(0.05)

        sender = threading.Thread(target=trickle)
        sender.start()
        answer = read(connection, "PUT")
        ended.set()
        sender.join()
    assert answer.status == 408


@pytest.mark.parametrize("address", ["/datastore/label?image=unknown", "/train/unknown", "/datastore/dataset"])
def test_who_sends_a_lot_still_reads_why_it_was_refused(shared: Server, address: str) -> None:
    """An answer that is known before the body is read waits for the body, so that the client sees it."""
    answer = shared.put(address, "label", "x.nii.gz", bytes(30 * MIB))
    assert answer.status in (404, 405)
    assert set(answer.json) == {"detail"}


def test_memory_stays_bounded(server: Server) -> None:
    """A large upload is never held in memory."""
    piece, count = bytes(MIB), 200
    server.put("/datastore/image?image=small", "file", "x.nii", piece)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    head, tail = form({"file": ("x.nii", b"|")})[1].split(b"|")
    with server.connect() as connection:
        length = len(head) + count * MIB + len(tail)
        kind = "multipart/form-data; boundary=frontier"
        connection.sendall(_request(server, "/datastore/image?image=large", kind, head, length))
        for _ in range(count):
            connection.sendall(piece)
        connection.sendall(tail)
        assert read(connection, "PUT").status == 200
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024  # KiB
    assert (server.folder / "large.nii").stat().st_size == count * MIB


def test_many_uploads_at_once_are_all_kept(server: Server) -> None:
    """A hundred clients that send at the same time are all served, and others meanwhile."""
    kind, body = form({"file": ("x.nii.gz", bytes(100_000))})
    connections: list[socket.socket] = []
    try:
        for n in range(100):
            connections.append(server.connect())
            connections[-1].sendall(
                _request(server, f"/datastore/image?image=many_{n}", kind, body[:50_000], len(body))
            )
        assert server.get("/info/").status == 200
        for connection in connections:
            connection.sendall(body[50_000:])
        assert [read(connection, "PUT").status for connection in connections] == [200] * 100
    finally:
        for connection in connections:
            connection.close()
    assert len(list(server.folder.glob("many_*.nii.gz"))) == 100
    assert server.staged() == []


@pytest.mark.parametrize(
    ("file_name", "kept"),
    [
        ("C:\\Users\\anna\\AppData\\Local\\Temp\\label.seg.nrrd", "case_1.seg.nrrd"),
        ("/home/anna/../../etc/label.nii.gz", "case_1.nii.gz"),
        ("label.json", "case_1.json"),
        ("label.bin", "case_1.bin"),
        ("noextension", "case_1"),
        ("", "case_1.nii.gz"),
        ("1.2.840.10008.5.nrrd", "case_1.nrrd"),
    ],
)
def test_a_label_keeps_its_extension_and_nothing_else_of_its_name(server: Server, file_name: str, kept: str) -> None:
    """Only the end of what a client calls its file counts; the label lies under its image's id."""
    assert server.put("/datastore/label?image=case_1&tag=t", "label", file_name, b"voxels").status == 200
    assert [path.name for path in (server.folder / "labels" / "t").iterdir()] == [kept]


@pytest.mark.parametrize(
    ("file_name", "image_id"),
    [
        ("C:\\scans\\liver ct.nii.gz", "liver ct"),
        ("/home/anna/1.2.840.1.nii", "1.2.840.1"),
        ("Schädel.png", "Schädel"),
        ("a.nii.b.nii.gz", "a.nii.b"),
    ],
)
def test_without_an_id_the_file_name_decides_it(server: Server, file_name: str, image_id: str) -> None:
    """The last part of the client's path, without the extension."""
    assert server.put("/datastore/image", "file", file_name, b"voxels").json == {"image": image_id}


def test_a_file_name_in_the_extended_form_is_read(server: Server) -> None:
    """Older versions of urllib3 send names beyond ASCII as `filename*` alone."""
    kind, body = form({"label": ("NAME", b"voxels")})
    body = body.replace(b'filename="NAME"', b"filename*=utf-8''Sch%C3%A4del.nrrd")
    assert server.ask("PUT", "/datastore/label?image=case_1", body, content_type=kind).status == 200
    assert (server.folder / "labels" / "final" / "case_1.nrrd").is_file()
