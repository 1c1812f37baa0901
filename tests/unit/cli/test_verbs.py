"""The command line: every verb, what it prints for people and for programs, and how it ends."""

import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from monailabel import __version__
from monailabel.datastore.local import LocalDatastore
from tests.unit.cli.running import Run

LOOKING = [
    ["status"],
    ["list"],
    ["show", "a"],
    ["info", "a"],
    ["events"],
    ["history", "a"],
    ["export", "out.zip"],
    ["check"],
    ["check", "--deep"],
    ["backup", "backups"],
]
CHANGING = [
    ["add", "new.nii"],
    ["label", "a", "new.nii"],
    ["info", "a", "--set", "x=1"],
    ["remove", "a"],
    ["restore", "a"],
    ["refresh"],
    ["prune", "--keep", "1"],
    ["serve"],
]


@pytest.fixture
def folder(tmp_path: Path, run: Run) -> Path:
    """Give a datastore of three images; `a` has a final and an original label, `b` an original one."""
    made = tmp_path / "scans"
    for name in ("a.nii.gz", "b.nii.gz", "Case c.nii", "labels/final/a.nii.gz"):
        _write(made / name)
    for name in ("labels/original/a.nii.gz", "labels/original/b.nii.gz"):
        _write(made / name)
    assert run("refresh", made).status == 0
    return made


def _write(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(f"bytes of {path.name} in {path.parent.name}".encode())
    return path


def _tree(folder: Path) -> dict[str, bytes | None]:
    paths = sorted(folder.rglob("*"))
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None for path in paths}


def _with_folder(words: list[str], folder: Path) -> list[object]:
    return [words[0], folder, *words[1:]]


def test_version_is_the_packages(run: Run) -> None:
    """`--version` prints the name and the version."""
    assert run("--version") == (0, f"monailabel-datastore {__version__}\n", "")


def test_help_names_every_verb_with_a_sentence(run: Run) -> None:
    """The help has one whole sentence for each verb."""
    listed = re.findall(r"^  (\w+) +[A-Z].*\.$", run("--help").out.partition("Commands:")[2], re.MULTILINE)
    verbs = "serve demo status list show add label info remove restore refresh check prune history events export"
    assert set(verbs.split()) <= set(listed)


# ---- looking


def test_status_counts_images_and_labels(run: Run, folder: Path) -> None:
    """`status` tells a person how many images and labels there are."""
    rows = dict(line.split("\t") for line in run("status", folder).out.splitlines())
    assert (rows["total"], rows["completed"]) == ("3", "1")
    assert sorted(re.findall(r"\w+: \d", rows["labels"])) == ["final: 1", "original: 2"]


def test_status_as_json_is_the_librarys_with_name_and_problems(run: Run, folder: Path) -> None:
    """`status --json` gives the keys of the library's `status()`, name, description and what could not be taken in."""
    found = run("status", folder, "--json").json
    with LocalDatastore(str(folder), read_only=True) as datastore:
        expected = {**datastore.status(), "name": datastore.name(), "description": datastore.description()}
        more = {"history": {"versions": 0, "bytes": 0}, "head": datastore.head(), "problems": []}
        assert found == expected | more


def test_status_tells_what_a_scan_could_not_take_in(run: Run, folder: Path) -> None:
    """Two files for one id are a problem that `status` names, on stderr and in its JSON."""
    _write(folder / "a.nii")
    assert "a.nii" in run("status", folder).err
    (problem,) = run("status", folder, "--json").json["problems"]
    assert "a.nii" in problem


