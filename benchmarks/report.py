"""Turns measured seconds into a table that people read."""

from dataclasses import dataclass, field
from statistics import median
from typing import Any

from benchmarks.operations import ALL, Operation

ALLOWED = 1.5  # times what a change costs in the smallest folder

Samples = dict[str, list[float]]


@dataclass
class Results:
    """All samples in seconds: by package and size and operation, and of the bare machine."""

    machine: dict[str, str]
    ours: dict[int, Samples] = field(default_factory=dict)
    theirs: dict[int, Samples] = field(default_factory=dict)
    limits: dict[int, Samples] = field(default_factory=dict)

    def growth(self, operation: Operation) -> float:
        """Give how many times more an operation costs in the largest folder than in the smallest."""
        smallest, largest = (median(self.ours[size][operation.name]) for size in (min(self.ours), max(self.ours)))
        return largest / smallest

    def grown(self) -> list[str]:
        """Name the changes that cost more than is allowed in the largest folder."""
        return [o.name for o in measured(self) if o.change and self.growth(o) > ALLOWED]

    def as_dict(self) -> dict[str, Any]:
        """Give medians and p99 in seconds for machines to read."""
        return {
            "machine": self.machine,
            **{name: _summed(getattr(self, name)) for name in ("ours", "theirs", "limits")},
            "growth": {o.name: self.growth(o) for o in measured(self)},
            "changes that grow": self.grown(),
        }


def measured(results: Results) -> list[Operation]:
    """Give the operations that were measured, in the table's order."""
    return [o for o in ALL if all(o.name in samples for samples in results.ours.values())]


def _summed(by_size: dict[int, Samples]) -> dict[str, Any]:
    return {
        str(size): {name: {"median": median(s), "p99": p99(s), "samples": len(s)} for name, s in samples.items()}
        for size, samples in by_size.items()
    }


def p99(seconds: list[float]) -> float:
    """Give what ninety-nine of a hundred samples stay below."""
    return sorted(seconds)[min(len(seconds) - 1, int(len(seconds) * 0.99))]


def duration(seconds: float) -> str:
    """Write seconds in the unit that suits them, with two to three digits."""
    for unit, factor in (("s", 1.0), ("ms", 1e3), ("µs", 1e6)):
        if seconds * factor >= 1 or unit == "µs":
            value = seconds * factor
            return f"{value:.{0 if value >= 100 else 1 if value >= 10 else 2}f} {unit}"
    return ""


def table(results: Results) -> str:
    """Write the table in Markdown: ours at each size, the growth, MONAI Label's, and the machine's limit."""
    sizes, theirs = sorted(results.ours), sorted(results.theirs)
    head = ["operation", *(f"{size:,}" for size in sizes), "p99", f"{sizes[-1]:,} / {sizes[0]:,}"]
    head += [text for size in theirs for text in (f"MONAI Label at {size:,}", "times ours")]
    head += ["the limit", "ours / limit"]
    rows = [_row(results, operation, sizes, theirs) for operation in measured(results)]
    return _aligned([head, *rows])


def _row(results: Results, operation: Operation, sizes: list[int], theirs: list[int]) -> list[str]:
    name, largest = operation.name, results.ours[sizes[-1]]
    cells = [name, *(duration(median(results.ours[size][name])) for size in sizes), duration(p99(largest[name]))]
    cells.append(f"{results.growth(operation):.2f}{_mark(results, operation)}")
    for size in theirs:
        cells += _beside(results.theirs[size], results.ours.get(size), name)
    return cells + _against_limit(results, operation, sizes[-1])


def _mark(results: Results, operation: Operation) -> str:
    return f" (> {ALLOWED})" if operation.name in results.grown() else ""


def _beside(theirs: Samples, ours: Samples | None, name: str) -> list[str]:
    if name not in theirs:
        return ["", ""]
    other = median(theirs[name])
    return [duration(other), f"{other / median(ours[name]):.1f}" if ours else ""]


def _against_limit(results: Results, operation: Operation, size: int) -> list[str]:
    if operation.limit is None or size not in results.limits:
        return ["", ""]
    bare = median(results.limits[size][operation.limit.value])
    return [duration(bare), f"{median(results.ours[size][operation.name]) / bare:.1f}"]


def _aligned(rows: list[list[str]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)
