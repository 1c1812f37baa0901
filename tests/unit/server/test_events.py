"""Events over HTTP: page by page, and as they happen, for many clients at once."""

import json
import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from monailabel.datastore.local import LocalDatastore
from tests.unit.server.running import Server
from tests.waiting import until

STREAM = "/datastore/events/stream"


class Follower:
    """A client of the stream: reads chunks of the body as they come, and events out of them."""

    def __init__(self, server: Server, query: str = "", *headers: str) -> None:
        self.socket = server.connect()
        lines = "".join(f"{line}\r\n" for line in headers)
        self.socket.sendall(f"GET {STREAM}{query} HTTP/1.1\r\nHost: {server.host}\r\n{lines}\r\n".encode())
        self._file = self.socket.makefile("rb")
        self.status = int(self._file.readline().split()[1])
        self.headers = dict(self._header_lines())

    def _header_lines(self) -> Iterator[tuple[str, str]]:
        while line := self._file.readline().decode().strip():
            name, _, value = line.partition(": ")
            yield name.lower(), value

    def lines(self) -> Iterator[str]:
        """Give the body's lines, to its end."""
        text = b""
        while size := int(self._file.readline() or b"0", 16):
            text += self._file.read(size + 2)[:-2]
            *whole, text = text.split(b"\n")
            yield from (line.decode() for line in whole)

    def events(self, count: int) -> list[dict[str, Any]]:
        """Give the next events, after checking that each one's id is its number."""
        found: list[dict[str, Any]] = []
        number = 0
        for line in self.lines():
            if line.startswith("id: "):
                number = int(line[4:])
            if line.startswith("data: "):
                found.append(json.loads(line[6:]))
                assert found[-1]["seq"] == number
            if not line and len(found) == count and number == found[-1]["seq"]:
                break
        return found

    def numbers(self, last: int) -> list[int]:
        """Give the numbers of the next events up to the last one, without keeping the events."""
        found: list[int] = []
        for line in self.lines():
            if line.startswith("id: "):
                found.append(int(line[4:]))
            if not line and found and found[-1] == last:
                break
        return found

    def close(self) -> None:
        """Leave."""
        self._file.close()
        self.socket.close()

    def __enter__(self) -> "Follower":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _update(server: Server, **info: object) -> None:
    server.store.update_image_info("case_1", info)


# ---- page by page


def test_events_tell_who_did_what_in_order(server: Server) -> None:
    """Each change is an event with its number, its actor, and the info before and after."""
    server.put("/datastore/label?image=case_1&tag=draft", "label", "x.nii.gz", b"v", params='{"client_id": "anna"}')
    found = server.get("/datastore/events").json
    assert [event["seq"] for event in found["events"]] == list(range(1, found["last"] + 1))
    newest = found["events"][-1]
    assert (newest["actor"], newest["authenticated"]) == ("anna", False)
    assert (newest["action"], newest["image"], newest["tag"], newest["version"]) == ("added", "case_1", "draft", 1)
    assert newest["new"]["client_id"] == "anna"
    assert found["events"] == server.store.events()


