"""How images and labels come into a datastore: one, many, those that lie in their place already; or not at all."""

import os
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable
from contextlib import AbstractContextManager
from os import PathLike
from typing import Any

from monailabel import naming
from monailabel.datastore import actor as acting
from monailabel.datastore.batch import Incoming, put_all
from monailabel.datastore.change import enter
from monailabel.datastore.edit import Edit, visible_name
from monailabel.datastore.store import Store
from monailabel.files.folder import digest
from monailabel.files.looks import look
from monailabel.files.sharing import sync_file
from monailabel.files.staged import Staged
from monailabel.interfaces.exception import (
    ConflictException,
    ImageNotFoundException,
    InvalidInputException,
    ReadOnlyException,
    VersionConflictException,
)
from monailabel.models import IMAGE, bounded, plain

Source = str | PathLike[str] | Staged
"""A file to take in: its path, or one that was staged."""

IfMatch = str | Collection[str] | None
"""The ETag (or several) that the newest version must have; `*` for any, `()` where there must be none yet."""


class Receiving(ABC):
    """The part of a datastore that takes files in."""

    path: str
    read_only: bool
    _actor: str | None

    @property
    @abstractmethod
    def _store(self) -> Store:
        """The open folder."""

    @abstractmethod
    def _to_id(self, file: str) -> tuple[str, str]:
        """Split a file's name into id and extension."""

    @abstractmethod
    def _filename(self, id: str, ext: str) -> str:
        """Give a file's name for an id and extension."""

    def acting_as(self, actor: str, authenticated: bool = False) -> AbstractContextManager[None]:
        """Record the changes that are made inside the block under this name."""
        return acting.acting_as(acting.Actor(actor, authenticated))

    def stage(self, file_name: str) -> Staged:
        """Begin a file that is written piece by piece, for add_image or save_label; in `with` it leaves no trace.

        `file_name` is what the sender calls it; only the end of its last part is used.
        """
        self._refuse_read_only()
        enter("stage")
        return self._store.labels.stage(naming.file_name(file_name))

    def _change(self) -> AbstractContextManager[Edit]:
        self._refuse_read_only()
        return self._store.change(acting.acting(self._actor))

    def _refuse_read_only(self) -> None:
        if self.read_only:
            raise ReadOnlyException(
                f"the datastore {os.path.basename(self.path)!r} is read-only; open it without read_only to change it"
            )

    def _put(
        self, image_id: str, tag: str, ext: str, source: Source, info: dict[str, Any], if_match: IfMatch = None
    ) -> str:
        if not (if_match is None or isinstance(if_match, str | Collection)):
            raise InvalidInputException(
                f"if_match={if_match!r} refused: it is the sha256 of a version, several, or '*'"
            )
        target = self._target(image_id, tag, ext, info)
        if if_match is None and not isinstance(source, Staged) and _is_same(source, target):
            return self._register(image_id, tag, ext, target, info)
        self._refuse_read_only()
        with self._staged(source, tag) as staged, self._change() as edit:
            if tag:
                edit.image(image_id)
            if if_match is None or edit.is_at(image_id, tag, (if_match,) if isinstance(if_match, str) else if_match):
                edit.put(image_id, tag, ext, staged, info)
                return image_id
            there = edit.rows.item(image_id, tag)
            number = edit.set_aside(image_id, tag, ext, staged, info)
        now = f"it is at version {there.version} now" if there is not None and there.listed else "it is not there"
        raise VersionConflictException(
            f"{_named(image_id, tag)} is not at the version that you know: {now}; "
            f"what you sent is kept as version {number}, which can be fetched and restored",
            number,
        )

    def _target(self, image_id: str, tag: str, ext: str, info: dict[str, Any]) -> str:
        """Give the place of a new file, and complete its info. Raises InvalidInputException for an unsafe name."""
        name = naming.new_file("label" if tag else "image id", image_id, ext)
        if "~" in image_id:
            self._store.follow_layout()
        if not tag:
            self._store.images.check_new(name)
        if not tag and name in (os.path.basename(self._store.snapshot.path), "labels"):
            raise InvalidInputException(f"image id {image_id!r} refused: {name!r} is the datastore's own")
        info |= {"ts": int(time.time()), "name": self._filename(image_id, ext)}
        bounded(info)
        return self._store.changes.folder(tag).path(visible_name(image_id, tag, ext))

    def add_images(
        self,
        files: Iterable[tuple[str | None, str | PathLike[str], dict[str, Any] | None]],
        saved: Callable[[list[str]], object] = list,
    ) -> list[str]:
        """Add or replace many images, given as id (None: the file's name decides), path and info; give their ids.

        The same as `add_image` for each, but synced and committed some hundreds at a time; `saved` is called with the
        ids of those that are acknowledged. Where a file is refused, those before it are taken in, and the error raised.
        """
        return self._put_all(map(self._incoming_image, files), saved)

    def save_labels(
        self,
        files: Iterable[tuple[str, str | PathLike[str], str, dict[str, Any] | None]],
        saved: Callable[[list[str]], object] = list,
    ) -> list[str]:
        """Save many labels, given as image id, path, tag and info; give the labels' ids. As `add_images` does."""
        return self._put_all(map(self._incoming_label, files), saved)

    def _put_all(self, files: Iterable[Incoming], saved: Callable[[list[str]], object]) -> list[str]:
        self._refuse_read_only()
        done = []
        for ids in put_all(self._store, acting.acting(self._actor), files):
            saved(ids)
            done += ids
        return done

    def _incoming_image(self, file: tuple[str | None, str | PathLike[str], dict[str, Any] | None]) -> Incoming:
        image_id, path, info = _parts(file, ("id", "path", "info"))
        id, ext = self._to_id(base_name(path))
        return self._incoming(naming.image_id(image_id or self._store.images.id_of(id)), IMAGE, ext, path, info)

    def _incoming_label(self, file: tuple[str, str | PathLike[str], str, dict[str, Any] | None]) -> Incoming:
        image_id, path, tag, info = _parts(file, ("image id", "path", "tag", "info"))
        _, ext = self._to_id(base_name(path))
        return self._incoming(naming.image_id(image_id), naming.tag(tag), ext, path, info)

    def _incoming(
        self, image_id: str, tag: str, ext: str, path: str | PathLike[str], info: dict[str, Any] | None
    ) -> Incoming:
        file = Incoming(image_id, tag, ext, os.fspath(path), plain(info))
        self._target(image_id, tag, ext, file.info)
        if tag and not self._store.catalog.listed(image_id, IMAGE):
            raise ImageNotFoundException(f"image {image_id!r} not found")
        return file

    def _register(self, image_id: str, tag: str, ext: str, path: str, info: dict[str, Any]) -> str:
        """Take in a file that lies in its place already."""
        seen = look(path)
        if seen is None:
            raise InvalidInputException(f"{path!r} refused: it is no regular file")
        sha256, _ = digest(path)
        sync_file(path)
        with self._change() as edit:
            if tag:
                edit.image(image_id)
            if look(path) != seen:
                raise ConflictException(f"{os.path.basename(path)!r} changed while it was read; try again")
            edit.register(image_id, tag, ext, seen, sha256, info)
        return image_id

    def _staged(self, source: Source, tag: str) -> Staged:
        """Give a file's bytes as a staged file on the disk that they will live on."""
        folder = self._store.changes.folder(tag)
        if not isinstance(source, Staged):
            enter("stage")
            return folder.stage_copy(os.fspath(source))
        source.seal()
        if source.folder.staging == folder.staging:
            return source
        with source:
            return folder.stage_copy(source.path)


def base_name(source: Source) -> str:
    """Give the last part of a source's name."""
    return naming.file_name(source.name if isinstance(source, Staged) else os.fspath(source))


def _parts(file: object, names: tuple[str, ...]) -> tuple[Any, ...]:
    """Give the parts of one file of many, as they were handed over together."""
    if not isinstance(file, tuple | list) or len(file) != len(names):
        form = ", ".join(names)
        raise InvalidInputException(f"{file!r:.200} refused: give each file as ({form}); the info may be None")
    return tuple(file)


def _named(image_id: str, tag: str) -> str:
    return f"label {tag!r} of image {image_id!r}" if tag else f"image {image_id!r}"


def _is_same(source: str | PathLike[str], target: str) -> bool:
    try:
        return os.path.samestat(os.lstat(source), os.lstat(target))
    except OSError:
        return False
