"""Runs the server: binds its port, opens the datastore, and stops in seconds when it is told to."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable

from fastapi import FastAPI
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.net import SocketHolder  # type: ignore[attr-defined]
from granian.server.embed import Server

from monailabel.interfaces.exception import ConflictException, InvalidInputException
from monailabel.server.app import Progress, create_app, open_datastore
from monailabel.server.guard import is_loopback, is_wildcard
from monailabel.server.settings import Settings

BACKLOG = 1024  # connections that may wait, and that are served at once
BUFFER = 128 * 1024  # bytes of a connection that wait to be read; a request's head has to fit into them
MOST_FILES = 65_536

Ready = Callable[[str], None]


def serve(settings: Settings, *, on_ready: Ready | None = None, progress: Progress | None = None) -> None:
    """Serve until SIGTERM or SIGINT; `on_ready` is told the address once it answers.

    Raises InvalidInputException for an address that is refused, ConflictException for a port that is taken.
    """
    with bind(settings) as listening:
        raise_file_limit()
        store = open_datastore(settings, progress)
        app = create_app(settings, store)
        with store:
            asyncio.run(_until_signal(app, settings, listening, on_ready))


def bind(settings: Settings) -> socket.socket:
    """Take the port, so that no other program can have it from here on, and queue what connects to it."""
    host, port = settings.host, settings.port
    if not settings.insecure and not is_loopback(host):
        raise InvalidInputException(
            f"address {host} refused: other machines could read and change everything, as there are no users yet; "
            "listen on 127.0.0.1, or add --insecure"
        )
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address, family=family, backlog=BACKLOG)
    except (OSError, UnicodeError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise ConflictException(f"port {port} of {host} cannot be used ({reason.lower()}); try another port") from None


def url(settings: Settings, listening: socket.socket) -> str:
    """Give the address to open in a browser on this machine."""
    host = settings.host
    if is_wildcard(host):
        host = "::1" if ":" in host else "127.0.0.1"
    port = listening.getsockname()[1]
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


async def _until_signal(app: FastAPI, settings: Settings, listening: socket.socket, on_ready: Ready | None) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(NotImplementedError):  # Windows: Ctrl-C ends the loop by itself
            loop.add_signal_handler(number, stop.set)
    await run(app, settings, listening, stop, on_ready)


async def run(
    app: FastAPI, settings: Settings, listening: socket.socket, stop: asyncio.Event, on_ready: Ready | None = None
) -> None:
    """Serve an application on a bound socket until `stop` is set; open requests get `settings.grace` seconds more."""
    address = url(settings, listening)
    server = _Held(app, listening, settings)
    serving = asyncio.create_task(server.serve())
    stopping = asyncio.create_task(stop.wait())
    await _answering(listening, serving)
    if on_ready is not None and not serving.done():
        on_ready(address)
    await asyncio.wait((serving, stopping), return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not serving.done():
        app.state.feed.close()  # whoever follows the events would do so for ever
        await _end(server, serving, settings.grace)
    if not serving.cancelled():
        serving.result()


async def _answering(listening: socket.socket, serving: "asyncio.Task[None]") -> None:
    """Wait until the server answers; it queues the connection before."""
    where = listening.getsockname()[:2]
    knocking = asyncio.create_task(_knock(where[0], where[1]))
    await asyncio.wait((knocking, serving), return_when=asyncio.FIRST_COMPLETED)
    knocking.cancel()


async def _knock(host: str, port: int) -> None:
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(b"HEAD / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    await reader.read()
    writer.close()


async def _end(server: Server, serving: "asyncio.Task[None]", grace: float) -> None:
    server.stop()  # type: ignore[no-untyped-call]
    await asyncio.wait((serving,), timeout=grace)
    if not serving.done():  # a client that reads or sends slowly: its request breaks off here
        asyncio.get_running_loop().set_exception_handler(_quiet)
        serving.cancel()
        await asyncio.wait((serving,), timeout=1)


def _quiet(loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
    """Say nothing of requests that were broken off on purpose."""


class _Held(Server):
    """granian in this process, on a socket that is ours already: its own is shared with whoever asks for the port."""

    def __init__(self, app: FastAPI, listening: socket.socket, settings: Settings) -> None:
        patience = max(1, round(settings.body_timeout * 1000))  # milliseconds, for a request's head too
        super().__init__(
            app, interface=Interfaces.ASGI, http=HTTPModes.http1, websockets=False, log_enabled=False, backlog=BACKLOG,
            http1_settings=HTTP1Settings(header_read_timeout=patience, max_buffer_size=BUFFER),
        )  # fmt: skip
        self._listening = listening

    def _init_shared_socket(self) -> None:
        # as granian itself does where a port cannot be shared
        self._ssp = None
        self._shd = SocketHolder(self._listening.detach(), False, BACKLOG)  # type: ignore[call-arg,assignment]


def raise_file_limit() -> None:
    """Allow this process as many open files as the system lets it, each download and each connection being one."""
    with contextlib.suppress(ImportError, OSError, ValueError):  # Windows has no such limit
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        enough = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, enough), hard))