@pytest.mark.parametrize(
    ("filters", "ids"),
    [
        pytest.param([], ["Case c", "a", "b"], id="no filter gives every image"),
        pytest.param(["--tag", "final"], ["a"], id="--tag gives the images with such a label"),
        pytest.param(["--tag", "original"], ["a", "b"], id="--tag takes any tag"),
        pytest.param(["--unlabelled"], ["Case c", "b"], id="--unlabelled gives those without a final label"),
        pytest.param(["--unlabelled", "--tag", "original"], ["Case c"], id="--unlabelled --tag asks for that tag"),
        pytest.param(["--text", "CASE"], ["Case c"], id="--text finds ids in any letter case"),
        pytest.param(["--text", "zebra"], [], id="no match is no error"),
        pytest.param(["--tag", "final", "--text", "b"], [], id="filters are taken together"),
        pytest.param(["--tag", "final", "--tag", "original"], ["a", "b"], id="--tag twice: either"),
        pytest.param(["--state", "approved"], ["a"], id="--state gives the images in that state"),
        pytest.param(["--state", "approved", "--state", "unlabelled"], ["Case c", "a", "b"], id="--state twice"),
        pytest.param(["--annotator", "anna"], ["a"], id="--annotator gives those whose final label is theirs"),
        pytest.param(["--structure", "liver"], ["a"], id="--structure gives those with a label that names it"),
        pytest.param(["--info", "age=57"], ["b"], id="--info KEY=VALUE compares numbers as text"),
        pytest.param(["--info", "age"], ["a", "b"], id="--info KEY asks whether it is there"),
        pytest.param(["--info", "age=57", "--info", "age=60"], ["a", "b"], id="--info twice with a key: either"),
        pytest.param(["--info", "site.name=K=1", "--info", "age"], ["b"], id="--info with dots and equals signs"),
        pytest.param(["--sort", "-id", "--limit", "2"], ["Case c", "b"], id="--limit takes the first of an order"),
        pytest.param(
            ["--sort", "-id", "--skip", "1", "--limit", "1"], ["b"], id="--skip passes over the first of them"
        ),
    ],
)
def test_list_gives_the_images_that_pass_its_filters(
    run: Run, folder: Path, filters: list[str], ids: list[str]
) -> None:
    """`list` prints the ids of the images that were asked for, one a line, and the same as JSON."""
    reviewed = {"client_id": "anna", "label_info": [{"name": "liver"}], "segmentationMeta": {"status": "approved"}}
    with LocalDatastore(folder) as datastore:
        datastore.update_image_info("a", {"age": 60})
        datastore.update_image_info("b", {"age": 57, "site": {"name": "K=1"}})
        datastore.update_label_info("a", "final", reviewed)
    ran = run("list", folder, *filters)
    assert ran.status == 0
    assert sorted(line.split("\t")[0] for line in ran.out.splitlines()) == ids
    assert sorted(entry["id"] for entry in run("list", folder, *filters, "--json").json) == ids


def test_list_tells_each_images_tags(run: Run, folder: Path) -> None:
    """Each line, and each JSON object, has the tags of the image's labels, and what else is told of it."""
    lines = run("list", folder, "--tag", "final").out.splitlines()
    (entry,) = run("list", folder, "--tag", "final", "--json").json
    with LocalDatastore(folder) as datastore:
        assert [entry] == datastore.find_images(tag="final").images
    assert lines == ["\t".join(["a", " ".join(entry["tags"]), "labelled", "unknown", entry["time"]])]
    assert sorted(entry["tags"]) == ["final", "original"]


def test_show_tells_where_an_image_and_its_labels_lie(run: Run, folder: Path) -> None:
    """`show` has the paths and infos of the image and of every label."""
    found = run("show", folder, "a", "--json").json
    assert found["id"] == "a"
    assert found["path"] == str(folder / "a.nii.gz")
    assert found["info"]["name"] == "a.nii.gz"
    assert found["labels"]["final"]["path"] == str(folder / "labels/final/a.nii.gz")
    assert found["labels"]["original"]["info"]["name"] == "a.nii.gz"
    shown = run("show", folder, "a").out
    assert "label final" in shown
    assert str(folder / "labels/original/a.nii.gz") in shown


def test_show_cannot_steer_a_terminal(run: Run, folder: Path) -> None:
    """An info with escape sequences is printed with them spelt out."""
    with LocalDatastore(str(folder)) as datastore:
        datastore.update_image_info("a", {"note": "\x1b[2Jgone\u202e"})
    assert r"\u001b[2Jgone\u202e" in run("show", folder, "a").out


def test_export_writes_the_labelled_images(run: Run, folder: Path, tmp_path: Path) -> None:
    """`export` makes a ZIP file of the images with a final label, their labels and the metadata, and no other file."""
    out = tmp_path / "out" / "set.zip"
    out.parent.mkdir()
    assert run("export", folder, out, "--json").json == {"file": str(out), "size": out.stat().st_size}
    with zipfile.ZipFile(out) as archive:
        assert sorted(archive.namelist()) == ["image/a.nii.gz", "label/a.nii.gz", "metadata.json"]
        assert archive.read("image/a.nii.gz") == (folder / "a.nii.gz").read_bytes()
    assert os.listdir(out.parent) == ["set.zip"]


