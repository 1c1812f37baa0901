"""Files in sub-folders over HTTP: an id with `~` goes through every address, in each way that clients write it."""

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.unit.server.running import Server, running

ID = "ward~1bed 2~1case"
IMAGE, LABEL = b"\x1f\x8b image", b"\x1f\x8b label"


@pytest.fixture(params=["recursive", "sharded"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    """Serve a folder with an image in a sub-folder, and one that lies sharded."""
    folder = tmp_path / "studies"
    if request.param == "recursive":
        (folder / "ward" / "bed 2").mkdir(parents=True)
        (folder / "ward" / "bed 2" / "case.nii.gz").write_bytes(IMAGE)
        with running(folder, recursive=True) as server:
            yield server
        return
    with running(folder, layout="sharded") as server:
        assert server.put(f"/datastore/image?image={quote(ID)}", "file", "c.nii.gz", IMAGE, params="{}").status == 200
        yield server


@pytest.mark.parametrize("written", [quote(ID), ID.replace(" ", "+"), quote(ID).replace("~", "%7E")])
def test_every_address_takes_the_id(server: Server, written: str) -> None:
    """As Python, JavaScript, a form or Slicer write it: image, info, label, its info, versions, header and removal."""
    got = server.get(f"/datastore/image?image={written}")
    assert (got.status, got.body) == (200, IMAGE)
    assert got.headers["content-disposition"] == f'attachment; filename="{ID}.nii.gz"'
    assert server.ask("HEAD", f"/datastore/image?image={written}").status == 200
    info = server.get(f"/datastore/image/info?image={written}").json
    assert info["name"] == f"{ID}.nii.gz" and Path(info["path"]).read_bytes() == IMAGE
    saved = server.put(f"/datastore/label?image={written}&tag=final", "label", f"{ID}.nii.gz", LABEL, params='{"k": 1}')
    assert (saved.status, saved.json) == (200, {"image": ID, "label": ID})
    label = server.get(f"/datastore/label?label={written}&tag=final")
    assert (label.status, label.body) == (200, LABEL)
    assert label.headers["content-disposition"] == f'attachment; filename="{ID}.nii.gz"'
    assert server.get(f"/datastore/label/info?label={written}&tag=final").json["k"] == 1
    assert [v["version"] for v in server.get(f"/datastore/label/versions?image={written}&tag=final").json] == [1]
    with zipfile.ZipFile(io.BytesIO(server.get("/datastore/dataset").body)) as archive:
        assert archive.read(f"image/{ID}.nii.gz") == IMAGE and archive.read(f"label/{ID}.nii.gz") == LABEL
    assert list(server.get("/datastore/?output=all").json["objects"]) == [ID]
    assert server.ask("DELETE", f"/datastore/label?id={written}&tag=final").status == 200
    assert server.ask("DELETE", f"/datastore/image?id={written}").status == 200
    assert server.get(f"/datastore/image?image={written}").status == 404


def test_an_image_is_put_into_its_folder(server: Server) -> None:
    """A PUT under an id with ~1 makes the sub-folder; one under an id that leads out is refused and makes nothing."""
    put = server.put("/datastore/image?image=new~1one", "file", r"C:\scans\x.nii.gz", b"\x1f\x8b new", params="{}")
    assert put.json == {"image": "new~1one"}
    info = server.get("/datastore/image/info?image=new~1one").json
    nested = server.store.get_image_uri(ID).endswith("bed 2/case.nii.gz")
    assert info["path"].endswith("/new/one.nii.gz" if nested else "/new~1one.nii.gz")
    refused = server.put("/datastore/image?image=x~1..~1..~1y", "file", "x.nii.gz", b"\x1f\x8b", params="{}")
    assert refused.status == (400 if nested else 200)
    if nested:
        assert "leads out" in json.loads(refused.body)["detail"]
    assert not list(server.folder.parent.glob("y*"))
