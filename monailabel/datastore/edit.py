"""What one change may do to images, labels and their infos; its rows, events and marks belong to one transaction."""

import os
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any

from monailabel.catalog.transaction import Transaction
from monailabel.datastore.actor import UNKNOWN, Actor
from monailabel.files import disk
from monailabel.files.entering import is_file
from monailabel.files.folder import Folder, digest
from monailabel.files.looks import Look
from monailabel.files.staged import Staged
from monailabel.interfaces.exception import ConflictException, ImageNotFoundException, LabelNotFoundException
from monailabel.models import IMAGE, Event, Item, Kept, Mark, State, bounded, dump


def visible_name(image_id: str, tag: str, ext: str) -> str:
    """Give a file's name, relative to the folder of the images or of the labels."""
    return f"{tag}/{image_id}{ext}" if tag else image_id + ext


class Edit:
    """A change while its transaction is open; `Changes.begin()` gives one."""

    def __init__(
        self,
        transaction: Transaction,
        folder: Callable[[str], Folder],
        actor: Actor,
        stuck: dict[int, Exception],
        settle: Callable[[], None],
    ) -> None:
        self.rows = transaction
        self.marks: list[Mark] = []
        self._folder = folder
        self._actor = actor
        self.stuck = stuck  # items whose earlier change cannot be finished, and why
        self._image: Item | None = None  # the one that was asked for last
        self._settle = settle  # finishes the changes of ours that only want to be recorded

    def acting_as(self, actor: Actor) -> None:
        """Say who makes what follows of this change."""
        self._actor = actor

    # -- looking -------------------------------------------------------------------------------------------------------

    def path(self, image_id: str, tag: str, ext: str) -> str:
        """Give the path of a visible file."""
        return self._folder(tag).path(visible_name(image_id, tag, ext))

    def look(self, image_id: str, tag: str, ext: str) -> Look | None:
        """Look at a visible file."""
        return self._folder(tag).look(visible_name(image_id, tag, ext))

    def image(self, image_id: str) -> Item:
        """Give a listed image's row, or say that there is none."""
        item = self._image = self.rows.item(image_id, IMAGE)
        if item is None or not item.listed:
            raise ImageNotFoundException(f"image {image_id!r} not found")
        return item

    def _image_of(self, image_id: str) -> Item | None:
        """Give the row of a label's image, which has most likely just been asked for."""
        if self._image is None or self._image.image_id != image_id:
            self._image = self.rows.item(image_id, IMAGE)
        return self._image

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
        out_name = visible_name(image_id, tag, old.ext) if old and old.state is State.PRESENT else None
        self.check_place(image_id, tag, ext, is_ours=name == out_name)
        self._folder(tag).check_writable(name)
        seen = Look(staged.size, staged.mtime_ns, staged.inode, None)
        item = self._record(
            self._actor, action or _added(old), old, image_id, tag, ext, seen, staged.sha256, info, marked=True
        )
        out_token = staged.token if name == out_name else self._folder(tag).token() if out_name else None
        out_version = old.version if old and out_name else None
        self._mark(
            Mark(
                item.seq, item.rowid, tag, staged.token, staged.inode, staged.sha256, name, out_name, out_token,
                out_version,
            )
        )  # fmt: skip
        staged.taken = True
        return item.version

    def is_at(self, image_id: str, tag: str, etags: Collection[str]) -> bool:
        """Tell whether the newest version has one of these ETags (`*`: any); for no ETag, whether there is none."""
        item = self.rows.item(image_id, tag)
        if item is None or not item.listed:
            return not etags
        seen = self.look(image_id, tag, item.ext)
        etag = item.etag(seen.size or 0, seen.mtime_ns or 0) if seen else item.sha256
        return "*" in etags or etag in etags or (item.sha256 in etags and self._has_its_bytes(item))

    def _has_its_bytes(self, item: Item) -> bool:
        """Tell whether a visible file that has another time than the catalog knows has the same bytes."""
        return digest(self.path(item.image_id, item.tag, item.ext))[0] == item.sha256

    def set_aside(self, image_id: str, tag: str, ext: str, staged: Staged, info: dict[str, Any]) -> int:
        """Keep a staged file as a version that is not shown, and give its number."""
        old = self.rows.item(image_id, tag)
        self._check_free(old)
        number = self.rows.next_version(image_id, tag) if old else 1
        before = old.sha256 if old and old.state is State.PRESENT else None
        aside = Item(
            0, image_id, tag, ext, info, State.REMOVED, False, number, staged.sha256, staged.size, staged.mtime_ns,
            None, None, 0,
        )  # fmt: skip
        aside.seq = self._say(self._actor, "refused", aside, before, staged.sha256, {"ext": ext, "new": info})
        aside.rowid = old.rowid if old else self.rows.put_item(aside, None)
        image = self._image_of(image_id) if tag else None
        self.rows.put_version(aside, made_for=image.version if image else None)
        self._mark(Mark(aside.seq, aside.rowid, tag, staged.token, None, None, "", None, staged.token, number))
        staged.taken = True
        return number

    def register(self, image_id: str, tag: str, ext: str, look: Look, sha256: str, info: dict[str, Any]) -> int:
        """Add an image or label whose file lies in its place already."""
        old = self.rows.item(image_id, tag)
        self._check_free(old)
        if old is None or old.ext != ext:
            self.check_place(image_id, tag, ext)
        if old and old.state is State.PRESENT:
            if (old.ext, old.sha256) == (ext, sha256):
                self.inform(old, info)
                return old.version
            self.rows.keep_version(old.rowid, old.version, "")
        other = old is not None and old.state is State.PRESENT and old.ext != ext
        item = self._record(self._actor, _added(old), old, image_id, tag, ext, look, sha256, info, marked=other)
        if old and other:  # one file to an image or label
            name, token = visible_name(image_id, tag, old.ext), self._folder(tag).token()
            self._mark(Mark(item.seq, item.rowid, tag, None, None, None, name, name, token, old.version))
        return item.version

    def remove(self, item: Item) -> None:
        """Remove an image or label; its bytes are kept in the history."""
        self._check_free(item)
        name = visible_name(item.image_id, item.tag, item.ext)
        if item.state is State.PRESENT:
            self._folder(item.tag).check_writable(name)
        seq = self._say(self._actor, "removed", item, item.sha256, None, {"ext": item.ext, "old": item.info})
        marked = seq if item.state is State.PRESENT else None
        self.rows.put_item(replace(item, state=State.REMOVED, seq=seq, inode=None, mark=marked), item)
        if item.state is State.PRESENT:
            token = self._folder(item.tag).token()
            self._mark(Mark(seq, item.rowid, item.tag, None, None, None, name, name, token, item.version))

    def update(self, item: Item, news: dict[str, Any]) -> None:
        """Merge news into the info of an image or label; InvalidInputException where it would be too large."""
        info = item.info | news
        self._inform(item, info, bounded(info))

    def inform(self, item: Item, info: dict[str, Any]) -> None:
        """Give an image or label another info."""
        self._inform(item, info, dump(info))

    def _inform(self, item: Item, info: dict[str, Any], text: str) -> None:
        content = f'{{"old":{dump(item.info)},"new":{text}}}'
        seq = self._say(self._actor, "updated", item, item.sha256, item.sha256, content)
        self.rows.set_info(item.rowid, info, seq, text=text, before=item.info)

    def prune(self, version: Kept) -> bool:
        """Have the bytes of an earlier version removed; False where somebody did already."""
        row = self.rows.version(version.item, version.version)
        if row is None or row[6] != version.token:
            return False
        before, content = version.sha256, {"size": version.size}
        self.rows.event(
            Event(
                self._actor.name, self._actor.authenticated, "pruned", version.image_id, version.tag, version.version,
                before, None, content,
            )
        )  # fmt: skip
        self.rows.prune_version(version)
        return True

    def purge(self, image_id: str) -> None:
        """Have all bytes of a removed image and its labels removed, and erase what is known of them."""
        self.rows.erase(image_id)
        self.rows.event(Event(self._actor.name, self._actor.authenticated, "purged", image_id))

    def set(self, name: str, value: str) -> None:
        """Set the datastore's name or description."""
        old = self.rows.settings().get(name, "")
        if old != value:
            content = {"old": {name: old}, "new": {name: value}}
            self.rows.event(Event(self._actor.name, self._actor.authenticated, "set", content=content))
            self.rows.set_setting(name, value)

    # -- what other programs did ---------------------------------------------------------------------------------------

    def find(
        self, old: Item | None, image_id: str, tag: str, ext: str, look: Look, info: dict[str, Any],
        *, sha256: str | None = None,
    ) -> None:  # fmt: skip
        """Take in a file that another program put in its place, or that is back; `old` is the row it has so far.

        `sha256` is that of the file where it was read: with the bytes of the newest version it is that version still.
        """
        if old is None or old.state is State.REMOVED:
            action = "found"
        elif (old.ext, old.size, old.mtime_ns) == (ext, look.size, look.mtime_ns):
            return self._find_again(old, look, info)
        elif old.ext == ext and sha256 is not None and sha256 == old.sha256:
            self.rows.set_time(old.rowid, old.version, look.mtime_ns)
            return self._find_again(old, look, info)
        elif old.state is State.PRESENT:
            action = "changed"
            self.rows.keep_version(old.rowid, old.version, "")
        else:
            action = "back"
        self._record(UNKNOWN, action, old, image_id, tag, ext, look, None, info)
        return None

    def _find_again(self, old: Item, look: Look, info: dict[str, Any]) -> None:
        if old.state is State.PRESENT:
            self.rows.set_inode(old.rowid, look.inode)
            if info != old.info:
                self.inform(old, info)
            return
        content = {"ext": old.ext, "old": old.info, "new": info}
        seq = self._say(UNKNOWN, "back", old, None, old.sha256, content)
        found = replace(old, state=State.PRESENT, seq=seq, inode=look.inode, info=info)
        self.rows.put_item(found, old, image_listed=self._image_listed(old.image_id, old.tag))

    def miss(self, item: Item) -> None:
        """Note that a file is gone without our doing; its info waits for it."""
        seq = self._say(UNKNOWN, "missing", item, item.sha256, None, {"ext": item.ext})
        self.rows.put_item(replace(item, state=State.MISSING, seq=seq, inode=None), item)

    def expect(self, image_id: str, tag: str, ext: str, info: dict[str, Any]) -> None:
        """Take in what a document says of a file that is not there (yet): the info waits for it."""
        old = self.rows.item(image_id, tag)
        if old is None or old.state is State.REMOVED:
            nothing = Look(None, None, None, None)
            self._record(self._actor, "expected", old, image_id, tag, ext, nothing, None, info, State.MISSING)

    # -- rows ----------------------------------------------------------------------------------------------------------

    def _record(
        self, actor: Actor, action: str, old: Item | None, image_id: str, tag: str, ext: str, look: Look,
        sha256: str | None, info: dict[str, Any], state: State = State.PRESENT, *, marked: bool = False,
    ) -> Item:  # fmt: skip
        """Write event, row and version of a file that is new or has new bytes; `marked` where a mark follows."""
        image = self._image_of(image_id) if tag else None
        if old and old.state is State.MISSING:
            self.rows.keep_version(old.rowid, old.version, "")  # other bytes come in the place of those that are gone
        item = Item(
            0, image_id, tag, ext, info, state, True, self.rows.next_version(image_id, tag) if old else 1, sha256,
            look.size, look.mtime_ns, look.inode, look.link, 0,
        )  # fmt: skip
        before = old.sha256 if old and old.state is State.PRESENT else None
        content = {"ext": ext, "new": info} | ({"old": old.info} if old else {})
        item.seq = self._say(actor, action, item, before, sha256, content)
        item.mark = item.seq if marked else None
        gone = old is not None and (old.state is State.REMOVED or (old.state is State.MISSING and actor is not UNKNOWN))
        item.rowid = self.rows.put_item(item, old, image_listed=image is not None and image.listed, last=gone)
        self.rows.put_version(item, made_for=image.version if image else None)
        return item

    def _say(
        self, actor: Actor, action: str, item: Item, before: str | None, after: str | None,
        content: dict[str, Any] | str,
    ) -> int:  # fmt: skip
        """Append an event about an item and give its number."""
        if not item.tag:
            self._image = None
        return self.rows.event(
            Event(
                actor.name, actor.authenticated, action, item.image_id, item.tag, item.version, before, after, content
            )
        )  # fmt: skip

    def _mark(self, mark: Mark) -> None:
        self.rows.put_mark(mark)
        self.marks.append(mark)

    def _image_listed(self, image_id: str, tag: str) -> bool:
        image = self.rows.item(image_id, IMAGE) if tag else None
        return image is not None and image.listed

    def _check_free(self, item: Item | None) -> None:
        """Finish an earlier change of a file; raise what keeps it from being finished."""
        if item is not None and item.mark is not None:
            self._settle()
        if item is not None and item.rowid in self.stuck:
            raise self.stuck[item.rowid]

    def check_namesake(self, image_id: str, tag: str, ext: str) -> None:
        """Raise ConflictException for another id's file, as `a.nii` with `.gz` and `a` with `.nii.gz` are one."""
        if other := self.rows.namesake(image_id, tag, image_id + ext):
            raise ConflictException(f"image id {image_id!r} refused: the file {image_id + ext!r} is that of {other!r}")

    def check_place(self, image_id: str, tag: str, ext: str, *, is_ours: bool = False) -> None:
        """Refuse a file whose place is another one's, a folder's, or one that this disk takes for another one's.

        Raises ConflictException. `is_ours` says that the place was the item's own before.
        """
        path, name = self.path(image_id, tag, ext), image_id + ext
        is_taken = os.path.lexists(path)
        if is_taken and not is_file(path):
            what = "a folder" if os.path.isdir(path) else "something that is no file"
            raise ConflictException(f"image id {image_id!r} refused: {what} has the name {name!r}; choose another id")
        if is_ours:
            return
        if tag and (other := disk.twin(f"{self._folder(tag).root}/{tag}")):
            raise ConflictException(f"tag {tag!r} refused: this disk takes it for {other!r}; choose another tag")
        if other := self._folder(tag).twin_of_folder(visible_name(image_id, tag, ext)):
            raise ConflictException(f"image id {image_id!r} refused: this disk has {other!r} for a folder in it")
        if is_taken:
            self.check_namesake(image_id, tag, ext)
            if other := disk.twin(path):
                raise ConflictException(
                    f"image id {image_id!r} refused: this disk takes {name!r} for {other!r}; choose another id"
                )


def _added(old: Item | None) -> str:
    return "replaced" if old and old.state is State.PRESENT else "added"
