"""Draws a picture in a terminal: as itself where the terminal can show it, else in half blocks of 24-bit colour.

The protocols: https://sw.kovidgoyal.net/kitty/graphics-protocol/ and https://iterm2.com/documentation-images.html.
"""

import base64
import io
import os
import shutil
from collections.abc import Iterator, Mapping

PIXELS = 384  # of the longer side, where the terminal shows pixels
_PIECE = 4096  # characters that kitty takes at once
_UPPER_HALF = "\N{UPPER HALF BLOCK}"
_LEAST_LINES = 8

KITTY = ("kitty", "ghostty")
ITERM = ("iTerm.app", "WezTerm", "mintty", "rio")


def protocol(environment: Mapping[str, str] = os.environ) -> str | None:
    """Give how a terminal shows pictures: `kitty`, `iterm`, `blocks`, or None where it should not try.

    What passes a multiplexer (tmux, screen) is text alone.
    """
    term, program = environment.get("TERM", ""), environment.get("TERM_PROGRAM", "")
    if term in ("", "dumb") or environment.get("NO_COLOR"):
        return None
    if "TMUX" in environment or term.startswith(("screen", "tmux")):
        return "blocks"
    if "KITTY_WINDOW_ID" in environment or any(name in (term.removeprefix("xterm-"), program) for name in KITTY):
        return "kitty"
    return "iterm" if program in ITERM or environment.get("LC_TERMINAL") == "iTerm2" else "blocks"


def size(how: str) -> int:
    """Give the pixels of the longer side that fit."""
    if how != "blocks":
        return PIXELS
    columns, lines = shutil.get_terminal_size()
    return max(_LEAST_LINES, min(columns, 2 * (lines - 2), 160))


def drawn(png: bytes, how: str) -> Iterator[str]:
    """Give the lines to print."""
    if how == "kitty":
        yield _kitty(png)
    elif how == "iterm":
        yield f"\x1b]1337;File=inline=1;size={len(png)}:{base64.b64encode(png).decode()}\a"
    else:
        yield from _blocks(png)


def _kitty(png: bytes) -> str:
    text = base64.b64encode(png).decode()
    pieces = [text[n : n + _PIECE] for n in range(0, len(text), _PIECE)]
    keys = ["a=T,f=100,q=2,"] + [""] * (len(pieces) - 1)
    last = len(pieces) - 1
    return "".join(
        f"\x1b_G{key}m={int(n < last)};{piece}\x1b\\" for n, (key, piece) in enumerate(zip(keys, pieces, strict=True))
    )


def _blocks(png: bytes) -> Iterator[str]:
    """Draw two pixels with each character: the upper one in its colour, the lower one in the background's."""
    from PIL import Image

    with Image.open(io.BytesIO(png)) as decoded:
        picture = decoded.convert("RGB")
    width, height = picture.size
    data = picture.tobytes()
    rows = [[tuple(data[3 * n : 3 * n + 3]) for n in range(y * width, (y + 1) * width)] for y in range(height)]
    rows += [[(0, 0, 0)] * width] * (height % 2)
    for upper, lower in zip(rows[::2], rows[1::2], strict=True):
        cells = (
            f"\x1b[38;2;{u[0]};{u[1]};{u[2]};48;2;{v[0]};{v[1]};{v[2]}m{_UPPER_HALF}"
            for u, v in zip(upper, lower, strict=True)
        )
        yield "".join(cells) + "\x1b[0m"
