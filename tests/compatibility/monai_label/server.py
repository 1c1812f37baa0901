"""Starts MONAI Label's own server in this process, with a minimal app over a folder, and sends it requests."""

import os
from importlib import import_module
from pathlib import Path
from typing import Any

APP = '''"""The smallest app: a name, and the datastore that MONAI Label makes for a folder."""
from monailabel.interfaces.app import MONAILabelApp


class SmallApp(MONAILabelApp):
    def __init__(self, app_dir, studies, conf):
        super().__init__(app_dir, studies, conf, name="small", description="a small app", labels=["liver"])
'''


def run(app: str, studies: str, requests: list[dict[str, Any]]) -> dict[str, Any]:
    """Serve the folder `studies` and give each request's answer, and where the datastore's class came from."""
    _settings(app, studies)
    Path(app, "main.py").write_text(APP)
    client_class = import_module("starlette.testclient").TestClient
    with client_class(import_module("monailabel.app").app, raise_server_exceptions=False) as client:
        answers = [_send(client, **request) for request in requests]
    store = import_module("monailabel.interfaces.utils.app").app_instance().datastore()
    getattr(store, "close", lambda: None)()
    module = import_module(type(store).__module__)
    return {"answers": answers, "datastore": module.__file__}


def _settings(app: str, studies: str) -> None:
    os.environ |= {
        "MONAI_LABEL_APP_DIR": app,
        "MONAI_LABEL_STUDIES": studies,
        "MONAI_LABEL_DATASTORE_AUTO_RELOAD": "false",
        "MONAI_LABEL_SESSION_PATH": os.path.join(app, "sessions"),
    }


def _send(client: Any, method: str, url: str, **parts: Any) -> dict[str, Any]:
    files = {part: (name, content.encode("latin-1")) for part, (name, content) in parts.pop("files", {}).items()}
    response = client.request(method, url, files=files or None, **parts)
    answer: dict[str, Any] = {"status": response.status_code, "type": response.headers.get("content-type")}
    if response.headers.get("content-disposition"):
        answer |= {"disposition": response.headers["content-disposition"], "bytes": response.content.decode("latin-1")}
    elif answer["type"] == "application/json" and response.content:
        answer["json"] = response.json()
    return answer
