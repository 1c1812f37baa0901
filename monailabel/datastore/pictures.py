"""Headers, pictures and reduced volumes of what a datastore holds; what was drawn once is kept on disk.

Of the rooms below, NumPy and Pillow come with `imaging`: its modules are imported when something is drawn.
"""

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO, Self

from monailabel.datastore.reading import OpenFile
from monailabel.datastore.remembering import Remembering
from monailabel.files.cache import Cache, Kept
from monailabel.interfaces.exception import UnreadableImageException
from monailabel.models import IMAGE

if TYPE_CHECKING:
    from monailabel.imaging.drawing import View
    from monailabel.imaging.voxels import Voxels

DRAWN = 1  # counts up when the same request is drawn otherwise than before, so that nothing old is shown
PICTURES, VOLUMES = ("pictures",), ("pictures", "volumes")  # folders among the datastore's own
PICTURE_BYTES = 8 * 2**20  # in each of 256 folders: 2 GiB in all
VOLUME_BYTES = 4 * 2**30


@dataclass(frozen=True, slots=True)
class Source:
    """An open image (tag `""`) or label."""

    image_id: str
    tag: str
    file: OpenFile

    @property
    def identity(self) -> tuple[object, ...]:
        """Give what no other bytes have."""
        facts = os.fstat(self.file.fd)
        return self.image_id, self.tag, self.file.version, facts.st_size, facts.st_mtime_ns

    def __str__(self) -> str:
        return f"label {self.tag!r} of image {self.image_id!r}" if self.tag else f"image {self.image_id!r}"


class Rendering:
    """A picture or volume that was asked for, of exactly the versions that were the newest then.

    It holds these files open until it is closed.
    """

    def __init__(
        self,
        cache: Cache,
        name: str,
        sources: list[Source],
        key: tuple[object, ...],
        write: Callable[[BinaryIO], None],
        is_there: Callable[[], bool],
    ) -> None:
        self.name = name
        self._cache, self._sources, self._write, self._is_there = cache, sources, write, is_there
        identity = (DRAWN, *key, *(source.identity for source in sources))
        self.key = hashlib.sha256(repr(identity).encode("utf-8", "surrogatepass")).hexdigest()

    def found(self) -> OpenFile | None:
        """Open what was made before, None where it has to be made."""
        kept = self._cache.get(self.key)
        return self._file(kept) if kept else None

    def made(self) -> OpenFile:
        """Open what was made before, or make it. Raises UnreadableImageException, InvalidInputException."""
        if (found := self.found()) is not None:
            return found
        made = self._file(self._cache.put(self.key, self._write))
        if not self._is_there():  # removed, perhaps erased, meanwhile: no picture of it stays
            self._cache.drop(self.key)
        return made

    def _file(self, kept: Kept) -> OpenFile:
        return OpenFile(kept.fd, self.name, kept.size, kept.mtime, self.key, None, self._sources[-1].file.version)

    def close(self) -> None:
        """Close the files that it is made from."""
        for source in self._sources:
            source.file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AsItIs(Rendering):
    """A volume whose own file is the answer."""

    def found(self) -> OpenFile:
        """Open it."""
        file = self._sources[0].file
        return replace(file, fd=os.dup(file.fd), name=self.name)


