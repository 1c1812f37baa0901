"""The table: each row is an operation, what of the bare machine it is compared with, and what has to hold."""

from dataclasses import dataclass
from enum import Enum

from benchmarks.results import Results, Who

MEGABYTES = "MB"
SAME = ", the same 1,000"  # images, in a folder of any size
NEXT_TO_NOTHING = 1e-7  # seconds: no ratio is taken to less


class Limit(Enum):
    """What the bare machine does in the place of an operation; docs/benchmarks.md says how."""

    FILE = "file, fsyncs, rename, one durable insert"
    ROW = "one durable update"
    READ = "one SQLite point read"
    COPY = "cp and sync of the same files, each"
    SCAN = "os.scandir and SQLite's bulk insert of the same rows"
    BARE = "os.scandir and a bulk insert of one row a file"
    PASS = "one os.scandir"
    DOCUMENT = "json_group_object"
    BYTES = "cp of the same bytes"
    EMPTY = "an empty endpoint"
    RECORD = "an endpoint with one durable update"
    NGINX = "nginx"
    DD = "dd conv=fsync"
    IMPORTS = "importing pydantic and apsw"


class Against(Enum):
    """What a figure is held against."""

    THEIRS = "times faster than MONAI Label"
    MENDED = "times faster than MONAI Label, mended"
    LIMIT = "times the limit"
    GROWTH = "times the cost in the smallest folder"
    BARE_GROWTH = "times what the limit grows by"
    ITSELF = ""


@dataclass(frozen=True)
class Target:
    """What has to hold of a row: a bound for a ratio, or for the figure itself."""

    against: Against
    bound: float
    size: int | None = None  # images; None: the largest number at which both were measured
    row: str = ""  # the row of MONAI Label or of the limit, where it has another name

    def figure(self, results: Results, row: str) -> float | None:
        """Give the ratio, or the figure; None where it was not measured."""
        ours, size = Who.OURS, self._size(results, row)
        mine = None if size is None else results.median(ours, row, size)
        if mine is None or size is None:
            return None
        if self.against is Against.ITSELF:
            return mine
        if self.against in _GROWING:
            growth = _growth(results, ours, row, size)
            bare = 1.0 if self.against is Against.GROWTH else _growth(results, Who.LIMIT, self.row, size)
            return growth / bare if growth and bare else None
        other = self._beside(results, self.row or row, size)
        if other is None:
            return None
        return mine / other if self.against is Against.LIMIT else other / max(mine, NEXT_TO_NOTHING)

    def _beside(self, results: Results, row: str, size: int) -> float | None:
        """Give the other's figure; for MONAI Label's, where it took too long, that of its mended, faster form."""
        found = results.median(self._other(), row, size)
        if found is None and self.against is Against.THEIRS:
            return results.median(Who.MENDED, row, size)
        return found

    def _other(self) -> Who:
        return {Against.THEIRS: Who.THEIRS, Against.MENDED: Who.MENDED}.get(self.against, Who.LIMIT)

    def _size(self, results: Results, row: str) -> int | None:
        sizes = results.sizes(Who.OURS, row)
        if self.size is not None:
            return self.size if self.size in sizes else None
        if self.against in _GROWING:
            return max(sizes) if len(sizes) > 1 else None
        if self.against is not Against.ITSELF:
            sizes = [s for s in sizes if s in results.sizes(self._other(), self.row or row)]
        return max(sizes, default=None)

    @property
    def is_faster(self) -> bool:
        """Tell whether a larger figure is the better one."""
        return self.against in (Against.THEIRS, Against.MENDED)

    def met(self, figure: float) -> bool:
        """Tell whether it holds."""
        return figure >= self.bound if self.is_faster else figure <= self.bound


_GROWING = (Against.GROWTH, Against.BARE_GROWTH)


def _growth(results: Results, who: Who, row: str, size: int) -> float | None:
    """Give how many times its cost in the smallest folder something costs in one of so many images."""
    least, most = (results.median(who, row, at) for at in (min(results.sizes(who, row), default=size), size))
    return most / least if most and least else None


@dataclass(frozen=True)
class Row:
    """One operation of the table."""

    name: str
    targets: tuple[Target, ...] = ()
    limit: Limit | None = None
    unit: str = "s"


def beside(times: float, size: int | None = None, row: str = "") -> Target:
    """Ask for so many times MONAI Label's speed."""
    return Target(Against.THEIRS, times, size, row)


def within(times: float, limit: Limit) -> Target:
    """Allow so many times the limit."""
    return Target(Against.LIMIT, times, row=limit.value)


