"""A program that forks workers on request, so that each starts in milliseconds; the fixtures of this folder run it."""

import json
import os
import sys
import traceback
from importlib import import_module
from typing import Any

import workers


def main() -> None:
    """Answer one line of JSON with another: start a worker (its process id), wait for one, look after one."""
    for line in sys.stdin:
        request = json.loads(line)
        if "wait" in request:
            answer: Any = os.waitstatus_to_exitcode(os.waitpid(request["wait"], 0)[1])
        elif "poll" in request:
            pid, status = os.waitpid(request["poll"], os.WNOHANG)
            answer = os.waitstatus_to_exitcode(status) if pid else None
        else:
            answer = os.fork()
            if not answer:
                work(request["task"], request["arguments"])
        print(json.dumps(answer), flush=True)


def work(task: str, arguments: dict[str, Any]) -> None:
    """Do a task in a fresh process and end it: 0 when all went well."""
    status = 1
    try:
        os.dup2(os.open(os.devnull, os.O_RDWR), 0)
        os.dup2(2, 1)
        module, _, name = task.rpartition(".")
        getattr(import_module(f"tests.endurance.{module}") if module else workers, name)(**arguments)
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


if __name__ == "__main__":
    main()
