"""Which names are safe, and how a file's name splits into an id and an extension.

The one place where a word that came from a user becomes (part of) a path.
"""

import fnmatch
import re
import unicodedata
from collections.abc import Iterable
from enum import Enum

from monailabel.interfaces.exception import InvalidInputException

DEFAULT_EXTENSIONS = ("*.nii.gz", "*.nii")

# Extensions of two parts that belong together whatever else is configured.
COMPOUND = (".nii.gz", ".seg.nrrd", ".seg.nhdr", ".mgh.gz", ".img.gz", ".hdr.gz", ".ome.tif", ".ome.tiff", ".tar.gz")

MAX_NAME_BYTES = 255  # NAME_MAX of every common file system
MAX_EXTENSION = 10  # characters of one suffix, dot included; what is longer is part of the id

# https://learn.microsoft.com/windows/win32/fileio/naming-a-file
_WINDOWS_DEVICES = frozenset(
    ["con", "prn", "aux", "nul", "conin$", "conout$"]
    + [f"{port}{n}" for port in ("com", "lpt") for n in "123456789¹²³"]
)
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")  # Unicode's categories Cc, Zl, Zp and Cs
_USUAL = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,199}\Z")  # what most ids and tags are, and nothing is wrong with
_SUFFIX = re.compile(r"\.[A-Za-z0-9]*[A-Za-z][A-Za-z0-9]*$")


def image_id(value: object) -> str:
    """Check an image's id (a label's is the same) and give it as a plain string.

    Raises InvalidInputException for whatever could not safely be the beginning of a file's name.
    """
    return _checked("image id", value)


def tag(value: object) -> str:
    """Check a label's tag, which names a folder, and give it as a plain string."""
    text = _checked("tag", value)
    refuse_reserved("tag", text)
    return text


def extension(value: str) -> str:
    """Check the part of a file's name that follows the id; it may be empty."""
    if not isinstance(value, str) or (_trouble(value.lstrip(".")) and value):
        raise InvalidInputException(f"extension {value!r} refused: {_trouble(str(value).lstrip('.'))}")
    return value


def new_file(kind: str, stem: str, ext: str) -> str:
    """Give the name of a file that we are about to make, refusing what some disk could not hold."""
    refuse_reserved(kind, stem)
    name = stem + extension(ext)
    if len(name.encode()) > MAX_NAME_BYTES:
        raise InvalidInputException(
            f"{kind} {stem[:40]!r}… refused: its file name has {len(name.encode())} bytes, "
            f"and a folder holds at most {MAX_NAME_BYTES}; choose a shorter one"
        )
    if name[-1] in " .":
        raise InvalidInputException(f"{kind} {stem!r} refused: Windows drops a space or dot at the end of a file name")
    return name


def refuse_reserved(kind: str, stem: str) -> None:
    """Refuse a name that Windows takes for a device, such as `con` or `LPT1`."""
    if stem.split(".")[0].rstrip().lower() in _WINDOWS_DEVICES:
        raise InvalidInputException(f"{kind} {stem!r} refused: Windows reserves this name for a device; choose another")


def file_name(path: str) -> str:
    """Give the last part of a path as any client writes it, Windows paths included."""
    return path.replace("\\", "/").rpartition("/")[2]


def folded(name: str) -> str:
    """Give the form under which disks that ignore letter case and Unicode forms keep a name."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _checked(kind: str, value: object) -> str:
    if type(value) is str and _USUAL.match(value):
        return value
    text = value.value if isinstance(value, Enum) else value
    if not isinstance(text, str):
        raise InvalidInputException(f"{kind} {value!r} refused: it is {type(value).__name__}, not text")
    text = str(text)
    if trouble := _trouble(text):
        raise InvalidInputException(f"{kind} {text!r} refused: {trouble}")
    if text.startswith("."):
        raise InvalidInputException(f"{kind} {text!r} refused: names that begin with a dot are hidden files")
    if len(text.encode()) > MAX_NAME_BYTES:
        raise InvalidInputException(
            f"{kind} {text[:40]!r}… refused: it has {len(text.encode())} bytes, "
            f"and a file name holds at most {MAX_NAME_BYTES}"
        )
    return text


def _trouble(text: str) -> str:
    """Say why a text cannot be part of a file's name, `""` if it can."""
    if not text:
        return "it is empty"
    if "/" in text or "\\" in text:
        return "it holds a path separator"
    if unseen := _UNSEEN.search(text):
        return f"it holds the character U+{ord(unseen.group()):04X}, which file names should not"
    return ""


def is_hidden(name: str) -> bool:
    """Tell whether a listing passes over the file: hidden ones, and what AppleDouble leaves (`._a.nii.gz`)."""
    return name.startswith(".")


class Extensions:
    """The patterns (`*.nii.gz`, `*_ct.nii.gz`, any glob) that decide which files a scan takes in.

    What follows a pattern's last wildcard is an extension; letter case does not matter.
    """

    def __init__(self, patterns: str | Iterable[str] = DEFAULT_EXTENSIONS) -> None:
        self.patterns: tuple[str, ...] = (patterns,) if isinstance(patterns, str) else tuple(patterns)
        for pattern in self.patterns:
            if not isinstance(pattern, str) or not pattern or "/" in pattern or "\0" in pattern:
                raise InvalidInputException(f"extension pattern {pattern!r} refused: use a glob such as '*.nii.gz'")
        self._matches = [re.compile(fnmatch.translate(pattern), re.IGNORECASE).match for pattern in self.patterns]
        tails = [re.split(r"[*?\]]", p)[-1] for p in self.patterns]
        self._tails = frozenset(t.lower() for t in (*tails, *COMPOUND) if t)
        self._lengths = sorted({len(t) for t in self._tails}, reverse=True)

    def take(self, name: str) -> bool:
        """Tell whether a scan takes in a file of this name."""
        return not is_hidden(name) and self.rank(name) < len(self.patterns)

    def split(self, name: str) -> tuple[str, str]:
        """Split a file's name into id and extension: only the end is cut, and the longest extension wins.

        >>> Extensions(["*.nii"]).split("case.1.nii.gz")
        ('case.1', '.nii.gz')
        """
        lower = name.lower()
        for length in self._lengths if len(lower) == len(name) else ():
            if lower[-length:] in self._tails:
                return name[:-length], name[-length:]
        suffix = _SUFFIX.search(name)
        if suffix and suffix.start() > 0 and len(suffix.group()) <= MAX_EXTENSION:
            return name[: suffix.start()], suffix.group()
        return name, ""

    def rank(self, name: str) -> int:
        """Give the place of the first pattern that a name matches: of two files for one id, the lower wins."""
        for place, match in enumerate(self._matches):
            if match(name):
                return place
        return len(self.patterns)
