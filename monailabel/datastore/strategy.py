"""Which image to hand out next."""

import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from monailabel.catalog.sqlite import SqliteCatalog
from monailabel.datastore.actor import Actor
from monailabel.interfaces.datastore import DefaultLabelTag
from monailabel.interfaces.exception import InvalidInputException

STRATEGIES = {
    "random": "an unlabelled image at random, preferring those handed out longest ago",
    "first": "the first unlabelled image",
}


_TRIES = 8  # to find another image for each of several who ask at once


@dataclass(frozen=True, slots=True)
class Wish:
    """Somebody asks for an image without a label of a tag (default `final`) that names one of the structures."""

    strategy: str
    client_id: str | None = None
    label_tag: str | None = None
    labels: list[str] | None = None
    actor: Actor | None = None  # under whose name it is noted; None: whoever acts


def choose_all(wishes: Mapping[int, Wish], catalog: SqliteCatalog) -> dict[int, dict[str, Any]]:
    """Choose an image for each who asks, by number; at random each gets one of their own where there are enough."""
    found: dict[int, dict[str, Any]] = {}
    given: set[str] = set()
    for number, wish in wishes.items():
        for _ in range(_TRIES):
            chosen = choose(wish.strategy, catalog, wish.label_tag, wish.labels)
            if chosen is None:
                break
            found[number] = chosen
            if chosen["id"] not in given or wish.strategy == "first":
                break
        else:  # chance does not find the last ones of few
            left = [row for row in catalog.waiting(len(given) + 1) if row[0] not in given] if _is_plain(wish) else []
            found[number] = _handed(left[0]) if left else found[number]
        if number in found:
            given.add(found[number]["id"])
    return found


def choose(
    strategy: str, catalog: SqliteCatalog, label_tag: str | None, labels: list[str] | None
) -> dict[str, Any] | None:
    """Choose an unlabelled image by a strategy; None if none is left."""
    if strategy not in STRATEGIES:
        raise InvalidInputException(f"strategy {strategy!r} not found; there are: {', '.join(STRATEGIES)}")
    plain = _is_plain(Wish(strategy, None, label_tag, labels))
    if strategy == "first":
        return _first(catalog, plain, label_tag, labels)
    place = random.random()  # noqa: S311 - nothing depends on nobody's guessing it
    found = catalog.waiting_longest(place) if plain else _longest_of(catalog, label_tag, labels)
    return _handed(found) if found else None


def _is_plain(wish: Wish) -> bool:
    """Tell whether it asks for any image without a final label, for which there is an index."""
    return not wish.labels and wish.label_tag in (None, "", DefaultLabelTag.FINAL.value)


def _handed(row: tuple[str, int]) -> dict[str, Any]:
    """Give the answer: the image, and the seconds since it was handed out."""
    return {"id": row[0], "weight": int(time.time()) - row[1]}


def _first(catalog: SqliteCatalog, plain: bool, tag: str | None, labels: list[str] | None) -> dict[str, Any] | None:
    if plain:
        found = catalog.first_unlabelled()
        return {"id": found[0]} if found else None
    ids = catalog.unlabelled(tag or DefaultLabelTag.FINAL.value, labels)
    return {"id": ids[0]} if ids else None


def _longest_of(catalog: SqliteCatalog, tag: str | None, labels: list[str] | None) -> tuple[str, int] | None:
    handed = catalog.handed(catalog.unlabelled(tag or DefaultLabelTag.FINAL.value, labels or None))
    oldest = min(handed.values(), default=None)
    if oldest is None:
        return None
    return random.choice([i for i, ts in handed.items() if ts == oldest]), oldest  # noqa: S311 - as above


def record(info: dict[str, Any], strategy: str, client_id: str | None) -> dict[str, Any]:
    """Give an image's info with the note that a strategy handed it out now."""
    known = info.get("strategy")
    entries = dict(known) if isinstance(known, dict) else {}
    entries[strategy] = {"ts": int(time.time()), "client_id": client_id}
    return {**info, "strategy": entries}
