"""The note of what we wrote last into datastore_v2.json: it tells our document from one that another program edited."""

import json
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

Signature = tuple[int, int, int]  # of a file: size in bytes, time in nanoseconds, inode
NOTHING = -1  # the newest event of a document that shows none of ours for sure


@dataclass(frozen=True, slots=True)
class Written:
    """What we wrote last: the newest event in it, and how its file looked then."""

    seq: int
    signature: Signature
    is_durable: bool  # document, copy and note were synced
    checksum: int | None  # CRC-32 of its bytes


def text(identity: str, seq: int, there: Signature | None, *, durable: bool, checksum: int) -> bytes:
    """Give the note of a document that shows the events of the catalog with that identity up to `seq`."""
    return json.dumps([identity, seq, *(there or ()), _boot(), durable, checksum]).encode()


def read(noted: bytes | None, identity: str, last_event: Callable[[], int]) -> Written | None:
    """Give what a note says; None where it is damaged, another catalog's, or of no use after a power loss."""
    try:
        whose, seq, size, mtime_ns, inode, boot, durable, *more = json.loads(noted or b"")
    except (ValueError, TypeError):
        return None
    # After a power loss document, copy and note may be of any age, and lack bytes, unless they were synced; and
    # what was synced holds only where no newer one can have been written since.
    holds = boot == _boot() or (durable and seq >= last_event())
    if whose != identity or not holds:
        return None
    return Written(seq, (size, mtime_ns, inode), durable, more[0] if more else None)


def signature(path: str) -> Signature | None:
    """Give how a file looks; None if there is none."""
    try:
        return signature_of(os.lstat(path))
    except FileNotFoundError:
        return None


def signature_of(facts: os.stat_result) -> Signature:
    """Give how a file looks of which these are the facts."""
    return facts.st_size, facts.st_mtime_ns, facts.st_ino


@cache
def _boot() -> str:
    """Give what tells this run of the machine from others; where the system has no such thing, this process."""
    try:
        with open("/proc/sys/kernel/random/boot_id", "rb") as file:
            return file.read().strip().decode()
    except OSError:
        return secrets.token_hex(16)
