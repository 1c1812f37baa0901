"""What one change may do to images, labels and their infos; its rows, events and marks belong to one transaction."""

import os
from collections.abc import Callable
from typing import Any

from monailabel import naming
from monailabel.catalog.transaction import Transaction
from monailabel.datastore.actor import UNKNOWN, Actor
from monailabel.files.folder import Folder, Staged
from monailabel.files.looks import Look
from monailabel.interfaces.exception import ConflictException, ImageNotFoundException, LabelNotFoundException
from monailabel.models import IMAGE, Event, Item, Mark, State


def visible_name(image_id: str, tag: str, ext: str) -> str:
    """Give a file's name, relative to the folder of the images or of the labels."""
    return f"{tag}/{image_id}{ext}" if tag else image_id + ext


class Edit:
    """A change while its transaction is open; `Changes.begin()` gives one."""

    def __init__(
        self, transaction: Transaction, folder: Callable[[str], Folder], actor: Actor, stuck: dict[int, OSError]
    ) -> None:
        self.rows = transaction
        self.marks: list[Mark] = []
        self._folder = folder
        self._actor = actor
        self._stuck = stuck

    # -- looking -------------------------------------------------------------------------------------------------------

    def path(self, image_id: str, tag: str, ext: str) -> str:
        """Give the path of a visible file."""
        return self._folder(tag).path(visible_name(image_id, tag, ext))

    def image(self, image_id: str) -> Item:
        """Give a listed image's row, or say that there is none."""
        item = self.rows.item(image_id, IMAGE)
        if item is None or not item.listed:
            raise ImageNotFoundException(f"image {image_id!r} not found")
        return item

    def label(self, image_id: str, tag: str) -> Item:
        """Give a listed label's row, or say that there is none and what the image has."""
        item = self.rows.item(image_id, tag)
        if item is None or not item.listed or not tag:
            has = [t for t, state in self.rows.rows_of(image_id) if t and state is State.PRESENT]
            raise LabelNotFoundException(
                f"label {tag!r} of image {image_id!r} not found; it has: {', '.join(has) or 'no labels'}"
            )
        return item

    # -- changes of our own --------------------------------------------------------------------------------------------

    def put(self, image_id: str, tag: str, ext: str, staged: Staged, info: dict[str, Any], action: str = "") -> int:
        """Add or replace an image or label by a staged file, and give its version."""
        old = self.rows.item(image_id, tag)
        self._check_free(old)
        name = visible_name(image_id, tag, ext)
        self._check_twin(image_id, tag, name)
        out_name = visible_name(image_id, tag, old.ext) if old and old.state is State.PRESENT else None
        item = self._item(
            image_id, tag, ext, info, Look(staged.size, staged.mtime_ns, staged.inode, None), staged.sha256
        )
        rowid = self._record(
            item, old, self._actor, action or self._action(old), made_for=self._image_version(tag, image_id)
        )
        same = out_name == name
        self._mark(
            Mark(
                item.seq, rowid, tag, staged.token, staged.inode, staged.sha256, name, out_name,
                staged.token if same else os.urandom(16).hex() if out_name else None,
                old.version if old and out_name else None,
            )
        )  # fmt: skip
        staged.taken = True
        return item.version

    def register(self, image_id: str, tag: str, ext: str, look: Look, sha256: str, info: dict[str, Any]) -> int:
        """Add an image or label whose file lies in its place already."""
        old = self.rows.item(image_id, tag)
        self._check_free(old)
        if old and old.state is State.PRESENT and (old.ext, old.sha256) == (ext, sha256):
            self.inform(old, info)
            return old.version
        if old and old.state is State.PRESENT:
            self.rows.keep_version(old.rowid, old.version, "")
        item = self._item(image_id, tag, ext, info, look, sha256)
        self._record(item, old, self._actor, self._action(old), made_for=self._image_version(tag, image_id))
        return item.version

    def remove(self, item: Item) -> None:
        """Remove an image or label; its bytes are kept in the history."""
        self._check_free(item)
        seq = self.rows.event(
            Event(self._actor.name, self._actor.authenticated, "removed", item.image_id, item.tag, item.version,
                  item.sha256, None, {"ext": item.ext, "old": item.info})
        )  # fmt: skip
        was_present = item.state is State.PRESENT
        item.state, item.seq, item.inode, item.mark = State.REMOVED, seq, None, None
        self.rows.put_item(item)
        if was_present:
            name = visible_name(item.image_id, item.tag, item.ext)
            self._mark(
                Mark(seq, item.rowid, item.tag, None, None, None, name, name, os.urandom(16).hex(), item.version)
            )

    def inform(self, item: Item, info: dict[str, Any]) -> None:
        """Give an image or label another info."""
        seq = self.rows.event(
            Event(self._actor.name, self._actor.authenticated, "updated", item.image_id, item.tag, item.version,
                  item.sha256, item.sha256, {"old": item.info, "new": info})
        )  # fmt: skip
        self.rows.set_info(item.rowid, info, seq)

    def set(self, name: str, value: str) -> None:
        """Set the datastore's name or description."""
        old = self.rows.settings().get(name, "")
        if old != value:
            content = {"old": {name: old}, "new": {name: value}}
            self.rows.event(Event(self._actor.name, self._actor.authenticated, "set", content=content))
            self.rows.set_setting(name, value)

    # -- what other programs did ---------------------------------------------------------------------------------------

    def find(self, image_id: str, tag: str, ext: str, look: Look, info: dict[str, Any]) -> None:
        """Take in a file that another program put in its place, or that is back."""
        old = self.rows.item(image_id, tag)
        if (
            old
            and old.state is not State.REMOVED
            and (old.ext, old.size, old.mtime_ns) == (ext, look.size, look.mtime_ns)
        ):
            self._find_again(old, look, info)
            return
        if old and old.state is State.PRESENT:
            self.rows.keep_version(old.rowid, old.version, "")
        action = (
            "found" if not old or old.state is State.REMOVED else "changed" if old.state is State.PRESENT else "back"
        )
        item = self._item(image_id, tag, ext, info, look, None)
        self._record(item, old, UNKNOWN, action, made_for=self._image_version(tag, image_id))

    def _find_again(self, old: Item, look: Look, info: dict[str, Any]) -> None:
        if old.state is State.PRESENT:
            self.rows.set_inode(old.rowid, look.inode)
            if info != old.info:
                self.inform(old, info)
            return
        content = {"ext": old.ext, "old": old.info, "new": info}
        event = Event(UNKNOWN.name, False, "back", old.image_id, old.tag, old.version, None, old.sha256, content)
        old.seq = self.rows.event(event)
        old.state, old.inode, old.info = State.PRESENT, look.inode, info
        self.rows.put_item(old)

    def miss(self, item: Item) -> None:
        """Note that a file is gone without our doing; its info waits for it."""
        item.seq = self.rows.event(
            Event(
                UNKNOWN.name,
                False,
                "missing",
                item.image_id,
                item.tag,
                item.version,
                item.sha256,
                None,
                {"ext": item.ext},
            )
        )
        item.state, item.inode = State.MISSING, None
        self.rows.put_item(item)

    def expect(self, image_id: str, tag: str, ext: str, info: dict[str, Any]) -> None:
        """Take in what a document says of a file that is not there (yet): the info waits for it."""
        old = self.rows.item(image_id, tag)
        if old is not None and old.state is not State.REMOVED:
            return
        item = self._item(image_id, tag, ext, info, Look(None, None, None, None), None)
        item.state = State.MISSING
        self._record(item, old, self._actor, "expected", made_for=self._image_version(tag, image_id))

    # -- rows ----------------------------------------------------------------------------------------------------------

    def _item(self, image_id: str, tag: str, ext: str, info: dict[str, Any], look: Look, sha256: str | None) -> Item:
        version = self.rows.next_version(image_id, tag)
        return Item(
            0, image_id, tag, ext, info, State.PRESENT, True, version, sha256, look.size, look.mtime_ns, look.inode,
            look.link, self.rows.next_seq,
        )  # fmt: skip

    def _record(self, item: Item, old: Item | None, actor: Actor, action: str, made_for: int | None) -> int:
        content = {"ext": item.ext, "new": item.info} | ({"old": old.info} if old else {})
        before = old.sha256 if old and old.state is State.PRESENT else None
        self.rows.event(
            Event(
                actor.name,
                actor.authenticated,
                action,
                item.image_id,
                item.tag,
                item.version,
                before,
                item.sha256,
                content,
            )
        )
        rowid = self.rows.put_item(item)
        self.rows.put_version(rowid, item, made_for=made_for)
        return rowid

    def _mark(self, mark: Mark) -> None:
        self.rows.put_mark(mark)
        self.marks.append(mark)

    def _image_version(self, tag: str, image_id: str) -> int | None:
        image = self.rows.item(image_id, IMAGE) if tag else None
        return image.version if image else None

    @staticmethod
    def _action(old: Item | None) -> str:
        return "replaced" if old and old.state is State.PRESENT else "added"

    def _check_free(self, item: Item | None) -> None:
        if item is not None and item.rowid in self._stuck:
            raise self._stuck[item.rowid]

    def _check_twin(self, image_id: str, tag: str, name: str) -> None:
        """Refuse a name that the disk takes for another one's, for letter case or Unicode form."""
        try:
            inode = os.lstat(self._folder(tag).path(name)).st_ino
        except OSError:
            return
        twin = self.rows.twin(image_id, tag, inode)
        if twin is not None and naming.folded(twin) == naming.folded(image_id):
            raise ConflictException(f"image {image_id!r} refused: this disk takes it for {twin!r}; choose another id")
