"""Names: what is refused, what is fine, and how a file's name splits into id and extension."""

import pytest

from monailabel import naming
from monailabel.interfaces.exception import InvalidInputException
from monailabel.naming import Extensions

REFUSED = {
    "nothing": "",
    "a way up": "../../x",
    "an absolute path": "/abs",
    "a path": "a/b",
    "a Windows path": "a\\b",
    "this folder": ".",
    "the folder above": "..",
    "a hidden name": ".hidden",
    "a NUL": "a\0b",
    "a newline": "a\nb",
    "a carriage return": "a\rb",
    "an escape": "a\x1bb",
    "a delete": "a\x7f",
    "a C1 control": "a\x85b",
    "a line separator": "a\u2028b",
    "a lone surrogate": "a\udcff",
    "more than a folder holds": "x" * 256,
    "more bytes than a folder holds": "頭" * 86,
    "no text": 7,
    "bytes": b"a",
}
FINE = [
    "case 7",
    " leading",
    "1.2.840.113619.2.55",
    "a..b",
    "頭" * 85,
    "رأس",
    "é",
    "e\u0301",
    "😀",
    "~",
    "-rf",
    "$x",
    "%2F",
    "a:b",
    "x" * 255,
]


@pytest.mark.parametrize("value", REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("check", [naming.image_id, naming.tag])
def test_what_leads_elsewhere_is_refused(check: object, value: object) -> None:
    """What could lead out of a folder, or no listing could show, is no id and no tag; the message says so."""
    assert callable(check)
    with pytest.raises(InvalidInputException, match="refused") as refusal:
        check(value)
    assert isinstance(refusal.value, ValueError)
    assert len(str(refusal.value)) < 300 and str(refusal.value).isprintable()


@pytest.mark.parametrize("value", FINE, ids=ascii)
def test_letters_of_any_script_are_fine(value: str) -> None:
    """Spaces, dots, and letters of any script are kept as they are, in ids and tags."""
    assert naming.image_id(value) == value
    assert naming.tag(value) == value


@pytest.mark.parametrize("value", ["con", "CON", "nul.x", "Lpt1", "COM¹", "aux .y", "CONIN$"])
def test_windows_devices_are_refused_for_new_files(value: str) -> None:
    """A name that Windows reserves makes no new file and no tag's folder; an id of an existing file may have it."""
    with pytest.raises(InvalidInputException, match="Windows"):
        naming.new_file("image id", value, ".nii")
    with pytest.raises(InvalidInputException, match="Windows"):
        naming.tag(value)
    assert naming.image_id(value) == value


@pytest.mark.parametrize("value", ["console", "com", "com10", "lpt", "xnul"])
def test_names_that_only_look_reserved_are_fine(value: str) -> None:
    """Names that merely begin like a device's are fine."""
    assert naming.new_file("image id", value, ".nii") == f"{value}.nii"


@pytest.mark.parametrize("value", ["/x", "/../x", ".nii/../../x", ".n\0", "\\x", ".\n", "."])
def test_a_hostile_extension_is_refused(value: str) -> None:
    """An extension that leads elsewhere, or is no more than a dot, is refused."""
    with pytest.raises(InvalidInputException, match="refused"):
        naming.extension(value)


@pytest.mark.parametrize("value", ["", ".nii.gz", "_ct.nii.gz", ".seg.nrrd", ".JPG"])
def test_an_extension_may_be_any_end(value: str) -> None:
    """Nothing, several suffixes, or an end without a dot at its beginning are extensions."""
    assert naming.extension(value) == value


def test_a_new_file_fits_a_folder() -> None:
    """Id and extension together must fit what a folder holds; the message says how much that is."""
    assert naming.new_file("image id", "x" * 248, ".nii.gz") == "x" * 248 + ".nii.gz"
    with pytest.raises(InvalidInputException, match="255"):
        naming.new_file("image id", "x" * 249, ".nii.gz")


@pytest.mark.parametrize("stem", ["a ", "a."])
def test_a_new_file_does_not_end_in_a_dot_or_space(stem: str) -> None:
    """Windows drops a dot or space at the end of a name, so no new file ends in one."""
    with pytest.raises(InvalidInputException):
        naming.new_file("image id", stem, "")
    assert naming.new_file("image id", stem, ".nii") == f"{stem}.nii"


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("C:\\Users\\ann\\a.nii.gz", "a.nii.gz"),
        ("/home/ann/a.nii.gz", "a.nii.gz"),
        ("a.nii.gz", "a.nii.gz"),
        ("\\\\server\\share/mixed\\a b.nii", "a b.nii"),
        ("folder/", ""),
    ],
)
def test_the_last_part_of_any_clients_path(path: str, name: str) -> None:
    """A client's path gives its last part, however that client separates them."""
    assert naming.file_name(path) == name


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [("A", "a", True), ("é", "e\u0301", True), ("É", "e\u0301", True), ("Straße", "STRASSE", True), ("a", "b", False)],
)
def test_names_that_one_disk_takes_for_the_same(one: str, other: str, same: bool) -> None:
    """Names that differ in letter case or Unicode form alone have one folded form."""
    assert (naming.folded(one) == naming.folded(other)) is same


