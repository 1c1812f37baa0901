"""`show` in a terminal: the picture, in whatever way the terminal can show it, and text alone anywhere else."""

import base64
import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from monailabel.datastore.local import LocalDatastore
from tests.unit.imaging.scans import Array, pixels

PLAIN = ("TERM_PROGRAM", "LC_TERMINAL", "KITTY_WINDOW_ID", "TMUX", "NO_COLOR", "COLUMNS", "LINES")
CELL = re.compile(r"\x1b\[38;2;(\d+);(\d+);(\d+);48;2;(\d+);(\d+);(\d+)m\u2580")


def shown(folder: Path, *words: str, **environment: str) -> str:
    """Run `show` on a terminal of 80 columns and 40 lines, and give what it wrote."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 80, 0, 0))
    kept = {name: value for name, value in os.environ.items() if name not in PLAIN}
    command = [sys.executable, "-m", "monailabel.cli", "show", str(folder), "mni152_t1", *words]
    environment = {"TERM": "xterm-256color"} | environment
    with subprocess.Popen(command, stdout=its, stderr=subprocess.PIPE, env={**kept, **environment}) as process:
        os.close(its)
        text = b""
        with suppress(OSError):  # the terminal's other end is closed
            while data := os.read(ours, 65536):
                text += data
        os.close(ours)
        assert process.stderr
        assert (process.wait(), process.stderr.read()) == (0, b"")
    return text.decode()


def half_blocks(text: str) -> Array:
    """Read the pixels that half blocks show: rows, columns, red, green, blue."""
    rows = []
    for line in text.splitlines():
        if cells := CELL.findall(line):
            colours = np.array(cells, int).reshape(-1, 2, 3)
            rows += [colours[:, 0], colours[:, 1]]
    return np.array(rows)


@pytest.mark.parametrize("tag", [(), ("--tag", "final")])
def test_any_terminal_shows_the_picture_in_half_blocks(brains: Path, tag: tuple[str, ...]) -> None:
    """Two pixels with each character, no larger than the window, above the text."""
    text = shown(brains, *tag)
    found = half_blocks(text)
    with LocalDatastore(str(brains)) as datastore:
        expected = pixels(datastore.preview("mni152_t1", *tag[1:], size=76))
    assert (found[: len(expected)] == expected).all()
    assert text.index("\u2580") < text.index("mni152_t1.nii.gz")


@pytest.mark.parametrize(
    "environment", [{"TERM": "xterm-kitty"}, {"KITTY_WINDOW_ID": "1"}, {"TERM_PROGRAM": "ghostty"}]
)
def test_kitty_shows_the_picture_itself(brains: Path, environment: dict[str, str]) -> None:
    """In pieces of at most 4096 characters, of which the last one says so."""
    pieces = re.findall(r"\x1b_G([^;]*);([^\x1b]*)\x1b\\", shown(brains, **environment))
    assert pieces[0][0].startswith("a=T,f=100,")
    assert [keys[-3:] for keys, _ in pieces] == ["m=1"] * (len(pieces) - 1) + ["m=0"]
    assert max(len(piece) for _, piece in pieces) <= 4096
    assert max(pixels(base64.b64decode("".join(piece for _, piece in pieces))).shape) == 384


def test_iterm_shows_the_picture_itself(brains: Path) -> None:
    """As an inline file."""
    found = re.search(r"\x1b]1337;File=inline=1;size=(\d+):([^\a]*)\a", shown(brains, TERM_PROGRAM="iTerm.app"))
    assert found
    picture = base64.b64decode(found[2])
    assert len(picture) == int(found[1]) and max(pixels(picture).shape) == 384


def test_inside_tmux_it_is_half_blocks(brains: Path) -> None:
    """What would not reach the terminal is not sent."""
    text = shown(brains, TERM="xterm-kitty", TMUX="/tmp/tmux-0/default,1,0")
    assert half_blocks(text).size and "\x1b_G" not in text


@pytest.mark.parametrize("environment", [{"TERM": "dumb"}, {"NO_COLOR": "1"}])
def test_who_wants_no_colours_gets_none(brains: Path, environment: dict[str, str]) -> None:
    """Text alone."""
    text = shown(brains, **environment)
    assert "mni152_t1.nii.gz" in text and "\u2580" not in text


def test_a_program_gets_text_alone(brains: Path) -> None:
    """Into a pipe, and with --json on a terminal too, nothing is drawn."""
    command = [sys.executable, "-m", "monailabel.cli", "show", str(brains), "mni152_t1", "--tag", "final"]
    ran = subprocess.run(command, capture_output=True, timeout=60, env={**os.environ, "TERM": "xterm-kitty"})
    assert ran.returncode == 0 and b"\x1b" not in ran.stdout
    assert "\x1b" not in shown(brains, "--json", TERM="xterm-kitty")


def test_an_image_that_cannot_be_drawn_is_told_of_all_the_same(brains: Path) -> None:
    """The reason is on stderr, the rest is shown, and it is no error."""
    (brains / "mni152_t1.nii.gz").write_bytes(b"spoilt")
    ours, its = pty.openpty()
    command = [sys.executable, "-m", "monailabel.cli", "show", str(brains), "mni152_t1"]
    environment = {**os.environ, "TERM": "xterm"}
    environment.pop("NO_COLOR", None)
    ran = subprocess.run(command, stdout=its, stderr=subprocess.PIPE, timeout=60, env=environment)
    os.close(its)
    assert b"mni152_t1.nii.gz" in os.read(ours, 65536)
    os.close(ours)
    assert ran.returncode == 0 and ran.stderr.count(b"\n") == 1 and b"cannot be shown" in ran.stderr


def test_a_label_that_is_not_there_is_an_error(brains: Path) -> None:
    """With the labels that there are."""
    command = [sys.executable, "-m", "monailabel.cli", "show", str(brains), "mni152_t1", "--tag", "draft"]
    ran = subprocess.run(command, capture_output=True, timeout=60, text=True)
    assert ran.returncode == 1 and "it has: final" in ran.stderr
