"""Finds the released MONAI Label, installing it apart, without its dependencies, where it is missing."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

VERSION = "0.8.5"
PROJECT = Path(__file__).resolve().parents[3]
RELEASED = PROJECT / "build" / f"monailabel-{VERSION}"


def folder() -> Path:
    """Give the folder that holds the released package `monailabel`."""
    if not (RELEASED / "monailabel" / "datastore" / "local.py").exists():
        _install()
    return RELEASED


def _install() -> None:
    """Install beside the place first: another process may be about to do the same."""
    RELEASED.parent.mkdir(exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix="installing-", dir=RELEASED.parent))
    # Not with --upgrade: the package's data files have a folder of the same name, which would take its place.
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    subprocess.run([*command, f"monailabel=={VERSION}", "--target", str(fresh)], check=True)
    shutil.rmtree(RELEASED, ignore_errors=True)
    fresh.chmod(0o755)
    fresh.rename(RELEASED)
