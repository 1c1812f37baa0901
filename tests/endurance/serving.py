"""Servers in processes of their own, and annotators who work with them and remember what was acknowledged."""

import copy
import hashlib
import http.client
import itertools
import json
import os
import random
import re
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from monailabel.datastore.local import LocalDatastore
from monailabel.files.folder import digest
from tests.unit.server.running import Answer, Server, form

PROGRAM = """
import sys
from monailabel.server.serve import serve
from monailabel.server.settings import Settings
settings = Settings(folder=sys.argv[1], port=0, session_path=sys.argv[2], grace=2)
serve(settings, on_ready=lambda url: print(url, flush=True))
"""
Kept = dict[tuple[str, str], tuple[str, Any]]  # (image, tag): checksum of the bytes, and the mark in the info


class Serving:
    """A server's process, which can be ended in any way and started again on another port."""

    def __init__(self, folder: Path, said: Path) -> None:
        self._folder = folder
        self._said = said  # what it writes to its standard error
        self.start()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        command = [sys.executable, "-W", "error", "-c", PROGRAM, str(self._folder), f"{self._said}-sessions"]
        with open(self._said, "ab") as said:
            self.process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=said, text=True)
        assert self.process.stdout
        found = re.fullmatch(r"http://127\.0\.0\.1:(\d+)/\n", self.process.stdout.readline())
        assert found, self._said.read_text()
        self.port = int(found[1])

    def end(self, number: int, within: float = 20.0) -> float:
        """Send it a signal; give the seconds until it ended."""
        began = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(within)
        assert self.process.stdout
        self.process.stdout.close()
        return time.monotonic() - began

    def ask(self, method: str, address: str, **parts: Any) -> Answer:
        """Ask something, with the parts of a form."""
        kind, body = form(parts) if parts else ("", None)
        server = Server(self.port, self._folder, self._said, None)  # type: ignore[arg-type]
        return server.ask(method, address, body, **({"content_type": kind} if parts else {}))


class Annotator(threading.Thread):
    """Adds images, saves, changes and removes their labels, and tries again when a server breaks off."""

    def __init__(self, who: str, servers: list[Serving], stop: threading.Event, *, again: bool) -> None:
        super().__init__()
        self.who, self.kept, self.wrong = who, Kept(), ""
        self.maybe: Kept | None = None  # what stands if the change that was cut off was made
        self.acknowledged = self.broken = 0
        self._servers, self._stopping, self._again = servers, stop, again
        self._chance = random.Random(who)

    def run(self) -> None:
        """Work until told to stop or, unless it tries `again`, until a server breaks off."""
        for number in itertools.count():
            while not self._stopping.is_set():
                try:
                    self._make(number)
                    break
                except (OSError, http.client.HTTPException):
                    self.broken += 1
                    if not self._again:
                        return
                    self._stopping.wait(0.02)
                except AssertionError as error:
                    self.wrong = str(error)
                    return
            if self._stopping.is_set():
                return

    def _make(self, number: int) -> None:
        turn, step = divmod(number, 7)
        image, mark = f"{self.who}-{turn}", f"<{self.who} {number}>"
        data = mark.encode() * self._chance.choice((1, 100, 20_000))
        sha256, info = hashlib.sha256(data).hexdigest(), json.dumps({"mark": mark})
        image_at, label_at = (image, ""), (image, "final")
        calls: list[tuple[str, str, dict[str, Any], tuple[str, str]]] = [
            ("PUT", f"image?image={image}", {"file": ("x.nii.gz", data)}, image_at),
            ("PUT", f"label?image={image}&tag=final", {"label": ("x.nii.gz", data)}, label_at),
            ("PUT", f"label/info?label={image}&tag=final", {}, label_at),
            ("PUT", f"label?image={image}&tag=final", {"label": ("x.nrrd", data)}, label_at),
            ("PUT", f"image/info?image={image}", {}, image_at),
            ("PUT", f"label?image={image}&tag=original", {"label": ("x.nii", data)}, (image, "original")),
            ("DELETE", f"label?id={image}&tag=original", {}, (image, "original")),
        ]
        method, address, file, key = calls[step]
        parts = {} if method == "DELETE" else {"params" if file else "info": info, **file}
        after = copy.copy(self.kept)
        if method == "DELETE":
            after.pop(key, None)
        else:
            after[key] = (sha256 if file else self.kept[key][0], mark)
        self.maybe = after
        answer = self._chance.choice(self._servers).ask(method, f"/datastore/{address}", **parts)
        assert answer.status == 200, f"{method} {address}: {answer.status} {answer.body!r}"
        self.kept, self.maybe = after, None
        self.acknowledged += 1


def judge(annotators: list[Annotator], folder: Path) -> None:
    """Compare what is in a folder with what the annotators were told."""
    found: Kept = {}
    with LocalDatastore(str(folder), read_only=True) as store:
        for image in store.list_images():
            for tag in ("", *store.get_labels_by_image_id(image)):
                info = store.get_label_info(image, tag) if tag else store.get_image_info(image)
                with store.open_label(image, tag) if tag else store.open_image(image) as file:
                    found[image, tag] = digest(file.fd)[0], info.get("mark")
        assert json.loads((folder / "datastore_v2.json").read_bytes()) == store.json()
    for annotator in annotators:
        assert not annotator.wrong, annotator.wrong
        own = {key: entry for key, entry in found.items() if key[0].startswith(f"{annotator.who}-")}
        accepted = [annotator.kept] + ([annotator.maybe] if annotator.maybe is not None else [])
        assert own in accepted, f"{annotator.who}: {own.items() ^ annotator.kept.items()}"
