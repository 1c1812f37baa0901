"""Streams a multipart form to where its files belong, in bounded memory."""

import asyncio
import json
import re
import weakref
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, asynccontextmanager
from typing import Any, Generic, Protocol, TypeVar
from urllib.parse import parse_qsl, unquote

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from monailabel.server import body
from monailabel.server.settings import MIB, Settings

MOST, LEAST = MIB, MIB // 16  # bytes of a file that are gathered before a thread writes them,
MEMORY = 64 * MIB  # so that all files that arrive at once hold no more than twice this
NAMELESS = ".nii.gz"  # what a part without a file name is taken for, as in MONAI Label

MULTIPART = "multipart/form-data"
URLENCODED = "application/x-www-form-urlencoded"


class Sink(Protocol):
    """Where a file's bytes go."""

    def write(self, data: bytearray, /) -> Any:
        """Take some more bytes."""


S = TypeVar("S", bound=Sink)
Place = Callable[[str], AbstractContextManager[S]]  # from the client's name of a file to where it goes


class Form(Generic[S]):
    """What a form held: text fields by name, and its files in their order."""

    def __init__(self) -> None:
        self.fields: dict[str, str] = {}
        self.files: list[S] = []

    def document(self, *names: str) -> dict[str, Any]:
        """Read the first of these fields that was sent as a JSON object; none gives an empty one."""
        name = next((name for name in names if name in self.fields), names[0])
        return document(name, self.fields.get(name, ""))

    def file(self, part: str) -> S:
        """Give the only file."""
        if not self.files:
            raise HTTPException(422, f"body {part}: this part is missing; send the file as {part}, in {MULTIPART}")
        return self.files[0]


def document(name: str, text: str | bytes) -> dict[str, Any]:
    """Read a JSON object that a client sent; an empty text stands for an empty one."""
    if not text.strip():
        return {}
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise HTTPException(400, f"{name} refused: it is no JSON") from None
    if not isinstance(value, dict):
        raise HTTPException(400, f"{name} refused: it is {type(value).__name__}, and a JSON object is needed")
    return value


async def form(request: Request, limits: Settings) -> Form[Any]:
    """Read a form without files, in either of the two ways in which browsers and scripts send one."""
    kind, _ = _content_type(request)
    if kind == MULTIPART:
        receiver: _Receiver[Any] = _Receiver(limits, "", None, False)
        await receiver.read(request)
        return receiver.form
    data = await body.limited(request.receive, limits.max_field)
    if data.strip() and kind != URLENCODED:
        raise HTTPException(400, f"content type {kind!r} refused: send {URLENCODED} or {MULTIPART}")
    result: Form[Any] = Form()
    try:
        pairs = parse_qsl(data.decode(), keep_blank_values=True, errors="strict", max_num_fields=limits.max_parts)
    except ValueError:
        raise HTTPException(400, "the form cannot be read; it is not UTF-8, or has too many fields") from None
    result.fields.update(pairs)
    return result


@asynccontextmanager
async def received(
    request: Request, limits: Settings, part: str, place: Place[S] | None, many: bool = False
) -> AsyncIterator[Form[S]]:
    """Read a multipart form, writing the files of one part as they come; leaving the block lets go of them."""
    receiver = _Receiver(limits, part, place, many)
    try:
        await receiver.read(request)
        yield receiver.form
    finally:
        await receiver.let_go()


class _Receiver(Generic[S]):
    """Takes the parts of one form as the parser finds them."""

    def __init__(self, limits: Settings, part: str, place: Place[S] | None, many: bool) -> None:
        self.form: Form[S] = Form()
        self._limits = limits
        self._part = part
        self._place = place
        self._many = many
        self._open: list[AbstractContextManager[S]] = []
        self._parts = 0
        self._text_size = 0  # bytes of all text fields
        self._field: str | None = None  # the text field that is being read
        self._text = bytearray()
        self._flow: _Flow | None = None  # the file that is being read

    async def let_go(self) -> None:
        """Leave all files."""
        if self._flow is not None:
            await self._flow.abandon()
        await run_in_threadpool(self._leave)

    def _leave(self) -> None:
        while self._open:
            self._open.pop().__exit__(None, None, None)

    async def read(self, request: Request) -> None:
        """Read the whole body."""
        events = _Events(request)
        async for data in body.pieces(request.receive):
            if not events.ended:  # what follows the last boundary means nothing
                for event in events.of(data):
                    await self._take(event)
        if not events.ended and events.begun:
            raise HTTPException(400, "the form cannot be read: it breaks off before its last boundary")

    async def _take(self, event: "_Event") -> None:
        if isinstance(event, bytearray):
            await self._more(event)
        elif event is None:
            await self._finish()
        else:
            await self._begin(event)

    async def _begin(self, headers: dict[bytes, bytes]) -> None:
        self._parts += 1
        if self._parts > self._limits.max_parts:
            raise HTTPException(413, f"the form has more than {self._limits.max_parts} parts, this server's limit")
        name, file_name = _names(headers.get(b"content-disposition", b""))
        if file_name is None:
            self._field = name
        elif name == self._part and self._place is not None:
            await self._begin_file(file_name or NAMELESS, self._place)

    async def _begin_file(self, file_name: str, place: Place[S]) -> None:
        if self.form.files and not self._many:
            raise HTTPException(400, f"body {self._part}: sent twice; send one file")
        sink = await run_in_threadpool(self._entered, place, file_name)
        self._flow = _Flow(sink)
        self.form.files.append(sink)

    def _entered(self, place: Place[S], file_name: str) -> S:
        manager = place(file_name)
        sink = manager.__enter__()
        self._open.append(manager)
        return sink

    async def _more(self, data: bytearray) -> None:
        if self._flow is not None:
            await self._flow.take(data)
        elif self._field is not None:
            self._text += data
            if self._text_size + len(self._text) > self._limits.max_field:
                raise HTTPException(413, f"the form's text fields are larger than {self._limits.max_field} bytes")

    async def _finish(self) -> None:
        if self._flow is not None:
            await self._flow.finish()
        elif self._field is not None:
            self.form.fields[self._field] = _text(self._field, bytes(self._text))
            self._text_size += len(self._text)
        self._flow = self._field = None
        self._text = bytearray()