def test_export_replaces_a_file_only_when_told_to(run: Run, folder: Path, tmp_path: Path) -> None:
    """A file that is there stays, unless `--force` is given."""
    out = tmp_path / "set.zip"
    out.write_text("mine")
    assert run("export", folder, out).status == 1
    assert out.read_text() == "mine"
    assert run("export", folder, out, "--force").status == 0
    assert zipfile.is_zipfile(out)


def test_export_of_nothing_says_so_and_leaves_nothing(run: Run, tmp_path: Path) -> None:
    """Where no image has a final label, `export` ends with 1 and makes no file."""
    _write(tmp_path / "scans" / "a.nii.gz")
    ran = run("export", tmp_path / "scans", tmp_path / "set.zip")
    assert (ran.status, ran.out) == (1, "")
    assert os.listdir(tmp_path) == ["scans"]


def test_history_tells_what_happened_to_an_image_and_who_did_it(run: Run, folder: Path) -> None:
    """`history` lists the image's events in order, and `--tag` the versions of one label."""
    new = _write(folder.parent / "new.nii.gz")
    run("label", folder, "a", new, "--tag", "final")
    found = run("history", folder, "a", "--json").json
    assert {event["image"] for event in found} == {"a"}
    assert [event["seq"] for event in found] == sorted(event["seq"] for event in found)
    assert found[-1]["tag"] == "final"
    assert found[-1]["actor"]
    assert len(run("history", folder, "a").out.splitlines()) == len(found)
    assert [v["version"] for v in run("history", folder, "a", "--tag", "final", "--json").json] == [1, 2]


def test_events_can_be_followed_from_a_number(run: Run, folder: Path) -> None:
    """`events --after N --limit M` gives the next M events."""
    everything = run("events", folder, "--json").json
    assert [event["seq"] for event in everything] == list(range(1, len(everything) + 1))
    assert run("events", folder, "--after", 2, "--limit", 3, "--json").json == everything[2:5]
    assert len(run("events", folder).out.splitlines()) == len(everything)


# ---- changing


def test_add_copies_images_in(run: Run, folder: Path, tmp_path: Path) -> None:
    """`add` takes several files, and each gets its file name's id."""
    files = [_write(tmp_path / "from" / name) for name in ("x.nii", "y.nii.gz")]
    assert run("add", folder, *files).out == 'added image "x"\nadded image "y"\n'
    assert (folder / "y.nii.gz").read_bytes() == files[1].read_bytes()
    assert {"x", "y"} <= {entry["id"] for entry in run("list", folder, "--json").json}


def test_add_takes_an_id_and_info(run: Run, folder: Path, tmp_path: Path) -> None:
    """`add --id --set` names the image and says what is known of it."""
    file = _write(tmp_path / "from" / "x.nii")
    ran = run("add", folder, file, "--id", "patient 7", "--set", "age=57", "--set", "site=Ulm", "--json")
    assert ran.json == [{"id": "patient 7", "file": str(file)}]
    info = run("info", folder, "patient 7", "--json").json
    assert (info["age"], info["site"]) == (57, "Ulm")


def test_add_makes_the_folder_when_told_to(run: Run, tmp_path: Path) -> None:
    """`add --create` makes a folder that was not there."""
    file = _write(tmp_path / "x.nii")
    assert run("add", tmp_path / "new" / "scans", file, "--create").status == 0
    assert (tmp_path / "new" / "scans" / "x.nii").is_file()


def test_add_tells_what_it_added_before_a_failure(run: Run, folder: Path, tmp_path: Path) -> None:
    """Where the second file is not there, the first is in the datastore and was told; the exit status is 1."""
    ran = run("add", folder, _write(tmp_path / "x.nii"), tmp_path / "nowhere.nii", "--json")
    assert ran.status == 1
    assert [one["id"] for one in ran.json] == ["x"]
    assert "nowhere.nii" in ran.err


