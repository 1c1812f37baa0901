"""Downloads: headers, ranges, conditions, hostile names, and one version's bytes whatever happens meanwhile."""

import hashlib
import http.client
import os
import socket
import threading
from email.utils import formatdate
from pathlib import Path

import pytest

from monailabel.server.download import disposition
from tests.unit.server.running import IMAGE, Server
from tests.waiting import until

ADDRESS = "/datastore/image?image=case_1"
MIB = 2**20


def test_a_download_carries_the_headers_that_clients_read(shared: Server) -> None:
    """The bytes come with their name, length, ETag, time and the word that ranges are answered."""
    answer = shared.get(ADDRESS)
    assert (answer.status, answer.body) == (200, IMAGE)
    assert answer.headers["content-disposition"] == 'attachment; filename="case_1.nii.gz"'
    assert answer.headers["content-length"] == str(len(IMAGE))
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["etag"].startswith('"')
    modified = os.stat(shared.folder / "case_1.nii.gz").st_mtime
    assert answer.headers["last-modified"] == formatdate(int(modified), usegmt=True)


def test_head_tells_what_get_would(shared: Server) -> None:
    """HEAD gives the headers of the download, and no bytes."""
    got, head = shared.get(ADDRESS), shared.ask("HEAD", ADDRESS)
    assert (head.status, head.body) == (200, b"")
    names = ("content-length", "etag", "last-modified", "content-disposition", "content-type")
    assert [head.headers[name] for name in names] == [got.headers[name] for name in names]


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        pytest.param("bytes=0-9", 0, 10, id="the first ten bytes"),
        pytest.param("bytes=5-", 5, len(IMAGE), id="all but the first five"),
        pytest.param("bytes=-7", len(IMAGE) - 7, len(IMAGE), id="the last seven"),
        pytest.param("bytes=-99999", 0, len(IMAGE), id="more at the end than there is"),
        pytest.param("bytes=3-99999", 3, len(IMAGE), id="further than the end"),
    ],
)
def test_a_range_is_answered_with_its_bytes(shared: Server, asked: str, start: int, end: int) -> None:
    """206 with the bytes of the range, and where they stand."""
    answer = shared.get(ADDRESS, Range=asked)
    assert (answer.status, answer.body) == (206, IMAGE[start:end])
    assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/{len(IMAGE)}"
    assert answer.headers["content-length"] == str(end - start)


@pytest.mark.parametrize("asked", ["bytes=9999-", "bytes=-0", "bytes=9999-10000", "bytes=9999999999999999999-"])
def test_a_range_beyond_the_end_is_refused(shared: Server, asked: str) -> None:
    """416 says how long the file is."""
    answer = shared.get(ADDRESS, Range=asked)
    assert answer.status == 416
    assert answer.headers["content-range"] == f"bytes */{len(IMAGE)}"
    assert set(answer.json) == {"detail"}


@pytest.mark.parametrize("asked", ["bytes=5-3", "bytes=-", "lines=1-2", "bytes=0-1,4-5", "nonsense", "bytes=1-1-1"])
def test_what_is_no_single_range_gives_the_whole_file(shared: Server, asked: str) -> None:
    """A range that cannot be read, or several at once, are passed over."""
    answer = shared.get(ADDRESS, Range=asked)
    assert (answer.status, answer.body) == (200, IMAGE)


def test_a_range_of_another_version_gives_the_whole_file(shared: Server) -> None:
    """If-Range: only who has this very version gets the part that is lacking."""
    etag, modified = (shared.get(ADDRESS).headers[name] for name in ("etag", "last-modified"))
    for same in (etag, modified):
        assert shared.get(ADDRESS, Range="bytes=0-3", If_Range=same).status == 206
    for other in ('"other"', f"W/{etag}", "Sun, 06 Nov 1994 08:49:37 GMT"):
        assert shared.get(ADDRESS, Range="bytes=0-3", If_Range=other).status == 200


def test_who_has_the_file_already_gets_no_bytes(shared: Server) -> None:
    """If-None-Match and If-Modified-Since are answered with 304."""
    etag, modified = (shared.get(ADDRESS).headers[name] for name in ("etag", "last-modified"))
    for condition in ({"If_None_Match": etag}, {"If_None_Match": f'"x", W/{etag}'}, {"If_None_Match": "*"}):
        answer = shared.get(ADDRESS, **condition)
        assert (answer.status, answer.body, answer.headers["etag"]) == (304, b"", etag)
    assert shared.get(ADDRESS, If_Modified_Since=modified).status == 304
    assert shared.ask("HEAD", ADDRESS, If_None_Match=etag).status == 304


def test_who_has_another_version_gets_the_file(shared: Server) -> None:
    """An ETag that differs wins over a date, and what is no date is no condition."""
    modified = shared.get(ADDRESS).headers["last-modified"]
    assert shared.get(ADDRESS, If_None_Match='"other"', If_Modified_Since=modified).status == 200
    assert shared.get(ADDRESS, If_Modified_Since="yesterday").status == 200
    assert shared.get(ADDRESS, If_Modified_Since="Sun, 06 Nov 1994 08:49:37 GMT").status == 200


