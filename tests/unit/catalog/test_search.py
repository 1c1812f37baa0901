"""The search index's sets and statements: what is put in comes out, and pages are read from indexes."""

from pathlib import Path

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monailabel.catalog import postings
from monailabel.catalog.batch import SEARCH
from monailabel.catalog.search import ORDERS, LostIndexError, Question, SearchIndex

NUMBERS = st.integers(0, postings.CASES - 1)
MANY = st.builds(lambda start, step, count: {(start + step * n) % postings.CASES for n in range(count)},
                 NUMBERS, st.integers(1, 7), st.integers(900, 1200))  # fmt: skip
SETS = st.one_of(st.sets(NUMBERS, max_size=20), MANY)


@given(first=SETS, come=SETS, go=SETS)
def test_a_piece_holds_what_came_and_did_not_go(first: set[int], come: set[int], go: set[int]) -> None:
    """Few or many: the numbers of a piece, their count, and the piece of the rest of them."""
    piece = postings.made(sorted(first)) if first else b""
    changed = postings.changed(piece, sorted(come - go), sorted(go))
    rest = (first | come) - go
    assert postings.count(piece) == len(first) and postings.count(changed) == len(rest)
    assert postings.numbers(postings.joined([(0, changed)])) == sorted(rest)
    assert postings.numbers(postings.joined([(0, piece), (2, changed)])) == sorted(
        first | {number + 2 * postings.CASES for number in rest}
    )
    assert len(changed) <= postings.CASES // 8 and bool(changed) == bool(rest)


@given(cases=st.sets(st.integers(0, 100_000), max_size=50))
def test_digits_are_a_set(cases: set[int]) -> None:
    """A set written with a digit for each case, and read again."""
    whole = sum(1 << case for case in cases)
    assert postings.of_digits(postings.digits(whole).decode()) == whole
    assert postings.numbers(whole) == sorted(cases)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("query", ["after", "before"])
def test_a_page_is_read_along_an_index(tmp_path: Path, order: str, query: str) -> None:
    """No page needs all cases to be read or sorted."""
    SearchIndex(str(tmp_path / "search.db"), write_ahead=True).close()
    connection = apsw.Connection(str(tmp_path / "search.db"))
    values = {"key": 0, "place": "", "meant": b"", "skip": 1, "limit": 1}
    plan = connection.execute("EXPLAIN QUERY PLAN " + SEARCH[query].format(column=order), values).fetchall()
    assert [f"SEARCH entry USING COVERING INDEX entry_{order}" in row[3] for row in plan] == [True]


def test_an_index_of_another_version_is_lost(tmp_path: Path) -> None:
    """What another version made is not read."""
    path = str(tmp_path / "search.db")
    SearchIndex(path, write_ahead=True).close()
    apsw.Connection(path).pragma("user_version", 99)
    with pytest.raises(LostIndexError):
        SearchIndex(path, write_ahead=True)


@pytest.mark.parametrize("write_ahead", [True, False], ids=["with a log", "as on a network disk"])
def test_an_empty_index_has_no_cases(tmp_path: Path, write_ahead: bool) -> None:
    """A new index answers that there is nothing."""
    index = SearchIndex(str(tmp_path / "search.db"), write_ahead=write_ahead)
    assert index.find(Question(text="x", limit=5)) == ([], None, 0, 0)
    index.close()
