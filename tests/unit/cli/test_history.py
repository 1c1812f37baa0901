"""The command line's history: who did what when, events as they happen, and letting go of versions and data."""

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from monailabel.datastore.local import LocalDatastore
from tests.unit.cli.running import Run

COMMAND = [sys.executable, "-m", "monailabel.cli"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a datastore of an image whose label two people saved three times, and which was replaced after that."""
    source = tmp_path / "file.nii.gz"
    with LocalDatastore(tmp_path / "scans") as store:
        for tag, data, who in (("", b"scan", "ben"), ("final", b"one", "anna"), ("final", b"two", "ben"),
                               ("final", b"three", "anna"), ("", b"another scan", "carl")):  # fmt: skip
            source.write_bytes(data)
            with store.acting_as(who):
                store.save_label("a", str(source), tag, {}) if tag else store.add_image("a", str(source), {})
    return tmp_path / "scans"


def _rows(text: str) -> list[list[str]]:
    return [line.split("\t") for line in text.splitlines()]


@contextmanager
def _process(*words: object, **options: Any) -> Iterator["subprocess.Popen[str]"]:
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    with subprocess.Popen([*COMMAND, *map(str, words)], text=True, **pipes) as process:
        try:
            yield process
        finally:
            process.kill()


class Terminal:
    """A terminal with a program on it."""

    def __init__(self, *words: object) -> None:
        self._ours, its = pty.openpty()
        wide = {**os.environ, "COLUMNS": "200"}
        self.process = subprocess.Popen([*COMMAND, *map(str, words)], stdin=its, stdout=its, stderr=its, env=wide)
        os.close(its)
        self.text = ""

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._ours)

    def read_until(self, words: str) -> str:
        """Read on until these words are there, and give all that was read."""
        deadline = time.monotonic() + 30
        while words not in self.text:
            ready, _, _ = select.select([self._ours], [], [], deadline - time.monotonic())
            assert ready, f"{words!r} did not come: {self.text}"
            self.text += re.sub(r"\x1b\[[\d;]*m", "", os.read(self._ours, 4096).decode())
        return self.text

    def type(self, line: str) -> None:
        """Type a line."""
        os.write(self._ours, line.encode() + b"\n")

    def end(self) -> int:
        """Wait for the end of the program, and give its status."""
        try:
            while data := os.read(self._ours, 4096):
                self.text += data.decode()
        except OSError:  # Linux: nobody is at the other end any more
            pass
        return self.process.wait(30)


# ---- history and events


def test_history_of_a_label_is_a_table_of_versions(run: Run, folder: Path) -> None:
    """Each version with who, when, what, size, whether it is kept, and the version of the image it was made for."""
    _, out, _ = run("history", folder, "a", "--tag", "final")
    rows = _rows(out)
    assert [(r[0], r[2], r[3], r[4], r[5]) for r in rows] == [
        ("1", "anna", "added", "3", "yes"), ("2", "ben", "replaced", "3", "yes"),
        ("3", "anna", "replaced", "5", "current"),
    ]  # fmt: skip
    assert {row[6] for row in rows} == {"1, not the present"}
    run("restore", folder, "a", "--version", "1")
    assert {row[6] for row in _rows(run("history", folder, "a", "--tag", "final").out)} == {"1"}


@pytest.mark.parametrize(
    ("words", "headings"),
    [
        (["history", "a"], "number when who what image tag version"),
        (["events"], "number when who what image tag version"),
        (["events", "--follow", "--limit", "2"], "number when who what image tag version"),
        (["history", "a", "--tag", "final"], "version when who what size kept image version sha256"),
        (["prune", "--keep", "0", "--dry-run"], "image tag version made replaced or removed size"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_columns_have_headings_on_a_terminal(folder: Path, words: list[str], headings: str) -> None:
    """A person reads what each column is."""
    with Terminal(words[0], folder, *words[1:]) as terminal:
        assert terminal.read_until("\n").splitlines()[0].split() == headings.split()
        assert terminal.end() == 0


def test_show_tells_where_a_label_was_made_for_another_version(run: Run, folder: Path) -> None:
    """An approval is not taken over in silence when the image comes with other bytes; equal ones are the same."""
    words = "made for\tversion 1 of the image, which is now version 2"
    assert words in run("show", folder, "a").out.splitlines()
    found = run("show", folder, "a", "--json").json
    label = found["labels"]["final"]
    assert (found["version"], label["version"], label["image_version"], label["for_present_image"]) == (2, 3, 1, False)
    run("restore", folder, "a", "--version", "1")
    assert "made for" not in run("show", folder, "a").out


@pytest.mark.parametrize("as_json", [False, True], ids=["tabs", "json"])
def test_events_are_followed_as_they_happen(folder: Path, as_json: bool) -> None:
    """`--follow` prints what there is, each new event at once, and ends quietly with 0 on Ctrl-C."""
    with LocalDatastore(folder) as store:
        last = store.last_event()
        options = ["--json"] if as_json else []
        with _process("events", folder, "--follow", "--after", last - 1, *options) as process:
            assert process.stdout
            first = process.stdout.readline()
            store.update_image_info("a", {"n": 1})
            second = process.stdout.readline()
            process.send_signal(signal.SIGINT)
            assert process.communicate(timeout=30) == ("", "")
        assert process.returncode == 0
    if as_json:
        assert [json.loads(line)["seq"] for line in (first, second)] == [last, last + 1]
        assert json.loads(second)["new"]["n"] == 1
    else:
        assert [line.split("\t")[0] for line in (first, second)] == [str(last), str(last + 1)]


def test_following_ends_at_its_limit(run: Run, folder: Path) -> None:
    """`--limit` ends it by itself; a read-only look follows too."""
    status, out, _ = run("events", folder, "--follow", "--limit", "3", "--read-only")
    assert (status, [row[0] for row in _rows(out)]) == (0, ["1", "2", "3"])


def test_status_tells_what_the_history_takes(run: Run, folder: Path) -> None:
    """The number of earlier versions and their bytes, for people and for programs."""
    assert run("status", folder, "--json").json["history"] == {"versions": 3, "bytes": 3 + 3 + 4}
    assert "history\t3 earlier versions, 10 bytes" in run("status", folder).out.splitlines()


# ---- pruning


def test_prune_lists_first_and_removes_what_it_lists(run: Run, folder: Path) -> None:
    """`--dry-run` removes nothing; with `--yes` exactly the same versions go, and the newest of each file stay."""
    words = ("prune", folder, "--keep", "1", "--json")
    listed = run(*words, "--dry-run").json
    assert (listed["removed"], listed["bytes"]) == (False, 3)
    assert [(v["image"], v["tag"], v["version"]) for v in listed["versions"]] == [("a", "final", 1)]
    assert run("status", folder, "--json").json["history"]["versions"] == 3
    gone = run(*words, "--yes").json
    assert gone == {**listed, "removed": True}
    assert run("status", folder, "--json").json["history"]["versions"] == 2
    assert [row[5] for row in _rows(run("history", folder, "a", "--tag", "final").out)] == ["no", "yes", "current"]


@pytest.mark.parametrize(
    ("words", "gone"),
    [
        (["--older-than", "1h"], 0),
        (["--older-than", "0h"], 3),
        (["--older-than", "2000-01-01"], 0),
        (["--older-than", "2999-12-31T23:59"], 3),
        (["--keep", "0"], 3),
        (["--keep", "0", "--tag", "final"], 2),
        (["--keep", "0", "--tag", ""], 1),
        (["a", "a", "--keep", "0"], 3),
        (["--keep", "9"], 0),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_prune_can_be_limited(run: Run, folder: Path, words: list[str], gone: int) -> None:
    """By age, by date, by how many stay, by image and by tag."""
    status, out, err = run("prune", folder, *words, "--yes")
    assert (status, len(_rows(out))) == (0, gone)
    assert err.startswith(f"removed {gone} earlier versions")
    assert run("status", folder, "--json").json["history"]["versions"] == 3 - gone


def test_nothing_is_pruned_unasked(run: Run, folder: Path) -> None:
    """Where nobody can be asked, and without `--yes`, nothing goes, and the sentence says how much would have."""
    status, _, err = run("prune", folder, "--keep", "0")
    assert status == 1
    assert "nothing was removed" in err and "--yes to remove 3 earlier versions, 10 bytes" in err
    assert run("status", folder, "--json").json["history"]["versions"] == 3


@pytest.mark.parametrize(("answer", "left"), [("y", 0), ("n", 3), ("", 3)], ids=["yes", "no", "nothing"])
def test_prune_asks_on_a_terminal(run: Run, folder: Path, answer: str, left: int) -> None:
    """Only a yes removes anything; the exit status tells which it was."""
    with Terminal("prune", folder, "--keep", "0") as terminal:
        assert "remove 3 earlier versions, 10 bytes for good" in terminal.read_until("[y/N]")
        terminal.type(answer)
        assert terminal.end() == (1 if left else 0)
    assert run("status", folder, "--json").json["history"]["versions"] == left


# ---- purging


def test_purge_erases_an_image_for_good(run: Run, folder: Path) -> None:
    """With `--yes` its bytes, versions and infos go, and `restore` finds nothing; what happened is still told."""
    assert run("remove", folder, "a", "--purge", "--yes").out == 'erased image "a"\n'
    assert run("restore", folder, "a").status == 1
    assert not [p for p in folder.rglob("*") if p.is_file() and re.search(rb"another scan|three", p.read_bytes())]
    assert _rows(run("history", folder, "a").out)[-1][3] == "purged"


@pytest.mark.parametrize(("answer", "erased"), [("a", True), ("y", False), ("", False)])
def test_purge_has_the_id_typed_again(run: Run, folder: Path, answer: str, erased: bool) -> None:
    """On a terminal only the id itself, not a yes by habit, erases it."""
    with Terminal("remove", folder, "a", "--purge") as terminal:
        terminal.read_until("type a again to go on: ")
        terminal.type(answer)
        assert terminal.end() == (0 if erased else 1)
    assert run("show", folder, "a").status == (1 if erased else 0)
