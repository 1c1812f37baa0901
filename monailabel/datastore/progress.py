"""How anything that takes long tells how far it has come."""

from collections.abc import Callable

Progress = Callable[[str, int, int | None], None]
"""Called with what is being done, how much of it is, and of how much in all (None where nobody knows)."""
