"""A folder of scans as a datastore: `LocalDatastore`, and the models of its document."""

import errno
import io
import os
import weakref
from collections.abc import Callable, Iterable
from os import PathLike
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from monailabel import naming
from monailabel.catalog.records import recorded
from monailabel.datastore import archive, history
from monailabel.datastore.beyond import Beyond, structures_of
from monailabel.datastore.layouts import Wish
from monailabel.datastore.objects import Objects
from monailabel.datastore.options import Options
from monailabel.datastore.progress import Progress
from monailabel.datastore.reading import open_newest
from monailabel.datastore.readonly import ReadOnly
from monailabel.datastore.receiving import IfMatch, Source, base_name
from monailabel.datastore.remembering import text_of
from monailabel.datastore.store import Store
from monailabel.files.entering import FollowLinks, how_to_follow, open_regular
from monailabel.files.layout import LayoutName
from monailabel.interfaces.datastore import DefaultLabelTag
from monailabel.interfaces.exception import ImageNotFoundException
from monailabel.models import IMAGE, State, plain

if TYPE_CHECKING:
    from monailabel.datastore.as_of import AsOf
    from monailabel.datastore.watch import Watch
    from monailabel.documents import DataModel, ImageLabelModel, LocalDatastoreModel

Split = Callable[[str], tuple[str, str]]

__all__ = ["DataModel", "ImageLabelModel", "LocalDatastore", "LocalDatastoreModel"]


