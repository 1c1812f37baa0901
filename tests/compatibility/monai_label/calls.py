"""Makes a sequence of calls on a LocalDatastore and tells what each one gave, so that two packages can be compared."""

import datetime
import io
import json
import os
import zipfile
from collections.abc import Callable, Iterable, KeysView
from enum import Enum
from typing import Any

from monailabel.datastore.local import LocalDatastore
from monailabel.interfaces.datastore import DefaultLabelTag
from monailabel.interfaces.exception import MONAILabelException

Step = list[Any]  # the name of a method or of one of EXTRAS, then its arguments
MEMBERS: dict[str, Any] = {f"DefaultLabelTag.{tag.name}": tag for tag in DefaultLabelTag}


def run_all(runs: list[dict[str, Any]]) -> list[list[Any]]:
    """Carry out several sequences, each with a folder of its own."""
    return [run(**one) for one in runs]


def run(folder: str, steps: list[Step], constructor: dict[str, Any] | None = None) -> list[Any]:
    """Open the folder and carry out the steps; an exception is an answer like any other."""
    calls = Calls(folder, constructor or {})
    try:
        return [calls.make(*step) for step in steps]
    finally:
        calls.close()


def plain(value: Any) -> Any:
    """Turn what a method gave into what JSON can hold: bytes as Latin-1 text, enumerations as their values."""
    if isinstance(value, io.BytesIO):
        return {"bytes": value.getvalue().decode("latin-1")}
    if isinstance(value, Enum):
        return plain(value.value)
    if isinstance(value, dict):
        return {str(plain(key)): plain(item) for key, item in value.items()}
    if isinstance(value, (set, frozenset)):
        return sorted(plain(item) for item in value)
    if isinstance(value, (list, tuple, KeysView)):
        return [plain(item) for item in value]
    if hasattr(value, "model_dump"):
        return plain(value.model_dump())
    return value


def raised(error: Exception) -> dict[str, Any]:
    """Describe an exception by its classes and, where it is MONAI Label's, by its attributes."""
    answer: dict[str, Any] = {"raised": type(error).__name__}
    if isinstance(error, MONAILabelException):
        answer |= {"error": error.error.value, "msg": error.msg, "told": str(error)}
    return answer


def attempt(call: Callable[..., Any], *arguments: Any) -> Any:
    """Make a call and give what came of it, an exception included."""
    try:
        return plain(call(*arguments))
    except Exception as error:
        return raised(error)


class Calls:
    """An open datastore, and the further things that a step can do with its folder."""

    def __init__(self, folder: str, constructor: dict[str, Any]) -> None:
        self.folder = folder
        self.constructor = constructor
        self.store = LocalDatastore(folder, **constructor)

    def make(self, name: str, *arguments: Any) -> Any:
        """Carry out one step."""
        if name in EXTRAS:
            return EXTRAS[name](self, *arguments)
        return attempt(getattr(self.store, name), *(MEMBERS.get(str(a), a) for a in arguments))

    def close(self) -> None:
        """Close the datastore; MONAI Label's has nothing to close."""
        getattr(self.store, "close", lambda: None)()

    def reopen(self) -> None:
        """Open the folder anew, as another program would."""
        self.close()
        self.store = LocalDatastore(self.folder, **self.constructor)

    def document(self) -> str:
        """Give the text of datastore_v2.json as it is on disk when the datastore has been closed."""
        self.reopen()
        with open(os.path.join(self.folder, "datastore_v2.json"), encoding="ascii", newline="") as file:
            return file.read()

    def rewritten(self) -> str:
        """Give that text after a change that changes nothing but has it written."""
        self.store.set_name(self.store.name())
        return self.document()

    def put(self, path: str, content: str) -> None:
        """Write a file into the folder as another program would, replacing what is there."""
        full = os.path.join(self.folder, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full + ".part", "w", encoding="latin-1") as file:
            file.write(content)
        os.replace(full + ".part", full)

    def link(self, path: str, target: str) -> None:
        """Put a symbolic link into the folder."""
        os.makedirs(os.path.dirname(os.path.join(self.folder, path)), exist_ok=True)
        os.symlink(target, os.path.join(self.folder, path))

    def with_objects(self, image_id: str) -> Any:
        """Update an info with a date, a time and a set, which JSON has no form for."""
        moment = datetime.datetime(2024, 2, 29, 12, 30, tzinfo=datetime.UTC)
        info = {"date": moment.date(), "moment": moment, "set": {"one"}, "none": set()}
        return attempt(self.store.update_image_info, image_id, info)

    def archive(self, *arguments: Any) -> Any:
        """Tell what is in the archive."""
        path = self.store.get_dataset_archive(*arguments)
        with zipfile.ZipFile(path) as archive:
            names = sorted(archive.namelist())
            files = {n: archive.read(n).decode("latin-1") for n in names if n != "metadata.json"}
            answer = {"names": names, "files": files, "metadata": json.loads(archive.read("metadata.json"))}
        os.unlink(path)
        return answer

    def files(self) -> list[str]:
        """List the visible files below the folder, by their paths in it."""
        return sorted(_visible(self.folder))


def _visible(folder: str) -> Iterable[str]:
    for at, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (os.path.relpath(os.path.join(at, name), folder) for name in files if not name.startswith("."))


EXTRAS: dict[str, Callable[..., Any]] = {
    "archive": Calls.archive,
    "document": Calls.document,
    "files": Calls.files,
    "link": Calls.link,
    "put": Calls.put,
    "reopen": Calls.reopen,
    "rewritten": Calls.rewritten,
    "with_objects": Calls.with_objects,
}
