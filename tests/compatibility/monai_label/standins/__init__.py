"""Stands in for PyTorch, MONAI and other packages that MONAI Label imports and that no datastore needs.

A module of these packages has every name that is asked of it: a class that can be subclassed, called, used as a
decorator, and that counts as nothing (false, zero, empty). The few things that are really used have modules of
their own beside this one.
"""

import importlib
import sys
from abc import ABCMeta
from collections.abc import Iterator, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

# Never the real ones, even where they are installed: they take seconds to import.
ALWAYS = ("torch", "monai", "ignite", "itk", "nrrd", "pydicom_seg", "timeloop")
# Only where they are missing; `distutils` went with Python 3.12.
WHERE_MISSING = ("distutils", "girder_client", "google", "jwt", "passlib", "psutil", "requests_toolbelt")

REAL = {
    "distutils.util": "words",
    "monai.transforms": "volumes",
    "monai.utils": "optional",
    "pydicom_seg": "segmentations",
}


class _AbsentType(ABCMeta):
    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return absent(name)


class Absent(metaclass=_AbsentType):
    """Something of a package that is not there."""

    def __init__(self, *args: Any, **options: Any) -> None:
        pass

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return Absent()

    def __call__(self, *args: Any, **options: Any) -> Any:
        return args[0] if len(args) == 1 and callable(args[0]) and not options else Absent()

    def __bool__(self) -> bool:
        return False

    def __index__(self) -> int:
        return 0

    def __len__(self) -> int:
        return 0

    def __iter__(self) -> Iterator[Any]:
        return iter(())


def absent(name: str) -> _AbsentType:
    """Make a class of that name; two names give two classes, so that both can be bases of a third."""
    return _AbsentType(name, (Absent,), {})


class _Module(ModuleType):
    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        value = absent(name)
        setattr(self, name, value)
        return value


class Finder:
    """Finds the modules of the packages named, and loads stand-ins for them."""

    def __init__(self, packages: Sequence[str]) -> None:
        self.packages = packages

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """Give a specification for a module that is stood in for."""
        if name.split(".")[0] not in self.packages:
            return None
        return ModuleSpec(name, self, is_package=True)  # type: ignore[arg-type]  # a loader by its methods

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Give the empty module."""
        return _Module(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Give it what is really used of it."""
        if real := REAL.get(module.__name__):
            written = importlib.import_module(f"{__name__}.{real}")
            vars(module).update({k: v for k, v in vars(written).items() if not k.startswith("_")})


def install() -> None:
    """Let imports of this process find the stand-ins."""
    sys.meta_path.insert(0, Finder(ALWAYS))
    sys.meta_path.append(Finder(WHERE_MISSING))
