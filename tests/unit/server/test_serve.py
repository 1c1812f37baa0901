"""Running and stopping: the port, the address, signals, and what is kept when the end comes."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from monailabel.datastore.local import LocalDatastore
from monailabel.interfaces.exception import ConflictException, InvalidInputException
from monailabel.server.serve import bind, serve, url
from monailabel.server.settings import Settings
from tests.unit.server.running import Server, folder_of_two, form, read

PROGRAM = """
import sys
from monailabel.server.serve import serve
from monailabel.server.settings import Settings
serve(Settings(folder=sys.argv[1], port=0, session_path=sys.argv[1] + "-sessions", grace=1),
      on_ready=lambda url: print(url, flush=True))
print("ended", flush=True)
"""


@contextmanager
def _process(folder: Path) -> Iterator[tuple["subprocess.Popen[str]", Server]]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-W", "error", "-c", PROGRAM, str(folder)]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        found = re.fullmatch(r"http://127\.0\.0\.1:(\d+)/\n", process.stdout.readline())
        assert found, process.communicate(timeout=10)
        try:
            with LocalDatastore(folder, read_only=True) as store:
                yield process, Server(int(found[1]), folder, folder.parent / f"{folder.name}-sessions", store)
        finally:
            process.kill()


def _stop(process: "subprocess.Popen[str]", number: int) -> tuple[float, str, str]:
    began = time.monotonic()
    process.send_signal(number)
    out, err = process.communicate(timeout=20)
    return time.monotonic() - began, out, err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_a_signal_ends_it_in_seconds(tmp_path: Path, number: int) -> None:
    """With a slow download and half an upload open it exits with 0, says nothing, and leaves nothing half done."""
    folder = folder_of_two(tmp_path / "studies")
    (folder / "big.nii").write_bytes(bytes(64 * 2**20))
    with _process(folder) as (process, server), server.connect() as slow, server.connect() as half:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.sendall(f"GET /datastore/image?image=big HTTP/1.1\r\nHost: {server.host}\r\n\r\n".encode())
        assert slow.recv(100).startswith(b"HTTP/1.1 200")
        kind, body = form({"file": ("x.nii", bytes(3 * 2**20))})
        head = f"PUT /datastore/image?image=half HTTP/1.1\r\nHost: {server.host}\r\nContent-Type: {kind}\r\n"
        half.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body[: 2 * 2**20])
        assert server.put("/datastore/label?image=case_1", "label", "x.nii.gz", b"voxels").status == 200
        seconds, out, err = _stop(process, number)
        assert (process.returncode, out, err) == (0, "ended\n", "")
        assert seconds < 6
    document = json.loads((folder / "datastore_v2.json").read_text())
    assert list(document["objects"]["case_1"]["labels"]) == ["original", "final"]
    assert "half" not in document["objects"]
    assert server.staged() == []


def test_an_upload_that_is_nearly_done_is_still_kept(tmp_path: Path) -> None:
    """What comes to its end within the grace after the signal is acknowledged, and kept."""
    with _process(folder_of_two(tmp_path / "studies")) as (process, server), server.connect() as connection:
        kind, body = form({"file": ("x.nii", bytes(100_000))})
        head = f"PUT /datastore/image?image=late HTTP/1.1\r\nHost: {server.host}\r\nContent-Type: {kind}\r\n"
        connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body[:50_000])
        assert server.get("/info/").status == 200
        process.send_signal(signal.SIGTERM)
        connection.sendall(body[50_000:])
        assert read(connection, "PUT").json == {"image": "late"}
        process.communicate(timeout=20)
    assert (server.folder / "late.nii").stat().st_size == 100_000


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org"])
def test_other_machines_are_let_in_only_when_asked_for(tmp_path: Path, host: str) -> None:
    """An address beyond this machine needs `insecure`, and the sentence says so."""
    with pytest.raises(InvalidInputException, match=f"address {re.escape(host)} refused.*--insecure"):
        serve(Settings(folder=str(tmp_path), host=host))


def test_an_open_address_is_told_as_one_that_works_here(tmp_path: Path) -> None:
    """For 0.0.0.0 the address to open is this machine's."""
    settings = Settings(folder=str(tmp_path), host="0.0.0.0", port=0, insecure=True)
    with bind(settings) as listening:
        assert url(settings, listening) == f"http://127.0.0.1:{listening.getsockname()[1]}/"


def test_a_port_that_is_taken_is_told_before_anything_is_opened(tmp_path: Path, server: Server) -> None:
    """One sentence with the port; two servers never share one."""
    with pytest.raises(ConflictException, match=f"port {server.port} of 127.0.0.1 cannot be used"):
        serve(Settings(folder=str(tmp_path / "new"), port=server.port), on_ready=lambda url: pytest.fail(url))
    assert not (tmp_path / "new").exists()


def test_a_port_can_be_used_again_at_once(tmp_path: Path) -> None:
    """Connections that were just closed do not keep it."""
    folder = folder_of_two(tmp_path / "studies")
    with _process(folder) as (process, server):
        assert server.get("/info/").status == 200
        _stop(process, signal.SIGTERM)
    with bind(Settings(folder=str(folder), port=server.port)):
        pass


def test_a_datastore_that_cannot_be_opened_is_told_as_it_is(tmp_path: Path) -> None:
    """The datastore's own sentence reaches the caller."""
    (tmp_path / "datastore_v2.json").write_text("{ damaged")
    with pytest.raises(Exception, match=r"datastore_v2\.json"):
        serve(Settings(folder=str(tmp_path), port=0), on_ready=lambda url: pytest.fail(url))


def test_the_datastore_is_closed_at_the_end(serve: Callable[..., Server], tmp_path: Path) -> None:
    """`running` itself sees that the server stops; the document is current then, and can be opened again."""
    server = serve()
    server.put("/datastore/label?image=case_1", "label", "x.nii.gz", b"voxels")
    assert server.get("/datastore/").json["completed"] == 1
