"""Turns what was measured into tables that people read."""

from benchmarks.results import Results, Who
from benchmarks.rows import MEGABYTES, ROWS, Against, Limit, Row, Target

_EACH = {Who.OURS: "", Who.THEIRS: "MONAI Label ", Who.MENDED: "mended "}


def summary(results: Results) -> str:
    """Write the machine, the cost of an fsync, all tables, and which rows fall short."""
    machine = [f"- {name}: {value}" for name, value in results.machine.items()]
    return "\n\n".join(
        part
        for part in ("\n".join([*machine, *_bare(results)]), ours(results), others(results), once(results),
                     targets(results), short(results))
        if part
    )  # fmt: skip


def ratios(results: Results) -> str:
    """Write only what has to hold and what was seen: the form for a machine whose figures mean nothing to others."""
    return f"{targets(results)}\n\n{short(results)}"


def _bare(results: Results) -> list[str]:
    """Write what the disk costs, at the largest size at which it was measured."""
    lines = []
    for name in ("fsync", Limit.FILE.value, Limit.ROW.value):
        size = max(results.sizes(Who.LIMIT, name), default=None)
        seconds = None if size is None else results.median(Who.LIMIT, name, size)
        if seconds is not None:
            lines.append(f"- {'an fsync' if name == 'fsync' else name}: {duration(seconds)}")
    return lines


def ours(results: Results) -> str:
    """Write our figures at each number of images, with the p99 at the largest and the growth."""
    sizes = sorted({size for size in results.samples[Who.OURS] if size})
    named = [row for row in _measured(results) if any(results.sizes(Who.OURS, row.name))]  # one at least above 0
    if not sizes:
        return ""
    head = ["ours", *(f"{size:,} images" for size in sizes), "p99", "growth"]
    return aligned([head, *([row.name, *_ours(results, row, sizes)] for row in named)])


def _ours(results: Results, row: Row, sizes: list[int]) -> list[str]:
    medians = [results.median(Who.OURS, row.name, size) for size in sizes]
    known = [m for m in medians if m is not None]
    p99 = results.p99(Who.OURS, row.name, max(results.sizes(Who.OURS, row.name)))
    growth = f"{known[-1] / known[0]:.2f}" if len(known) > 1 and known[0] else ""
    return [*(written(m, row.unit) for m in medians), written(p99, row.unit), growth]


def others(results: Results) -> str:
    """Write MONAI Label's figures, as released and mended, and the limits, where each was measured."""
    columns = [(who, size) for who in (Who.THEIRS, Who.MENDED) for size in sorted(results.samples[who]) if size]
    limits = [size for size in sorted(results.samples[Who.LIMIT]) if size]
    largest = max(limits, default=0)
    head = ["the others", *(f"{_EACH[who]}{size:,}" for who, size in columns)]
    head += [f"the limit, {largest:,}" if largest else "the limit", "which is"]
    rows = []
    for row in _measured(results) if limits else ():
        cells = [_other(results, row, who, size) for who, size in columns]
        limit = _limit(results, row, largest)
        if any(cells) or limit:
            rows.append([row.name, *cells, limit, row.limit.value if row.limit and limit else ""])
    return aligned([head, *rows]) if rows else ""


def _other(results: Results, row: Row, who: Who, size: int) -> str:
    text = written(results.median(who, row.name, size), row.unit)
    quoted = who is Who.THEIRS and results.quoted.get(row.name) is results.samples[who][size].get(row.name)
    return f"{text} (quoted)" if text and quoted else text


def _limit(results: Results, row: Row, largest: int) -> str:
    if row.limit is None:
        return ""
    sizes = [size for size in results.sizes(Who.LIMIT, row.limit.value) if size]
    return written(results.median(Who.LIMIT, row.limit.value, min(largest, sizes[-1])), row.unit) if sizes else ""


def once(results: Results) -> str:
    """Write what does not depend on the number of images."""
    rows = []
    for row in _measured(results):
        mine, theirs = (results.median(who, row.name, 0) for who in (Who.OURS, Who.THEIRS))
        limit = results.median(Who.LIMIT, row.limit.value, 0) if row.limit else None
        if mine is not None:
            cells = [written(value, row.unit) for value in (mine, theirs, limit)]
            rows.append([row.name, *cells, row.limit.value if row.limit and limit else ""])
    return aligned([["at any number of images", "ours", "MONAI Label", "the limit", "which is"], *rows]) if rows else ""


def targets(results: Results) -> str:
    """Write what has to hold, and what was seen."""
    rows = [
        [row.name, said(target, row), shown(figure, target, row), "yes" if target.met(figure) else "no"]
        for row, target, figure in judged(results)
    ]
    return aligned([["row", "has to be", "is", "met"], *rows]) if rows else ""


def short(results: Results) -> str:
    """Name the rows that fall short."""
    names = [f"{row.name} ({said(target, row)})" for row, target, figure in judged(results) if not target.met(figure)]
    return f"These fall short: {'; '.join(names)}." if names else "Every target is met."


def judged(results: Results) -> list[tuple[Row, Target, float]]:
    """Give each target that can be judged, with its figure."""
    found = [(row, target, target.figure(results, row.name)) for row in ROWS for target in row.targets]
    return [(row, target, figure) for row, target, figure in found if figure is not None]


def said(target: Target, row: Row) -> str:
    """Write a target in words."""
    at = f" at {target.size:,}" if target.size else ""
    if target.against is Against.ITSELF:
        return f"≤ {written(target.bound, row.unit)}{at}"
    return f"{'≥' if target.is_faster else '≤'} {target.bound:,.3g} {target.against.value}{at}"


def shown(figure: float, target: Target, row: Row) -> str:
    """Write what was seen of a target."""
    return written(figure, row.unit) if target.against is Against.ITSELF else f"{figure:,.{_digits(figure)}f}"


def _measured(results: Results) -> list[Row]:
    names = {name for who in Who for samples in results.samples[who].values() for name in samples}
    return [row for row in ROWS if row.name in names]


def written(value: float | None, unit: str) -> str:
    """Write seconds or megabytes; nothing where there is no figure."""
    if value is None:
        return ""
    return f"{value:,.0f} MB" if unit == MEGABYTES else duration(value)


def duration(seconds: float) -> str:
    """Write seconds in the unit that suits them, with two to three digits."""
    for unit, factor in (("s", 1.0), ("ms", 1e3), ("µs", 1e6)):
        if seconds * factor >= 1 or unit == "µs":
            return f"{seconds * factor:.{_digits(seconds * factor)}f} {unit}"
    return ""


def _digits(value: float) -> int:
    return 0 if value >= 100 else 1 if value >= 10 else 2


def aligned(rows: list[list[str]]) -> str:
    """Write a table in Markdown; the first row is its head."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)
