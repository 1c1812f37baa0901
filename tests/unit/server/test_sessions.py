"""Sessions: kept for their time, found by their id alone, and closed to archives that lie."""

import io
import os
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from monailabel.interfaces.exception import InvalidInputException
from monailabel.server.sessions import SessionNotFoundException, Sessions, plain_name
from monailabel.server.unpacking import unpack
from tests.unit.server.running import Server, form, read
from tests.waiting import until


def _zip(files: dict[str, bytes], kind: int = zipfile.ZIP_DEFLATED) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", kind) as zipped:
        for name, data in files.items():
            zipped.writestr(name, data)
    return archive.getvalue()


def _tar(mode: str, *entries: tuple[tarfile.TarInfo, bytes]) -> bytes:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode=mode) as tarred:  # type: ignore[call-overload]
        for entry, data in entries:
            entry.size = len(data)
            tarred.addfile(entry, io.BytesIO(data))
    return archive.getvalue()


def _entry(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = kind, link
    return entry


def _files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def sessions(tmp_path: Path) -> Sessions:
    """Give sessions in a folder of their own."""
    return Sessions(str(tmp_path / "sessions"))


def _made(sessions: Sessions, expiry: int = 0) -> str:
    with sessions.receiving() as place, place.file("a.nii.gz") as file:
        file.write(b"voxels")
        return place.kept([file], expiry, False, 1000).name


def test_several_files_make_one_image(server: Server) -> None:
    """`image` is then a folder; its bytes come as a ZIP."""
    kind, body = form({"files": ("C:\\dicom\\1.dcm", b"one")})
    _, other = form({"files": ("/dicom/2.dcm", b"two")})
    both = body.replace(b"--frontier--\r\n", b"") + other
    info = server.ask("PUT", "/session/", both, content_type=kind).json["session_info"]
    assert _files(Path(info["image"])) == ["1.dcm", "2.dcm"]
    answer = server.get(f"/session/{info['name']}?image=true")
    with zipfile.ZipFile(io.BytesIO(answer.body)) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == {"1.dcm": b"one", "2.dcm": b"two"}
    assert int(answer.headers["content-length"]) == len(answer.body)


def test_a_series_of_many_files_needs_few_open_ones(server: Server) -> None:
    """Each file is closed when the next one begins, so that a series may have more files than a process may open."""
    kind, body = form({"files": ("C:\\dicom\\N.dcm", b"slice N")})
    part = body.replace(b"--frontier--\r\n", b"")
    parts = [part.replace(b"N", b"%d" % n) for n in range(1500)]
    before = len(os.listdir("/proc/self/fd"))
    with server.connect() as connection:
        head = f"PUT /session/ HTTP/1.1\r\nHost: {server.host}\r\nContent-Type: {kind}\r\n"
        length = sum(map(len, parts)) + len(b"--frontier--\r\n")
        connection.sendall(f"{head}Content-Length: {length}\r\n\r\n".encode() + b"".join(parts))
        folder = server.sessions
        until(lambda: sum(1 for _ in folder.rglob("*.dcm")) > 1000, within=10)
        assert len(os.listdir("/proc/self/fd")) < before + 20
        connection.sendall(b"--frontier--\r\n")
        info = read(connection, "PUT").json["session_info"]
    assert (Path(info["image"]) / "1499.dcm").read_bytes() == b"slice 1499"


@pytest.mark.parametrize("mode", ["zip", "w", "w:gz", "w:xz", "w:bz2"])
def test_an_archive_is_unpacked_on_request(server: Server, mode: str) -> None:
    """With `uncompress=true`, ZIP or TAR; without it the archive is the image."""
    data = _zip({"a/1.dcm": b"one"}) if mode == "zip" else _tar(mode, (_entry("a/1.dcm"), b"one"))
    info = server.put("/session/?uncompress=true", "files", "series.zip", data).json["session_info"]
    assert _files(Path(info["image"])) == ["a/1.dcm"]
    info = server.put("/session/", "files", "series.zip", data).json["session_info"]
    assert server.get(f"/session/{info['name']}?image=true").body == data


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"no archive", id="no archive at all"),
        pytest.param(_zip({"../evil": b"x"}), id="a name that leads out"),
        pytest.param(_zip({"/etc/evil": b"x"}), id="an absolute name"),
        pytest.param(_zip({"a\\..\\..\\evil": b"x"}), id="a name that leads out on Windows"),
        pytest.param(_zip({"a": b"x", "a/b": b"y"}), id="a file that is a folder too"),
        pytest.param(_zip({"a": bytes(10_000_000)}), id="a bomb"),
        pytest.param(_zip({f"{n}": bytes(200_000) for n in range(20)}), id="a bomb of many files"),
        pytest.param(_zip({"a": b"some text" * 50})[:-30], id="a ZIP that breaks off"),
        pytest.param(_zip({"a": b"some text"}, zipfile.ZIP_STORED).replace(b"some", b"SOME", 1), id="a damaged ZIP"),
        pytest.param(_tar("w", (_entry("a", tarfile.SYMTYPE, "/etc/passwd"), b"")), id="a link"),
        pytest.param(_tar("w", (_entry("a", tarfile.LNKTYPE, "/etc/passwd"), b"")), id="a hard link"),
        pytest.param(_tar("w", (_entry("a", tarfile.CHRTYPE), b"")), id="a device"),
        pytest.param(_tar("w", (_entry("../../evil"), b"x")), id="a TAR name that leads out"),
        pytest.param(_tar("w:gz", (_entry("a"), bytes(10_000_000))), id="a TAR bomb"),
        pytest.param(_tar("w:gz", (_entry("a"), os.urandom(9000)))[:5000], id="a TAR that breaks off"),
    ],
)
def test_an_archive_that_lies_is_refused(serve: Callable[..., Server], data: bytes) -> None:
    """400, one sentence, and nothing is left anywhere."""
    server = serve(max_upload=1_000_000)
    before = server.lying_around()
    answer = server.put("/session/?uncompress=true", "files", "series.zip", data)
    assert (answer.status, set(answer.json)) == (400, {"detail"})
    assert [path for path in server.lying_around() if path not in before] == [server.sessions]


