"""Two plain pages: which addresses there are, and what is served here; nothing is loaded from elsewhere."""

import hashlib
from base64 import b64encode
from collections.abc import Iterable
from html import escape
from typing import Any

from fastapi import Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse

import monailabel
from monailabel.datastore.local import LocalDatastore
from monailabel.server.routes import Routes

router = Routes()

STYLE = (
    ":root{color-scheme:light dark;font:16px/1.5 system-ui,sans-serif}body{max-width:60rem;margin:2rem auto;"
    "padding:0 1rem}h2{margin:2.5rem 0 .3rem;font-size:1.1rem}code{font-family:ui-monospace,monospace}"
    "table{border-collapse:collapse;margin:.5rem 0}td,th{border-bottom:1px solid #8884;padding:.2rem 1rem .2rem 0;"
    "text-align:left;vertical-align:top;overflow-wrap:anywhere}p{margin:.3rem 0}"
)
_POLICY = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    f"style-src 'sha256-{b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()}'"
)
_PAGE = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
    '<meta name="viewport" content="width=device-width"><style>{style}</style></head>'
    "<body><h1>{title}</h1>{body}</body></html>"
)


def page(title: str, body: str) -> HTMLResponse:
    """Make a page of a title and of HTML whose words are already escaped."""
    text = _PAGE.format(title=escape(title), style=STYLE, body=body)
    return HTMLResponse(text.encode("utf-8", "replace"), headers={"content-security-policy": _POLICY})


def table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """Make a table; everything in it is escaped."""
    lines = ["".join(f"<td>{escape(str(cell))}</td>" for cell in row) for row in rows]
    heading = "".join(f"<th>{escape(name)}</th>" for name in head)
    return f"<table><tr>{heading}</tr>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>" if lines else ""


async def summary(store: LocalDatastore, notice: str) -> HTMLResponse:
    """Make the page of what is served here, for an installation without the viewer."""
    status = await run_in_threadpool(store.status)
    rows = [("images", status["total"]), ("with a final label", status["completed"])]
    rows += [(f"labels: {tag}", count) for tag, count in status["label_tags"].items()]
    links = "".join(
        f'<li><a href="{address}">{escape(what)}</a></li>'
        for address, what in (
            ("/docs", "all addresses of this server"),
            ("/datastore/?output=all", "all images and labels, as JSON"),
            ("/datastore/dataset", "the labelled images and their labels, as ZIP"),
        )
    )
    about = f"<p>{escape(store.description())}</p>{table((), rows)}<ul>{links}</ul>"
    return page(store.name(), f"<p>{escape(notice)}</p>{about}<p>monailabel-datastore {monailabel.__version__}</p>")


@router.get("/docs", include_in_schema=False)
async def docs(request: Request) -> HTMLResponse:
    """Show the OpenAPI document as a page."""
    document = request.app.openapi()
    sections = (
        _operation(method, path, operation)
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    )
    machine = '<p>For machines: <a href="/openapi.json">/openapi.json</a></p>'
    return page(
        document["info"]["title"], f"<p>{escape(document['info']['description'])}</p>{machine}{''.join(sections)}"
    )


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    note = " (deprecated)" if operation.get("deprecated") else ""
    heading = f"<h2><code>{method.upper()} {escape(path)}</code>{note}</h2>"
    words = f"<p>{escape(operation.get('description') or operation.get('summary', ''))}</p>"
    parameters = [
        (p["name"], p["in"], "required" if p.get("required") else "", p.get("description", ""))
        for p in operation.get("parameters", ())
    ]
    answers = [(status, answer.get("description", "")) for status, answer in operation["responses"].items()]
    asked = table(("parameter", "in", "", ""), parameters + list(_body(operation)))
    return f"{heading}{words}{asked}{table(('answer', ''), answers)}"


def _body(operation: dict[str, Any]) -> Iterable[tuple[str, str, str, str]]:
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        schema = content["schema"]
        for name, part in schema.get("properties", {}).items():
            yield name, kind, "required" if name in schema.get("required", ()) else "", part.get("description", "")
