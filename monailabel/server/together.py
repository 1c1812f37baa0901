"""Answers several requests at once, in a thread: who asks while others are answered waits and shares the next turn."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from starlette.concurrency import run_in_threadpool

Question = TypeVar("Question")
Answer = TypeVar("Answer")


class Together(Generic[Question, Answer]):
    """Collects the questions that come while `answer` works on others, and hands them over together."""

    def __init__(self, answer: Callable[[Sequence[Question]], list[Answer]]) -> None:
        self._answer = answer
        self._waiting: list[tuple[Question, asyncio.Future[Answer]]] = []
        self._work: asyncio.Task[None] | None = None

    async def ask(self, question: Question) -> Answer:
        """Give the answer to a question; whatever it raises is raised here."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((question, future))
        if self._work is None:
            self._work = asyncio.create_task(self._turns())
        return await future

    async def _turns(self) -> None:
        while self._waiting:
            turn, self._waiting = self._waiting, []
            await self._turn(turn)
        self._work = None

    async def _turn(self, turn: list[tuple[Question, "asyncio.Future[Answer]"]]) -> None:
        try:
            answers = await run_in_threadpool(self._answer, [question for question, _ in turn])
        except Exception as error:  # noqa: BLE001 - whoever asked is told
            if len(turn) == 1:
                _tell(turn[0][1], error)
            else:  # one of them is to blame, and the others are not
                for alone in turn:
                    await self._turn([alone])
            return
        for (_, future), answer in zip(turn, answers, strict=True):
            if not future.done():  # its client has left
                future.set_result(answer)


def _tell(future: "asyncio.Future[Answer]", error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
