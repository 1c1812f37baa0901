"""Requests that come while others are answered are answered together, each with its own answer or error."""

import asyncio
import json
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from monailabel.server.together import Together

from .running import Answer, Server


class Slow:
    """Answers with the double of each number, once it is let; a negative one is an error."""

    def __init__(self) -> None:
        self.turns: list[list[int]] = []
        self.begun, self.let = threading.Event(), threading.Event()

    def __call__(self, numbers: Sequence[int]) -> list[int]:
        """Answer."""
        self.turns.append(list(numbers))
        self.begun.set()
        assert self.let.wait(10)
        if min(numbers) < 0:
            raise ValueError(f"{min(numbers)} refused")
        return [2 * number for number in numbers]


async def _asked(slow: Slow, numbers: list[int]) -> list[Any]:
    """Ask the first number, then the others while it is answered."""
    together = Together(slow)
    first = asyncio.create_task(together.ask(numbers[0]))
    await asyncio.to_thread(slow.begun.wait)
    others = [asyncio.create_task(together.ask(number)) for number in numbers[1:]]
    await asyncio.sleep(0)
    slow.let.set()
    return await asyncio.gather(first, *others, return_exceptions=True)


def test_who_comes_meanwhile_shares_the_next_turn() -> None:
    """Each gets its own answer, in two turns for any number of those who ask."""
    slow = Slow()
    assert asyncio.run(_asked(slow, [1, 2, 3, 4])) == [2, 4, 6, 8]
    assert slow.turns == [[1], [2, 3, 4]]


def test_an_error_reaches_only_who_caused_it() -> None:
    """Of those who share a turn, the others get their answers."""
    answers = asyncio.run(_asked(Slow(), [1, 2, -3, 4]))
    assert answers[:2] == [2, 4] and answers[3] == 8
    assert isinstance(answers[2], ValueError) and str(answers[2]) == "-3 refused"


def test_who_leaves_disturbs_nobody() -> None:
    """A request that is broken off while it waits takes nothing from the others."""

    async def leaving(slow: Slow) -> int:
        together = Together(slow)
        first = asyncio.create_task(together.ask(1))
        await asyncio.to_thread(slow.begun.wait)
        gone, stays = asyncio.create_task(together.ask(2)), asyncio.create_task(together.ask(3))
        await asyncio.sleep(0)
        gone.cancel()
        slow.let.set()
        with pytest.raises(asyncio.CancelledError):
            await gone
        return await first + await stays

    assert asyncio.run(leaving(Slow())) == 8


def test_many_annotators_at_once(server: Server) -> None:
    """Each of many clients that ask in the same moment is recorded, under its own name."""
    names = [f"reader {n}" for n in range(24)]
    last = server.store.last_event()

    def ask(name: str) -> Answer:
        body = json.dumps({"client_id": name}).encode()
        return server.ask("POST", "/activelearning/random", body, content_type="application/json")

    with ThreadPoolExecutor(len(names)) as clients:
        answers = list(clients.map(ask, names))
    assert {answer.status for answer in answers} == {200}
    events = server.store.events(last)
    assert sorted(event["actor"] for event in events) == sorted(names)
    given = {event["actor"]: event["image"] for event in events}
    assert [answer.json["id"] for answer in answers] == [given[name] for name in names]