def test_events_can_be_read_page_by_page(server: Server) -> None:
    """Asking again after the last number that was seen gives each event once; `last` says how many there are."""
    for n in range(120):
        _update(server, n=n)
    everything, after, pages = server.store.events(), 0, 0
    seen: list[Any] = []
    while page := server.get(f"/datastore/events?after={after}&limit=50").json["events"]:
        seen += page
        after, pages = page[-1]["seq"], pages + 1
    assert (seen, pages) == (everything, -(-len(everything) // 50))
    assert server.get(f"/datastore/events?after={after + 5}").json == {"events": [], "last": len(everything)}
    assert server.get("/datastore/events?limit=0").json == {"events": [], "last": len(everything)}


def test_events_of_one_image_can_be_asked_for(server: Server) -> None:
    """`image` gives those about it and its labels, and none for an unknown one."""
    _update(server, n=1)
    found = server.get("/datastore/events?image=case_1").json
    assert {event["image"] for event in found["events"]} == {"case_1"}
    assert {event["tag"] for event in found["events"]} == {"", "original"}
    assert found["last"] == server.store.last_event()
    assert server.get("/datastore/events?image=unknown").json["events"] == []


def test_an_answer_is_bounded_whatever_the_infos_hold(server: Server) -> None:
    """A page of events with huge infos ends early, with one event at least, and the next page goes on from there."""
    for n in range(12):
        _update(server, text=f"{n}" + "x" * (2**20 - 100))
    seen, after, answers = [], 0, 0
    while True:
        answer = server.get(f"/datastore/events?after={after}&limit=10000")
        assert len(answer.body) < 40 * 2**20
        if not answer.json["events"]:
            break
        seen += [event["seq"] for event in answer.json["events"]]
        after, answers = seen[-1], answers + 1
    assert seen == list(range(1, server.store.last_event() + 1))
    assert answers > 1


@pytest.mark.parametrize(
    "query",
    ["limit=10001", "limit=-1", "limit=many", "after=-1", "after=x", f"after={'9' * 30}"],
)
def test_senseless_numbers_are_refused(shared: Server, query: str) -> None:
    """422 for what is no number of an event, and for pages beyond the limit."""
    assert shared.get(f"/datastore/events?{query}").status == 422


# ---- as they happen


def test_a_stream_has_the_headers_that_keep_it_flowing(shared: Server) -> None:
    """The head comes at once, before there is any event; nobody on the way may store it or hold it back."""
    with Follower(shared) as follower:
        assert follower.status == 200
        assert follower.headers["content-type"].startswith("text/event-stream")
        assert follower.headers["cache-control"] == "no-store"
        assert follower.headers["x-accel-buffering"] == "no"


def test_a_stream_begins_with_what_is_missing_and_goes_on(server: Server) -> None:
    """After a number come the events that followed it, then each new one, all of them once."""
    _update(server, n=1)
    with Follower(server, "?after=1") as follower:
        past = follower.events(server.store.last_event() - 1)
        assert past == server.store.events(after=1)
        _update(server, n=2)
        (new,) = follower.events(1)
        assert new == server.store.events()[-1]


def test_a_stream_without_a_number_begins_with_the_next_event(server: Server) -> None:
    """Who only wants what happens from now on names no number."""
    with Follower(server) as follower:
        _update(server, n=7)
        (event,) = follower.events(1)
    assert event["new"]["n"] == 7


def test_a_client_that_comes_back_misses_nothing(server: Server) -> None:
    """`Last-Event-ID`, which a browser sends by itself, wins over the address; what happened meanwhile comes first."""
    with Follower(server, "?after=0") as follower:
        last = follower.events(1)[-1]["seq"]
    _update(server, n=1)
    with Follower(server, "?after=0", f"Last-Event-ID: {last}") as follower:
        assert follower.events(server.store.last_event() - last) == server.store.events(after=last)


def test_events_of_other_processes_come_too(server: Server) -> None:
    """What another process commits is told without anything being asked of this one."""
    code = (
        "import sys; from monailabel.datastore.local import LocalDatastore\n"
        "with LocalDatastore(sys.argv[1], actor='script') as store: store.update_image_info('case_2', {'n': 3})"
    )
    with Follower(server) as follower:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        subprocess.run([sys.executable, "-c", code, str(server.folder)], env=environment, check=True)
        (event,) = follower.events(1)
    assert (event["image"], event["actor"], event["new"]["n"]) == ("case_2", "script", 3)


def test_events_of_this_server_come_at_once(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """What this process commits is told by itself, not at the next look for what others did."""
    monkeypatch.setattr("monailabel.server.feed.POLL", 3600)
    with Follower(server) as follower:
        for n in range(3):
            _update(server, n=n)
            assert follower.events(1)[0]["new"]["n"] == n


def test_nothing_that_was_erased_is_told_from_memory(server: Server) -> None:
    """Who comes after a purge gets the events without their content, though others were sent it before."""
    with Follower(server, "?after=0") as early:
        early.events(server.store.last_event())
        _update(server, name_of_patient="Erika Mustermann")
        last = server.store.last_event()
        assert early.events(1)[-1]["new"]["name_of_patient"] == "Erika Mustermann"
        server.store.remove_image("case_1", purge=True)
        purged = server.store.last_event()
        assert early.events(purged - last)[-1]["action"] == "purged"
        with Follower(server, f"?after={last - 1}") as late:
            told = late.events(purged - last + 1)
    assert [event["seq"] for event in told] == list(range(last, purged + 1))
    assert "Mustermann" not in json.dumps(told)


def test_an_event_reaches_hundreds_of_clients(server: Server) -> None:
    """Three hundred clients each get every event once and in order, while others are served."""
    with ExitStack() as stack:
        followers = [stack.enter_context(Follower(server)) for _ in range(300)]
        first = server.store.last_event() + 1
        for n in range(20):
            _update(server, n=n)
        assert server.get("/info/").status == 200
        for follower in followers:
            assert [event["seq"] for event in follower.events(20)] == list(range(first, first + 20))


def test_silence_is_told_from_a_lost_connection(serve: Callable[..., Server]) -> None:
    """Where nothing happens a comment comes now and then, which no client takes for an event."""
    server = serve(heartbeat=0.02)
    with Follower(server) as follower:
        lines = follower.lines()
        heard = [next(lines) for _ in range(20)]
    assert len([line for line in heard if line.startswith(":")]) >= 9
    assert not [line for line in heard if line and not line.startswith(":")]


def test_a_client_that_does_not_read_holds_up_nobody(server: Server) -> None:
    """It costs no memory that grows: events wait in the catalog until it takes them, and then all of them come."""
    _update(server, text="x" * 100_000)
    with Follower(server, "?after=0") as slow, Follower(server) as quick:
        before, first = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, server.store.last_event() + 1
        for n in range(200):
            _update(server, n=n)  # 200 kB for each event
        assert quick.numbers(first + 199) == list(range(first, first + 200))
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        assert grown < 20 * 1024, "kB more are in use, and the events are 40 MB"
        assert slow.numbers(first + 199) == list(range(1, first + 200))


def test_clients_that_vanish_are_forgotten(server: Server, capfd: pytest.CaptureFixture[str]) -> None:
    """Whoever leaves, in the middle of a catch-up too, frees their place, and nothing is said of it."""
    _update(server, text="x" * 1_000_000)
    for n in range(30):
        _update(server, n=n)
    feed = server.app.state.feed
    for query in ("", "?after=0") * 20:
        follower = Follower(server, query)
        assert follower.status == 200
        follower.close()
    until(lambda: feed.followers == 0, within=20)
    with Follower(server) as follower:
        _update(server, n="after all that")
        assert follower.events(1)[0]["new"]["n"] == "after all that"
    assert capfd.readouterr() == ("", "")


def test_the_number_of_followers_is_bounded(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """503 for one too many, so that others can still be served; a place that is free again is given away."""
    monkeypatch.setattr("monailabel.server.events.MOST_FOLLOWERS", 2)
    with Follower(server), Follower(server):
        until(lambda: server.app.state.feed.followers == 2, within=20)
        refused = server.get(STREAM)
        assert (refused.status, set(refused.json)) == (503, {"detail"})
    until(lambda: server.app.state.feed.followers == 0, within=20)
    with Follower(server) as follower:
        assert follower.status == 200


def test_an_event_that_is_not_there_yet_is_no_beginning(server: Server) -> None:
    """409 says that the client knows more than the datastore, as after an older backup was brought back."""
    answer = server.get(f"{STREAM}?after=999")
    assert answer.status == 409
    assert f"the newest is {server.store.last_event()}" in answer.json["detail"]
    for query in ("after=-1", "after=x"):
        assert server.get(f"{STREAM}?{query}").status == 422
    for odd in ("x", "-1", "1e3", "²", "9" * 40):
        with Follower(server, "", f"Last-Event-ID: {odd}") as follower:
            assert follower.status == 200


@pytest.mark.parametrize("after", ["", "?after=0"], ids=["up to date", "behind"])
def test_a_reading_that_fails_ends_no_stream(server: Server, monkeypatch: pytest.MonkeyPatch, after: str) -> None:
    """When the catalog cannot be read for a moment, the events come as soon as it can. The failure is simulated."""
    failed = threading.Event()

    def fail(*arguments: object, **options: object) -> None:
        failed.set()
        raise OSError(5, "simulated")

    begin = 0 if after else server.store.last_event()
    with monkeypatch.context() as patched:
        patched.setattr(server.store, "events", fail)
        follower = Follower(server, after)
        until(lambda: server.app.state.feed.followers == 1, within=20)
        _update(server, n=1)
        assert failed.wait(20)
    with follower:
        last = server.store.last_event()
        assert follower.numbers(last) == list(range(begin + 1, last + 1))


def test_a_read_only_server_tells_what_others_do(serve: Callable[..., Server]) -> None:
    """A server that may write nothing follows the catalog of those who do."""
    server = serve(read_only=True)
    with LocalDatastore(server.folder) as store, Follower(server) as follower:
        store.update_image_info("case_1", {"n": 5})
        assert follower.events(1)[0]["new"]["n"] == 5


def test_streams_end_when_the_server_stops(tmp_path: Path) -> None:
    """SIGTERM ends them at once and cleanly, long before the grace that other requests have is over."""
    program = (
        "import sys; from monailabel.server.serve import serve; from monailabel.server.settings import Settings\n"
        "serve(Settings(folder=sys.argv[1], port=0, session_path=sys.argv[1] + '-s', grace=60),\n"
        "      on_ready=lambda url: print(url, flush=True))"
    )
    (tmp_path / "studies").mkdir()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-W", "error", "-c", program, str(tmp_path / "studies")]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        try:
            assert process.stdout
            port = int(process.stdout.readline().rstrip(b"/\n").rpartition(b":")[2])
            server = Server(port, tmp_path, tmp_path, None)  # type: ignore[arg-type]
            with Follower(server) as one, Follower(server) as other:
                process.send_signal(signal.SIGTERM)
                assert [set(one.lines()), set(other.lines())] == [{": nothing new", ""}] * 2
                out, _ = process.communicate(timeout=20)
            assert (process.returncode, out) == (0, b"")
        finally:
            process.kill()
