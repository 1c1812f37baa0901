"""OHIF's MONAI Label extensions, v3 and v2: their requests byte for byte, as a browser's axios sends them."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.server.running import Answer, Server, folder_of_two, running

ORIGIN = "http://viewer.example:3000"
SERIES = "1.2.826.0.1.3680043.8.274.1.1.8323329.686521.1629744173.656544"
DICOM = {
    "Modality": "CT", "StudyDate": "20210823", "StudyTime": "194253", "PatientID": "P1", "StudyInstanceUID": "1.2.3",
    "SeriesInstanceUID": SERIES, "RetrieveURL": "http://pacs.example/dicom-web/studies/1.2.3",
}  # fmt: skip


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """Serve an image that is a DICOM series, to pages of the viewer's origin."""
    folder = folder_of_two(tmp_path / "studies")
    (folder / f"{SERIES}.nii.gz").write_bytes(b"voxels")
    with running(folder, cors_origins=(ORIGIN,)) as server:
        server.store.update_image_info(SERIES, DICOM)
        for image in ("case_1", "case_2"):
            server.put(f"/datastore/label?image={image}", "label", "x.nii.gz", b"voxels")
        yield server


def ask(server: Server, method: str, address: str, body: bytes = b"", **headers: str) -> Answer:
    """Send a request as axios does in a browser, from a page of the viewer."""
    lines = {"Host": server.host, "Connection": "keep-alive", "Accept": "application/json, text/plain, */*"}
    lines |= {"User-Agent": "Mozilla/5.0", "Origin": ORIGIN, "Referer": f"{ORIGIN}/", "Sec-Fetch-Mode": "cors"}
    lines |= {name.replace("_", "-"): value for name, value in headers.items()}
    if body:
        lines["Content-Length"] = str(len(body))
    head = f"{method} {address} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return server.send(head.encode() + b"\r\n" + body)


def test_v3_reads_how_much_is_done(server: Server) -> None:
    """GET info/: completed and total, readable for the viewer's page."""
    answer = ask(server, "GET", "/info/")
    assert (answer.json["datastore"]["completed"], answer.json["datastore"]["total"]) == (2, 3)
    assert answer.headers["access-control-allow-origin"] == ORIGIN


@pytest.mark.parametrize("strategy", ["first", "random"])
def test_v3_opens_the_series_of_the_next_sample(server: Server, strategy: str) -> None:
    """POST activelearning/{strategy}: all that it needs to find the series at the PACS."""
    preflight = ask(
        server, "OPTIONS", f"/activelearning/{strategy}",
        Access_Control_Request_Method="POST", Access_Control_Request_Headers="content-type",
    )  # fmt: skip
    assert (preflight.status, preflight.headers["access-control-allow-origin"]) == (200, ORIGIN)
    sample = ask(server, "POST", f"/activelearning/{strategy}", b"{}", Content_Type="application/json").json
    assert {name: sample[name] for name in DICOM} == DICOM
    assert sample["id"] == SERIES


def test_v2_saves_raw_voxels(server: Server) -> None:
    """PUT datastore/label: `label.bin` is kept as it is, under the series' id."""
    boundary = "----WebKitFormBoundaryZ5xT0y1nJp8oN2Rk"
    params = json.dumps({"label_info": [{"name": "spleen", "idx": 1, "color": "rgb(255,0,0)"}]})
    body = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="params"\r\n\r\n{params}\r\n'
        f'--{boundary}\r\nContent-Disposition: form-data; name="label"; filename="label.bin"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    ).encode()
    body += bytes(range(256)) + f"\r\n--{boundary}--\r\n".encode()
    kind = f"multipart/form-data; boundary={boundary}"
    answer = ask(server, "PUT", f"/datastore/label?image={SERIES}", body, Content_Type=kind)
    assert (answer.status, answer.json) == (200, {"image": SERIES, "label": SERIES})
    assert (server.folder / "labels" / "final" / f"{SERIES}.bin").read_bytes() == bytes(range(256))
    assert server.store.get_label_info(SERIES, "final")["label_info"][0]["name"] == "spleen"


def test_pages_of_other_origins_read_and_change_nothing(server: Server) -> None:
    """An origin that was not named gets no leave to read, and its changes are refused."""
    answer = ask(server, "GET", "/info/", Origin="http://evil.example")
    assert "access-control-allow-origin" not in answer.headers
    answer = ask(server, "POST", "/activelearning/first", b"{}", Origin="http://evil.example")
    assert answer.status == 403
