"""Names the machine on which figures were seen."""

import os
import platform
from datetime import UTC, datetime
from pathlib import Path

import apsw

from benchmarks.folders import file_system


def describe(folder: Path) -> dict[str, str]:
    """Give the processor, memory, system, disk and versions, one line each."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "disk": f"{file_system(folder)}",
        "python": f"{platform.python_version()}, SQLite {apsw.sqlite_lib_version()}",
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
