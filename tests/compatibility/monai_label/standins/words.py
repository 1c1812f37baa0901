"""Stands in for `distutils.util`."""


def strtobool(value: str) -> int:
    """Give 1 for a word that means yes, 0 for one that means no."""
    word = value.strip().lower()
    if word not in ("1", "true", "t", "yes", "y", "on", "0", "false", "f", "no", "n", "off"):
        raise ValueError(f"{value!r} is neither yes nor no")
    return int(word in ("1", "true", "t", "yes", "y", "on"))