class Pictures(Remembering):
    """What can be seen of images and labels."""

    def get_image_header(self, image_id: str) -> dict[str, Any]:
        """Tell what an image's file says of its voxels, without reading these.

        `format`, `shape` (voxels along each axis as stored: up to three in space, then volumes), `spacing` (mm),
        `orientation` (where each axis runs, such as RAS), `affine` (voxel index to mm, RAS), `dtype`, `components`
        (numbers of each voxel) and `modality`; None for what the format does not say. Raises ImageNotFoundException,
        UnreadableImageException.
        """
        from monailabel.imaging.formats import read_header

        with self.open_image(image_id) as opened, _named(f"image {image_id!r}"), _binary(opened) as file:
            return read_header(file).described()

    def preview(
        self,
        image_id: str,
        tag: str | None = None,
        *,
        size: int = 256,
        plane: str = "axial",
        slice: int | None = None,
        window: tuple[float, float] | None = None,
        format: str = "png",
        version: int | None = None,
        alone: bool = False,
    ) -> bytes:
        """Draw one plane of an image, with the outlines of its label of a tag, and give the picture's bytes.

        The longer side has `size` pixels; `plane` is axial, coronal or sagittal, as radiologists look at them. `slice`
        counts from the patient's feet, back or left; without it, it is the plane in which the label is largest, or
        the one in the middle. `window` is the lowest and the highest value that can be told apart; without it, it
        follows the plane's values. `format` is png or webp. `version` is one of the label, or of the image without a
        tag. `alone` leaves the image out.

        Raises ImageNotFoundException, LabelNotFoundException, UnreadableImageException for what cannot be drawn,
        InvalidInputException.
        """
        with self.open_preview(
            image_id, tag, size=size, plane=plane, slice=slice, window=window, format=format, version=version,
            alone=alone,
        ) as asked, asked.made() as file:  # fmt: skip
            return os.pread(file.fd, file.size, 0)

    def open_preview(
        self, image_id: str, tag: str | None = None, *, version: int | None = None, alone: bool = False, **view: Any
    ) -> Rendering:
        """Ask for a picture as `preview` does, to be found or made later. Raises as it does for what is unknown."""
        from monailabel.imaging.drawing import View

        chosen = View(**view)
        label = self._source(image_id, tag, version) if tag else None
        image = None if label and alone else self._source(image_id, IMAGE, None if label else version)
        return Rendering(
            self._cache(PICTURES, PICTURE_BYTES, spread=2),
            f"{image_id}.{chosen.format}",
            [source for source in (image, label) if source],
            ("picture", bool(image), chosen),
            lambda out: _draw(image, label, chosen, out),
            self._is_there(image_id),
        )

    def volume(
        self, image_id: str, tag: str | None = None, *, size: int | None = None, version: int | None = None
    ) -> bytes:
        """Give an image, or its label of a tag, as NIfTI (.nii.gz) of which no axis is longer than `size` voxels.

        Voxels of an image are averaged, of a label picked. Without a size it keeps its resolution, whatever format it
        has; what is .nii.gz and small enough comes as it is, of anything else the first of several volumes.

        Raises ImageNotFoundException, LabelNotFoundException, UnreadableImageException, InvalidInputException.
        """
        with self.open_volume(image_id, tag, size=size, version=version) as asked, asked.made() as file:
            return os.pread(file.fd, file.size, 0)

    def open_volume(
        self, image_id: str, tag: str | None = None, *, size: int | None = None, version: int | None = None
    ) -> Rendering:
        """Ask for a volume as `volume` does, to be found or made later. Raises as it does."""
        from monailabel.imaging.formats import read_header
        from monailabel.imaging.reduction import is_fine

        source = self._source(image_id, tag or IMAGE, version)
        try:
            with _named(str(source)), _binary(source.file) as file:
                kind = AsItIs if is_fine(read_header(file), size) else Rendering
        except BaseException:
            source.file.close()
            raise
        return kind(
            self._cache(VOLUMES, VOLUME_BYTES, spread=0),
            f"{image_id}.nii.gz",
            [source],
            ("volume", size),
            lambda out: _write_volume(source, size, out),
            self._is_there(image_id),
        )

    def _cache(self, parts: tuple[str, ...], budget: int, spread: int) -> Cache:
        return Cache(self._store.state, parts, like=self._store.path, budget=budget, spread=spread)

    def _is_there(self, image_id: str) -> Callable[[], bool]:
        catalog = self._store.catalog
        return lambda: catalog.listed(image_id, IMAGE) is not None

    def _source(self, image_id: str, tag: str, version: int | None) -> Source:
        """Open a version of an image or label, the newest without a number."""
        if tag:
            return Source(image_id, tag, self.open_label(image_id, tag, version=version))
        return Source(image_id, tag, self.open_image(image_id, version=version))


def _draw(image: Source | None, label: Source | None, view: "View", out: BinaryIO) -> None:
    from monailabel.imaging.drawing import draw

    with _voxels(image, view.size) as shown, _voxels(label, view.size) as over, _named(str(image or label)):
        out.write(draw(shown, over, view))


def _write_volume(source: Source, size: int | None, out: BinaryIO) -> None:
    from monailabel.imaging.reduction import write

    with _voxels(source, size) as voxels, _named(str(source)):
        assert voxels
        write(voxels, size, out, is_label=bool(source.tag))


@contextmanager
def _voxels(source: Source | None, size: int | None) -> Iterator["Voxels | None"]:
    from monailabel.imaging.voxels import Voxels

    if source is None:
        yield None
        return
    with _binary(source.file) as file:
        with _named(str(source)):
            voxels = Voxels(file, size)
        yield voxels


@contextmanager
def _binary(opened: OpenFile) -> Iterator[BinaryIO]:
    with open(opened.fd, "rb", buffering=0, closefd=False) as file:
        yield file


@contextmanager
def _named(what: str) -> Iterator[None]:
    """Say of what it is that cannot be read."""
    try:
        yield
    except UnreadableImageException as error:
        if what in error.msg:
            raise
        raise UnreadableImageException(f"{what} cannot be shown: {error}") from error
