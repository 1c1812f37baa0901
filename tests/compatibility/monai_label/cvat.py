"""Runs MONAI Label's CVAT store against a small CVAT server on this machine."""

import io
import json
import threading
import zipfile
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from pathlib import Path
from typing import Any

PATIENCE = 20.0  # seconds until a dropped file must be listed


class Cvat(BaseHTTPRequestHandler):
    """Answers the requests that MONAI Label makes of CVAT: one project, one task, its annotations."""

    projects: list[dict[str, Any]] = []
    tasks: list[dict[str, Any]] = []
    annotated: list[str] = []
    uploaded = 0

    def do_GET(self) -> None:
        """Tell of the project, the task, or give its annotations as a ZIP."""
        path = self.path.split("?")[0]
        if path.endswith("/annotations"):
            self._answer(_annotations(self.annotated), "application/zip")
        elif path == "/api/projects":
            self._answer_json({"results": self.projects})
        elif path == "/api/tasks":
            self._answer_json({"results": self.tasks})
        else:
            self._answer_json(self.tasks[0] | {"status": "completed"})

    def do_POST(self) -> None:
        """Make a project or a task, or take in a task's images."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path.endswith("/data"):
            type(self).uploaded += body.count(b'name="client_files[')
            self._answer_json({})
        else:
            self._answer_json(self._made(json.loads(body)))

    def _made(self, thing: dict[str, Any]) -> dict[str, Any]:
        kept = self.projects if self.path == "/api/projects" else self.tasks
        kept.append(thing | {"id": len(kept) + 1})
        return kept[-1]

    def do_PATCH(self) -> None:
        """Rename the task."""
        self.tasks[0].update(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self._answer_json({})

    def _answer_json(self, value: Any) -> None:
        self._answer(json.dumps(value).encode(), "application/json")

    def _answer(self, body: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def _annotations(names: list[str]) -> bytes:
    """Give masks in CVAT's `Segmentation mask 1.1`: red where `InBody` is."""
    image = import_module("PIL.Image")
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("labelmap.txt", "# label:color_rgb:parts:actions\nbackground:0,0,0::\nInBody:255,0,0::\n")
        for name in names:
            mask = io.BytesIO()
            image.new("RGB", (8, 6), (255, 0, 0)).save(mask, "PNG")
            archive.writestr(f"SegmentationClass/{name}.png", mask.getvalue())
    return content.getvalue()


def run(folder: str, watch: bool) -> dict[str, Any]:
    """Send images to CVAT, fetch their annotations, and wait until the datastore lists them as final labels."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Cvat)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        return _worked(folder, f"http://127.0.0.1:{server.server_port}/", watch)
    finally:
        server.shutdown()
        server.server_close()


def _worked(folder: str, url: str, watch: bool) -> dict[str, Any]:
    store = import_module("monailabel.datastore.cvat").CVATDatastore(
        datastore_path=folder, api_url=url, extensions=["*.png", "*.jpg"], auto_reload=watch
    )
    images = sorted(store.list_images())
    store.upload_to_cvat([store.get_image_uri(image) for image in images])
    Cvat.annotated = images[:2]
    answers = {"name": store.name(), "description": store.description(), "images": images}
    answers |= {"status": store.task_status(), "uploaded": Cvat.uploaded}
    answers["task"] = store.download_from_cvat(max_retry_count=1, retry_wait_time=0)
    if not watch:
        store.refresh()
    answers["seen"] = _comes_true(lambda: sorted(store.get_labeled_images()) == images[:2])
    answers |= {"labels": {i: store.get_labels_by_image_id(i) for i in images}, "counts": store.status()}
    answers |= {"masks": [_values(store.get_label_uri(i, "final")) for i in images[:2]], "json": store.json()}
    answers |= {"done": Cvat.tasks[0]["name"], "document": Path(folder, "datastore_v2.json").exists()}
    getattr(store, "close", lambda: None)()
    return answers


def _comes_true(condition: Callable[[], bool]) -> bool:
    """Wait until a condition holds, looking every fiftieth of a second."""
    never = threading.Event()
    for _ in range(int(PATIENCE / 0.02)):
        if condition():
            return True
        never.wait(0.02)
    return False


def _values(path: str) -> list[int]:
    with import_module("PIL.Image").open(path) as mask:
        return sorted(set(mask.tobytes()))
