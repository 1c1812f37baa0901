"""Which layout a datastore has: chosen when it is made, noted in its catalog and beside it, never another by mistake.

The file beside the catalog tells it where the catalog was lost.
"""

import os
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

from monailabel import naming
from monailabel.catalog.sqlite import SqliteCatalog
from monailabel.datastore.rebuilding import PENDING
from monailabel.files.entering import is_inside, open_regular
from monailabel.files.folder import Folder
from monailabel.files.layout import FLAT, NESTED, SHARDED, LayoutName, Nested, Sharded, layout_of
from monailabel.files.sharing import file_mode_like, sync_folder
from monailabel.interfaces.exception import InvalidInputException

if TYPE_CHECKING:
    from monailabel.documents import LocalDatastoreModel

NOTE = "layout"  # the file's name, and the setting's
_MOST = 64  # bytes of it
_WORDS = {
    FLAT: "its files lie side by side (layout='flat', recursive=False)",
    SHARDED: "its files lie in 256 folders (layout='sharded')",
    NESTED: "its images lie in sub-folders as they come (recursive=True)",
}


@dataclass(frozen=True, slots=True)
class Wish:
    """What the constructor's arguments say of the layout; None: as the datastore is known."""

    layout: LayoutName | None = None
    recursive: bool | None = None

    def check(self) -> None:
        """Refuse what is no layout. Raises InvalidInputException."""
        if self.layout not in (None, *get_args(LayoutName)):
            raise InvalidInputException(f"layout={self.layout!r} refused: use one of {', '.join(get_args(LayoutName))}")
        if self.recursive and self.layout is not None:
            raise InvalidInputException(
                f"layout={self.layout!r} and recursive=True refused: files lie side by side, in 256 folders, or in "
                "sub-folders as they come"
            )

    def first(
        self, path: str, images_dir: str, labels_dir: str, extensions: naming.Extensions,
        document: "LocalDatastoreModel | None",
    ) -> str:  # fmt: skip
        """Give the layout of a datastore that is made in the folder `path`.

        Raises InvalidInputException where files lie there that would not be found. A sharded folder whose catalog and
        note are lost has none.
        """
        images, labels = os.path.join(path, images_dir), os.path.join(path, labels_dir)
        objects = document.objects if document else {}
        names = {id: f"{id}{entry.image.ext}" for id, entry in objects.items()}
        layout = NESTED if self.recursive else self.layout or _seen(images, names.values())
        check_folders(layout, images, labels)
        odd = next((id for id, name in names.items() if _lies_flat(images, name)), None)
        if layout == NESTED and odd is not None:
            raise InvalidInputException(_tilde("on", odd))
        if layout == SHARDED:
            found = _side_by_side(images, labels, extensions)
            if found or (objects and not _has_shards(images)):
                raise InvalidInputException(
                    f"layout='sharded' refused: {found or 'a document that lists images'} is there already; make a "
                    "datastore in a new folder, and add the files to it with add_images and save_labels"
                )
        return layout

    def chosen(self, known: str) -> str:
        """Give the layout of a datastore that is known; it may be switched between flat and nested only."""
        recursive = known == NESTED if self.recursive is None else self.recursive
        is_sharded = known == SHARDED
        if (self.layout is not None and (self.layout == SHARDED) != is_sharded) or (recursive and is_sharded):
            raise InvalidInputException(
                f"{'recursive=True' if self.recursive and is_sharded else f'layout={self.layout!r}'} refused: "
                f"{_WORDS[known]}, and a layout is chosen when a datastore is made; "
                "make a new one and add the files to it with add_images and save_labels"
            )
        if self.layout == FLAT and recursive:
            raise InvalidInputException(
                f"layout='flat' refused: {_WORDS[known]}; recursive=False has them lie side by side again"
            )
        return known if is_sharded else NESTED if recursive else FLAT


