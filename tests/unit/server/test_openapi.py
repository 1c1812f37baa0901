"""The OpenAPI document says what the server does: no answer that it does not name, and never a 500."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.unit.server.running import Server

# What the document cannot say: that an id is no file's name, or a file no archive; and that in a form all is text.
LEFT_OUT = "positive_data_acceptance,negative_data_rejection"
ENDLESS = "/datastore/events/stream"  # each answer would be listened to for ten seconds; test_events.py has its own


def _fuzz(server: Server, place: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{server.url}/openapi.json", *options]
    command += ["--checks", "all", "--exclude-checks", LEFT_OUT, "--continue-on-failure", "--exclude-path", ENDLESS]
    hooks = {"SCHEMATHESIS_HOOKS": "known_ids", "PYTHONPATH": os.fspath(Path(__file__).parent)}
    return subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=120, env=os.environ | hooks)


@pytest.mark.parametrize(
    ("seed", "settings"),
    [
        pytest.param(1, {}, id="any folder"),
        pytest.param(2, {"read_only": True}, id="one that is only looked at"),
        pytest.param(3, {"max_upload": 1000, "max_field": 30, "max_parts": 2}, id="narrow limits"),
    ],
)
def test_schemathesis_finds_nothing(
    serve: Callable[..., Server], tmp_path: Path, seed: int, settings: dict[str, Any]
) -> None:
    """Valid and invalid requests of all kinds get a documented status and shape; each method that is not, 405."""
    server = serve(**settings)
    server.store.read_only or server.store.set_description("before")
    phases, examples = ("coverage,fuzzing", "5") if settings else ("coverage,fuzzing,stateful", "9")
    ran = _fuzz(server, tmp_path, "--phases", phases, "--max-examples", examples, "--seed", str(seed))
    assert ran.returncode == 0, ran.stdout[-6000:] + ran.stderr[-2000:]
    assert server.get("/datastore/?output=all").status == 200


def test_every_form_is_described(shared: Server) -> None:
    """Bodies are read by hand, and described by hand: each upload names its file and its fields."""
    paths = shared.get("/openapi.json").json["paths"]
    for path, method, parts in (
        ("/datastore/", "put", {"file", "params"}),
        ("/datastore/image", "put", {"file", "params"}),
        ("/datastore/label", "put", {"label", "params"}),
        ("/session/", "put", {"files"}),
    ):
        content = paths[path][method]["requestBody"]["content"]
        assert set(content["multipart/form-data"]["schema"]["properties"]) == parts
    assert paths["/datastore/"]["put"]["deprecated"]


def test_every_error_is_described_in_the_one_shape(shared: Server) -> None:
    """Each documented answer from 400 on has the model of an error."""
    document = shared.get("/openapi.json").json
    error = {"$ref": "#/components/schemas/Error"}
    answers = [
        (path, method, status, answer)
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        for status, answer in operation["responses"].items()
        if int(status) >= 400
    ]
    assert answers
    assert [a[:3] for a in answers if a[3]["content"]["application/json"]["schema"] != error] == []
