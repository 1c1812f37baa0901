"""A thousand files are copied in while they are listed, renamed and deleted: none is taken by half, all are right."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from monailabel.datastore.check import check
from monailabel.datastore.local import LocalDatastore
from monailabel.files.folder import digest
from tests.endurance.copying import content

FILES = max(1_000, 10 * int(os.environ.get("ROUNDS", "100")))


def test_a_thousand_files_are_copied_in(tmp_path: Path, nursery: Any, wait_for: Callable[..., None]) -> None:
    """Nobody who lists meets an error or half a file; at the end exactly what lies in the folder is listed, once."""
    folder, stop, report = tmp_path / "studies", tmp_path / "stop", tmp_path / "left"
    LocalDatastore(str(folder)).close()
    readers = [
        nursery.start(
            "copying.read_whole",
            folder=str(folder),
            stop=str(stop),
            faults=str(tmp_path / f"faults-{n}"),
            watch=bool(n),
        )
        for n in range(2)
    ]
    strangers = [nursery.start("copying.copy_in", folder=str(folder), first=n, files=FILES, step=3) for n in range(3)]
    strangers.append(nursery.start("copying.meddle", folder=str(folder), files=FILES, report=str(report)))
    assert [nursery.wait(pid, within=60 + FILES / 10) for pid in strangers] == [0, 0, 0, 0]
    left = json.loads(report.read_text())
    with LocalDatastore(str(folder), auto_reload=True) as store:
        wait_for(lambda: {*store.list_images()} == {*left})
        stop.touch()
        assert [nursery.wait(pid) for pid in readers] == [0, 0]
        assert not list(tmp_path.glob("faults-*")), "".join(p.read_text() for p in tmp_path.glob("faults-*"))
        for image, number in left.items():
            with store.open_image(image) as file:
                assert digest(file.fd) == digest_of(content(number), tmp_path)
            assert store.get_image_info(image)["name"] == f"{image}.nii"
        changed = [e["image"] for e in store.events() if e["action"] not in ("found", "missing")]
        assert not changed, f"taken in by half first: {changed}"
    assert [
        finding.what for finding in check(folder, low_space=0) if finding.stands and finding.kind != "missing"
    ] == []
    print(f"{FILES} files copied in, {len(left)} left under {sum(i.startswith('renamed') for i in left)} new names")


def digest_of(data: bytes, folder: Path) -> tuple[str, int]:
    """Give SHA-256 and size of bytes."""
    (folder / "bytes").write_bytes(data)
    return digest(str(folder / "bytes"))