def test_label_saves_a_label_with_its_info(run: Run, folder: Path, tmp_path: Path) -> None:
    """`label` stores the file under its tag, `final` where none is named."""
    file = _write(tmp_path / "mask.nii.gz")
    assert run("label", folder, "b", file, "--json").json == {"image": "b", "label": "b", "tag": "final"}
    assert run("label", folder, "b", file, "--tag", "second", "--set", "client_id=anna").status == 0
    assert (folder / "labels/final/b.nii.gz").read_bytes() == file.read_bytes()
    assert run("info", folder, "b", "--tag", "second", "--json").json["client_id"] == "anna"


def test_info_sets_json_where_it_parses_and_text_elsewhere(run: Run, folder: Path) -> None:
    """`info --set` merges values into the info, of an image and of a label."""
    run("info", folder, "a", "--set", 'size=[1, 2, {"x": null}]', "--set", "note=a=b, c")
    run("info", folder, "a", "--tag", "final", "--set", "ok=true")
    found = run("info", folder, "a", "--json").json
    assert (found["size"], found["note"], found["name"]) == ([1, 2, {"x": None}], "a=b, c", "a.nii.gz")
    assert run("info", folder, "a", "--tag", "final", "--json").json["ok"] is True
    assert "note\ta=b, c" in run("info", folder, "a").out.splitlines()


def test_remove_takes_one_label_or_the_image_with_all(run: Run, folder: Path) -> None:
    """`remove --tag` removes that label alone; `remove` the image and every label."""
    assert run("remove", folder, "a", "--tag", "final").status == 0
    assert not (folder / "labels/final/a.nii.gz").exists()
    assert (folder / "labels/original/a.nii.gz").exists()
    assert run("remove", folder, "a", "--json").json == {"image": "a", "tag": None}
    assert not (folder / "a.nii.gz").exists()
    assert not (folder / "labels/original/a.nii.gz").exists()


def test_restore_brings_back_an_image_and_its_labels(run: Run, folder: Path) -> None:
    """What `remove` took, `restore` brings back with the same bytes."""
    before = (folder / "a.nii.gz").read_bytes(), (folder / "labels/final/a.nii.gz").read_bytes()
    run("remove", folder, "a")
    assert run("restore", folder, "a", "--json").json == {"image": "a", "tag": None, "version": 2}
    assert ((folder / "a.nii.gz").read_bytes(), (folder / "labels/final/a.nii.gz").read_bytes()) == before


def test_restore_of_what_is_there_wants_a_version(run: Run, folder: Path) -> None:
    """It would put an earlier version in the place of the present one: which, is to be said."""
    for what in ([], ["--tag", "final"]):
        ran = run("restore", folder, "a", *what)
        assert ran.status == 1 and "is there" in ran.err and "version" in ran.err
        assert run("restore", folder, "a", *what, "--version", 1).status == 0


def test_restore_brings_back_a_version_of_a_label(run: Run, folder: Path, tmp_path: Path) -> None:
    """`restore --tag --version` makes an earlier version the newest; a removed label needs no number."""
    label = folder / "labels/final/a.nii.gz"
    before = label.read_bytes()
    run("label", folder, "a", _write(tmp_path / "other.nii.gz"))
    assert run("restore", folder, "a", "--tag", "final", "--version", 1).status == 0
    assert label.read_bytes() == before
    run("remove", folder, "a", "--tag", "final")
    assert run("restore", folder, "a", "--tag", "final").status == 0
    assert label.read_bytes() == before


def test_refresh_takes_in_new_files_and_prints_the_status(run: Run, folder: Path) -> None:
    """A file that was copied in is counted after `refresh`."""
    _write(folder / "d.nii")
    assert run("refresh", folder, "--json").json["total"] == 4


def test_check_of_a_sound_folder_ends_with_0(run: Run, folder: Path) -> None:
    """Where nothing is wrong `check` lists nothing that stands and ends with 0."""
    ran = run("check", folder, "--json")
    assert ran.status == 0
    assert not any(finding["stands"] for finding in ran.json)


def test_check_ends_with_1_while_something_stands(run: Run, folder: Path) -> None:
    """`check` names what it found, with its kind and remedy, one a line, and the same as JSON."""
    (folder / "b.nii.gz").unlink()
    ran = run("check", folder)
    assert ran.status == 1
    (line,) = (line.split("\t") for line in ran.out.splitlines() if line.startswith("stands\tmissing"))
    assert str(folder / "b.nii.gz") in line[2] and "put it back" in line[3]
    asked = run("check", folder, "--json")
    (finding,) = (finding for finding in asked.json if finding["stands"])
    assert (asked.status, set(finding)) == (1, {"kind", "what", "remedy", "repaired", "stands"})
    assert [finding["kind"], finding["what"], finding["remedy"]] == line[1:]


