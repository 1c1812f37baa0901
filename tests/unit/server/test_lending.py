"""Lent files: found under a number that nothing else gets, and taken back in their time."""

import asyncio
import os
from pathlib import Path

import pytest

from monailabel.server import lending
from monailabel.server.serve import raise_file_limit

pytestmark = pytest.mark.usefixtures("_many_files")


@pytest.fixture
def _many_files() -> None:
    raise_file_limit()


def _lent_after_opening(path: Path, lender: lending.Lender) -> str:
    with open(path, "rb") as file:
        lent = lender.lend(file.fileno())
    assert lent is not None
    return lent


def _opened(path: Path) -> str:
    with open(path, "rb") as file:
        return f"/proc/self/fd/{file.fileno()}"


def _there(path: str) -> bool:
    return os.path.exists(path)


def _read(path: str) -> bytes:
    return Path(path).read_bytes()


def test_a_lent_file_is_found_after_its_owner_closed_it(tmp_path: Path) -> None:
    """Also when its name is gone or means another file by then."""
    (tmp_path / "scan").write_bytes(b"first version")

    async def lend() -> bytes:
        lender = lending.Lender()
        lent = _lent_after_opening(tmp_path / "scan", lender)
        (tmp_path / "new").write_bytes(b"second")
        os.replace(tmp_path / "new", tmp_path / "scan")
        data = _read(lent)
        lender.close()
        return data

    assert asyncio.run(lend()) == b"first version"


def test_a_number_is_not_given_again_soon(tmp_path: Path) -> None:
    """Who comes too late finds nothing: neither the next file that is lent nor one that is opened has that number."""
    (tmp_path / "scan").write_bytes(b"voxels")

    async def lend() -> tuple[list[str], str]:
        lender, seen = lending.Lender(), []
        for _ in range(50):
            seen.append(_lent_after_opening(tmp_path / "scan", lender))
            lender.close()
        return seen, _opened(tmp_path / "scan")

    seen, opened = asyncio.run(lend())
    assert len(set(seen)) == 50
    assert opened not in seen
    assert not any(_there(path) for path in seen)


def test_what_is_lent_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the time that any opening takes, by itself."""
    (tmp_path / "scan").write_bytes(b"voxels")
    monkeypatch.setattr(lending, "HOLD", 0.01)

    async def lend() -> None:
        lent = _lent_after_opening(tmp_path / "scan", lending.Lender())
        assert _there(lent)
        async with asyncio.timeout(10):
            while _there(lent):  # noqa: ASYNC110 - that it goes by itself is what is shown
                await asyncio.sleep(0)

    asyncio.run(lend())


def test_only_so_many_are_lent_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond that the server sends the bytes in pieces instead."""
    (tmp_path / "scan").write_bytes(b"voxels")
    monkeypatch.setattr(lending, "MOST", 3)

    async def lend() -> list[bool]:
        lender = lending.Lender()
        lent = [lender.lend(number) is not None for _ in range(5)]
        lender.close()
        return lent

    with open(tmp_path / "scan", "rb") as file:
        number = file.fileno()
        assert asyncio.run(lend()) == [True, True, True, False, False]
