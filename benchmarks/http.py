"""Measures requests over HTTP with 32 connections, beside MONAI Label's server and an empty endpoint."""

import random
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import quote

from benchmarks import bare, folders, servers
from benchmarks.load import Load, drive, request
from benchmarks.results import Results, Who
from benchmarks.rows import Limit
from benchmarks.telling import note

STATUS, INFO, RANDOM = "GET /datastore/", "GET /datastore/image/info", "POST /activelearning/random"
_TURNS = 3
_WARM = 0.2  # seconds before anything counts


def measure(results: Results, ours: Path, limit: Path, theirs: Path | None, size: int, seconds: float) -> None:
    """Measure our server, the bare one over the limits' database and, where there is a folder for it, MONAI Label's.

    All of them run, and take turns.
    """
    asked = _requests(size)
    empty = Limit.EMPTY.value, [request("GET", bare.EMPTY)]
    record = Limit.RECORD.value, [request("POST", bare.RECORD)]
    with ExitStack() as running:
        ports = {
            Who.OURS: running.enter_context(servers.ours(ours)),
            Who.LIMIT: running.enter_context(servers.bare(limit / "limit.db", size)),
        }
        if theirs is not None:
            app = theirs.with_name(f"{theirs.name}-app")
            app.mkdir(exist_ok=True)
            try:
                ports[Who.THEIRS] = running.enter_context(servers.theirs(theirs, app))
            except servers.NoServer as reason:
                note(f"MONAI Label's server could not be started: {str(reason).strip().splitlines()[-1]}")
        for name, requests in asked.items():
            note(f"{size:,} images: {name}")
            turns = dict.fromkeys(ports, (name, requests))
            turns[Who.LIMIT] = record if name == RANDOM else empty
            for _ in range(_TURNS):
                for who, (row, sent) in list(turns.items()):
                    drive(ports[who], sent, _WARM)
                    load = drive(ports[who], sent, seconds / _TURNS)
                    results.add(who, size, {row: [load.each], p99_of(row): [_p99(load)]})
                    if load.seconds > seconds:  # 32 answers alone take longer
                        del turns[who]


def _requests(size: int) -> dict[str, list[bytes]]:
    chosen = random.choices(folders.image_ids(size), k=1_000)
    return {
        STATUS: [request("GET", "/datastore/")],
        INFO: [request("GET", f"/datastore/image/info?image={quote(id)}") for id in chosen],
        RANDOM: [request("POST", "/activelearning/random", b"{}")],
    }


def p99_of(name: str) -> str:
    """Name the row of an address's latency."""
    return f"{name}, p99"


def _p99(load: Load) -> float:
    return sorted(load.latencies)[int(len(load.latencies) * 0.99)]
