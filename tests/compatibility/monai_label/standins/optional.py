"""Stands in for the part of `monai.utils` whose results are unpacked."""

from typing import Any


def optional_import(module: str, *args: Any, **options: Any) -> tuple[None, bool]:
    """Say that the module is not there."""
    return None, False
