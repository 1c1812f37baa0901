"""Takes what became of cases into the search index: gathers a number of them, and writes each set of each term once."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import apsw
import orjson

from monailabel.catalog import postings
from monailabel.catalog.case import Case, Shown, place, terms
from monailabel.catalog.sqlite import load_queries

SEARCH: Mapping[str, str] = load_queries("search.sql")


class Batch:
    """What became of a number of cases, while a transaction is open; `write` ends it."""

    def __init__(self, connection: apsw.Connection, cases: Iterable[tuple[str, Case | None]]) -> None:
        """Take in cases as they are now, each by its image's id; None for what is none any more."""
        self._connection = connection
        self._next: int = connection.execute(SEARCH["last_number"]).get + 1
        self._fresh = -(-self._next // postings.CASES)  # the first piece that nothing was written to
        self._come: defaultdict[int, defaultdict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
        self._go: defaultdict[int, defaultdict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
        self._entries: list[tuple[Any, ...]] = []
        self._told: list[tuple[int, str, str]] = []
        found = [(case.place if case else place(image_id), case) for image_id, case in cases]
        known = self._known([place for place, _ in found])
        for at, case in found:
            if case is None:
                if at in known:
                    self._drop(*known[at])
            elif at in known:
                self._change(case, *known[at])
            else:
                self._add(case)

    def _known(self, places: list[str]) -> dict[str, tuple[int, str, str]]:
        """Give number, what is told, and the image's info of those of these places that are known."""
        rows = self._connection.execute(SEARCH["known"], {"places": orjson.dumps(places).decode()})
        return {row[0]: row[1:] for row in rows}

    def _add(self, case: Case) -> None:
        number, self._next = self._next, self._next + 1
        piece, offset = divmod(number, postings.CASES)
        come = self._come[piece]
        for term in case.terms:
            come[term].append(offset)
        self._put(number, case)

    def _put(self, number: int, case: Case) -> None:
        self._entries.append((number, case.place, case.time, case.added, case.size, case.state, case.words))
        self._told.append((number, case.shown, case.info))

    def _change(self, case: Case, number: int, shown: str, info: str) -> None:
        old, new = _terms(shown, info), set(case.terms)
        self._turn(number, new - old, old - new)
        self._put(number, case)

    def _drop(self, number: int, shown: str, info: str) -> None:
        """Leave nothing of a case but its number, which no set holds any more."""
        self._turn(number, (), _terms(shown, info))
        self._entries.append((number, f"\0{number}", 0, 0, 0, 0, ""))
        self._connection.execute(SEARCH["drop_told"], {"number": number}).get

    def _turn(self, number: int, come: Iterable[str], go: Iterable[str]) -> None:
        piece, offset = divmod(number, postings.CASES)
        for gathered, some in ((self._come[piece], come), (self._go[piece], go)):
            for term in some:
                gathered[term].append(offset)

    def write(self) -> None:
        """Write it all."""
        execute = self._connection.executemany
        execute(SEARCH["put_entry"], self._entries).get
        execute(SEARCH["put_told"], self._told).get
        for piece in sorted(self._come.keys() | self._go.keys()):
            come, go = self._come[piece], self._go[piece]
            if piece >= self._fresh:
                pieces = [(term, postings.made(numbers)) for term, numbers in sorted(come.items())]
            else:
                pieces = [(t, self._changed(t, piece, come[t], go[t])) for t in sorted(come.keys() | go.keys())]
            execute(SEARCH["put_piece"], ((t, piece, postings.count(p), p) for t, p in pieces if p)).get
            execute(SEARCH["drop_piece"], ((t, piece) for t, p in pieces if not p)).get

    def _changed(self, term: str, piece: int, come: list[int], go: list[int]) -> bytes:
        old: bytes | None = self._connection.execute(SEARCH["piece"], (term, piece)).get
        return postings.changed(old or b"", come, go)


def _terms(shown: str, info: str) -> set[str]:
    return set(terms(Shown(*orjson.loads(shown)), orjson.loads(info)))
