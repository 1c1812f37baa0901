"""Sends requests over many connections that stay open, each as soon as its answer before is there."""

import selectors
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import cycle


class BadAnswer(Exception):
    """An answer that is no success; the message holds its beginning."""


@dataclass
class Load:
    """What a server answered: how long each request took, and all together, in seconds."""

    latencies: list[float] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def each(self) -> float:
        """Give the seconds that the server spent on a request, so that a smaller figure is the better one."""
        return self.seconds / len(self.latencies)


@dataclass(slots=True)
class _Connection:
    socket: socket.socket
    sent: float = 0.0
    answer: bytes = b""


def drive(port: int, requests: list[bytes], seconds: float, connections: int = 32) -> Load:
    """Send the requests in turn over so many connections for so long, and wait for the last answers."""
    load, turn = Load(), cycle(requests)
    with selectors.DefaultSelector() as ready:
        for _ in range(connections):
            opened = socket.create_connection(("127.0.0.1", port))
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            ready.register(opened, selectors.EVENT_READ, _Connection(opened))
        begin = time.perf_counter()
        for key in list(ready.get_map().values()):
            _send(key.data, turn)
        waiting = connections
        while waiting:
            for key, _ in ready.select():
                if not _received(key.data):
                    continue
                now = time.perf_counter()
                load.latencies.append(now - key.data.sent)
                if now - begin < seconds:
                    _send(key.data, turn)
                else:
                    ready.unregister(key.data.socket)
                    key.data.socket.close()
                    waiting -= 1
        load.seconds = time.perf_counter() - begin
    return load


def _send(connection: _Connection, turn: "Iterator[bytes]") -> None:
    connection.answer = b""
    connection.sent = time.perf_counter()
    connection.socket.sendall(next(turn))


def _received(connection: _Connection) -> bool:
    """Read what is there; tell whether the answer is complete."""
    data = connection.socket.recv(1 << 16)
    connection.answer += data
    head, found, body = connection.answer.partition(b"\r\n\r\n")
    if not data or (found and not head.startswith(b"HTTP/1.1 2")):
        raise BadAnswer(connection.answer[:500].decode("latin-1") or "the server closed the connection")
    return bool(found) and len(body) >= length(head)


def length(head: bytes) -> int:
    """Give the length of the body that an answer's head announces."""
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line[15:])
    raise BadAnswer(f"an answer without its length: {head[:500]!r}")


def request(method: str, path: str, body: bytes = b"", kind: str = "application/json") -> bytes:
    """Write a request as it goes over the wire."""
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost"]
    if body or method != "GET":
        lines += [f"Content-Type: {kind}", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body