class _Flow:
    """Writes one file in a thread, while the bytes that follow arrive; at most two batches are held."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._pieces: list[bytearray] = []
        self._size = 0
        self._writing: asyncio.Task[None] | None = None
        _arriving.add(self)

    async def take(self, data: bytearray) -> None:
        """Take some more bytes."""
        self._pieces.append(data)
        self._size += len(data)
        if self._size >= max(LEAST, min(MOST, MEMORY // len(_arriving))):
            await self._settle()
            self._writing = asyncio.create_task(run_in_threadpool(self._write, self._batch()))

    async def finish(self) -> None:
        """Wait until all is written."""
        await self._settle()
        if self._pieces:
            await run_in_threadpool(self._write, self._batch())

    async def abandon(self) -> None:
        """Wait until nothing more is being written, however that ends."""
        if self._writing is not None:
            await asyncio.wait((self._writing,))
            if not self._writing.cancelled():
                self._writing.exception()  # asked for, so that nobody is told of it: the upload has failed already

    async def _settle(self) -> None:
        if self._writing is not None:
            await self._writing
            self._writing = None

    def _batch(self) -> list[bytearray]:
        pieces, self._pieces, self._size = self._pieces, [], 0
        return pieces

    def _write(self, pieces: list[bytearray]) -> None:
        for piece in pieces:
            self._sink.write(piece)


_arriving: "weakref.WeakSet[_Flow]" = weakref.WeakSet()

_Event = dict[bytes, bytes] | bytearray | None  # a part's headers, some of its bytes, its end


class _Events:
    """Turns the parser's calls into a list, so that what follows from them can be awaited."""

    def __init__(self, request: Request) -> None:
        self.ended = False
        self.begun = False
        self._list: list[_Event] = []
        self._headers: dict[bytes, bytes] = {}
        self._name = b""
        self._value = b""
        kind, options = _content_type(request)
        self._boundary = options.get(b"boundary", b"") if kind == MULTIPART else b""
        self._kind = kind
        self._parser: MultipartParser | None = None

    def of(self, data: bytes) -> list[_Event]:
        """Give what these bytes of the body tell."""
        self.begun = True
        try:
            self._parser = self._parser or self._made()
            self._parser.write(data)
        except FormParserError as error:
            raise HTTPException(400, f"the form cannot be read: {str(error).lower()}") from None
        events, self._list = self._list, []
        return events

    def _made(self) -> MultipartParser:
        if not self._boundary:
            raise HTTPException(400, f"content type {self._kind!r} refused: send {MULTIPART} with a boundary")
        return MultipartParser(
            self._boundary,
            {
                "on_part_begin": self._headers.clear,
                "on_header_field": self._header_name,
                "on_header_value": self._header_value,
                "on_header_end": self._header_end,
                "on_headers_finished": lambda: self._list.append(dict(self._headers)),
                "on_part_data": self._part_data,
                "on_part_end": lambda: self._list.append(None),
                "on_end": self._end,
            },
        )

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        self._headers[self._name.lower()] = self._value
        self._name = self._value = b""

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        last = self._list[-1] if self._list else None
        if isinstance(last, bytearray):
            last += data[start:end]
        else:
            self._list.append(bytearray(data[start:end]))

    def _end(self) -> None:
        self.ended = True


def _content_type(request: Request) -> tuple[str, dict[bytes, bytes]]:
    kind, options = parse_options_header(request.headers.get("content-type", "").encode("latin-1"))
    return kind.decode("latin-1"), options


def _names(disposition: bytes) -> tuple[str, str | None]:
    """Give a part's name and its file's name, None for a text field; what is no UTF-8 stays as surrogates."""
    _, options = parse_options_header(disposition)
    name = options.get(b"name", b"").decode(errors="surrogateescape")
    if b"filename" in options:
        return name, options[b"filename"].decode(errors="surrogateescape")
    # RFC 5987's form, which older versions of urllib3 send for names beyond ASCII
    extended = re.search(rb";\s*filename\*=utf-8''([^;\s]+)", disposition, re.IGNORECASE)
    return name, unquote(extended[1].decode("latin-1"), errors="surrogateescape") if extended else None


def _text(name: str, data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise HTTPException(400, f"form field {name[:40]!r} refused: it is not UTF-8") from None
