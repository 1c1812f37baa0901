"""With what a datastore is opened, and which folders that names: of the images, of the labels, and of our own files."""

import os
from collections.abc import Callable
from dataclasses import dataclass

from monailabel import naming
from monailabel.datastore import layouts
from monailabel.datastore.finder import INDEX
from monailabel.datastore.head import HEAD
from monailabel.datastore.progress import Progress
from monailabel.datastore.rebuilding import CATALOG, COPY
from monailabel.files import disk
from monailabel.files.entering import FollowLinks, is_inside
from monailabel.files.folder import HISTORY, Folder
from monailabel.files.sharing import make_folder, refuse_other
from monailabel.files.staged import STAGING
from monailabel.interfaces.exception import InvalidInputException

LOCK = "lock"  # the writer's
STATE = ".monailabel"  # the folder of our own files inside the datastore's folder
_DEFAULT = {"images_dir": ".", "labels_dir": "labels"}
_OWN_FILES = (
    *(name + end for name in (CATALOG, INDEX) for end in ("", "-wal", "-shm", "-journal")),
    COPY, HEAD, LOCK, layouts.NOTE, "reading.lock", "snapshot.json", "snapshot.next", "snapshot.note",
    "snapshot.parts",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Options:
    """With what a datastore is opened: the arguments of LocalDatastore's constructor."""

    path: str
    images_dir: str
    labels_dir: str
    config: str
    extensions: naming.Extensions
    to_id: Callable[[str], tuple[str, str]]
    state_dir: str | None
    follow_links: FollowLinks
    progress: Progress | None
    wish: layouts.Wish

    def own_folder(self) -> str:
        """Give the folder of our own files."""
        return os.path.realpath(self.state_dir) if self.state_dir else os.path.join(self.path, STATE)

    def given(self, name: str) -> str:
        """Give what is said of `images_dir` or `labels_dir`."""
        return self.images_dir if name == "images_dir" else self.labels_dir


def refuse_others(options: Options) -> None:
    """Refuse a received folder with links, pipes or the like in the place of a datastore's own files."""
    state = options.own_folder()
    for name in ("", STAGING, HISTORY):
        refuse_other(os.path.join(state, name).rstrip("/"), folder=True)
    for name in _OWN_FILES:
        refuse_other(os.path.join(state, name))
    for name in (naming.file_name(options.config), ".lock"):
        refuse_other(os.path.join(options.path, name))


def prepared(options: Options) -> str:
    """Make the folder of our own files."""
    refuse_others(options)
    make_folder(options.own_folder(), like=options.path)
    return options.own_folder()


def folder_of(options: Options, name: str, said: str, *, private: bool) -> Folder:
    """Give the folder of the images or of the labels, for which the catalog says that it is `said`."""
    check_inside(options, name, said)
    root, state = os.path.normpath(os.path.join(options.path, said)), options.own_folder()
    if not private:
        make_folder(root, like=options.path)
    base = root if options.given(name) != _DEFAULT[name] and _is_named(options, name, said) else options.path
    is_written = options.follow_links == "writing" or base == root or os.path.realpath(root) == root
    work = state if _is_one_disk(root, state) or not is_written else os.path.join(root, STATE)
    folder = Folder(root, work, base=base, follow=options.follow_links)
    if not private:
        folder.prepare()
    return folder


def check_inside(options: Options, name: str, said: str) -> None:
    """Refuse a folder outside the datastore's that a document or catalog names, unless the options name it too."""
    if "\0" in said:
        raise InvalidInputException(f"{name} {said!r} refused: it holds a NUL character")
    if said == options.given(name) or _is_named(options, name, said):
        return
    if os.path.isabs(said) or not is_inside(os.path.realpath(os.path.join(options.path, said)), options.path):
        raise InvalidInputException(
            f"{name} {said!r}, which the document of {options.path} names, leads outside it; "
            f"if that is right, open the datastore with {name}={said!r}"
        )


def _is_named(options: Options, name: str, said: str) -> bool:
    """Tell whether the options lead to that folder."""
    given = os.path.join(options.path, options.given(name))
    return os.path.realpath(os.path.join(options.path, said)) == os.path.realpath(given)


def _is_one_disk(one: str, other: str) -> bool:
    try:
        return disk.is_one(one, other)
    except FileNotFoundError:
        return True