def settled(catalog: SqliteCatalog, wish: Wish, path: str, state: str, *, private: bool) -> str:
    """Give the layout that the datastore in `path` has, or is switched to now, and note it beside it in `state`.

    The caller holds the writer's lock.
    """
    said, noted = catalog.settings(), noted_in(state)
    # What is beside a catalog that was lost may be newer than the copy that it was made of.
    now = noted if noted and (PENDING in said or not catalog.last_event()) else known(catalog)
    chosen = wish.chosen(now)
    check_folders(chosen, os.path.join(path, said["images_dir"]), os.path.join(path, said["labels_dir"]))
    if chosen != now:
        if private:
            raise InvalidInputException("recursive= refused: a datastore that is opened read_only stays as it is")
        if (odd := catalog.with_tilde()) is not None:
            raise InvalidInputException(_tilde("on" if chosen == NESTED else "off", odd))
    if chosen != known(catalog):
        with catalog.transaction() as rows:
            rows.set_setting(NOTE, chosen)
    if not private:
        note(state, chosen)
    return chosen


def known(catalog: SqliteCatalog) -> str:
    """Give the layout that a catalog tells."""
    said = catalog.settings().get(NOTE)
    return said if said in _WORDS else FLAT


def lay_out(layout: str, images: Folder, labels: Folder, own: str) -> None:
    """Have files looked for where a layout puts them. Raises InvalidInputException as `check_folders` does.

    Neither the labels' folder nor `own`, that of our own files, has any images in it.
    """
    check_folders(layout, images.root, labels.root)
    for folder, others, kind in (
        (images, (labels.root, own), layout),
        (labels, (images.root, own), _of_labels(layout)),
    ):
        folder.others = tuple(path for path in others if not is_inside(os.path.realpath(folder.root), path))
        folder.layout = layout_of(kind, folder.root, folder.others)


def check_folders(layout: str, images: str, labels: str) -> None:
    """Refuse a layout with sub-folders where the images lie among the labels. Raises InvalidInputException."""
    if layout != FLAT and is_inside(os.path.realpath(images), labels):
        raise InvalidInputException(
            f"labels_dir {labels} refused: the images lie in it, and in sub-folders nobody could tell them apart"
        )


def _of_labels(layout: str) -> str:
    """Give the layout of the labels: they need no sub-folders, for a label's file has its image's whole id."""
    return SHARDED if layout == SHARDED else FLAT


def noted_in(state: str) -> str | None:
    """Give what is noted beside the catalog, None where nothing is."""
    with suppress(OSError, UnicodeDecodeError):
        with os.fdopen(open_regular(os.path.join(state, NOTE), getattr(os, "O_NOFOLLOW", 0)), "rb") as file:
            word = file.read(_MOST).decode().strip()
        return word if word in _WORDS else None
    return None


def note(state: str, layout: str) -> None:
    """Note a layout beside the catalog, durably; one side by side, as ever, only where another is noted."""
    if layout == (noted_in(state) or FLAT):
        return
    number, made = tempfile.mkstemp(dir=state, prefix=f".{NOTE}.")
    with open(number, "w", encoding="ascii") as file:
        file.write(f"{layout}\n")
        os.fchmod(number, file_mode_like(state))
        file.flush()
        os.fsync(number)
    os.replace(made, os.path.join(state, NOTE))
    sync_folder(state)


def _seen(images: str, names: Iterable[str]) -> str:
    """Give the layout in which a document's files lie, where what told it is lost: in a copy without hidden files."""
    for name in names:
        if not os.path.lexists(os.path.join(images, name)):
            for layout in (Sharded(), Nested()):
                with suppress(InvalidInputException):
                    place = layout.place(name)
                    if place != name and os.path.isfile(os.path.join(images, place)):
                        return layout.name
    return FLAT


def _lies_flat(images: str, name: str) -> bool:
    """Tell whether a file has a name that would lead elsewhere in sub-folders."""
    return "~" in name and os.path.lexists(os.path.join(images, name))


def _side_by_side(images: str, labels: str, extensions: naming.Extensions) -> str | None:
    """Give an image or label that does not lie in one of the 256 folders."""
    for folder in (images, *(os.path.join(labels, tag) for tag in _names(labels))):
        for name in _names(folder):
            if extensions.take(name) and os.path.isfile(os.path.join(folder, name)):
                return os.path.join(folder, name)
    return None


def _has_shards(images: str) -> bool:
    return any(len(name) == 1 and name in "0123456789abcdef" for name in _names(images))


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _tilde(how: str, image_id: str) -> str:
    return (
        f"recursive={how == 'on'} refused: the id {image_id!r} has a ~, and would lead elsewhere; add that image "
        "under another id and remove this one with purge=True, or make a new datastore"
    )
