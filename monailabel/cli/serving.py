"""The verbs that serve: serve and demo."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from monailabel.cli import opening, options, printing
from monailabel.cli.options import Create, Layout, Recursive

FIRST_PORT = 8000
DEMO = Path("demo-datastore")


Studies = Annotated[
    Path,
    typer.Argument(metavar="FOLDER", envvar="MONAI_LABEL_STUDIES", help="The datastore's folder.", show_default=False),
]
Host = Annotated[str | None, typer.Option(help="Where to listen; beyond this machine with --insecure only.")]
Port = Annotated[int | None, typer.Option(min=0, max=65535, help="The port to listen on; 0: any.")]
Extensions = Annotated[
    str | None, typer.Option(metavar="GLOBS", help="The files to take in, such as '*.nii.gz,*.png'.")
]
RefuseChanges = Annotated[bool | None, typer.Option("--read-only", help="Refuse every change.")]
AutoReload = Annotated[bool | None, typer.Option(help="Watch the folder for other programs' changes.")]
FollowLinks = Annotated[
    str | None,
    typer.Option(metavar="WHEN", help="Follow links out of the folder: never, reading (if not given), writing."),
]
Origins = Annotated[
    str | None, typer.Option(metavar="ORIGINS", help="Other sites whose pages may ask, separated by commas.")
]
SessionPath = Annotated[Path | None, typer.Option(metavar="FOLDER", help="Where sessions are kept.")]
SessionExpiry = Annotated[int | None, typer.Option(metavar="SECONDS", help="How long they are kept.")]
Hosts = Annotated[str | None, typer.Option(metavar="NAMES", help="Further names of this server, separated by commas.")]
MaxUpload = Annotated[int | None, typer.Option(metavar="BYTES", help="The largest upload that is taken.")]
Insecure = Annotated[bool | None, typer.Option("--insecure", help="Let every machine in that can connect.")]


def serve(
    folder: Studies,
    host: Host = None,
    port: Port = None,
    extensions: Extensions = None,
    read_only: RefuseChanges = None,
    auto_reload: AutoReload = None,
    follow_links: FollowLinks = None,
    layout: Layout = None,
    recursive: Recursive = None,
    cors_origins: Origins = None,
    session_path: SessionPath = None,
    session_expiry: SessionExpiry = None,
    allowed_hosts: Hosts = None,
    max_upload: MaxUpload = None,
    insecure: Insecure = None,
    create: Create = False,
) -> None:
    """Serve the folder over HTTP.

    3D Slicer, OHIF, QuPath and scripts connect to the address that it prints.
    """
    if extensions is not None and not options.words(extensions):
        raise typer.BadParameter("names no files; leave it out for the usual ones", param_hint="--extensions")
    given = {
        "folder": str(folder), "host": host, "port": port, "read_only": read_only, "auto_reload": auto_reload,
        "extensions": None if extensions is None else tuple(map(_glob, options.words(extensions))),
        "follow_links": follow_links, "layout": layout, "recursive": recursive,
        "cors_origins": None if cors_origins is None else options.words(cors_origins),
        "allowed_hosts": None if allowed_hosts is None else options.words(allowed_hosts),
        "session_path": None if session_path is None else str(session_path), "session_expiry": session_expiry,
        "max_upload": max_upload, "insecure": insecure,
    }  # fmt: skip
    opening.found(folder, create)
    _serve(given, lambda url: printing.lines([f"{folder} is served at {url} (Ctrl-C stops it)"], at_once=True))


def demo(
    folder: Annotated[Path, typer.Option(metavar="FOLDER", help="Where the demo's datastore is kept.")] = DEMO,
    port: Annotated[
        int, typer.Option(min=1, max=65535, help="The port to listen on, or the next free one.")
    ] = FIRST_PORT,
    only_make: Annotated[bool, typer.Option("--only-make", help="Make the datastore, and do not serve it.")] = False,
) -> None:
    """Make a small datastore and serve it.

    It holds real scans and phantoms with exact labels; one made before is served again.
    """
    from monailabel import demo as making

    with printing.bar() as tell:
        making.make(folder, tell)
    printing.lines([f"{folder} holds real scans and phantoms with labels"])
    if not only_make:
        given = {"folder": str(folder), "port": making.free_port(port)}
        _serve(given, lambda url: printing.lines(_three_things(folder.resolve(), url), at_once=True))


def _three_things(folder: Path, url: str) -> list[str]:
    url = url.rstrip("/")
    python = f'from monailabel.datastore.local import LocalDatastore; print(LocalDatastore("{folder}").status())'
    return [
        f"served at {url} (Ctrl-C stops it); three things to try:",
        "",
        f"  curl      curl '{url}/datastore/?output=all'",
        f"            curl -OJ '{url}/datastore/label?label=phantom_1&tag=final'",
        f"  Python    {python}",
        f"  3D Slicer module MONAILabel: enter {url} as the server, press the arrows beside it, then Next Sample",
        "",
    ]


def _glob(word: str) -> str:
    """Take `nii.gz` and `.nii.gz` for `*.nii.gz`, which is what somebody who writes them means."""
    return word if any(wild in word for wild in "*?[") else "*." + word.removeprefix(".")


def _serve(given: dict[str, Any], on_ready: Callable[[str], None]) -> None:
    from monailabel.server.serve import serve
    from monailabel.server.settings import Settings

    settings = Settings.from_environment(**given)
    with printing.bar() as tell:
        serve(settings, on_ready=on_ready, progress=tell)
