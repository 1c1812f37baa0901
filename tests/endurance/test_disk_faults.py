"""A disk that is full, read-only, gone or not ours: one clear error, and the old state or the new one, never half."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from monailabel.datastore.local import LocalDatastore
from tests.endurance.kinds import BEFORE, KINDS
from tests.endurance.workers import apply

STRIDE = max(1, 700 // int(os.environ.get("ROUNDS", "100")))  # each seventh call fails; in the long run each


@pytest.fixture
def template(tmp_path: Path) -> Path:
    """Give a datastore's folder with what stands in BEFORE, to be copied."""
    with LocalDatastore(str(tmp_path / "template")) as store:
        for change in BEFORE:
            apply(store, change, tmp_path)
    return tmp_path / "template"


@pytest.mark.parametrize("lasting", [False, True], ids=["once", "from then on"])
def test_any_call_may_fail(template: Path, memory: Path, nursery: Any, lasting: bool) -> None:
    """Whichever call of a change fails, the old state or the new one stands. Simulated: nothing reaches the disk."""
    running = []
    for half in range(2):
        home = memory / f"home-{half}"
        home.mkdir()
        report = memory / f"report-{half}"
        arguments = {"template": str(template), "home": str(home), "report": str(report), "lasting": lasting}
        pid = nursery.start("faults.fail_at_each_call", **arguments, kinds=list(KINDS)[half::2], stride=STRIDE)
        running.append((pid, report))
    assert [nursery.wait(pid, within=3600) for pid, _ in running] == [0, 0]
    reports = [report.read_text().partition("\n") for _, report in running]
    print(f"{sum(int(tries) for tries, _, _ in reports)} changes of which one call failed")
    assert not any(wrong for _, _, wrong in reports), "".join(wrong for _, _, wrong in reports)[:8000]


@pytest.fixture
def home() -> Iterator[Path]:
    """Give a folder that any user reaches."""
    path = tempfile.mkdtemp()
    os.chmod(path, 0o755)
    yield Path(path)
    shutil.rmtree(path)


@pytest.mark.parametrize("fault", ["too_large", "denied", "full", "gone", "read_only", "over_quota"])
def test_a_fault_at_every_step(template: Path, home: Path, tmp_path: Path, nursery: Any, fault: str) -> None:
    """A disk refuses from some step of a change on: an error before the commit, none after it, and all well afterwards.

    The real thing are `too_large` and `denied`, and where the machine lets us mount a disk `full` and `gone`; else
    those are simulated, as `read_only` and `over_quota` are: calls that touch the disk fail.
    """
    report = tmp_path / "report"
    (home / "disk").mkdir()
    arguments = {"template": str(template), "home": str(home / "disk"), "report": str(report), "kinds": list(KINDS)}
    assert nursery.wait(nursery.start("faults.suffer", fault=fault, **arguments), within=120) == 0
    what, _, wrong = report.read_text().partition("\n")
    print(what)
    assert not wrong, wrong[:8000]
