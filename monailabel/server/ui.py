"""Serves the browser viewer: one page for `/` and every address below `/ui/`, and the files that it is made of."""

import mimetypes
from functools import cache
from pathlib import Path

from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from monailabel.server import pages
from monailabel.server.access import Store
from monailabel.server.routes import Routes

router = Routes()

BUILT = Path(__file__).parent / "viewer"  # what hatch_build.py puts there
NOT_BUILT = (
    "The browser viewer is missing from this installation: install monailabel-datastore from a wheel, or run "
    "python hatch_build.py in its sources."
)

# Scripts and data come from here alone. NiiVue draws its letters from a picture inside its script (data:), and pictures
# that were put together in the page are blobs. The sizes that a script gives its elements are no style in this sense.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; connect-src 'self'; "
    "img-src 'self' blob: data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_PAGE_HEADERS = {
    "content-security-policy": POLICY,
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",
    "content-type": "text/html; charset=utf-8",
}
_FOREVER = "public, max-age=31536000, immutable"  # a file's name holds the hash of its bytes

# The viewer's own files are among the types that a machine's table may lack.
_TYPES = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".woff2": "font/woff2"}


@cache
def file(folder: Path, name: str) -> bytes | None:
    """Give the bytes of a file of the viewer; None where it has no such file."""
    path = folder / name
    return path.read_bytes() if path.is_file() else None


@router.get("/", include_in_schema=False)
@router.head("/", include_in_schema=False)
@router.get("/ui", include_in_schema=False)
@router.head("/ui", include_in_schema=False)
async def root(store: Store) -> Response:
    """Show the viewer; where it was not built, what is served here."""
    built = file(BUILT, "index.html")
    return Response(built, headers=_PAGE_HEADERS) if built else await pages.summary(store, NOT_BUILT)


@router.get("/ui/assets/{name}", include_in_schema=False)
@router.head("/ui/assets/{name}", include_in_schema=False)
async def asset(name: str, request: Request) -> Response:
    """Send a script, style or font of the viewer."""
    data = file(BUILT / "assets", name) if name == Path(name).name else None
    if data is None:
        raise HTTPException(404, f"no such file of the viewer: {name[:200]!r}; load the page again")
    headers = {"cache-control": _FOREVER, "vary": "accept-encoding", "content-type": _type(name)}
    packed = file(BUILT / "assets", f"{name}.gz")
    if packed and "gzip" in request.headers.get("accept-encoding", ""):
        return Response(packed, headers={**headers, "content-encoding": "gzip"})
    return Response(data, headers=headers)


def _type(name: str) -> str:
    return _TYPES.get(Path(name).suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"


@router.get("/ui/licenses.txt", include_in_schema=False)
async def licenses() -> Response:
    """Send the licences of the libraries that the viewer is built with."""
    text = file(BUILT, "licenses.txt")
    if text is None:
        raise HTTPException(404, NOT_BUILT)
    return Response(text, headers={"content-type": "text/plain; charset=utf-8"})


@router.get("/ui/{place:path}", include_in_schema=False)
@router.head("/ui/{place:path}", include_in_schema=False)
async def place(place: str, store: Store) -> Response:
    """Show the viewer, which reads the rest of the address itself."""
    if place.startswith("assets/"):
        raise HTTPException(404, f"no such file of the viewer: {place[:200]!r}; load the page again")
    return await root(store)
