"""Who may read and write the files: the source's permissions, and folders that a group shares."""

# mypy: disable-error-code="union-attr"
# Where an image or label is missing, None has no read(), and that is how the test fails.

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from monailabel.datastore.local import LocalDatastore

Open = Callable[..., LocalDatastore]
Source = Callable[..., str]
GROUP = 65533  # of nobody on this machine


def mode(path: Path | str) -> int:
    """Give a file's permissions."""
    return stat.S_IMODE(os.stat(path).st_mode)


@pytest.mark.parametrize("permissions", [0o600, 0o640, 0o644, 0o664, 0o444], ids=oct)
def test_files_keep_their_sources_permissions(open_store: Open, source: Source, folder: Path, permissions: int) -> None:
    """An added image and a saved label have their source's permissions, replaced ones those of the new source."""
    store, file = open_store(), source("x.nii.gz")
    other = source("y.nii.gz", b"other")
    os.chmod(other, 0o660)
    for path in (other, file):
        os.chmod(file, permissions)
        store.add_image("a", path, {})
        store.save_label("a", path, "final", {})
        assert mode(folder / "a.nii.gz") == mode(path) == mode(folder / "labels" / "final" / "a.nii.gz")


@pytest.mark.parametrize("permissions", [0o775, 0o2775], ids=oct)
def test_a_groups_folder_stays_usable_by_the_group(
    public: Path, open_store: Open, source: Source, child: Callable[..., Any], permissions: int
) -> None:
    """In a group-writable folder another member of the group adds, replaces and removes what the first one made."""
    if os.getuid() == 0:
        os.chown(public, 0, GROUP)
    public.chmod(permissions)
    (public / "source.bin").write_bytes(b"from the member")
    before = os.umask(0o022)
    try:
        store = open_store(public)
        for name in ("a", "b"):
            store.add_image(name, source("x.nii.gz", b"from the owner"), {})
            store.save_label(name, source("x.nii.gz", b"from the owner"), "made", {})
    finally:
        os.umask(before)
    told = child(
        f"""
if os.getuid() == 0:
    os.setgroups([])
    os.setgid({GROUP})
    os.setuid(65534)
os.umask(0o022)
folder, file = sys.argv[1], sys.argv[1] + "/source.bin"
store = LocalDatastore(folder)
store.add_image("c", file, {{}})
store.save_label("a", file, "made", {{"by": "member"}})
store.save_label("a", file, "new", {{}})
store.update_image_info("a", {{"by": "member"}})
store.add_image("b", file, {{}})
store.remove_label("b", "made")
store.set_description("the member's")
store.close()
print(json.dumps(os.listdir(folder + "/labels/made")))
""",
        public,
    )
    assert told == ["a.bin"]
    assert sorted(store.list_images()) == ["a", "b", "c"]
    assert store.get_label("a", "made").read() == b"from the member" == store.get_image("b").read()
    store.save_label("a", source("y.nii.gz", b"the owner again"), "new", {})
    store.remove_image("c")
    assert store.get_label("a", "new").read() == b"the owner again" and not (public / "c.bin").exists()
    assert '"the member\'s"' in (public / "datastore_v2.json").read_text()


def test_a_folder_that_refuses_for_a_while(public: Path, child: Callable[..., Any]) -> None:
    """Where a file cannot take its place, the change fails as a whole or is kept and takes its place later."""
    told = child(
        """
if os.getuid() == 0:
    os.setgroups([])
    os.chown(sys.argv[1], 65534, 65534)
    os.setgid(65534)
    os.setuid(65534)
folder, file = sys.argv[1] + "/studies", sys.argv[1] + "/source.nii"
open(file, "w").write("old")
store = LocalDatastore(folder)
store.add_image("a", file, {"told": "old"})
open(file, "w").write("new")
os.chmod(folder, 0o555)
answers = []
for image in ("a", "b"):
    try:
        store.add_image(image, file, {"told": "new"})
        answers.append("new")
    except Exception as error:
        answers.append("old" if image == "a" else "")
other = LocalDatastore(folder, read_only=True)
seen = []
def see():
    for one in (store, other):
        found = one.get_image("a"), one.get_image("b")
        seen.append([f.read().decode() if f else "" for f in found])
        seen.append([one.get_image_info(i).get("told", "") for i in ("a", "b")])
see()
try:
    store.refresh()
except OSError:
    pass
see()
os.chmod(folder, 0o755)
store.refresh()
see()
store.close()
lying = [open(folder + f"/{i}.nii").read() if os.path.exists(folder + f"/{i}.nii") else "" for i in ("a", "b")]
print(json.dumps([answers, seen, lying]))
""",
        public,
    )
    answers, seen, lying = told
    assert seen == [answers] * len(seen)
    assert lying == answers


def test_a_folder_that_cannot_be_read_is_a_problem_and_no_end(
    public: Path, open_store: Open, source: Source, child: Callable[..., Any]
) -> None:
    """One tag's folder that another user closed is reported; the rest of the datastore works, and nothing is lost."""
    public.chmod(0o777)
    store = open_store(public)
    store.add_image("a", source("a.nii.gz"), {})
    store.save_label("a", source("a.nii.gz"), "locked", {"kept": 1})
    store.close()
    for path in [public / ".monailabel", *(public / ".monailabel").rglob("*"), public / "labels"]:
        path.chmod(0o777 if path.is_dir() else 0o666)
    (public / "labels" / "locked").chmod(0o700)
    told = child(
        """
    if os.getuid() == 0:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
    with LocalDatastore(sys.argv[1]) as store:
        store.update_image_info("a", {"by": "another"})
        try:
            store.save_label("a", store.get_image_uri("a"), "locked", {})
            refused = False
        except OSError:
            refused = True
        print(json.dumps([store.list_images(), store.problems(), refused, store.get_label_info("a", "locked")]))
    """,
        public,
    )
    images, problems, refused, info = told
    assert images == ["a"] and refused and info["kept"] == 1
    assert any("labels/locked" in problem and "cannot be read" in problem for problem in problems)