def test_the_command_that_the_error_names_mends_the_folder(run: Run, folder: Path) -> None:
    """A document cut short in a folder without a catalog: the error's own command brings back what can be read."""
    run("info", folder, "a", "--set", "age=57")
    shutil.rmtree(folder / ".monailabel")
    text = (folder / "datastore_v2.json").read_text()
    (folder / "datastore_v2.json").write_text(text[: text.index('"b"')])
    ran = run("status", folder)
    named = re.search("`monailabel-datastore (.+?)`", ran.err)
    assert ran.status == 1 and named
    assert run("check", folder).status == 1
    assert run(*named.group(1).split(" ", 2)).status == 0
    assert run("info", folder, "a", "--json").json["age"] == 57
    assert run("status", folder, "--json").json["label_tags"] == {"final": 1, "original": 2}
    assert run("check", folder).status == 0


# ---- how it ends


@pytest.mark.parametrize("words", LOOKING + CHANGING, ids=" ".join)
def test_a_mistyped_folder_is_an_error(run: Run, tmp_path: Path, words: list[str]) -> None:
    """No verb makes a datastore of a folder that is not there: it says so in one line and ends with 1."""
    ran = run(*_with_folder(words, tmp_path / "brians"))
    assert (ran.status, ran.out.replace("[]\n", "")) == (1, "")
    assert re.fullmatch(r"monailabel-datastore: .*brians.*not found.*\n", ran.err)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("words", LOOKING, ids=" ".join)
