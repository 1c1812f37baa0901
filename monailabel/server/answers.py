"""JSON answers, and routes that answer with and without a slash at their end."""

import json
from collections.abc import Callable
from typing import Any

from fastapi import APIRouter
from starlette.responses import JSONResponse


class Json(JSONResponse):
    """JSON in plain ASCII, so that no text that a datastore holds can fail to be sent."""

    def render(self, content: Any) -> bytes:
        """Give the bytes."""
        return dumped(content)


def dumped(content: Any) -> bytes:
    """Write JSON, compact and in ASCII."""
    return json.dumps(content, separators=(",", ":")).encode("ascii")


class Routes(APIRouter):
    """Routes that answer with and without the slash at their end, as some clients follow no redirect.

    The address that is written is the documented one.
    """

    def add_api_route(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        """Add a route and its twin."""
        super().add_api_route(path, endpoint, **options)
        twin = path.removesuffix("/") if path.endswith("/") else path + "/"
        if twin:
            super().add_api_route(twin, endpoint, **{**options, "include_in_schema": False})
