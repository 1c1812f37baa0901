"""What a local datastore can do beyond the reference page: archives, strategies, backups, bringing versions back."""

import os
from abc import abstractmethod
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from datetime import datetime, timedelta
from os import PathLike
from typing import TYPE_CHECKING, Any

from monailabel import naming
from monailabel.datastore import actor as acting
from monailabel.datastore import history, strategy
from monailabel.datastore.archive import Archive, Member, pick
from monailabel.datastore.edit import visible_name
from monailabel.datastore.erasing import SHOWN, prunable
from monailabel.datastore.finding import Finding
from monailabel.datastore.pictures import Pictures
from monailabel.datastore.receiving import Receiving
from monailabel.datastore.remembering import text_of
from monailabel.files.folder import digest
from monailabel.files.layout import NESTED
from monailabel.interfaces.datastore import DefaultLabelTag
from monailabel.interfaces.exception import (
    ConflictException,
    ImageNotFoundException,
)
from monailabel.models import IMAGE

if TYPE_CHECKING:
    from monailabel.datastore.as_of import AsOf
    from monailabel.datastore.gathering import Backup
    from monailabel.datastore.progress import Progress


class Beyond(Receiving, Finding, Pictures):
    """The additions; LocalDatastore has the reference page's methods."""

    @abstractmethod
    def _uri(self, image_id: str, tag: str) -> str:
        """Give a file's real path."""

    # -- asking --------------------------------------------------------------------------------------------------------

    def archive(self, limit_cases: int | None = None) -> Archive:
        """Give a ZIP of the labelled cases (the first `limit_cases`) that is made while it is read.

        Raises ConflictException where there is no labelled case.
        """
        cases = pick(self.datalist(), limit_cases)
        ours = {self._uri(id, IMAGE): id for id, *_ in self._store.catalog.pairs(DefaultLabelTag.FINAL.value)}
        ids = [ours.get(case["image"]) or self._to_id(os.path.basename(case["image"]))[0] for case in cases]
        files = [(id, *file) for id, case in zip(ids, cases, strict=True) for file in case.items()]
        members = [self._member(id, role, path) for id, role, path in files]
        metadata: list[str] = []
        with self._store.catalog.document() as pages:
            pages.write(metadata.append, ids=ids)
        return Archive(members, "".join(metadata).encode())

    def _member(self, image_id: str, role: str, path: str) -> Member:
        """Give a file of the archive as it is now, whatever happens to it until its turn comes."""
        store, name = self._store, os.path.basename(path)
        tag = IMAGE if role == "image" else DefaultLabelTag.FINAL.value
        item = store.catalog.item(image_id, tag)
        if item is None or item.size is None or path != self._uri(item.image_id, tag):  # a subclass's own file
            return Member(f"{role}/{name}", os.stat(path).st_size, lambda: os.open(path, os.O_RDONLY))
        id, version, size = item.image_id, item.version, item.size
        if store.layout == NESTED:  # files in several folders may have one name
            name = f"{id}{item.ext}"
        return Member(
            f"{role}/{name}", size, lambda: history.open_version(store.settled, store.changes, id, tag, version).fd
        )

    def image_checksum(self, image_id: str) -> str:
        """Give the image's SHA-256 (hexadecimal), read from the file where it is not known yet.

        Raises ImageNotFoundException.
        """
        with self.open_image(image_id) as opened:
            return opened.sha256 or self._store.checksum(image_id, IMAGE) or digest(opened.fd)[0]

    def next_image(
        self,
        strategy_name: str,
        client_id: str | None = None,
        label_tag: str | None = None,
        labels: list[str] | None = None,
    ) -> dict[str, Any] | None:
        """Choose the next image to label by a strategy (`random`, `first`) and note who got it when.

        Gives `id` and, for `random`, `weight` (seconds since it was handed out); None when none is left.
        """
        return self.next_images([strategy.Wish(strategy_name, client_id, label_tag, structures_of(labels))])[0]

    def next_images(self, wishes: Sequence[strategy.Wish]) -> list[dict[str, Any] | None]:
        """Choose an image for each of several who ask at once, and note all of it in one change: one wait for the disk.

        Gives what `next_image` gives, in the order of the wishes.
        """
        answers: dict[int, dict[str, Any]] = {}
        waiting = dict(enumerate(wishes))
        while waiting:
            chosen = strategy.choose_all(waiting, self._store.catalog)
            answers |= chosen if self.read_only or not chosen else self._handed_out(waiting, chosen)
            gone = {} if self.read_only else chosen.keys() - answers.keys()  # removed meanwhile: another one
            waiting = {number: waiting[number] for number in sorted(gone)}
        return [answers.get(number) for number in range(len(wishes))]

    def _handed_out(
        self, wishes: dict[int, strategy.Wish], chosen: dict[int, dict[str, Any]]
    ) -> dict[int, dict[str, Any]]:
        """Note who got which image; give what is still there."""
        done = {}
        with self._change() as edit:
            for number, found in chosen.items():
                wish = wishes[number]
                with suppress(ImageNotFoundException):
                    item = edit.image(found["id"])
                    edit.acting_as(wish.actor or acting.acting(self._actor))
                    edit.inform(item, strategy.record(item.info, wish.strategy, wish.client_id))
                    done[number] = found
        return done

    def wait_until_recorded(self) -> None:
        """Wait until everything is recorded that the folder held when it was opened for the first time.

        A large folder can be listed before that; what needs more than its files' names waits by itself.
        """
        _ = self._store

    def problems(self) -> list[str]:
        """Say what scans could not take in and which files are missing, a sentence for each file.

        Where no image is listed, a sentence says whether some lie in sub-folders.
        """
        catalog, below = self._store.catalog, []
        if not catalog.tallies().get(IMAGE) and (place := self._store.scan.left_out()):
            below = [f"{place}: lies in a sub-folder; those are taken in with recursive=True (--recursive)"]
        missing = [f"{visible_name(*file)}: missing; its info waits for it" for file in catalog.missing()]
        return [*below, *self._store.problems(), *missing]

    def _cases_as_of(self, as_of: "AsOf") -> list[dict[str, str]]:
        """Give image and final label of every case that was labelled at an earlier moment."""
        from monailabel.datastore import as_of as past

        store = self._store
        shown = past.Shown(store.settled(), store.changes, os.path.join(store.state, SHOWN))
        return past.cases(store.catalog, as_of, DefaultLabelTag.FINAL.value, shown.path)

    def backup(
        self, target: str | PathLike[str], *, deep: bool = False, progress: "Progress | None" = None
    ) -> "Backup":
        """Make a backup in a folder beside those that it has, consistent while others write, and say what it has.

        Each is a folder named after its time, which opens as a datastore; what did not change since the one before is
        shared with it, and read only if `deep`. Raises InvalidInputException for a folder inside the datastore, or one
        that holds something else.
        """
        from monailabel.datastore.backup import back_up

        document = os.path.basename(self._store.snapshot.path)
        return back_up(self._store, os.fspath(target), acting.acting(self._actor), document, deep, progress)

    def head(self) -> str:
        """Give the head of the chain of events, `number:chain`: noted elsewhere, it shows that none was cut off.

        A folder that is only looked at and is no datastore yet has none: `""`.
        """
        if self._store.private and self._store.recorded is None:
            return ""
        seq, chain = self._store.catalog.head()
        return f"{seq}:{chain.hex()}"

    def restore_label(self, image_id: str, label_tag: str, version: int) -> int:
        """Make an earlier version of a label the newest again, as a version of its own, and give its number."""
        tag = naming.tag(label_tag)
        if not self._store.catalog.listed(text_of(image_id), IMAGE):
            raise ImageNotFoundException(f"image {image_id!r} not found; restore the image first")
        return self._restore(image_id, {tag: version})

    def restore_image(self, image_id: str, version: int | None = None) -> int:
        """Bring a removed image back, or make an earlier version of it the newest again, and give its new number.

        Without a version it is the last that was kept. The labels that were removed together with an image come back
        with it. Raises ImageNotFoundException, and ConflictException for an image that is there and no version.
        """
        self._refuse_read_only()
        if version is None and (there := self._store.catalog.item(image_id, IMAGE)) and there.listed:
            raise ConflictException(
                f"image {image_id!r} is there, at version {there.version}; name the version to go back to"
            )
        last = history.last_kept(self.image_versions(image_id))
        if last is None:
            raise ImageNotFoundException(f"image {image_id!r} not found, nor any version of it that was kept")
        labels = history.removed_with(self._store.settled(), image_id)
        return self._restore(image_id, {IMAGE: last if version is None else version, **labels})

    def prune(
        self,
        *,
        older_than: timedelta | datetime | None = None,
        keep: int | None = None,
        image_id: str | None = None,
        tag: str | None = None,
        dry_run: bool = False,
    ) -> list[dict[str, Any]]:
        """Remove the bytes of earlier versions for good, and give what was removed (or, `dry_run`, would be).

        Those go that were replaced or removed before `older_than` (an age or a moment), all but the newest `keep` of
        each image and label: with `keep=0` what was removed cannot be restored. `image_id` and `tag` (`""` for images)
        limit it. What is present is never touched. Raises InvalidInputException where neither limit is said.
        """
        found = prunable(self._store.settled(), older_than, keep, image_id, tag)
        if not dry_run:
            self._refuse_read_only()
            found = self._store.erasing.prune(found, acting.acting(self._actor))
        return [history.kept(version) for version in found]

    def _purge(self, image_id: str) -> None:
        """Erase an image, its labels and all their versions, and what our own copies of the catalog say of them."""
        self._refuse_read_only()
        self._store.purge(image_id, acting.acting(self._actor))

    def _restore(self, image_id: str, versions: dict[str, int]) -> int:
        """Put back versions of an image and its labels, all in one change; give the number of the first's new one."""
        self._refuse_read_only()
        store = self._store
        with ExitStack() as stack:
            files = []
            for tag, version in versions.items():
                path, ext, _ = history.path_of(store.settled(), store.changes, image_id, tag, version)
                staged = stack.enter_context(self._staged(path, tag))
                files.append((tag, ext, staged, history.info_of(store.catalog, image_id, tag, version)))
            edit = stack.enter_context(self._change())
            numbers = [edit.put(image_id, tag, ext, staged, info, "restored") for tag, ext, staged, info in files]
            return numbers[0]


def structures_of(labels: list[str] | None) -> list[str] | None:
    """Give the names of structures, None where all are meant."""
    return [str(label) for label in labels] if labels else None