@pytest.mark.parametrize(("name", "hidden"), [("._a.nii.gz", True), (".a", True), ("a.nii.gz", False), ("_a", False)])
def test_hidden_names(name: str, hidden: bool) -> None:
    """Names that begin with a dot are hidden, what macOS leaves beside files among them."""
    assert naming.is_hidden(name) is hidden


DEFAULT = ("*.nii.gz", "*.nii")
SPLITS = [
    (DEFAULT, "a.nii.gz", ("a", ".nii.gz")),
    (DEFAULT, "a.nii", ("a", ".nii")),
    (DEFAULT, "a.nii.b.nii.gz", ("a.nii.b", ".nii.gz")),
    (DEFAULT, "A.NII.GZ", ("A", ".NII.GZ")),
    (DEFAULT, "1.2.840.nii", ("1.2.840", ".nii")),
    (DEFAULT, "1.2.840", ("1.2.840", "")),
    (DEFAULT, "x.dcm", ("x", ".dcm")),
    (DEFAULT, "x.seg.nrrd", ("x", ".seg.nrrd")),
    (DEFAULT, "plain", ("plain", "")),
    (("*.jpg",), "IMG.JPG.jpg", ("IMG.JPG", ".jpg")),
    (("*.jpg",), "IMG.JPG", ("IMG", ".JPG")),
    (("*.gz", "*.nii.gz"), "a.nii.gz", ("a", ".nii.gz")),
    (("*.nii.gz", "*.gz"), "a.tar.b.gz", ("a.tar.b", ".gz")),
    (("*_ct.nii.gz",), "c_ct.nii.gz", ("c", "_ct.nii.gz")),
    (("*_ct.nii.gz", "*.nii.gz"), "c_ct.nii.gz", ("c", "_ct.nii.gz")),
    (("*_ct.nii.gz",), "c_pet.nii.gz", ("c_pet", ".nii.gz")),
    (("scan_*.nii.gz",), "scan_1.nii.gz", ("scan_1", ".nii.gz")),
    (("*",), "a.b.nii", ("a.b", ".nii")),
]


@pytest.mark.parametrize(("patterns", "name", "parts"), SPLITS, ids=[f"{s[1]} by {' '.join(s[0])}" for s in SPLITS])
def test_a_file_name_splits(patterns: tuple[str, ...], name: str, parts: tuple[str, str]) -> None:
    """Only the end is cut; of several extensions the longest wins, letter case apart; nothing gets lost."""
    assert Extensions(patterns).split(name) == parts
    assert "".join(parts) == name


@pytest.mark.parametrize(
    ("patterns", "name", "taken"),
    [
        (DEFAULT, "a.nii.gz", True),
        (DEFAULT, "a.NII", True),
        (DEFAULT, "a.png", False),
        (DEFAULT, "._a.nii.gz", False),
        (DEFAULT, ".nii.gz", False),
        ("*.png", "a.png", True),
        ("*_ct.nii.gz", "a.nii.gz", False),
        ("scan_[0-9].nii", "scan_7.nii", True),
        ("scan_?.nii", "scan_77.nii", False),
        ((), "a.nii", False),
        (("*",), "anything", True),
    ],
)
def test_patterns_decide_what_a_scan_takes(patterns: str | tuple[str, ...], name: str, taken: bool) -> None:
    """Patterns are globs without regard to letter case; hidden files match none."""
    assert Extensions(patterns).take(name) is taken


def test_the_earlier_pattern_ranks_first() -> None:
    """Of two files the one of the earlier pattern goes before; what no pattern names comes last."""
    extensions = Extensions(("*.nii.gz", "*.png"))
    assert extensions.rank("x.NII.GZ") < extensions.rank("x.png") < extensions.rank("x.dcm")


@pytest.mark.parametrize("pattern", ["", "a/*.nii", "*\0", 7])
def test_a_pattern_that_is_none_is_refused(pattern: object) -> None:
    """A pattern that names a path, or nothing, is refused."""
    with pytest.raises(InvalidInputException, match="refused"):
        Extensions((pattern,))  # type: ignore[arg-type]
