"""Which image to hand out next."""

import random
import time
from collections.abc import Mapping, Set
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
        chosen = _choose(wish, catalog, given)
        if chosen is not None:
            found[number] = chosen
            given.add(chosen["id"])
    return found


def _choose(wish: Wish, catalog: SqliteCatalog, given: Set[str]) -> dict[str, Any] | None:
    """Choose an unlabelled image, at random none of those `given` while there are others; None if none is left."""
    if wish.strategy not in STRATEGIES:
        raise InvalidInputException(f"strategy {wish.strategy!r} not found; there are: {', '.join(STRATEGIES)}")
    tag = wish.label_tag or DefaultLabelTag.FINAL.value
    if not wish.labels and tag == DefaultLabelTag.FINAL.value:  # there is an index of these
        if wish.strategy == "first":
            found = catalog.first_unlabelled()
            return {"id": found[0]} if found else None
        found = _any_waiting(catalog, given)
    else:
        ids = catalog.unlabelled(tag, wish.labels or None)
        if wish.strategy == "first":
            return {"id": ids[0]} if ids else None
        found = _longest_of(catalog.handed(ids), given)
    return {"id": found[0], "weight": int(time.time()) - found[1]} if found else None


def _any_waiting(catalog: SqliteCatalog, given: Set[str]) -> tuple[str, int] | None:
    found = catalog.waiting_longest(random.random())  # noqa: S311 - nothing depends on nobody's guessing it
    if found is None or found[0] not in given:
        return found
    return next((row for row in catalog.waiting(len(given) + 1) if row[0] not in given), found)


def _longest_of(handed: dict[str, int], given: Set[str]) -> tuple[str, int] | None:
    handed = {image: ts for image, ts in handed.items() if image not in given} or handed
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
