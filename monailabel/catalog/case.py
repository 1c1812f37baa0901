"""What can be asked of a case: worked out from the rows of an image and its labels, with the terms that find it."""

import re
import unicodedata
from hashlib import blake2b
from operator import attrgetter
from typing import Any, NamedTuple

import orjson

from monailabel.interfaces.datastore import DefaultLabelTag
from monailabel.models import structures

STATES = ("unlabelled", "labelled", "flagged", "approved")  # in the order of the work; a case's state is a place here
UNLABELLED, LABELLED = 0, 1

EVERY = "*"  # the term of all cases
STATE, TAG, ANNOTATOR, STRUCTURE, KEY, VALUE = "state:", "tag:", "annotator:", "structure:", "key:", "value:"
_LONGEST = 200  # characters of a value's term; a longer one is known by its hash

_FINAL = DefaultLabelTag.FINAL.value
_WORDS = {None: "null", True: "true", False: "false"}
_DIGITS = re.compile(r"0*([0-9]+)")


class Row(NamedTuple):
    """An item as the catalog's query `case_rows` gives it; times in milliseconds since 1970."""

    image_id: str
    tag: str
    ext: str
    info: str
    version: int
    listed: int
    born: int
    time: int
    added: int
    size: int | None
    actor: str | None  # of a final label: who saved it


class Case(NamedTuple):
    """A case as the search index keeps it."""

    place: str  # where it stands among all when they are sorted by id
    words: str  # what a text is looked for in
    state: int
    time: int
    added: int
    size: int
    shown: str  # JSON of a `Shown`
    info: str  # the image's, as the catalog has it
    terms: list[str]


class Shown(NamedTuple):
    """What is told of a case; times in milliseconds since 1970, the size in bytes."""

    id: str
    name: str
    state: int
    labels: dict[str, int]  # version by tag, in the order in which they were created
    annotator: str | None
    structures: list[str]
    time: int
    added: int
    size: int | None
    level: str
    comment: str
    version: int


def case_of(rows: list[Row]) -> Case | None:
    """Make the case of the rows of an image and its labels; None if the image is not listed."""
    image = next((row for row in rows if not row.tag and row.listed), None)
    if image is None:
        return None
    labels = [row for row in rows if row.tag and row.listed]
    labels.sort(key=attrgetter("born"))
    infos = {row.tag: orjson.loads(row.info) for row in labels}
    image_info = orjson.loads(image.info)
    final = infos.get(_FINAL)
    review = _review(final)
    annotator = None
    if final is not None:
        saved_by = next(row.actor for row in labels if row.tag == _FINAL)
        annotator = _client(final) or _handed_to(image_info) or saved_by
    shown = Shown(
        image.image_id, image.image_id + image.ext, _state(final, review), {row.tag: row.version for row in labels},
        annotator, sorted({name for info in infos.values() for name in structures(info)}),
        max([row.time for row in rows]), image.added, image.size, _note(review, "level"), _note(review, "comment"),
        image.version,
    )  # fmt: skip
    return Case(
        place(shown.id), f"{letters(shown.id)}\n{letters(shown.comment)}", shown.state, shown.time, shown.added,
        -1 if shown.size is None else shown.size, orjson.dumps(list(shown)).decode(), image.info,
        terms(shown, image_info),
    )  # fmt: skip


def _review(final: dict[str, Any] | None) -> dict[str, Any]:
    """Give what a reviewer said of a final label, as MONAILabelReviewer keeps it."""
    review = final.get("segmentationMeta") if final else None
    return review if isinstance(review, dict) else {}


def _note(review: dict[str, Any], key: str) -> str:
    return written(review.get(key, "")) or ""


def _state(final: dict[str, Any] | None, review: dict[str, Any]) -> int:
    if final is None:
        return UNLABELLED
    status = review.get("status")
    return STATES.index(status) if status in ("approved", "flagged") else LABELLED


def _client(note: dict[str, Any]) -> str | None:
    name = note.get("client_id")
    return name if name and isinstance(name, str) else None


def _handed_to(info: dict[str, Any]) -> str | None:
    """Give whom a strategy handed an image to, the last time that one noted a name."""
    strategies = info.get("strategy")
    notes = [n for n in strategies.values() if isinstance(n, dict)] if isinstance(strategies, dict) else []
    return _client(max((n for n in notes if _client(n)), key=_handed_at, default={}))


def _handed_at(note: dict[str, Any]) -> float:
    at = note.get("ts")
    return at if isinstance(at, int | float) else 0


# -- terms -------------------------------------------------------------------------------------------------------------


def terms(shown: Shown, info: dict[str, Any]) -> list[str]:
    """Give the terms under which a case is found; one may come twice."""
    found = [EVERY, STATE + STATES[shown.state]]
    if shown.annotator is not None:
        found.append(ANNOTATOR + shown.annotator)
    found += [TAG + tag for tag in shown.labels]
    found += [STRUCTURE + name for name in shown.structures]
    _add_info(found, "", info)
    return found


def _add_info(found: list[str], above: str, info: dict[str, Any]) -> None:
    for name, value in info.items():
        key = above + name
        found.append(KEY + key)
        kind = type(value)
        if kind is dict:
            _add_info(found, key + ".", value)
        elif kind is not list:
            found.append(value_term(key, value if kind is str else _written(value)))


def value_term(key: str, text: str) -> str:
    """Give the term of the cases whose info has this value, as `written`, under a key."""
    term = f"{VALUE}{key}={text}"
    return term if len(term) <= _LONGEST else f"{VALUE}#{blake2b(term.encode(), digest_size=24).hexdigest()}"


def written(value: Any) -> str | None:
    """Write a JSON scalar as text, equal numbers alike (`57.0` as `57`); None for what is no scalar."""
    return None if isinstance(value, dict | list | tuple) else _written(value)


def _written(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return _WORDS[value] if value is None or isinstance(value, bool) else str(value)


# -- order and letters -------------------------------------------------------------------------------------------------


def place(image_id: str) -> str:
    """Give the text by which ids are sorted as people do it: `case_2` before `Case_10`; no two ids have the same."""
    return f"{_DIGITS.sub(_sized, letters(image_id))}\0{image_id}"


def _sized(digits: re.Match[str]) -> str:
    """Write a number so that texts sort as the numbers do: with the count of its digits before it."""
    return f"{len(digits[1]):03}{digits[1]}"


def letters(text: str) -> str:
    """Give a text without letter case, accents and line breaks: what two texts have in common that look alike."""
    if text.isascii():
        return text.lower().replace("\n", " ")
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    return "".join(c for c in plain if not unicodedata.combining(c)).replace("\n", " ")
