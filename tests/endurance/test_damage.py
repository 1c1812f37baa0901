"""Bytes changed and files cut short by a failing disk: found, never given out as sound, and nothing else lost."""

import os
import random
import shutil
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from monailabel.datastore.check import Finding, check
from monailabel.datastore.local import LocalDatastore
from monailabel.interfaces.exception import MONAILabelException

ROUNDS = int(os.environ.get("DAMAGE_ROUNDS", "12"))  # of each kind of file
CASES = 6
KINDS = {
    "the catalog": lambda folder: [folder / ".monailabel" / "catalog.db"],
    "its log": lambda folder: [folder / ".monailabel" / "catalog.db-wal"],
    "its copy": lambda folder: [folder / ".monailabel" / "catalog.copy"],
    "the document": lambda folder: [folder / "datastore_v2.json"],
    "what is noted": lambda folder: [
        folder / ".monailabel" / name for name in ("head", "snapshot.json", "snapshot.note")
    ],
    "an earlier version": lambda folder: sorted((folder / ".monailabel" / "history").glob("*/*")),
    "an image or label": lambda folder: [*sorted(folder.glob("*.nii.gz")), *sorted(folder.glob("labels/*/*"))],
}


@dataclass
class Template:
    """A datastore to be damaged, and what it tells."""

    folder: Path
    told: dict[str, Any]
    bytes: dict[tuple[str, str, int], bytes]


def told(store: LocalDatastore) -> dict[str, Any]:
    """Give all that a datastore tells but the bytes."""
    images = [f"case_{number}" for number in range(CASES)]
    return {
        "document": store.json(),
        "images": store.list_images(),
        "status": store.status(),
        "events": [event for event in store.events() if event["action"] != "rebuilt"],
        "versions": {
            (image, tag): store.label_versions(image, tag) if tag else store.image_versions(image)
            for image in images
            for tag in ("", "final", "second")
        },
    }


def versions(store: LocalDatastore, sure: dict[tuple[str, str, int], bytes]) -> dict[tuple[str, str, int], bytes]:
    """Read every earlier version and the newest; what cannot be had is left out."""
    found = {}
    for image, tag, version in sure:
        with suppress(MONAILabelException, OSError):
            if tag:
                file = store.get_label(image, tag, version=version)
                assert file is not None
                found[image, tag, version] = file.read()
    return found


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    """Make a datastore with a bit of everything, closed but for one who reads, so that there is a log too."""
    top = tmp_path_factory.mktemp("damage")
    folder, sure = top / "studies", {}

    def source(name: str, data: bytes) -> str:
        (top / name).write_bytes(data)
        return str(top / name)

    with LocalDatastore(folder) as store:
        for number in range(CASES):
            image = f"case_{number}"
            store.add_image(image, source("i.nii.gz", b"image %d" % number * 9), {"age": number, "of": "ü" * 9})
            for version, tag in ((1, "final"), (2, "final"), (1, "second")):
                data = b"label %d of %d" % (version, number)
                store.save_label(image, source("l.nii.gz", data), tag, {"client_id": f"ann {version}"})
                sure[image, tag, version] = data
        store.remove_label("case_1", "second")
        store.remove_image("case_2")
        store.set_name("damaged")
    with LocalDatastore(folder) as store:
        for number in (3, 4):
            store.update_image_info(f"case_{number}", {"later": number})
        before = told(store)
        while not (folder / ".monailabel" / "head").read_text().startswith(store.head()):
            threading.Event().wait(0.01)
        shutil.copytree(folder, top / "open")
    shutil.rmtree(folder)
    (top / "open").rename(folder)
    assert (folder / ".monailabel" / "catalog.db-wal").stat().st_size
    return Template(folder, before, sure)


def damaged(path: Path, dice: random.Random) -> str:
    """Change a bit, or a block, or cut a file, as a disk does: its time tells nothing. Say what was done."""
    facts, data = path.stat(), bytearray(path.read_bytes())
    kind = dice.choice(["bit", "bit", "bit", "block", "cut"])
    at = dice.randrange(len(data))
    if kind == "bit":
        data[at] ^= 1 << dice.randrange(8)
    elif kind == "block":
        at -= at % 512
        data[at : at + 512] = dice.choice([bytes, dice.randbytes])(len(data[at : at + 512]))
    else:
        del data[at:]
    path.write_bytes(bytes(data))
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    return f"{path.name}: {kind} at {at}"


def found(folder: Path, **options: Any) -> list[Finding]:
    """Check a folder deep."""
    return [one for one in check(folder, deep=True, low_space=0, **options) if one.kind != "module"]


def look(folder: Path, template: Template, **options: Any) -> dict[str, Any] | None:
    """Open a folder and read all of it: only our errors may come, and no version has other bytes than it had."""
    with suppress(MONAILabelException, OSError), LocalDatastore(folder, **options) as store:
        for key, data in versions(store, template.bytes).items():
            if key[2] == 1 or key[:2] == ("case_2", "final"):
                assert data == template.bytes[key], f"{key} has other bytes"
        return told(store)
    return None


@pytest.mark.parametrize("round", range(ROUNDS))
@pytest.mark.parametrize("kind", KINDS)
def test_damage_is_found_and_costs_nothing_else(template: Template, tmp_path: Path, kind: str, round: int) -> None:
    """Whatever is damaged: no error but ours; it is found or changes nothing; what is not damaged is all there."""
    dice = random.Random(f"{kind} {round}")
    folder = Path(shutil.copytree(template.folder, tmp_path / "studies"))
    if kind != "its log":
        LocalDatastore(folder).close()  # it knows the files of a copied folder again
    path = dice.choice(KINDS[kind](folder))
    what = damaged(path, dice)
    looked = look(folder, template, read_only=True)
    findings = found(folder)
    seen = look(folder, template)
    if not findings:
        assert looked in (None, template.told) and seen == template.told, what
    repaired = found(folder, repair=True)
    now = look(folder, template)
    assert now is not None, (what, repaired)
    if kind not in ("an earlier version", "an image or label"):
        with LocalDatastore(folder, read_only=True) as store:
            assert versions(store, template.bytes) == template.bytes, (what, findings, repaired)
        for part in ("document", "images", "status", "versions"):
            assert now[part] == template.told[part], (what, part, findings, repaired)
