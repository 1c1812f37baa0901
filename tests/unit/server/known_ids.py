"""Has schemathesis ask for what is there as often as for what is not; SCHEMATHESIS_HOOKS names this."""

from typing import Any

import schemathesis

KNOWN = {"image": "case_1", "label": "case_1", "id": "case_2", "tag": "original", "after": "0", "version": "1"}


@schemathesis.hook  # type: ignore[untyped-decorator]
def map_query(_context: Any, query: dict[str, Any] | None) -> dict[str, Any] | None:
    """Put known words in the place of every other one, by their length, so that a seed gives the same again."""
    if not query:
        return query
    return {name: KNOWN.get(name, word) if len(str(word)) % 2 else word for name, word in query.items()}
