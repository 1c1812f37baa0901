"""Finding images: which are meant, in which order, page by page, and how many there are of each kind."""

import base64
import binascii
import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from monailabel.catalog.case import (
    ANNOTATOR,
    KEY,
    STATE,
    STATES,
    STRUCTURE,
    TAG,
    Shown,
    letters,
    place,
    value_term,
    written,
)
from monailabel.catalog.search import ORDERS, Answer, Place, Question, SearchIndex
from monailabel.datastore.history import moment
from monailabel.interfaces.exception import InvalidInputException

PAGE = 100  # images, where nobody says how many
MOST_OF_A_KIND = 1_000  # tags, annotators, structures and info keys that are counted, those of most images first
_MOST = 2**31  # images; a larger limit is none

Several = str | Iterable[str] | None
"""One text, or several of which any will do."""
Info = Mapping[str, Any]
"""By key, with dots for keys inside: a value, several of which any will do, or None for whatever value."""


class Found(NamedTuple):
    """A page of images, where the next one begins (None: nowhere), how many there are in all, and as of which event."""

    images: list[dict[str, Any]]
    next: str | None
    total: int
    seq: int


def find(index: SearchIndex, question: Question) -> Found:
    """Answer a question."""
    answer: Answer = index.find(question)
    next = None if answer.next is None else _cursor(question, answer.next)
    return Found([_image(Shown(*shown)) for shown in answer.shown], next, answer.total, answer.seq)


def facets(index: SearchIndex) -> dict[str, Any]:
    """Count all images, and those of each state, tag, annotator, structure and info key."""
    seq, total, (state, tag, annotator, structure, info) = index.counts(
        (STATE, TAG, ANNOTATOR, STRUCTURE, KEY), MOST_OF_A_KIND
    )
    states = {name: state.get(name, 0) for name in STATES}
    return {
        "total": total,
        "labelled": total - states["unlabelled"],
        "reviewed": states["approved"] + states["flagged"],
        "state": states, "tag": tag, "annotator": annotator, "structure": structure, "info": info,
        "seq": seq,
    }  # fmt: skip


def question(
    *, text: str | None, state: Several, tag: Several, without_tag: Several, annotator: Several, structure: Several,
    info: Info | None, id: str | None, sort: str | None, after: str | None, skip: int, limit: int | None,
) -> Question:  # fmt: skip
    """Put a question together; raises InvalidInputException for what cannot be asked."""
    order, down = _order(sort or "id")
    if limit is not None and limit < 1:
        raise InvalidInputException(f"limit {limit} refused: ask for 1 image or more")
    _check_skip(skip, after)
    if info is not None and not isinstance(info, Mapping):
        raise InvalidInputException(f"info {info!r} refused: give a dictionary, such as {{'modality': 'CT'}}")
    kinds = ((STATE, _states(state)), (TAG, tag), (ANNOTATOR, annotator), (STRUCTURE, structure))
    all_of = [_terms(kind, given) for kind, given in kinds if _values(given)]
    all_of += [_info_terms(key, value) for key, value in (info or {}).items()]
    if (text and not _is_text(text)) or (id and not _is_text(id)):
        all_of.append(())  # no image holds what is no text
    return Question(
        tuple(all_of), _terms(TAG, without_tag), letters(text) if text and _is_text(text) else "",
        place(id) if id and _is_text(id) else None, order, down,
        _place(after, order, down) if after else None, min(skip, _MOST), min(limit, _MOST) if limit else None,
    )  # fmt: skip


def words(given: Iterable[str]) -> dict[str, list[str | None]]:
    """Turn `KEY=VALUE` and `KEY` into what an info has to have; of several values of a key any will do."""
    info: dict[str, list[str | None]] = {}
    for key, equals, value in (word.partition("=") for word in given if word):
        info.setdefault(key, []).append(value if equals else None)
    return info


def _check_skip(skip: int, after: str | None) -> None:
    if not isinstance(skip, int) or skip < 0:
        raise InvalidInputException(f"skip {str(skip)[:40]} refused: pass over 0 images or more")
    if skip and after:
        raise InvalidInputException(f"skip {skip} refused beside after: a page begins at a place or after another page")


def _order(sort: str) -> tuple[str, bool]:
    order, down = sort.removeprefix("-"), sort.startswith("-")
    if order not in ORDERS:
        raise InvalidInputException(
            f"sort {sort[:40]!r} refused: there are {', '.join(ORDERS)}, and each with - before it for the other way"
        )
    return order, down


def _states(state: Several) -> list[str]:
    states = _values(state)
    for name in states:
        if name not in STATES:
            raise InvalidInputException(f"state {name[:40]!r} refused: there are {', '.join(STATES)}")
    return states


def _terms(kind: str, given: Several) -> tuple[str, ...]:
    """Give the terms of what is given; what is no text is true of nothing."""
    return tuple(kind + str.__str__(value) for value in _values(given) if _is_text(value))


def _values(given: Several) -> list[str]:
    return [value for value in ([given] if isinstance(given, str) else given or ()) if value]


def _is_text(value: object) -> bool:
    try:
        return isinstance(value, str) and value.encode() is not None
    except UnicodeEncodeError:  # a lone surrogate
        return False


def _info_terms(key: str, value: Any) -> tuple[str, ...]:
    if not _is_text(key) or not key:
        raise InvalidInputException(f"info key {key!r} refused: name a key, with dots for keys inside: site.name")
    values = list(value) if isinstance(value, list | tuple | set | frozenset) else [value]
    return tuple(term for one in values for term in _value_terms(key, one))


def _value_terms(key: str, value: Any) -> set[str]:
    """Give the terms of an info's value: as it is, and as the JSON that it may be written in."""
    if value is None:
        return {KEY + key}
    text = written(value)
    if text is None or isinstance(value, Mapping):
        raise InvalidInputException(f"info[{key!r}] refused: compare with text, a number, true or false")
    texts = {text, written(_parsed(text)) or text} if isinstance(value, str) else {text}
    return {value_term(key, one) for one in texts if _is_text(one)}


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


# -- places between pages ----------------------------------------------------------------------------------------------


def _cursor(question: Question, place: Place) -> str:
    said = json.dumps([question.order, question.down, *place])
    return base64.urlsafe_b64encode(said.encode()).decode().rstrip("=")


def _place(cursor: str, order: str, down: bool) -> Place:
    try:
        said = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        was_order, was_down, key, place = said
    except (ValueError, TypeError, RecursionError, binascii.Error):
        was_order = was_down = key = place = None
    kind = str if order == "id" else int
    if type(key) is not kind or not _is_text(place) or not (_is_text(key) or abs(int(key)) < 2**63):
        raise InvalidInputException(f"after {cursor[:40]!r} refused: give what `next` of the page before held")
    if (was_order, was_down) != (order, down):
        raise InvalidInputException(f"after {cursor[:40]!r} refused: the page before was sorted in another way")
    return key, place


def _image(shown: Shown) -> dict[str, Any]:
    told = shown._asdict()
    labels = {tag: {"version": version} for tag, version in shown.labels.items()}
    return {
        **told, "state": STATES[shown.state], "tags": list(labels), "labels": labels, "time": moment(shown.time),
        "added": moment(shown.added),
    }  # fmt: skip
