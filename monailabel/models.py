"""What an image, a label and an event are: the records of the catalog, and what an info may hold."""

import json
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import Any

from monailabel.interfaces.exception import InvalidInputException

MAX_DEPTH = 100  # of an info; SQLite reads JSON to a depth of 1,000, other programs to less
MAX_INFO = 1 << 20  # characters of an info's JSON: each change of it is kept, and all infos are in one document
IMAGE = ""  # stands where a label has its tag


class State(IntEnum):
    """Where the file of an item is: in its place, gone without our doing, or removed on purpose."""

    PRESENT = 0
    MISSING = 1
    REMOVED = 2


@dataclass(slots=True)
class Item:
    """One image (`tag` is `""`) or one label: what the catalog knows of its newest version."""

    rowid: int
    image_id: str
    tag: str
    ext: str
    info: dict[str, Any]
    state: State
    listed: bool
    version: int
    sha256: str | None  # None until the bytes were read
    size: int | None  # bytes
    mtime_ns: int | None
    inode: int | None
    link: str | None  # where the file is a link: its target
    seq: int  # the event that last touched it
    mark: int | None = None  # the change of this file that may not be published yet

    def etag(self, size: int, mtime_ns: int) -> str:
        """Give what names the bytes of a file of that size and time: the SHA-256 where it is known to be theirs."""
        same = (size, mtime_ns) == (self.size, self.mtime_ns)  # else another program changed the file in place
        return self.sha256 if same and self.sha256 else f"{self.version}-{size}-{mtime_ns}"


@dataclass(slots=True)
class Event:
    """One change, as it is told to whoever asks what happened."""

    actor: str
    authenticated: bool
    action: (
        str  # added, replaced, removed, restored, updated, refused, pruned, purged; found, missing, back, changed;
        # of the datastore itself: set, backed up, repaired, rebuilt
    )
    image_id: str = ""
    tag: str = ""
    version: int | None = None
    before: str | None = None  # SHA-256 of the bytes
    after: str | None = None
    content: dict[str, Any] | str | None = None  # ext, old and new info; or the JSON of that


@dataclass(frozen=True, slots=True)
class Kept:
    """An earlier version whose bytes the history keeps."""

    item: int
    image_id: str
    tag: str
    version: int
    token: str  # under which the history keeps it
    sha256: str | None  # None: it was a link
    size: int | None  # bytes
    made_at: int  # milliseconds since 1970
    out_at: int  # when it was replaced or removed


@dataclass(slots=True)
class Mark:
    """A committed change whose files may not be in their places yet; the columns of the catalog's table `mark`."""

    id: int  # the number of the change's event
    item: int
    tag: str
    staged: str | None
    inode: int | None
    sha256: str | None
    name: str
    out_name: str | None
    out_token: str | None
    out_version: int | None


def plain(info: Any, path: str = "info", *, lenient: bool = False) -> dict[str, Any]:
    """Copy an info into what every JSON reader takes: dates and sets become text, as MONAI Label writes them.

    Raises InvalidInputException naming the key for what no JSON reader takes: NaN and infinity, keys that are not
    text, lone surrogates, structures that hold themselves. `lenient`, for documents that others wrote, keeps the first
    and the third as text.
    """
    if info is None:
        return {}
    if not isinstance(info, dict):
        raise InvalidInputException(f"{path} refused: it is {type(info).__name__}, and an info is a dictionary")
    return _dict(info, path, lenient)