@pytest.mark.parametrize("option", [[], ["--read-only"]], ids=["plain folder", "read-only"])
def test_looking_leaves_a_folder_as_it_is(
    run: Run, brains: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], option: list[str]
) -> None:
    """A verb that looks does not make a datastore of a folder with images, and lists what is there."""
    monkeypatch.chdir(brains.parent)
    before = _tree(brains)
    ran = run(*_with_folder(["mni152_t1" if word == "a" else word for word in words], brains), *option)
    assert ran.status == 0
    assert _tree(brains) == before


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["nonsense"],
        ["status"],
        ["list", "{folder}", "--nonsense"],
        ["show", "{folder}"],
        ["add", "{folder}"],
        ["add", "{folder}", "x.nii", "y.nii", "--id", "one"],
        ["info", "{folder}", "a", "--set", "no equals sign"],
        ["restore", "{folder}", "a", "--version", "0"],
        ["info", "{folder}", "a", "--set", "x=1", "--read-only"],
        ["check", "{folder}", "--repair", "--read-only"],
        ["serve", "{folder}", "--port", "http"],
        ["serve", "{folder}", "--extensions", ","],
        ["events", "{folder}", "--limit", "0"],
        ["prune", "{folder}"],
        ["prune", "{folder}", "--older-than", "soon"],
        ["prune", "{folder}", "--older-than", "999999w"],
        ["prune", "{folder}", "--keep", "-1"],
        ["remove", "{folder}", "a", "--tag", "final", "--purge", "--yes"],
        ["list", "{folder}", "--limit", "0"],
    ],
    ids=" ".join,
)
def test_wrong_usage_ends_with_2(run: Run, folder: Path, words: list[str]) -> None:
    """What is no command line changes nothing and ends with 2 and a hint."""
    ran = run(*(word.format(folder=folder) for word in words))
    assert ran.status == 2
    assert "Usage:" in ran.out + ran.err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["show", "zebra"], 'image "zebra" not found'),
        (["info", "zebra"], 'image "zebra" not found'),
        (["info", "zebra", "--set", "x=1"], "zebra"),
        (["info", "a", "--tag", "second"], 'label "second" of image "a" not found; it has: '),
        (["label", "zebra", "{file}"], "zebra"),
        (["label", "a", "{file}", "--tag", "../out"], "../out"),
        (["add", "{file}", "--id", "../out"], "../out"),
        (["add", "nowhere.nii"], "nowhere.nii"),
        (["remove", "zebra"], "zebra"),
        (["remove", "b", "--tag", "final"], 'label "final" of image "b" not found; it has: original'),
        (["restore", "zebra"], "zebra"),
        (["restore", "b", "--tag", "final"], "final"),
        (["history", "zebra"], 'image "zebra" not found'),
        (["history", "a", "--tag", "second"], 'label "second" of image "a" not found'),
        (["export", "nowhere/out.zip"], "nowhere/out.zip"),
        (["prune", "zebra", "--keep", "0", "--yes"], 'image "zebra" not found'),
        (["remove", "zebra", "--purge", "--yes"], 'image "zebra" not found'),
        (["remove", "a", "--purge"], "--yes"),
        (["list", "--sort", "age"], "there are id, time, added, size, state"),
        (["list", "--state", "done"], "there are unlabelled, labelled, flagged, approved"),
        (["list", "--info", "=57"], "name a key"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_goes_wrong_is_said_in_one_sentence(
    run: Run, folder: Path, tmp_path: Path, words: list[str], sentence: str
) -> None:
    """An error is one line on stderr that names what it is about; the exit status is 1 and the folder is unchanged."""
    file = _write(tmp_path / "file.nii.gz")
    before = run("list", folder, "--json").json
    ran = run(*_with_folder([word.format(file=file) for word in words], folder))
    assert (ran.status, ran.out) == (1, "")
    assert ran.err.count("\n") == 1
    assert ran.err.startswith("monailabel-datastore: ")
    assert sentence in ran.err
    assert run("list", folder, "--json").json == before


def test_a_damaged_document_is_said_in_one_sentence(run: Run, tmp_path: Path) -> None:
    """Where datastore_v2.json is damaged and there is no catalog, the error names the file."""
    _write(tmp_path / "scans" / "a.nii.gz")
    (tmp_path / "scans" / "datastore_v2.json").write_text("{")
    ran = run("status", tmp_path / "scans")
    assert (ran.status, ran.err.count("\n")) == (1, 1)
    assert "datastore_v2.json" in ran.err


def test_a_catalog_of_garbage_leaves_no_traceback(run: Run, folder: Path) -> None:
    """Whatever lies where the catalog was, a user sees one sentence or a working datastore."""
    for path in (folder / ".monailabel").rglob("*"):
        if path.is_file():
            path.write_bytes(b"garbage" * 1000)
    ran = run("status", folder)
    assert ran.status in (0, 1)
    assert len(ran.err.splitlines()) <= 1 or ran.status == 0


# ---- as a process of its own


@contextmanager
def _process(*words: object, **options: Any) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "monailabel.cli", *map(str, words)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    with subprocess.Popen(command, text=True, **pipes) as process:
        try:
            yield process
        finally:
            process.kill()


def test_help_starts_without_what_only_other_verbs_need() -> None:
    """`--help` imports no web server, array library, database or model classes: that makes it quick."""
    command = [sys.executable, "-X", "importtime", "-m", "monailabel.cli", "--help"]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    imported = {line.split("|")[-1].strip().partition(".")[0] for line in ran.stderr.splitlines()}
    assert "typer" in imported
    assert not imported & {"fastapi", "granian", "nibabel", "numpy", "apsw", "pydantic", "rich", "watchfiles"}


def test_a_reader_that_leaves_early_is_no_error(folder: Path) -> None:
    """`list FOLDER | head -0` ends with 0 and without a word."""
    reading, writing = os.pipe()
    os.close(reading)
    with _process("list", folder, stdout=writing) as process:
        os.close(writing)
        _, errors = process.communicate()
        assert errors == ""
    assert process.returncode == 0


def test_on_a_terminal_columns_have_headings(folder: Path) -> None:
    """`list` on a terminal prints a table with a heading."""
    ours, its = pty.openpty()
    with _process("list", folder, stdout=its) as process, open(ours, "rb", buffering=0) as terminal:
        os.close(its)
        assert re.sub(r"\x1b\[[\d;]*m", "", terminal.readline().decode()).split() == [
            "image", "labels", "state", "annotator", "changed",
        ]  # fmt: skip
        terminal.read(4096)
        process.wait()
    assert process.returncode == 0


def test_serve_prints_its_address_and_ends_with_0_on_ctrl_c(brains: Path) -> None:
    """`serve` answers at the address that it prints, and SIGINT stops it quietly."""
    with _process("serve", brains, "--port", 0) as process:
        assert process.stdout
        address = re.search(r"http://127\.0\.0\.1:\d+", process.stdout.readline())
        assert address
        with urlopen(f"{address.group()}/datastore/?output=all") as answer:
            assert "mni152_t1" in json.load(answer)["objects"]
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
    assert process.returncode == 0
    assert "Traceback" not in errors


def test_serve_takes_the_folder_from_the_environment(brains: Path) -> None:
    """Without FOLDER, `serve` takes MONAI_LABEL_STUDIES, as MONAI Label's server does."""
    environment = {**os.environ, "MONAI_LABEL_STUDIES": str(brains)}
    with _process("serve", "--port", 0, env=environment) as process:
        assert process.stdout
        assert str(brains) in process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)


