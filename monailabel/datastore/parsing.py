"""Reads datastore_v2.json, whoever wrote it: as one of our files, and as a document."""

import json
import os
import shlex
import time
from codecs import BOM_UTF8
from typing import TYPE_CHECKING

from monailabel.files.entering import NO_FILE, open_regular
from monailabel.interfaces.exception import DamagedDatastoreException

if TYPE_CHECKING:
    from monailabel.documents import LocalDatastoreModel


def read_file(path: str) -> bytes | None:
    """Read one of our files; what has its place and is none, such as a link, reads as nothing."""
    try:
        with os.fdopen(open_regular(path, getattr(os, "O_NOFOLLOW", 0)), "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno in NO_FILE:
            return b""
        raise


def parse(data: bytes, path: str) -> "LocalDatastoreModel":
    """Read a document; DamagedDatastoreException names the file and the command that mends it."""
    from monailabel.documents import LocalDatastoreModel

    try:
        return LocalDatastoreModel.model_validate(json.loads(data.removeprefix(BOM_UTF8).decode("utf-8")))
    except (ValueError, RecursionError) as error:
        reason = _reason(error)
        raise DamagedDatastoreException(
            f"{path} cannot be read ({reason}); `monailabel-datastore check --repair "
            f"{shlex.quote(os.path.dirname(path))}` sets it aside and keeps all of it that can be read"
        ) from error


def _reason(error: Exception) -> str:
    """Say what is wrong with a document, and where: pydantic's ValidationError knows, and is a ValueError."""
    first = next(iter(getattr(error, "errors", list)()), None)
    if first is None:
        return str(error).splitlines()[0]
    return f"{' → '.join(map(str, first['loc']))}: {first['msg'].lower()}"


def patient(path: str) -> "LocalDatastoreModel | None":
    """Read a document without its lock: half of one, met while MONAI Label writes it in place, is read again."""
    for attempt in range(5):
        data = read_file(path)
        try:
            return None if data is None else parse(data, path)
        except DamagedDatastoreException:
            if attempt == 4:
                raise
            time.sleep(0.05)
    return None
