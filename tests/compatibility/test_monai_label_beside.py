"""With both packages on the path ours is the datastore, and MONAI Label's other modules are found behind it."""

from tests.compatibility.monai_label import released
from tests.compatibility.monai_label.children import Package, ask


def test_ours_earlier_on_the_path_is_the_one_that_is_imported() -> None:
    """The datastore and the interfaces are ours, everything else is MONAI Label's."""
    found = ask(Package.BESIDE, "package")
    ours, theirs = str(released.PROJECT / "monailabel"), str(released.RELEASED / "monailabel")
    assert found["file"].startswith(ours)
    assert {m: f.startswith(theirs if m == "monailabel.config" else ours) for m, f in found["modules"].items()} == (
        dict.fromkeys(found["modules"], True)
    )


def test_the_version_is_ours() -> None:
    """`monailabel.__version__` is this project's, with MONAI Label beside it and without."""
    assert ask(Package.BESIDE, "package")["version"] == _version() != released.VERSION


def _version() -> str:
    text = (released.PROJECT / "monailabel" / "__init__.py").read_text()
    return text.split('__version__ = "')[1].split('"')[0]


def test_what_monai_labels_own_package_defines_is_handed_on() -> None:
    """`monailabel.print_config` is there, and `monailabel.__basedir__` is the folder of MONAI Label's files."""
    found = ask(Package.BESIDE, "package")
    assert found["print_config"]
    assert found["basedir"] == str(released.RELEASED / "monailabel")
