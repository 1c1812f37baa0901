"""Where the file of a name lies below a folder: in one of 256 sub-folders, or in a tree as it comes; and back.

A name is what the catalog, the document and every client know a file by: an id and its extension, for labels behind the
tag. It never holds a further `/`. Without a layout it is the file's place as it stands.
"""

import os
import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import suppress
from hashlib import sha256
from typing import Literal

from monailabel import naming
from monailabel.interfaces.exception import InvalidInputException

FLAT, SHARDED, NESTED = "flat", "sharded", "nested"

LayoutName = Literal["flat", "sharded"]
"""What a datastore can be made as."""

# What follows the id, as the name alone tells it. Files lie where this says: it must stay as it is for ever.
_END = re.compile(
    r"(?:\.nii\.gz|\.seg\.nrrd|\.seg\.nhdr|\.mgh\.gz|\.img\.gz|\.hdr\.gz|\.ome\.tiff?|\.tar\.gz"
    r"|\.(?=[0-9]*[a-z])[a-z0-9]{1,9})\Z",
    re.IGNORECASE | re.ASCII,
)
_NO_ESCAPE = re.compile("~(?![01])")


class Layout(ABC):
    """A rule by which files lie in sub-folders; places are relative to the folder, with `/` between their parts."""

    name: str

    @abstractmethod
    def place(self, name: str) -> str:
        """Give where the file of a name lies. Raises InvalidInputException where no file may lie."""

    @abstractmethod
    def name_of(self, place: str) -> str | None:
        """Give the name of a file that lies somewhere, None where none of that name ever does."""

    def id_of(self, stem: str) -> str:
        """Give the id of a file that comes without one, by its name without the extension."""
        return stem

    def check_new(self, name: str) -> None:
        """Refuse the name of a file that we are about to make where some disk could not hold what it stands for."""
        for part in self.place(name).split("/"):
            naming.image_id(part)
            naming.new_file("image id", part, "")


class Sharded(Layout):
    """Two levels of sixteen folders: the first two hexadecimal digits of the SHA-256 of the id, in UTF-8.

    >>> Sharded().place("final/case_7.nii.gz")
    'final/9/f/case_7.nii.gz'
    """

    name = SHARDED

    def place(self, name: str) -> str:
        """Give where a file lies: what comes before its own name stays before the two levels."""
        before, slash, file = name.rpartition("/")
        digits = sha256(_END.sub("", file).encode()).hexdigest()
        return f"{before}{slash}{digits[0]}/{digits[1]}/{file}"

    def name_of(self, place: str) -> str | None:
        """Give the name of a file that lies in the folder of its id."""
        *before, _, _, file = ["", "", *place.split("/")]
        name = "/".join([*filter(None, before), file])
        return name if self.place(name) == place else None


class Nested(Layout):
    """Folders as they come: in a name `~1` stands for `/` and `~0` for `~` (RFC 6901, section 3).

    No file lies in the folders `own`, given by their places.

    >>> Nested().place("ward~1bed_2~1case~0old.nii.gz")
    'ward/bed_2/case~old.nii.gz'
    """

    name = NESTED

    def __init__(self, own: Sequence[str] = ()) -> None:
        self._own = [naming.folded(place) + "/" for place in own]

    def place(self, name: str) -> str:
        """Give where a file lies."""
        if "~" not in name:
            return name
        if _NO_ESCAPE.search(name):
            raise InvalidInputException(
                f"{name!r} refused: where files lie in sub-folders, an id has ~1 for / and ~0 for ~"
            )
        place = name.replace("~1", "/").replace("~0", "~")
        if any(part[:1] in ("", ".") for part in place.split("/")):
            raise InvalidInputException(f"{name!r} refused: {place!r} leads out of the images' folder, or is hidden")
        if any(naming.folded(place).startswith(own) for own in self._own):
            raise InvalidInputException(f"{name!r} refused: {place!r} is among the datastore's own files or labels")
        return place

    def name_of(self, place: str) -> str | None:
        """Give the name of a file, wherever it lies but in the folders of others."""
        name = place.replace("~", "~0").replace("/", "~1")
        with suppress(InvalidInputException):
            self.place(name)
            return name
        return None

    def id_of(self, stem: str) -> str:
        """Give the id of a file that comes without one: its own name is one part of a place."""
        return stem.replace("~", "~0")


def layout_of(name: str, root: str, own: Sequence[str]) -> Layout | None:
    """Give the layout of that name for the files below `root`, None where they lie side by side.

    `own` are folders whose files are none of them.
    """
    if name == SHARDED:
        return Sharded()
    if name == NESTED:
        top = os.path.realpath(root)
        places = (os.path.relpath(os.path.realpath(path), top) for path in own)
        return Nested([place.replace(os.sep, "/") for place in places if not place.startswith(os.pardir)])
    return None
