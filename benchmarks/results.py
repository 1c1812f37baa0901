"""Holds what was measured: the samples of each row, by whose they are and by the number of images."""

import json
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from statistics import median
from typing import Any

Samples = dict[str, list[float]]

QUOTED = Path(__file__).with_name("quoted.json")  # MONAI Label's minutes, timed once on request


class Who(Enum):
    """Whose figures they are."""

    OURS = "ours"
    THEIRS = "MONAI Label"
    MENDED = "MONAI Label, mended"
    LIMIT = "the limit"


@dataclass
class Results:
    """All samples (seconds, or megabytes of memory) of one run; the fewer the better."""

    machine: dict[str, str]
    samples: dict[Who, dict[int, Samples]] = field(default_factory=lambda: {who: {} for who in Who})
    quoted: Samples = field(default_factory=dict)  # of MONAI Label at 100,000 images, from another run

    def add(self, who: Who, size: int, more: Samples) -> None:
        """Add samples of a datastore with `size` images; 0 where the number does not matter."""
        known = self.samples[who].setdefault(size, {})
        for name, values in more.items():
            known.setdefault(name, []).extend(values)

    def sizes(self, who: Who, name: str) -> list[int]:
        """Give at which numbers of images a row was measured."""
        return sorted(size for size, samples in self.samples[who].items() if samples.get(name))

    def median(self, who: Who, name: str, size: int) -> float | None:
        """Give the median of a row's samples; None where it was not measured."""
        values = self.samples[who].get(size, {}).get(name)
        return median(values) if values else None

    def p99(self, who: Who, name: str, size: int) -> float | None:
        """Give what ninety-nine of a hundred samples stay below; None where there are too few to say."""
        values = self.samples[who].get(size, {}).get(name) or []
        return sorted(values)[int(len(values) * 0.99)] if len(values) >= 20 else None

    def quote(self) -> None:
        """Take over what an earlier run measured of MONAI Label and this one did not."""
        if QUOTED.exists():
            for size, samples in json.loads(QUOTED.read_text())["seconds"].items():
                new = {n: s for n, s in samples.items() if self.median(Who.THEIRS, n, int(size)) is None}
                self.add(Who.THEIRS, int(size), new)
                self.quoted |= new

    def keep_quotes(self, size: int) -> None:
        """Write down what this run measured of MONAI Label at its slowest, for later runs to quote."""
        kept = {"machine": self.machine, "seconds": {str(size): self.samples[Who.THEIRS][size]}}
        QUOTED.write_text(json.dumps(kept, indent=2) + "\n")

    def as_dict(self) -> dict[str, Any]:
        """Give medians, p99 and numbers of samples for machines to read."""
        return {"machine": self.machine} | {
            who.value: {
                str(size): {
                    name: {"median": median(values), "p99": self.p99(who, name, size), "samples": len(values)}
                    for name, values in samples.items()
                }
                for size, samples in sorted(by_size.items())
            }
            for who, by_size in self.samples.items()
        }
