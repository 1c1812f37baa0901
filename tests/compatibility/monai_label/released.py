"""Finds the released MONAI Label, installing it apart, without its dependencies, where it is missing."""

import subprocess
import sys
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
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    subprocess.run([*command, f"monailabel=={VERSION}", "--target", str(RELEASED), "--upgrade"], check=True)
