"""Keeps images for a while that belong to no datastore: what a client sends to work on, until it expires."""

import json
import os
import re
import secrets
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from monailabel import naming
from monailabel.interfaces.exception import InvalidInputException, MONAILabelError, MONAILabelException
from monailabel.server import unpacking

DEFAULT_PATH = os.path.join("~", ".cache", "monailabel", "sessions")
SHORTEST = 60  # seconds; MONAI Label takes a shorter expiry for a mistake
DEFAULT_EXPIRY = 3600
META = "meta.info"
IMAGE = "image"
ABANDONED = 24 * 3600  # seconds after which what no upload finished is cleaned up

_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class SessionNotFoundException(MONAILabelException):
    """No session has that id, or it has expired."""

    def __init__(self, session_id: str) -> None:
        super().__init__(MONAILabelError.APP_ERROR, f"session {session_id[:40]!r} not found; it may have expired")


@dataclass
class Session:
    """One session: its id in `name`, its folder, its image (a file, or a folder of several); times in seconds."""

    name: str
    path: str
    image: str
    meta: dict[str, Any] = field(default_factory=dict)
    create_ts: int = 0
    last_access_ts: int = 0
    expiry: int = 0

    def described(self) -> dict[str, Any]:
        """Give it as clients read it."""
        return asdict(self)

    def expired(self) -> bool:
        """Tell whether it was not used for longer than its expiry."""
        return self.expiry > 0 and self.last_access_ts + self.expiry < time.time()


class Incoming:
    """A file that is being received for a session."""

    def __init__(self, name: str, file: BinaryIO) -> None:
        self.name = name
        self.write = file.write
        self.close = file.close


class Sessions:
    """The sessions in one folder."""

    def __init__(self, path: str = "", expiry: int = DEFAULT_EXPIRY) -> None:
        self.path = Path(path.strip() or DEFAULT_PATH).expanduser()
        self.expiry = expiry if expiry > SHORTEST else DEFAULT_EXPIRY

    @contextmanager
    def receiving(self) -> Iterator["Receiving"]:
        """Give a place for the files of a new session; what is not kept is gone afterwards."""
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder = self.path / f".{secrets.token_hex(16)}"
        (folder / IMAGE).mkdir(parents=True, mode=0o700)
        try:
            yield Receiving(self, folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def get(self, session_id: str, touch: bool = False) -> Session:
        """Give a session; `touch` makes its time begin anew.

        Raises SessionNotFoundException.
        """
        session = self._read(session_id)
        if session is None:
            raise SessionNotFoundException(session_id)
        if session.expired() or not os.path.exists(session.image):
            self._remove(session_id)
            raise SessionNotFoundException(session_id)
        if touch:
            session.last_access_ts = int(time.time())
            self._write(self.path / session_id, session)
        return session

    def remove(self, session_id: str) -> Session:
        """Remove a session and give what it was."""
        session = self.get(session_id)
        self._remove(session_id)
        return session

    def sweep(self) -> None:
        """Remove what has expired, and what a broken upload of a server that is no more left behind."""
        with suppress(FileNotFoundError), os.scandir(self.path) as entries:
            for entry in entries:
                if entry.name.startswith(".") and entry.stat().st_mtime < time.time() - ABANDONED:
                    shutil.rmtree(entry.path, ignore_errors=True)
                elif (session := self._read(entry.name)) and session.expired():
                    self._remove(entry.name)

    def keep(self, folder: Path, image: str, expiry: int) -> Session:
        """Make a session of a folder whose files are complete."""
        session_id, now = str(uuid.uuid4()), int(time.time())
        path = self.path / session_id
        life = min(expiry, self.expiry) if expiry > 0 else self.expiry
        session = Session(session_id, str(path), str(path / image), {}, now, now, life)
        self._write(folder, session)
        os.rename(folder, path)
        return session

    def _read(self, session_id: str) -> Session | None:
        if not _ID.fullmatch(session_id):
            return None
        try:
            return Session(**json.loads((self.path / session_id / META).read_bytes()))
        except (OSError, ValueError, TypeError):
            return None

    def _write(self, folder: Path, session: Session) -> None:
        """Write a session's description; MONAI Label reads the same file."""
        fresh = folder / f".{META}.{secrets.token_hex(4)}"
        with suppress(FileNotFoundError):  # it was removed at this moment
            fresh.write_text(json.dumps(session.described()))
            os.replace(fresh, folder / META)

    def _remove(self, session_id: str) -> None:
        shutil.rmtree(self.path / session_id, ignore_errors=True)


class Receiving:
    """The files of a session that is being made."""

    def __init__(self, sessions: Sessions, folder: Path) -> None:
        self._sessions = sessions
        self._folder = folder
        self._names: set[str] = set()
        self._last: Incoming | None = None

    def _close_last(self) -> None:
        if self._last is not None:
            self._last.close()

    @contextmanager
    def file(self, client_name: str) -> Iterator[Incoming]:
        """Open a file under the last part of the client's name.

        Raises InvalidInputException for a name that no file can have here, and for one that came before.
        """
        name = plain_name(client_name)
        if naming.folded(name) in self._names:
            raise InvalidInputException(f"file {name!r} refused: two files of one name came; rename one")
        self._names.add(naming.folded(name))
        self._close_last()  # a series has more files than a process may hold open
        with open(self._folder / IMAGE / name, "xb") as file:
            self._last = Incoming(name, file)
            yield self._last

    def kept(self, files: list[Incoming], expiry: int, uncompress: bool, most: int) -> Session:
        """Make the session; `uncompress` unpacks one archive into at most `most` bytes."""
        self._close_last()
        image = IMAGE if len(files) > 1 else os.path.join(IMAGE, files[0].name)
        if uncompress and len(files) == 1:
            unpacking.unpack(self._folder / image, self._folder / "files", most)
            shutil.rmtree(self._folder / IMAGE)
            os.rename(self._folder / "files", self._folder / IMAGE)
            image = IMAGE
        return self._sessions.keep(self._folder, image, expiry)


def plain_name(client_name: str) -> str:
    """Give the last part of a client's name of a file, checked."""
    name = naming.file_name(client_name)
    naming.refuse_reserved("file", name)
    if name.startswith("."):
        name = f"image{name}"  # what has only an extension; hidden files are never made
    return naming.new_file("file", naming.image_id(name), "")
