"""A real server for tests, on a free port of this machine, and requests sent to it byte for byte."""

import asyncio
import hashlib
import http.client
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monailabel.datastore.local import LocalDatastore
from monailabel.server.app import create_app, open_datastore
from monailabel.server.serve import bind, raise_file_limit, run
from monailabel.server.settings import Settings

IMAGE = b"\x1f\x8b image of case_1 " * 40
LABEL = b"\x1f\x8b label of case_1 " * 30


@dataclass
class Answer:
    """What the server said."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """Read the body."""
        return json.loads(self.body)

    @property
    def sha256(self) -> str:
        """Hash the body."""
        return hashlib.sha256(self.body).hexdigest()


@dataclass
class Server:
    """A server that runs."""

    port: int
    folder: Path
    sessions: Path
    store: LocalDatastore
    app: Any = None

    @property
    def host(self) -> str:
        """Give what a client puts into its Host header."""
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """Give the address."""
        return f"http://{self.host}"

    def connect(self) -> socket.socket:
        """Open a connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)

    def send(self, request: bytes) -> Answer:
        """Send bytes as they are, and read the answer."""
        with self.connect() as connection:
            connection.sendall(request)
            return read(connection, request.split(b" ", 1)[0].decode())

    def ask(self, method: str, address: str, body: bytes | None = None, **headers: str) -> Answer:
        """Ask as `http.client` does; `_` in a header's name stands for `-`."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, address, body=body, headers=named)
            response = connection.getresponse()
            return Answer(response.status, _lower(response.getheaders()), response.read())
        finally:
            connection.close()

    def get(self, address: str, **headers: str) -> Answer:
        """GET."""
        return self.ask("GET", address, **headers)

    def put(self, address: str, part: str, name: str, data: bytes, **fields: str) -> Answer:
        """PUT a file and text fields."""
        kind, body = form({**fields, part: (name, data)})
        return self.ask("PUT", address, body, content_type=kind)

    def lying_around(self) -> list[Path]:
        """List the datastore's files and what lies beside it, but for what may come in the background at any time."""
        found = [*self.folder.parent.iterdir(), *self.folder.rglob("*")]
        return sorted(path for path in found if path.parent.name != ".monailabel" or path.is_dir())

    def staged(self) -> list[Path]:
        """List what uploads left behind, not the empty files that lie ready for the next ones."""
        staging = self.folder / ".monailabel" / "staging"
        return [path for path in staging.rglob("*") if path.is_file() and path.stat().st_size]


def read(connection: socket.socket, method: str = "GET") -> Answer:
    """Read one answer."""
    response = http.client.HTTPResponse(connection, method=method)
    with response:
        response.begin()
        return Answer(response.status, _lower(response.getheaders()), response.read())


def _lower(headers: list[tuple[str, str]]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers}


def form(parts: dict[str, str | tuple[str, bytes]], boundary: str = "frontier") -> tuple[str, bytes]:
    """Give the content type and the body of a multipart form; a file is its name and bytes."""
    lines = []
    for name, part in parts.items():
        said = f'form-data; name="{name}"' + (f'; filename="{part[0]}"' if isinstance(part, tuple) else "")
        data = part[1] if isinstance(part, tuple) else part.encode()
        lines.append(f"--{boundary}\r\nContent-Disposition: {said}\r\n\r\n".encode() + data + b"\r\n")
    return f"multipart/form-data; boundary={boundary}", b"".join(lines) + f"--{boundary}--\r\n".encode()


def folder_of_two(path: Path) -> Path:
    """Make a folder with the images `case_1`, which has a label `original`, and `case_2`."""
    (path / "labels" / "original").mkdir(parents=True)
    (path / "case_1.nii.gz").write_bytes(IMAGE)
    (path / "case_2.nii.gz").write_bytes(b"\x1f\x8b image of case_2")
    (path / "labels" / "original" / "case_1.nii.gz").write_bytes(LABEL)
    return path


@contextmanager
def running(folder: Path, **settings: Any) -> Iterator[Server]:
    """Serve a folder; the datastore is closed and all threads are gone afterwards."""
    sessions = folder.parent / f"{folder.name}-sessions"
    given = {"port": 0, "auto_reload": False, "session_path": str(sessions), "grace": 1, **settings}
    chosen = Settings(folder=str(folder), **given)
    raise_file_limit()
    listening = bind(chosen)
    port = listening.getsockname()[1]
    store = open_datastore(chosen)
    app = create_app(chosen, store)
    loop, ready, stop = asyncio.new_event_loop(), threading.Event(), asyncio.Event()

    def serve() -> None:
        asyncio.set_event_loop(loop)
        loop.run_until_complete(run(app, chosen, listening, stop, lambda _: ready.set()))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        assert ready.wait(20), "the server did not start"
        yield Server(port, folder, sessions, store, app)
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(20)
        assert not thread.is_alive(), "the server did not stop"
