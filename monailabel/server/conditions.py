"""What a request's conditions and range ask of a file: all of it, a part, or nothing (RFC 9110, sections 13 and 14)."""

import re
from dataclasses import dataclass
from email.utils import formatdate, parsedate_to_datetime

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException

_QUOTED = re.compile(r'"([^"*]+)"')
_RANGE = re.compile(r"bytes=(\d{0,19})-(\d{0,19})")


@dataclass(frozen=True, slots=True)
class Validators:
    """What tells one version of a file from another: its ETag (with quotes), and its time in whole seconds."""

    etag: str
    seconds: int

    @property
    def last_modified(self) -> str:
        """Give the time as HTTP writes it."""
        return formatdate(self.seconds, usegmt=True)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to answer: the status, and which bytes go out (from `start`, `length` of them)."""

    status: int
    start: int
    length: int


def wanted(method: str, headers: Headers, file: Validators, size: int) -> Wanted:
    """Decide what a GET or HEAD is answered with."""
    if not _still(headers, file):
        return Wanted(412, 0, 0)
    if _known(headers, file):
        return Wanted(304, 0, 0)
    asked = headers.get("range")
    if method != "GET" or asked is None or not _same(headers.get("if-range"), file):
        return Wanted(200, 0, size)
    return _range(asked, size)


def expected(headers: Headers) -> tuple[str, ...] | None:
    """Give the ETags (`*`: any) of which what a change replaces has to have one; none: it must not be there.

    None where the client does not care. Raises HTTPException for a condition that no change knows.
    """
    if listed := headers.getlist("if-match"):
        tags = [tag.strip() for tag in ",".join(listed).split(",")]
        return tuple(quoted[1] if (quoted := _QUOTED.fullmatch(tag)) else tag for tag in tags)
    unless = headers.get("if-none-match")
    if unless not in (None, "*"):
        raise HTTPException(400, f"If-None-Match {unless[:80]!r} refused: a change takes * there, and no ETag")
    return None if unless is None else ()


def _still(headers: Headers, file: Validators) -> bool:
    """Tell whether the file is still the one that the client insists on."""
    if (tags := headers.get("if-match")) is not None:
        return _lists(tags, file.etag, weak=False)
    since = _seconds(headers.get("if-unmodified-since"))
    return since is None or file.seconds <= since


def _known(headers: Headers, file: Validators) -> bool:
    """Tell whether the client has the file already."""
    if (tags := headers.get("if-none-match")) is not None:
        return _lists(tags, file.etag, weak=True)
    since = _seconds(headers.get("if-modified-since"))
    return since is not None and file.seconds <= since


def _same(condition: str | None, file: Validators) -> bool:
    """Tell whether the part that a client lacks belongs to the file that it has (If-Range)."""
    return condition is None or condition in (file.etag, file.last_modified)


def _lists(tags: str, etag: str, weak: bool) -> bool:
    listed = [tag.strip() for tag in tags.split(",")]
    return "*" in listed or etag in [tag.removeprefix("W/") if weak else tag for tag in listed]


def _seconds(date: str | None) -> float | None:
    try:
        return parsedate_to_datetime(date).timestamp() if date else None
    except (ValueError, OverflowError):
        return None  # what is no date is no condition


def _range(asked: str, size: int) -> Wanted:
    """Read one range; several at once, and what is none, are answered with the whole file, as HTTP allows."""
    match = _RANGE.fullmatch(asked.strip())
    first, last = match.groups() if match else ("", "")
    if (not first and not last) or (first and last and int(last) < int(first)):
        return Wanted(200, 0, size)
    start = int(first) if first else max(0, size - int(last))
    end = min(int(last), size - 1) if first and last else size - 1
    if start > end:
        return Wanted(416, 0, 0)
    return Wanted(206, start, end - start + 1)