def test_a_link_in_a_zip_is_refused(tmp_path: Path) -> None:
    """A ZIP marks a link by its mode."""
    archive = tmp_path / "a.zip"
    entry = zipfile.ZipInfo("link")
    entry.external_attr = 0o120777 << 16
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr(entry, "/etc/passwd")
    with pytest.raises(InvalidInputException, match="no plain file"):
        unpack(archive, tmp_path / "out", 1000)


def test_expiry_is_at_most_the_servers_own(serve: Callable[..., Server]) -> None:
    """A longer one, zero and a negative one are the server's."""
    server = serve(session_expiry=600)

    def expiry(asked: int) -> int:
        info = server.put(f"/session/?expiry={asked}", "files", "a.nii.gz", b"voxels").json["session_info"]
        return int(info["expiry"])

    assert [expiry(asked) for asked in (100, 600, 9999, 0, -5)] == [100, 600, 600, 600, 600]


def test_an_expired_session_is_gone(sessions: Sessions) -> None:
    """Whoever asks for it, and whoever sweeps, removes it; one that is used lives on."""
    kept, asked, swept = (_made(sessions, expiry=100) for _ in range(3))
    for name in (asked, swept):
        meta = sessions.path / name / "meta.info"
        meta.write_text(meta.read_text().replace('"last_access_ts": ', '"last_access_ts": -'))
    with pytest.raises(SessionNotFoundException):
        sessions.get(asked)
    sessions.sweep()
    assert [path.name for path in sessions.path.iterdir()] == [kept]


def test_a_use_lets_the_time_begin_anew(server: Server) -> None:
    """`update_ts=true` moves `last_access_ts`; without it reading changes nothing."""
    name = server.put("/session/", "files", "a.nii.gz", b"voxels").json["session_id"]
    meta = server.sessions / name / "meta.info"
    made = server.get(f"/session/{name}").json
    meta.write_text(
        meta.read_text().replace(f'"last_access_ts": {made["last_access_ts"]}', '"last_access_ts": 9999999990')
    )
    assert server.get(f"/session/{name}").json["last_access_ts"] == 9999999990
    assert server.get(f"/session/{name}?update_ts=true").json["last_access_ts"] <= made["last_access_ts"] + 60
    assert server.get(f"/session/{name}").json["last_access_ts"] != 9999999990


def test_sessions_outlive_the_server(tmp_path: Path) -> None:
    """They lie in their folder, for that user alone."""
    name = _made(Sessions(str(tmp_path / "s")))
    again = Sessions(str(tmp_path / "s")).get(name)
    assert Path(again.image).read_bytes() == b"voxels"
    assert (tmp_path / "s").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("session_id", ["..", "../x", "", ".", "x" * 400, "a\0b", "/etc", "meta.info", "ABC", "\udcff"])
def test_what_is_no_id_is_not_found(sessions: Sessions, tmp_path: Path, session_id: str) -> None:
    """An id never leads to another place on the disk."""
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "meta.info").write_text("{}")
    for verb in (sessions.get, sessions.remove):
        with pytest.raises(SessionNotFoundException):
            verb(session_id)
    assert (tmp_path / "x").is_dir()


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("C:\\a\\b.nii.gz", "b.nii.gz"),
        ("/a/b c.dcm", "b c.dcm"),
        ("noextension", "noextension"),
        (".nii.gz", "image.nii.gz"),
    ],
)
def test_a_clients_name_is_cut_to_its_last_part(given: str, name: str) -> None:
    """Windows paths included; a name of an extension alone gets a beginning."""
    assert plain_name(given) == name


@pytest.mark.parametrize("given", ["..", "a/..", "con", "a\nb", "\udcff", "x" * 300, "dot."])
def test_a_name_that_no_file_should_have_is_refused(given: str) -> None:
    """With a sentence; `..` included."""
    with pytest.raises(InvalidInputException):
        plain_name(given)


def test_an_upload_that_breaks_off_leaves_no_session(server: Server) -> None:
    """Nothing of it lies in the sessions' folder afterwards."""
    kind, body = form({"files": ("a.nii.gz", b"voxels" * 1000)})
    assert server.ask("PUT", "/session/", body[:-10], content_type=kind).status == 400
    assert list(server.sessions.iterdir()) == []
    assert server.put("/session/", "other", "a.nii.gz", b"voxels").status == 422
    assert list(server.sessions.iterdir()) == []