def __getattr__(name: str) -> Any:
    """Give the document's models, which are made for those who ask for them."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from monailabel import documents

    return getattr(documents, name)


class LocalDatastore(Beyond):
    """Images in a folder, their labels in `labels/<tag>/` beside them, and everything known of both in a catalog.

    Any number of objects, threads and processes may hold the same folder open; each sees what the others did at its
    next call, and a change that a method has returned from is on the disk.
    """

    def __init__(
        self,
        datastore_path: str | PathLike[str],
        images_dir: str = ".",
        labels_dir: str = "labels",
        datastore_config: str = "datastore_v2.json",
        extensions: str | Iterable[str] = naming.DEFAULT_EXTENSIONS,
        auto_reload: bool = False,
        read_only: bool = False,
        *,
        actor: str | None = None,
        state_dir: str | PathLike[str] | None = None,
        follow_links: FollowLinks = "reading",
        layout: LayoutName | None = None,
        recursive: bool | None = None,
        progress: Progress | None = None,
    ) -> None:
        """Open a folder, taking in what other programs changed in it; one that is not there is made.

        `extensions` are the patterns of the files that a scan takes in; `auto_reload` watches the folder; `read_only`
        lists what is there and writes not a byte. `actor` is recorded as who makes changes (the operating system's
        user otherwise); `state_dir` holds the datastore's own files instead of `.monailabel` in the folder;
        `progress(what, done, total)` is called while something takes long, also from another thread.

        A large folder that is opened for the first time is listed at once and recorded in the background; what needs
        more than the names of its files waits until that is done.

        `follow_links` says what links that lead out of the folder are followed for: "never" lists nothing behind them,
        "reading" lists and reads linked files and folders, "writing" also saves into linked folders (a linked file is
        replaced, never written through). `images_dir` and `labels_dir` that are named here may be links anyway.

        `layout="sharded"` makes a datastore whose files lie in 256 folders instead of one; `recursive` takes in images
        in sub-folders as they come, under ids with `~1` for `/` and `~0` for `~`. Left out, they are as the datastore
        is known, and else "flat" and False. MONAI Label finds no files in sub-folders.

        Raises DamagedDatastoreException where a document without a catalog cannot be read, InvalidInputException where
        a document names folders outside that the arguments do not name, or the datastore has another layout.
        """
        patterns, wish = naming.Extensions(extensions), Wish(layout, recursive)
        wish.check()
        path, images_dir, labels_dir = os.fspath(datastore_path), os.fspath(images_dir), os.fspath(labels_dir)
        state_dir = os.fspath(state_dir) if state_dir else None
        self._arguments: dict[str, Any] = {
            "datastore_path": path, "images_dir": images_dir, "labels_dir": labels_dir,
            "datastore_config": datastore_config, "extensions": patterns.patterns, "auto_reload": auto_reload,
            "read_only": read_only, "actor": actor, "state_dir": state_dir, "follow_links": follow_links,
            "layout": layout, "recursive": recursive,
        }  # fmt: skip
        self.path = os.path.realpath(path)
        if os.path.exists(self.path) and not os.path.isdir(self.path):
            raise NotADirectoryError(errno.ENOTDIR, "it is a file; name the folder that the scans lie in", self.path)
        self.extensions = patterns
        self.read_only = read_only
        self._actor = actor
        options = Options(
            self.path, images_dir, labels_dir, datastore_config, patterns, self._splitter(),
            state_dir, how_to_follow(follow_links), progress, wish,
        )  # fmt: skip
        self._looking = ReadOnly(options) if read_only else None
        self._writing = None if read_only else Store(options)
        self._watch = _watched(self._store) if auto_reload else None
        self._archives: list[str] = []
        self._finalizer = weakref.finalize(
            self, _close, self._watch, self._looking or self._writing, self._archives, os.getpid()
        )

    def close(self) -> None:
        """Bring the document up to date and let go of the folder; the object cannot be used afterwards."""
        self._finalizer()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        return self._arguments

    def __setstate__(self, arguments: dict[str, Any]) -> None:
        type(self).__init__(self, **arguments)

    @property
    def _store(self) -> Store:
        """Give our store, with everything recorded that the folder held when it was opened first."""
        store = self._opened
        if store.beginning is not None:
            store.wait()
        return store

    @property
    def _opened(self) -> Store:
        store = self._writing
        if store is None and self._looking is not None and self._finalizer_alive():
            store = self._looking.current()
        if store is None or store.closed:
            raise ValueError(f"the datastore {self.path} is closed; open it again")
        return store

    def _finalizer_alive(self) -> bool:
        finalizer = self.__dict__.get("_finalizer")
        return finalizer is None or finalizer.alive

    @property
    def _datastore(self) -> "LocalDatastoreModel":
        """The document as a model, for subclasses that ask it for folders; its objects are read when asked for."""
        from monailabel.documents import LocalDatastoreModel

        settings = self._store.catalog.settings()
        return LocalDatastoreModel.model_construct(
            objects=Objects(self._store.catalog),
            name=settings["name"],
            description=settings["description"],
            images_dir=settings["images_dir"],
            labels_dir=settings["labels_dir"],
            base_path=self.path,
        )

    def _to_id(self, file: str) -> tuple[str, str]:
        """Split a file's name into id and extension; subclasses may have rules of their own."""
        return self.extensions.split(file)

    def _splitter(self) -> "Split":
        """Give `_to_id` for the store, which has to work on without us until it is closed: no method keeps us alive."""
        if type(self)._to_id is LocalDatastore._to_id:
            return self.extensions.split
        method, otherwise = weakref.WeakMethod(self._to_id), self.extensions.split
        return lambda name: (method() or otherwise)(name)

    def _filename(self, id: str, ext: str) -> str:
        """Give a file's name for an id and extension."""
        return id + ext

    # -- changing ------------------------------------------------------------------------------------------------------

    def add_image(
        self,
        image_id: str | None,
        image_filename: Source,
        image_info: dict[str, Any] | None,
        *,
        if_match: IfMatch = None,
    ) -> str:
        """Add an image from a file, or replace the one of that id, and give its id.

        Without an id the file's name decides it. A replaced image keeps its labels, and its bytes stay in the history.
        Raises InvalidInputException for an id or info that is refused, VersionConflictException where the image is not
        at the version that `if_match` names: what was sent is then kept as a version that is not shown.
        """
        id, ext = self._to_id(base_name(image_filename))
        image_id = naming.image_id(image_id or self._store.images.id_of(id))
        return self._put(image_id, IMAGE, ext, image_filename, plain(image_info), if_match)

    def save_label(
        self,
        image_id: str,
        label_filename: Source,
        label_tag: str,
        label_info: dict[str, Any] | None,
        *,
        if_match: IfMatch = None,
    ) -> str:
        """Save a label of an image from a file and give the label's id; the bytes before stay in the history.

        Raises ImageNotFoundException, InvalidInputException for a tag or info that is refused, and
        VersionConflictException where the label is not at the version that `if_match` names: what was sent is then kept
        as a version that is not shown.
        """
        _, ext = self._to_id(base_name(label_filename))
        image_id, tag = naming.image_id(image_id), naming.tag(label_tag)
        info = plain(label_info)
        if not self._store.catalog.listed(image_id, IMAGE):
            raise ImageNotFoundException(f"image {image_id!r} not found")
        return self._put(image_id, tag, ext, label_filename, info, if_match)

    def remove_image(self, image_id: str, *, purge: bool = False) -> None:
        """Remove an image and all its labels; the history keeps their bytes. Raises ImageNotFoundException.

        `purge` erases them for good, and what is known of them, also of an image that was removed before: the bytes of
        all versions, the infos, the content of the events. What was copied elsewhere (backups, documents set aside) is
        named in a warning.
        """
        image_id = naming.image_id(image_id)
        if purge:
            self._purge(image_id)
            return
        with self._change() as edit:
            edit.image(image_id)
            for tag, state in sorted(edit.rows.rows_of(image_id), key=lambda row: row[0] != IMAGE):
                item = edit.rows.item(image_id, tag)
                if item is not None and state is not State.REMOVED:
                    edit.remove(item)

    def remove_label(self, label_id: str, label_tag: str) -> None:
        """Remove a label; the history keeps its bytes. An unknown one is no error."""
        id, tag = naming.image_id(label_id), naming.tag(label_tag)
        if not self.read_only and not self.get_label_uri(id, tag):
            return
        with self._change() as edit:
            item = edit.rows.item(id, tag)
            if item is not None and item.listed:
                edit.remove(item)

    def update_image_info(self, image_id: str, info: dict[str, Any]) -> None:
        """Merge `info` into the image's info. Raises ImageNotFoundException, InvalidInputException."""
        id, news = naming.image_id(image_id), plain(info)
        with self._change() as edit:
            item = edit.image(id)
            edit.update(item, news)

    def update_label_info(self, label_id: str, label_tag: str, info: dict[str, Any]) -> None:
        """Merge `info` into the label's info. Raises LabelNotFoundException, InvalidInputException."""
        id, tag, news = naming.image_id(label_id), naming.tag(label_tag), plain(info)
        with self._change() as edit:
            item = edit.label(id, tag)
            edit.update(item, news)

    def set_name(self, name: str) -> None:
        """Set the name in a standardized form: lower case, `-` for spaces."""
        self._set("name", "-".join(str(name).lower().split()))

    def set_description(self, description: str) -> None:
        """Set the description."""
        self._set("description", str(description))

    def _set(self, setting: str, value: str) -> None:
        plain({setting: value})
        with self._change() as edit:
            edit.set(setting, value)

    def refresh(self) -> None:
        """Take in what other programs did to the folder: one pass over the entries of the folders that changed."""
        self._store.refresh()

    # -- asking --------------------------------------------------------------------------------------------------------

    def name(self) -> str:
        """Give the datastore's name."""
        return self._opened.catalog.settings()["name"]

    def description(self) -> str:
        """Give the datastore's description."""
        return self._opened.catalog.settings()["description"]

    def list_images(self, *, limit: int | None = None, after: str = "") -> list[str]:
        """Give the ids of all images, or of up to `limit` that follow the id `after`."""
        if limit is None and not after:
            return self._opened.listing().image_ids()
        return self._opened.listing().page_of_images(after, -1 if limit is None else limit)

    def get_labeled_images(self, label_tag: str | None = None, labels: list[str] | None = None) -> list[str]:
        """Give the ids of the images that have a label of a tag (default `final`) that names one of the structures."""
        return self._opened.listing().labelled(text_of(label_tag or DefaultLabelTag.FINAL), structures_of(labels))

    def get_unlabeled_images(self, label_tag: str | None = None, labels: list[str] | None = None) -> list[str]:
        """Give the ids of all other images."""
        return self._opened.listing().unlabelled(text_of(label_tag or DefaultLabelTag.FINAL), structures_of(labels))

    def status(self) -> dict[str, Any]:
        """Count images, images with a final label, and labels by tag."""
        tallies = self._opened.listing().tallies()
        images = tallies.pop(IMAGE, 0)
        return {
            "total": self._counted("list_images", images),
            "completed": self._counted("get_labeled_images", tallies.get(DefaultLabelTag.FINAL.value, 0)),
            "label_tags": tallies,
        }

    def _counted(self, method: str, known: int) -> int:
        """Give how much a listing gives: what is known of ours, or what a subclass's own gives."""
        if getattr(type(self), method) is getattr(LocalDatastore, method):
            return known
        return len(getattr(self, method)())

    def get_image(self, image_id: str, params: Any = None) -> io.BytesIO | None:  # noqa: ARG002 - kept for subclasses
        """Give the image's bytes, None if it is unknown."""
        return self._bytes(self.get_image_uri(image_id), image_id, IMAGE)

    def get_label(
        self,
        label_id: str,
        label_tag: str,
        params: Any = None,  # noqa: ARG002 - kept for subclasses
        *,
        version: int | None = None,
    ) -> io.BytesIO | None:
        """Give the label's bytes, or those of an earlier version; None if it is unknown."""
        if version is not None:
            path, _, _ = history.path_of(
                self._store.settled(), self._store.changes, label_id, text_of(label_tag), version
            )
            return _read(path)
        return self._bytes(self.get_label_uri(label_id, label_tag), label_id, text_of(label_tag))

    def _bytes(self, uri: str, image_id: str, tag: str) -> io.BytesIO | None:
        if not uri:
            return None
        store = self._store
        row = store.catalog.listed(image_id, tag)
        if row is None or row[2] is None or uri != self._uri(image_id, tag):  # nothing under way, or a subclass's file
            return _read(uri)
        opened = open_newest(store.catalog, store.changes, image_id, tag)
        if opened is None:
            return None
        with opened, os.fdopen(os.dup(opened.fd), "rb") as file:
            return io.BytesIO(file.read())

    def get_image_uri(self, image_id: str) -> str:
        """Give the image's real path, `""` if it is unknown."""
        return self._uri(text_of(image_id), IMAGE)

    def get_label_uri(self, label_id: str, label_tag: str) -> str:
        """Give the label's real path, `""` if it is unknown."""
        tag = text_of(label_tag)
        return self._uri(text_of(label_id), tag) if tag else ""

    def _uri(self, image_id: str, tag: str) -> str:
        store = self._opened
        row = store.listing().listed(image_id, tag)
        if row is None:
            return ""
        return store.real_path(image_id, tag, *row[1:])

    def get_image_info(self, image_id: str) -> dict[str, Any]:
        """Give the image's info and its real `path`, `{}` if it is unknown."""
        store = self._store
        row = store.catalog.listed(text_of(image_id), IMAGE)
        if row is None:
            return {}
        info: dict[str, Any] = recorded(row[0])
        info["path"] = store.real_path(image_id, IMAGE, *row[1:])
        return info

    def get_label_info(self, label_id: str, label_tag: str) -> dict[str, Any]:
        """Give the label's info, `{}` if it is unknown."""
        tag = text_of(label_tag)
        row = self._store.catalog.listed(text_of(label_id), tag) if tag else None
        info: dict[str, Any] = recorded(row[0]) if row else {}
        return info

    def get_labels_by_image_id(self, image_id: str) -> dict[str, str]:
        """Give the label ids of an image by tag, in the order of their creation."""
        return {tag: image_id for tag, _ in self._opened.listing().items_of(text_of(image_id)) if tag}

    def get_label_by_image_id(self, image_id: str, tag: str) -> str:
        """Give the id of an image's label of that tag, `""` if there is none."""
        return self.get_labels_by_image_id(image_id).get(text_of(tag), "")

    def datalist(self, full_path: bool = True, *, as_of: "AsOf | None" = None) -> list[dict[str, Any]]:
        """Give image and final label of every labelled case, as real paths or relative to the datastore's folder.

        `as_of` gives the cases and the bytes of an earlier moment: the number of its last event, or a time. A version
        that is still the newest is named by its visible path. Raises InvalidInputException for a moment that was not
        yet, ConflictException where a version of that moment was not kept.
        """
        store, tag = self._store, DefaultLabelTag.FINAL.value
        result = [] if as_of is None else self._cases_as_of(as_of)
        pairs = store.catalog.pairs(tag) if as_of is None else ()
        for image_id, image_ext, label_ext, mark, image_is_link, label_is_link in pairs:
            image = store.real_path(image_id, IMAGE, image_ext, mark, image_is_link)
            label = store.real_path(image_id, tag, label_ext, mark, label_is_link)
            result.append({"image": image, "label": label})
        if not full_path:
            result = [{role: os.path.relpath(path, self.path) for role, path in case.items()} for case in result]
        return result

    def json(self, *, as_of: "AsOf | None" = None) -> dict[str, Any]:
        """Give the document datastore_v2.json, as it is or as it was after an event (its number) or at a time.

        Raises InvalidInputException for a moment that was not yet.
        """
        if as_of is not None:
            from monailabel.datastore import as_of as past

            return past.document(self._store.catalog, as_of)
        return self._store.telling.give()

    def json_bytes(self) -> bytes:
        """Give the document datastore_v2.json as compact JSON."""
        parts: list[str] = []
        self.write_json(parts.append)
        return "".join(parts).encode()

    def write_json(self, put: Callable[[str], object]) -> None:
        """Write the document datastore_v2.json as compact JSON by calling `put` with piece after piece."""
        with self._store.catalog.document() as pages:
            pages.write(put)

    def get_dataset_archive(self, limit_cases: int | None) -> str:
        """Write a ZIP of the labelled cases to a temporary file and give its path; the file goes when we are closed."""
        path = archive.write(self.archive(limit_cases))
        self._archives.append(path)
        return path


def _watched(store: Store) -> "Watch":
    from monailabel.datastore.watch import Watch  # only those who watch pay for its import

    return Watch(store)


def _close(watch: "Watch | None", opened: Store | ReadOnly | None, archives: list[str], pid: int) -> None:
    if watch is not None:
        watch.close()
    if opened is not None:
        opened.close()
    for path in archives if pid == os.getpid() else ():  # not those of the process that forked us
        archive.remove(path)


def _read(path: str) -> io.BytesIO:
    with os.fdopen(open_regular(path), "rb") as file:
        return io.BytesIO(file.read())
