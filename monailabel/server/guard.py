"""Refuses what no endpoint should see: foreign Host names, other pages' changes, addresses that are not UTF-8."""

import ipaddress
import socket
from fnmatch import fnmatchcase
from functools import lru_cache
from urllib.parse import unquote_to_bytes, urlsplit

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from monailabel.server import errors
from monailabel.server.body import Body
from monailabel.server.settings import Settings

_READING = ("GET", "HEAD", "OPTIONS")

# No page of another origin may take in an answer as if it were a script or picture of its own, and no browser
# may guess that a file is a page.
_HEADERS = ((b"x-content-type-options", b"nosniff"), (b"cross-origin-resource-policy", b"same-origin"))

_REMEMBERED = 64  # names of this server that clients used


class Guard:
    """Wraps an application: checks each request's head, bounds its body, and adds headers to each answer."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._settings = settings
        self._names = allowed_names(settings)
        self._is_known = lru_cache(_REMEMBERED)(self._known)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check a request and hand it on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = Body(scope, receive, self._settings)
        sending = _Sending(body, send)
        try:
            self._check(scope)
            body.check_length()
        except HTTPException as refusal:
            await errors.answer(refusal.status_code, refusal.detail)(scope, body.receive, sending)
            return
        await self._app(scope, body.receive, sending)

    def _check(self, scope: Scope) -> None:
        host = _first(scope, b"host") or ""
        if not self._is_known(name_of(host)):
            raise HTTPException(400, f"host {host!r} refused: this server does not go by that name (--allowed-hosts)")
        if scope["method"] not in _READING and not self._own_page(_first(scope, b"origin"), host):
            raise HTTPException(403, "refused: a web page of another origin may change nothing here")
        for part in (scope.get("raw_path") or b"", scope["query_string"]):
            if b"%" in part or not part.isascii():
                _check_utf8(part)

    def _known(self, name: str) -> bool:
        if is_loopback(name) or any(fnmatchcase(name, known) for known in self._names):
            return True
        return is_wildcard(self._settings.host) and _address(name) is not None

    def _own_page(self, origin: str | None, host: str) -> bool:
        if origin is None or origin in self._settings.cors_origins:
            return True
        return urlsplit(origin).netloc.lower() == host.lower()


class _Sending:
    """Stands in for `send`: adds headers, and drops the rest of a refused body before the answer."""

    def __init__(self, body: Body, send: Send) -> None:
        self._body = body
        self._send = send

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = message["headers"] = list(message.get("headers", ()))
            known = {name for name, _ in headers}
            headers += [header for header in _HEADERS if header[0] not in known]
            if message["status"] >= 400:
                await self._body.drain()
        await self._send(message)


def _first(scope: Scope, name: bytes) -> str | None:
    """Give a header of the request, None if it has none such."""
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), None)


def _check_utf8(part: bytes) -> None:
    try:
        unquote_to_bytes(part).decode()
    except UnicodeDecodeError:
        raise HTTPException(400, "the address is not UTF-8; percent-encode ids as UTF-8") from None


def name_of(host: str) -> str:
    """Give the name in a Host header, without port and brackets, in lower case.

    >>> name_of("[::1]:8000"), name_of("LOCALHOST:8000")
    ('::1', 'localhost')
    """
    if host.startswith("["):
        name, closed, _ = host[1:].partition("]")
        return name.lower() if closed else ""
    return host.partition(":")[0].lower()


def allowed_names(settings: Settings) -> tuple[str, ...]:
    """Give the names, or globs of names, by which clients may call this server besides those of the loopback."""
    names = [settings.host, *settings.allowed_hosts]
    if is_wildcard(settings.host):
        names += [socket.gethostname(), socket.getfqdn()]
    return tuple(name.lower() for name in names)


def is_wildcard(host: str) -> bool:
    """Tell whether an address stands for all addresses of the machine."""
    address = _address(host)
    return address is not None and address.is_unspecified


def is_loopback(host: str) -> bool:
    """Tell whether only this machine reaches an address."""
    address = _address(host)
    return host.lower() == "localhost" if address is None else address.is_loopback


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
