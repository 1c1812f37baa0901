"""Measures requests over HTTP with 32 connections, beside MONAI Label's server and an empty endpoint."""

import random
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from urllib.parse import quote

from benchmarks import bare, folders, servers
from benchmarks.load import Load, drive, request
from benchmarks.results import Results, Who
from benchmarks.rows import Limit
from benchmarks.telling import note

STATUS, INFO, RANDOM = "GET /datastore/", "GET /datastore/image/info", "POST /activelearning/random"
_WARM = 0.3  # seconds before anything counts


def measure(results: Results, ours: Path, limit: Path, theirs: Path | None, size: int, seconds: float) -> None:
    """Measure our server, the bare one over the limits' database and, where there is a folder for it, MONAI Label's."""
    asked = _requests(size)
    _drive(results, Who.OURS, size, lambda: servers.ours(ours), asked, seconds)
    empty = {Limit.EMPTY.value: [request("GET", bare.EMPTY)], Limit.RECORD.value: [request("POST", bare.RECORD)]}
    _drive(results, Who.LIMIT, size, lambda: servers.bare(limit / "limit.db", size), empty, seconds)
    if theirs is not None:
        app = theirs.with_name(f"{theirs.name}-app")
        app.mkdir(exist_ok=True)
        try:
            _drive(results, Who.THEIRS, size, lambda: servers.theirs(theirs, app), asked, seconds)
        except servers.NoServer as reason:
            note(f"MONAI Label's server could not be started: {str(reason).strip().splitlines()[-1]}")


def _requests(size: int) -> dict[str, list[bytes]]:
    chosen = random.choices(folders.image_ids(size), k=1_000)
    return {
        STATUS: [request("GET", "/datastore/")],
        INFO: [request("GET", f"/datastore/image/info?image={quote(id)}") for id in chosen],
        RANDOM: [request("POST", "/activelearning/random", b"{}")],
    }


def _drive(
    results: Results, who: Who, size: int, server: Callable[[], AbstractContextManager[int]],
    asked: dict[str, list[bytes]], seconds: float,
) -> None:  # fmt: skip
    with server() as port:
        for name, requests in asked.items():
            note(f"{who.value}, {size:,} images: {name}")
            drive(port, requests, _WARM)
            loads = [drive(port, requests, seconds / 3)]
            while len(loads) < 3 and loads[-1].seconds < seconds:  # else 32 answers alone take longer
                loads.append(drive(port, requests, seconds / 3))
            results.add(who, size, {name: [load.each for load in loads], p99_of(name): [_p99(load) for load in loads]})


def p99_of(name: str) -> str:
    """Name the row of an address's latency."""
    return f"{name}, p99"


def _p99(load: Load) -> float:
    return sorted(load.latencies)[int(len(load.latencies) * 0.99)]