def test_who_insists_on_another_version_is_told_so(shared: Server) -> None:
    """If-Match and If-Unmodified-Since are answered with 412."""
    etag = shared.get(ADDRESS).headers["etag"]
    assert shared.get(ADDRESS, If_Match=etag).status == 200
    assert shared.get(ADDRESS, If_Match='"other"').status == 412
    assert shared.get(ADDRESS, If_Unmodified_Since="Sun, 06 Nov 1994 08:49:37 GMT").status == 412


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("a b.seg.nrrd", 'attachment; filename="a b.seg.nrrd"'),
        ("Schädel.nii", "attachment; filename=\"Sch_del.nii\"; filename*=UTF-8''Sch%C3%A4del.nii"),
        ('a";b.nii', "attachment; filename=\"a_;b.nii\"; filename*=UTF-8''a%22%3Bb.nii"),
        ("100%.nii", "attachment; filename=\"100_.nii\"; filename*=UTF-8''100%25.nii"),
        ("a\r\nX: y.nii", "attachment; filename=\"a__X: y.nii\"; filename*=UTF-8''a%0D%0AX%3A%20y.nii"),
    ],
)  # fmt: skip
def test_a_name_goes_safely_into_the_header(name: str, header: str) -> None:
    """Whatever a name holds, the header is one line of ASCII from which it can be read back."""
    assert disposition(name) == header


@pytest.mark.parametrize(
    "image_id", ["Schädel äöü", 'quo"te', "日本", "semi;colon", "per%cent", "plus+sign", "1.2.840.1"]
)
def test_an_id_of_any_letters_downloads(server: Server, image_id: str) -> None:
    """What was uploaded under an id comes back under it, byte for byte."""
    from urllib.parse import quote_plus

    address = f"/datastore/image?image={quote_plus(image_id)}"
    assert server.put(address, "file", "C:\\scans\\some.nii.gz", b"voxels").json == {"image": image_id}
    answer = server.get(address)
    assert (answer.status, answer.body) == (200, b"voxels")


@pytest.mark.parametrize(
    ("size", "rounds"), [(40_000, 150), (5 * MIB, 40)], ids=["sent in pieces", "sent by the server itself"]
)
def test_every_download_is_of_one_version_while_the_file_is_replaced(server: Server, size: int, rounds: int) -> None:
    """While versions follow each other as fast as they can, bytes, length and ETag of each answer belong together."""
    versions = {hashlib.sha256(data).hexdigest(): data for data in (bytes([n]) * (size + 997 * n) for n in range(8))}
    server.put(ADDRESS, "file", "x.nii.gz", next(iter(versions.values())))
    done = threading.Event()

    def replace() -> None:
        while not done.is_set():
            for data in versions.values():
                server.put(ADDRESS, "file", "x.nii.gz", data)

    writer = threading.Thread(target=replace)
    writer.start()
    try:
        answers = [server.get(ADDRESS) for _ in range(rounds)]
        while len({a.sha256 for a in answers}) < 2:  # on a busy machine nothing may have been replaced meanwhile
            answers.append(server.get(ADDRESS))
    finally:
        done.set()
        writer.join()
    assert {answer.status for answer in answers} == {200}
    assert [a for a in answers if a.sha256 not in versions or a.headers["content-length"] != str(len(a.body))] == []
    assert [a.headers["etag"] for a in answers] == [f'"{a.sha256}"' for a in answers]


def test_a_slow_download_survives_that_its_file_is_removed(server: Server) -> None:
    """What a client has begun to read comes to its end, though the image was removed meanwhile."""
    data = os.urandom(8 * 2**20)
    server.put("/datastore/image?image=big", "file", "big.nii.gz", data)
    with server.connect() as connection:
        connection.sendall(f"GET /datastore/image?image=big HTTP/1.1\r\nHost: {server.host}\r\n\r\n".encode())
        response = http.client.HTTPResponse(connection)
        response.begin()
        received = response.read(10)
        assert server.ask("DELETE", "/datastore/image?id=big").status == 200
        received += response.read()
    assert received == data


def test_descriptors_do_not_leak(server: Server) -> None:
    """However a download ends, whole, by range, by 304 or by a client that leaves, its file is closed."""
    server.put("/datastore/image?image=big", "file", "big.nii.gz", bytes(4 * 2**20))
    before = _open_scans(server.folder)
    for _ in range(20):
        server.get(ADDRESS)
        server.get(ADDRESS, Range="bytes=0-3")
        server.get(ADDRESS, Range="bytes=99999-")
        server.get(ADDRESS, If_None_Match="*")
        server.ask("HEAD", ADDRESS)
        for lines in ("", "Range: bytes=1-\r\n"):
            _leave_in_the_middle(server, lines)
    until(lambda: _open_scans(server.folder) <= before, within=10)


def _leave_in_the_middle(server: Server, lines: str) -> None:
    with server.connect() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        head = f"GET /datastore/image?image=big HTTP/1.1\r\nHost: {server.host}\r\n{lines}\r\n"
        connection.sendall(head.encode())
        connection.recv(100)


def _open_scans(folder: Path) -> int:
    links = (f"/proc/self/fd/{fd}" for fd in os.listdir("/proc/self/fd"))
    targets = [os.readlink(link) for link in links if os.path.islink(link)]
    return sum(target.startswith(str(folder)) and ".nii" in target for target in targets)
