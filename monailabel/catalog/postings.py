"""Sets of cases, kept in pieces of a few bytes: of 16,384 cases each, as bits, or as a list where they are few."""

import re
import sys
from array import array
from collections.abc import Iterable, Sequence

CASES = 16_384  # in a piece; case 20,000 is number 3,616 of the second
_BYTES = CASES // 8
_MOST = _BYTES // 2  # numbers of a list, of two bytes each; so many are bits


def made(numbers: Sequence[int]) -> bytes:
    """Give the piece of these numbers; one may come twice, and none is `b""`."""
    if len(numbers) == 1:
        return numbers[0].to_bytes(2, sys.byteorder)
    return _listed(set(numbers)) if len(numbers) < _MOST else changed(bytes(_BYTES), numbers, ())


def changed(piece: bytes, come: Sequence[int], go: Sequence[int]) -> bytes:
    """Give a piece after some of its numbers came and some went."""
    if len(piece) // 2 + len(come) < _MOST:
        return _listed(set(array("H", piece)).union(come).difference(go))
    bits = bytearray(_bits(piece))
    for number in come:
        bits[number >> 3] |= 1 << (number & 7)
    for number in go:
        bits[number >> 3] &= ~(1 << (number & 7))
    return bytes(bits) if count(bits) >= _MOST else _listed(numbers(int.from_bytes(bits, "little")))


def count(piece: bytes | bytearray) -> int:
    """Count the cases of a piece."""
    return int.from_bytes(piece, "little").bit_count() if len(piece) == _BYTES else len(piece) // 2


def joined(pieces: Iterable[tuple[int, bytes]]) -> int:
    """Put numbered pieces together to one set: the number whose bits are the cases."""
    whole = bytearray()
    for number, piece in pieces:
        whole.extend(bytes(number * _BYTES - len(whole)))
        whole += _bits(piece)
    return int.from_bytes(whole, "little")


def numbers(cases: int) -> list[int]:
    """Give the cases of a set, the lowest first."""
    return [found.start() for found in re.finditer(b"1", digits(cases))]


def digits(cases: int) -> bytes:
    """Write a set as a digit for each case: 1 for those that are in it."""
    return f"{cases:b}"[::-1].encode()


def of_digits(text: str) -> int:
    """Give the set of the cases whose digit is 1."""
    return int(text[::-1] or "0", 2)


def _bits(piece: bytes) -> bytes | bytearray:
    if len(piece) == _BYTES:
        return piece
    bits = bytearray(_BYTES)
    for number in array("H", piece):
        bits[number >> 3] |= 1 << (number & 7)
    return bits


def _listed(found: Iterable[int]) -> bytes:
    return array("H", sorted(found)).tobytes()