def test_serve_does_not_let_other_machines_in_by_mistake(run: Run, brains: Path) -> None:
    """Listening on every address needs `--insecure`."""
    ran = run("serve", brains, "--host", "0.0.0.0")
    assert (ran.status, ran.err.count("\n")) == (1, 1)
    assert "--insecure" in ran.err


def test_the_read_only_variable_holds_for_every_verb(
    run: Run, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With MONAI_LABEL_DATASTORE_READ_ONLY no verb changes anything, and each says why."""
    (tmp_path / "new.nii").write_bytes(b"new")
    monkeypatch.setenv("MONAI_LABEL_DATASTORE_READ_ONLY", "true")
    for words in (
        ["add", folder, tmp_path / "new.nii"],
        ["remove", folder, "a"],
        ["info", folder, "a", "--set", "x=1"],
    ):
        result = run(*words)
        assert result.status == 1 and "read-only" in result.err
    assert run("list", folder).status == 0
    monkeypatch.delenv("MONAI_LABEL_DATASTORE_READ_ONLY")
    assert "new" not in run("list", folder).out and "x" not in run("info", folder, "a", "--json").json


def _damaged(run: Run, folder: Path) -> Path:
    """Add an image and change a byte of it as a failing disk does: neither size nor time tell."""
    assert run("add", folder, _write(folder.parent / "new.nii")).status == 0
    path = folder / "new.nii"
    facts = path.stat()
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    return path


def test_check_reads_every_file_when_told_to(run: Run, folder: Path) -> None:
    """`check --deep` names a file whose bytes changed though neither its size nor its time did."""
    path = _damaged(run, folder)
    assert run("check", folder).status == 0
    ran = run("check", folder, "--deep")
    assert ran.status == 1 and str(path) in ran.out


def test_check_compares_a_head(run: Run, folder: Path) -> None:
    """`check --head` ends with 0 for the head of this datastore, with 1 for another, and refuses what is none."""
    with LocalDatastore(folder) as store:
        head = store.head()
    assert run("check", folder, "--head", head).status == 0
    ran = run("check", folder, "--head", "999:" + "0" * 64)
    assert ran.status == 1 and "cut off" in ran.out
    assert run("check", folder, "--head", "nonsense").status == 1


def test_a_backup_and_the_way_back(run: Run, folder: Path, tmp_path: Path) -> None:
    """`backup` says where it lies, the next one what it shares with that, and `restore-backup` that all is well."""
    ran = run("backup", folder, tmp_path / "backups")
    assert ran.status == 0 and str(tmp_path / "backups") in ran.out
    again = run("backup", folder, tmp_path / "backups", "--deep", "--json")
    assert (again.status, again.json["copied"], again.json["lacks"]) == (0, 0, []) and again.json["unchanged"] > 0
    up = run("restore-backup", tmp_path / "backups", tmp_path / "up")
    assert up.status == 0 and again.json["path"] in up.err
    listed = [run("list", place, "--json").json for place in (folder, tmp_path / "up")]
    assert listed[0] == listed[1]
    refused = run("restore-backup", tmp_path / "backups", folder)
    assert refused.status == 1 and "not empty" in refused.err


def test_a_backup_that_lacks_something_ends_with_1(run: Run, folder: Path, tmp_path: Path) -> None:
    """A file that could not be copied as it should be is named, by the backup and by bringing it up."""
    path = _damaged(run, folder)
    ran = run("backup", folder, tmp_path / "backups")
    assert ran.status == 1 and "lacks image 'new'" in ran.out
    up = run("restore-backup", tmp_path / "backups", tmp_path / "up")
    assert up.status == 1 and path.name in up.out
