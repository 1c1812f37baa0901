"""The head of the events' chain, noted outside the catalog, so that events that were cut off are missed."""

import logging
import os
import re
import secrets
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from monailabel.catalog.chain import told_lost
from monailabel.catalog.sqlite import SqliteCatalog
from monailabel.files.sharing import share_with_group
from monailabel.interfaces.exception import InvalidInputException

HEAD = "head"  # the file's name
_NOTED = re.compile(r"(\d+):([0-9a-f]{64})(?: (\S+))?", re.ASCII)

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Noted:
    """Number and chain of what was the newest event at a time."""

    seq: int
    chain: bytes
    time: str = ""  # ISO 8601, UTC

    def __str__(self) -> str:
        return f"{self.seq}:{self.chain.hex()}"


def noted(text: str) -> Noted:
    """Read a head, `number:chain` with the chain in hexadecimal. Raises InvalidInputException."""
    found = _NOTED.fullmatch(text.strip())
    if found is None:
        raise InvalidInputException(f"head {text!r} refused: it is the number of an event, a colon and 64 hex digits")
    return Noted(int(found[1]), bytes.fromhex(found[2]), found[3] or "")


def heads(path: str) -> list[Noted]:
    """Give the heads that a file notes; one that cannot be read notes nothing."""
    with suppress(FileNotFoundError), open(path, "rb") as file:
        lines = file.read().decode("utf-8", "replace").splitlines()
        return [noted(line) for line in lines if _NOTED.fullmatch(line.strip())]
    return []


def contradiction(catalog: SqliteCatalog, head: Noted) -> str:
    """Say how the catalog contradicts a head that was noted, `""` if it does not, or tells of the loss itself."""
    chain = catalog.chain(head.seq)
    if chain == head.chain or (chain is None and any(a <= head.seq <= b for a, b in told_lost(catalog))):
        return ""
    when = f" (noted {head.time})" if head.time else ""
    last = catalog.last_event()
    if chain is None and head.seq > last:
        return f"events {last + 1} to {head.seq} are cut off: the head was {head}{when}"
    is_what = "cannot be read" if chain is None else "is another one"
    return f"event {head.seq} {is_what}: the head was {head}{when}"


class HeadFile:
    """The file that notes it: the newest head first, then those that the catalog contradicts."""

    def __init__(self, catalog: SqliteCatalog, state: str) -> None:
        self._catalog = catalog
        self._path = os.path.join(state, HEAD)

    def contradicted(self) -> list[tuple[Noted, str]]:
        """Give the heads that the catalog contradicts, and how."""
        return [(head, how) for head in heads(self._path) if (how := contradiction(self._catalog, head))]

    def note(self) -> None:
        """Note the head where it is another than was noted; what contradicts it is kept.

        Without a lock: whoever writes last looks again, so that what stands in the end is the newest.
        """
        while True:
            seq, chain = self._catalog.head()
            known = heads(self._path)
            if not seq or (known and (known[0].seq, known[0].chain) == (seq, chain)):
                return
            now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
            lost = [head for head in known if contradiction(self._catalog, head)]
            self._write([Noted(seq, chain, now), *lost])

    def _write(self, heads: list[Noted]) -> None:
        temporary = f"{self._path}.{secrets.token_hex(4)}"
        try:
            with open(temporary, "xb") as file:
                file.writelines(f"{head} {head.time}\n".encode() for head in heads)
                share_with_group(temporary, os.path.dirname(self._path))
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, self._path)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary)
            raise
