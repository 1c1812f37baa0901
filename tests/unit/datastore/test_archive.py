"""The ZIP of the labelled cases: what is in it, how it streams, and that nothing of it stays behind."""

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from monailabel.datastore.local import LocalDatastore
from monailabel.interfaces.exception import ConflictException

Open = Callable[..., LocalDatastore]
Source = Callable[..., str]


@pytest.fixture
def cases(open_store: Open, source: Source) -> LocalDatastore:
    """Give a datastore of three labelled cases and one without a label."""
    store = open_store()
    for n in range(4):
        store.add_image(f"case {n}", source("i.nii.gz", b"image %d" % n), {"n": n})
        if n != 1:
            store.save_label(f"case {n}", source("l.nii", b"label %d" % n), "final", {"n": n})
    store.save_label("case 0", source("l.nii", b"other tag"), "original", {})
    return store


def names(data: bytes) -> list[str]:
    """List a ZIP's members after checking each against its checksum."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        return archive.namelist()


def expected(*cases: int) -> set[str]:
    """Give the names that an archive of these cases has."""
    return {f"image/case {n}.nii.gz" for n in cases} | {f"label/case {n}.nii" for n in cases} | {"metadata.json"}


@pytest.mark.parametrize(
    ("limit", "inside"),
    [(None, (0, 2, 3)), (0, (0, 2, 3)), (-1, (0, 2, 3)), (3, (0, 2, 3)), (99, (0, 2, 3)), (1, (0,)), (2, (0, 2))],
)
def test_the_first_cases_are_inside(cases: LocalDatastore, limit: int | None, inside: tuple[int, ...]) -> None:
    """The first n labelled cases are inside, all of them for None, 0, a negative or too large n."""
    data = Path(cases.get_dataset_archive(limit)).read_bytes()
    found = names(data)
    assert set(found) == expected(*inside) and len(found) == len(set(found))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for n in inside:
            assert archive.read(f"image/case {n}.nii.gz") == b"image %d" % n
            assert archive.read(f"label/case {n}.nii") == b"label %d" % n


def test_the_metadata_is_of_the_cases_inside(cases: LocalDatastore) -> None:
    """`metadata.json` is the document with the entries of the cases inside and no others."""
    whole = cases.json()
    metadata = json.loads(zipfile.ZipFile(cases.get_dataset_archive(2)).read("metadata.json"))
    assert metadata["objects"].keys() == {"case 0", "case 2"}
    assert metadata["objects"]["case 2"] == whole["objects"]["case 2"]
    assert {**metadata, "objects": {}} == {**whole, "objects": {}}
    assert metadata["objects"]["case 0"]["labels"]["final"]["info"]["n"] == 0


def test_the_archive_streams(cases: LocalDatastore) -> None:
    """`archive()` gives the same ZIP in pieces, stored, with its length known before the first of them."""
    archive = cases.archive()
    size = archive.size
    data = b"".join(archive)
    archive.close()
    assert len(data) == size and set(names(data)) == expected(0, 2, 3)
    with zipfile.ZipFile(io.BytesIO(data)) as members:
        assert {m.compress_type for m in members.infolist()} == {zipfile.ZIP_STORED}
    assert set(names(b"".join(cases.archive(limit_cases=1)))) == expected(0)


def test_pieces_are_bounded(open_store: Open, source: Source) -> None:
    """A large image is not held in memory: no piece of the stream is larger than a few megabytes."""
    store = open_store()
    store.add_image("big", source("big.nii", bytes(20_000_000)), {})
    store.save_label("big", source("l.nii", b"l"), "final", {})
    archive = store.archive()
    sizes = [len(piece) for piece in archive]
    archive.close()
    assert sum(sizes) == archive.size > 20_000_000 and max(sizes) <= 4_194_304


def test_a_stream_holds_what_stood_when_it_began(cases: LocalDatastore, source: Source) -> None:
    """A case that is replaced or removed while the archive streams does not break it: length and checksums hold."""
    archive = cases.archive()
    pieces = iter(archive)
    data = next(pieces)
    cases.save_label("case 3", source("l.nii", b"a longer label than before"), "final", {})
    cases.remove_image("case 2")
    data += b"".join(pieces)
    assert len(data) == archive.size and set(names(data)) == expected(0, 2, 3)
    archive.close()


@pytest.mark.parametrize("way", ["get_dataset_archive", "archive"])
def test_without_a_labelled_case_there_is_none(open_store: Open, source: Source, way: str) -> None:
    """Where no image has a `final` label the error says that, and no file is made."""
    store = open_store()
    store.add_image("a", source("a.nii.gz"), {})
    store.save_label("a", source("l.nii.gz"), "original", {})
    call: Callable[[Any], object] = getattr(store, way)
    with pytest.raises(ConflictException, match="label"):
        call(None)


def test_the_temporary_file_does_not_stay(cases: LocalDatastore) -> None:
    """The file of `get_dataset_archive` is there as long as the datastore is open, and gone when it is closed."""
    paths = [Path(cases.get_dataset_archive(None)), Path(cases.get_dataset_archive(1))]
    assert len(set(paths)) == 2 and all(path.exists() for path in paths)
    assert all(path.stat().st_mode & 0o077 == 0 for path in paths), "patients' scans that every user may read"
    cases.close()
    assert not any(path.exists() for path in paths)


def test_the_temporary_file_does_not_stay_after_exit(
    cases: LocalDatastore, folder: Path, child: Callable[..., Any]
) -> None:
    """A program that ends without `close()` leaves no archive behind."""
    path = child("print(json.dumps(LocalDatastore(sys.argv[1]).get_dataset_archive(None)))", folder)
    assert path and not Path(path).exists()


def test_an_archive_of_a_read_only_datastore(cases: LocalDatastore, open_store: Open) -> None:
    """An archive can be had from a datastore that is open read-only."""
    cases.close()
    assert set(names(b"".join(open_store(read_only=True).archive()))) == expected(0, 2, 3)
