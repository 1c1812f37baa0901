"""Whose `monailabel.datastore.local` Python finds where MONAI Label is installed too.

It stands on nothing of ours, since it has to tell it when MONAI Label's modules lie over ours.
"""

import os
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from importlib.util import find_spec

import monailabel

MODULE = "monailabel.datastore.local"
INSTALL_AGAIN = "pip install --force-reinstall --no-deps monailabel-datastore"
_FILE = os.path.join("datastore", "local.py")
_OURS = b"from monailabel.datastore.store import"  # a room that MONAI Label does not have


@dataclass(frozen=True, slots=True)
class Beside:
    """Whose datastore is active, in a sentence."""

    ours: bool
    sentence: str


def look() -> Beside | None:
    """Tell whose datastore Python finds; None where MONAI Label is not installed."""
    spec = find_spec(MODULE)
    active = os.path.realpath(spec.origin) if spec and spec.origin else ""
    theirs = _distribution()
    others = [path for path in _files() if path != active]
    if theirs is None and not others:
        return None
    ours = _is_ours(active)
    name = f"MONAI Label {theirs.version}" if theirs else f"MONAI Label ({os.path.dirname(os.path.dirname(others[0]))})"
    whose = "monailabel-datastore's" if ours else "MONAI Label's"
    sentence = f"{name} is installed too, and {MODULE} is {whose}: {active}"
    if ours and theirs and os.path.realpath(str(theirs.locate_file(f"monailabel/{_FILE}"))) == active:
        sentence += "; installing or upgrading MONAI Label turns that round"
    return Beside(ours, sentence)


def _distribution() -> Distribution | None:
    try:
        return distribution("monailabel")
    except PackageNotFoundError:
        return None


def _files() -> list[str]:
    """Give every file that Python could take for the module, in the order of its search."""
    paths = (os.path.realpath(os.path.join(folder, _FILE)) for folder in monailabel.__path__)
    return [path for path in dict.fromkeys(paths) if os.path.isfile(path)]


def _is_ours(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            return _OURS in file.read()
    except OSError:
        return False
