"""Starts servers, ours, MONAI Label's and bare ones, in processes of their own, and says where they listen."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmarks.children import command, settings
from benchmarks.results import Who
from tests.waiting import until

PATIENCE = 120.0  # seconds for a server's start


class NoServer(Exception):
    """A server that did not start; the message says why."""


@contextmanager
def ours(folder: Path, environment: dict[str, str] | None = None) -> Iterator[int]:
    """Serve a folder with our command line; give the port."""
    program = [sys.executable, "-m", "monailabel.cli", "serve", str(folder), "--port", "0"]
    with (
        subprocess.Popen(
            program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment or settings(Who.OURS)
        ) as child,
        _told(child) as port,
    ):
        yield port


@contextmanager
def bare(database: Path, count: int) -> Iterator[int]:
    """Serve nothing but an empty endpoint and one that records; give the port."""
    with _asked(Who.LIMIT, "bare:serve", database=str(database), count=count) as child, _told(child) as port:
        yield port


@contextmanager
def theirs(folder: Path, app: Path) -> Iterator[int]:
    """Serve a folder with MONAI Label's own server; give the port."""
    port = free_port()
    with _asked(Who.THEIRS, "servers:serve_theirs", folder=str(folder), app=str(app), port=port) as child:
        try:
            await_answer(child, port)
            yield port
        finally:
            child.kill()


@contextmanager
def _asked(who: Who, work: str, **request: Any) -> Iterator["subprocess.Popen[bytes]"]:
    with subprocess.Popen(
        [*command(who), "--serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=settings(who),
    ) as child:  # fmt: skip
        assert child.stdin is not None
        child.stdin.write(json.dumps({"work": work} | request).encode())
        child.stdin.close()
        yield child


@contextmanager
def _told(child: "subprocess.Popen[bytes]") -> Iterator[int]:
    """Read the address from the first line that names one; end the server afterwards."""
    try:
        assert child.stdout is not None and child.stderr is not None
        for line in child.stdout:
            words = [word for word in line.decode().split() if word.startswith("http://")]
            if words:
                yield urlsplit(words[0]).port or 80
                return
        raise NoServer(child.stderr.read().decode()[-2000:])
    finally:
        child.terminate()
        child.wait(PATIENCE)


def await_answer(child: "subprocess.Popen[bytes]", port: int) -> None:
    """Return when a server accepts connections; raise NoServer with what it wrote if it does not."""
    with suppress(TimeoutError):
        until(lambda: child.poll() is not None or _accepts(port), within=PATIENCE, pause=0.05)
        if child.poll() is None:
            return
    assert child.stderr is not None
    child.kill()
    raise NoServer(child.stderr.read().decode()[-2000:])


def _accepts(port: int) -> bool:
    with suppress(OSError):
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    return False


def free_port() -> int:
    """Give a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


def serve_theirs(folder: str, app: str, port: int) -> None:
    """Run MONAI Label's application, with a minimal app over a folder, as it runs it itself: in uvicorn."""
    from monai_label.server import APP  # type: ignore[import-not-found]

    os.environ |= {
        "MONAI_LABEL_APP_DIR": app,
        "MONAI_LABEL_STUDIES": folder,
        "MONAI_LABEL_DATASTORE_AUTO_RELOAD": "false",
        "MONAI_LABEL_SESSION_PATH": os.path.join(app, "sessions"),
    }
    Path(app, "main.py").write_text(APP)
    import uvicorn

    uvicorn.run("monailabel.app:app", host="127.0.0.1", port=port, log_level="error")