def _encoder() -> Callable[[Any], str]:
    """Give what writes JSON, made once: `json` makes its encoder, which CPython has in C, anew for each text."""
    slow = json.JSONEncoder(ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    make = getattr(json.encoder, "c_make_encoder", None)
    if make is None:
        return slow.encode
    pieces = make(None, slow.default, json.encoder.encode_basestring_ascii, None, ":", ",", False, False, False)
    return lambda value: "".join(pieces(value, 0))


dump = _encoder()
"""Writes JSON without spaces and in ASCII, so that its text can stand in any document."""


def bounded(info: dict[str, Any]) -> str:
    """Give the JSON of an info that is small enough to be kept; InvalidInputException for a larger one."""
    text = dump(info)
    _check_number(len(text), "info", lenient=False)
    return text


def _check_number(characters: int, path: str, lenient: bool) -> None:
    if characters > MAX_INFO and not lenient:
        raise InvalidInputException(
            f"{path[:200]} refused: it would be {characters} characters of JSON or more, and an info has at most "
            f"{MAX_INFO}; save what is larger as a label of its own"
        )


def _dict(value: dict[Any, Any], path: str, lenient: bool, depth: int = 0) -> dict[str, Any]:
    _check_number(len(value) * len('"": 0, '), path, lenient)
    for key in value:
        if not isinstance(key, str):
            raise InvalidInputException(
                f"{path} refused: the key {key!r} is {type(key).__name__}, and JSON's keys are text"
            )
    return {
        key if _is_plain(key) else _text(key, path, lenient):
        item if _is_plain(item) and depth < MAX_DEPTH else _plain(item, f"{path}[{key!r}]", lenient, depth + 1)
        for key, item in value.items()
    }  # fmt: skip


def _is_plain(value: Any) -> bool:
    """Tell whether a value is as plain as most are: nothing is to be done about it, and no error needs its place."""
    kind = type(value)
    return (kind is str and value.isascii()) or value is None or kind is bool


def _plain(value: Any, path: str, lenient: bool, depth: int) -> Any:
    if depth > MAX_DEPTH:
        if lenient:
            return _shown(value)
        raise InvalidInputException(f"{path[:200]}… refused: it is nested more than {MAX_DEPTH} deep, or holds itself")
    if isinstance(value, Enum):
        return _plain(value.value, path, lenient, depth)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _text(value, path, lenient)
    if isinstance(value, int):
        return _integer(int(value), path, lenient)
    if isinstance(value, float):
        return _float(float(value), path, lenient)
    if isinstance(value, dict):
        return _dict(value, path, lenient, depth)
    if isinstance(value, (list, tuple)):
        _check_number(len(value) * len("0, "), path, lenient)
        return [_plain(item, f"{path}[{n}]", lenient, depth + 1) for n, item in enumerate(value)]
    if callable(getattr(value, "model_dump", None)):  # pydantic's models
        return _plain(value.model_dump(), path, lenient, depth + 1)
    if callable(getattr(value, "tolist", None)):  # NumPy's numbers and arrays
        return _plain(value.tolist(), path, lenient, depth + 1)
    return _text(str(value), path, lenient)


def _shown(value: Any) -> str:
    try:
        return str(value)
    except RecursionError:
        return f"a {type(value).__name__} that is nested too deeply to be kept"


def _integer(value: int, path: str, lenient: bool) -> int | str:
    if -(2**63) <= value < 2**63:
        return value
    if lenient:
        return str(value)
    shown = str(value) if value.bit_length() < 200 else f"a number of {value.bit_length()} bits"
    raise InvalidInputException(f"{path} refused: {shown} is too large a whole number for JSON readers")


def _float(value: float, path: str, lenient: bool) -> float | str:
    if math.isfinite(value):
        return value
    if lenient:
        return str(value)
    raise InvalidInputException(f"{path} refused: {value} is no number that JSON knows")


def _text(value: str, path: str, lenient: bool) -> str:
    text = str(value)
    try:
        text.encode()
    except UnicodeEncodeError:
        if lenient:
            return text.encode(errors="backslashreplace").decode()
        raise InvalidInputException(f"{path} refused: {value!r} holds a lone surrogate, which is no text") from None
    return text


def structures(info: dict[str, Any]) -> set[str]:
    """Give the names of the structures that a label's info lists under `label_info`."""
    entries: Iterable[Any] = info.get("label_info") or ()
    if not isinstance(entries, list):
        return set()
    return {str(e["name"]) for e in entries if isinstance(e, dict) and "name" in e}
