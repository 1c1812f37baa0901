"""JSON answers."""

import json
from typing import Any

from starlette.responses import JSONResponse


class Json(JSONResponse):
    """JSON in plain ASCII, so that no text that a datastore holds can fail to be sent."""

    def render(self, content: Any) -> bytes:
        """Give the bytes."""
        return dumped(content)


def dumped(content: Any) -> bytes:
    """Write JSON, compact and in ASCII."""
    return json.dumps(content, separators=(",", ":")).encode("ascii")