def below(most: float, size: int | None = None) -> Target:
    """Allow so many seconds or megabytes."""
    return Target(Against.ITSELF, most, size)


FLAT = Target(Against.GROWTH, 1.3)
_CHANGE = (beside(5, 1_000), beside(50, 10_000), beside(500, 100_000))


def _saved(name: str) -> Row:
    return Row(name, (*_CHANGE, within(2, Limit.FILE), FLAT), Limit.FILE)


def _updated(name: str) -> Row:
    return Row(name, (*_CHANGE, within(2, Limit.ROW), FLAT), Limit.ROW)


def _many(name: str, single: str) -> Row:
    return Row(name, (beside(1_000, 100_000, single), within(2, Limit.COPY)), Limit.COPY)


def _read(name: str) -> Row:
    """Ask of images out of all that they cost no more than the limit, which grows too."""
    no_more = Target(Against.BARE_GROWTH, 1.3, row=Limit.READ.value)
    return Row(name, (beside(2), within(3, Limit.READ), no_more), Limit.READ)


def _read_again(name: str) -> Row:
    """Ask of the same images in a folder of any size that they cost the same."""
    return Row(name + SAME, (beside(2), FLAT))


def _served(name: str, limit: Limit) -> tuple[Row, Row]:
    """Ask of a request's share of the server's time; its latency with 32 connections is told beside it."""
    return Row(name, (beside(3), within(2, limit), FLAT), limit), Row(f"{name}, p99")


ROWS = (
    _saved("save_label"),
    _saved("add_image"),
    _updated("update_image_info"),
    _updated("update_label_info"),
    Row("remove_label", (beside(50, 10_000), FLAT)),
    Row("remove_image", (beside(50, 10_000), FLAT)),
    _many("save_labels, each of 1,000", "save_label"),
    _many("add_images, each of 1,000", "add_image"),
    Row("first open", (beside(50, 100_000), within(3, Limit.SCAN)), Limit.SCAN),
    Row("first open, until all is recorded", (within(3, Limit.SCAN),), Limit.SCAN),
    Row("all checksums, in the background"),
    Row("open again", (beside(200, 100_000), Target(Against.MENDED, 50, 100_000), below(0.3, 1_000_000))),
    Row("refresh, nothing new", (beside(200, 100_000), FLAT)),
    Row("refresh, 10 new", (beside(200, 100_000, "refresh, nothing new"),), Limit.PASS),
    _read("get_image_uri"),
    _read("get_label_uri"),
    _read("get_image_info"),
    _read_again("get_image_uri"),
    _read_again("get_label_uri"),
    _read_again("get_image_info"),
    Row("list_images", (beside(1),)),
    Row("get_unlabeled_images", (beside(1),)),
    Row("status", (beside(1), FLAT)),
    Row("json()", (beside(5), within(2, Limit.DOCUMENT)), Limit.DOCUMENT),
    Row("the JSON snapshot", (beside(5), within(2, Limit.DOCUMENT)), Limit.DOCUMENT),
    Row("datalist()", (beside(1),)),
    Row("get_dataset_archive, 200 MiB", (beside(2), within(1 / 0.7, Limit.BYTES)), Limit.BYTES),
    Row("memory after opening", (beside(10), below(150, 1_000_000)), unit=MEGABYTES),
    Row("watching 1,000 new files: CPU", (beside(50), within(3, Limit.PASS)), Limit.PASS),
    Row("watching 1,000 new files: until all are listed"),
    *_served("GET /datastore/", Limit.EMPTY),
    *_served("GET /datastore/image/info", Limit.EMPTY),
    *_served("POST /activelearning/random", Limit.RECORD),
    Row("download of 200 MiB", (within(1 / 0.7, Limit.NGINX),), Limit.NGINX),
    Row("upload of 200 MiB", (within(2, Limit.DD),), Limit.DD),
    Row("importing the library", (within(1.3, Limit.IMPORTS),), Limit.IMPORTS),
    Row("the server's start", (below(1),)),
    Row("monailabel-datastore --help", (below(0.3),)),
    Row("the viewer's grid: first picture, made for it", (below(1, 10_000),)),
    Row("the viewer's grid: first picture, made before", (below(1, 10_000),)),
    Row("the viewer's case: 128 x 128 x 128 with its label", (below(5),)),
    Row("the viewer's case: a CT of 512 x 512 x 200, its first plane", (below(1),)),
    Row("the viewer's case: the CT with its label, at what the machine can draw"),
    Row("the viewer's case: its next slice"),
    Row("the viewer's case: all voxels of the CT, on request"),
)
BY_NAME = {row.name: row for row in ROWS}
