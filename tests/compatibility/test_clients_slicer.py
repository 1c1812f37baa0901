"""3D Slicer's MONAILabel module: its requests byte for byte, as its `http.client` sends them, and what it relies on."""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.unit.server.running import IMAGE, LABEL, Answer, Server, folder_of_two, running

BOUNDARY = b"----------lImIt_of_THE_fIle_eW_$"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """Serve two images, the first with a label `original`."""
    with running(folder_of_two(tmp_path / "studies")) as server:
        yield server


def ask(server: Server, method: str, selector: str, body: bytes = b"", kind: str = "") -> Answer:
    """Send a request as Slicer's Python 3 does: the two header lines of its own come last, in lower case."""
    head = f"{method} {selector} HTTP/1.1\r\nHost: {server.host}\r\nAccept-Encoding: identity\r\n"
    if body:
        head += f"content-type: {kind}\r\ncontent-length: {len(body)}\r\n"
    return server.send(head.encode() + b"\r\n" + body)


def send_file(
    server: Server, selector: str, params: bytes, part: bytes, path: bytes, data: bytes, kind: bytes
) -> Answer:
    """PUT a file as Slicer does: `params` first, then the file under its whole path, and one more line at the end."""
    body = b"\r\n".join(
        [
            b"--" + BOUNDARY,
            b'Content-Disposition: form-data; name="params"',
            b"",
            params,
            b"--" + BOUNDARY,
            b'Content-Disposition: form-data; name="' + part + b'"; filename="' + path + b'"',
            b"Content-Type: " + kind,
            b"",
            data,
            b"--" + BOUNDARY + b"--",
            b"",
            b"",
        ]
    )
    return ask(server, "PUT", selector, body, f"multipart/form-data; boundary={BOUNDARY.decode()}")


def file_name(disposition: str) -> str:
    """Read a file's name as Slicer's client does: the extended form wherever it stands, else what is in quotes."""
    found = re.findall(r"filename\*=([^;]+)", disposition, flags=re.IGNORECASE)
    found = found or re.findall('filename="(.+)"', disposition, flags=re.IGNORECASE)
    return unquote(re.sub("utf-8''", "", found[0], flags=re.IGNORECASE))


def test_it_learns_that_nobody_has_to_log_in(server: Server) -> None:
    """GET /auth/: `enabled` is false."""
    answer = ask(server, "GET", "/auth/")
    assert (answer.status, answer.json) == (200, {"enabled": False, "client_id": "", "realm": ""})


def test_it_gets_a_token_that_is_null(server: Server) -> None:
    """POST /auth/token, which it sends anyway where a user fills in a name: both words of the answer are there."""
    body = b"username=anna&password=s%26cret&grant_type=password"
    answer = ask(server, "POST", "/auth/token", body, "application/x-www-form-urlencoded")
    assert (answer.status, answer.json) == (200, {"access_token": None, "token_type": None})


def test_its_token_is_valid(server: Server) -> None:
    """GET /auth/token/valid: 200 and the user, whatever token it sends."""
    head = f"GET /auth/token/valid HTTP/1.1\r\nHost: {server.host}\r\nAccept-Encoding: identity\r\n"
    answer = server.send(f"{head}Authorization: Bearer null\r\n\r\n".encode())
    assert answer.status == 200
    assert set(answer.json) == {"username", "email", "name", "roles"}


def test_it_reads_what_the_server_has(server: Server) -> None:
    """GET /info/: counts, texts, a list of labels, objects that are never null, and no `config`."""
    answer = ask(server, "GET", "/info/")
    info = answer.json
    assert answer.status == 200
    assert (info["datastore"]["total"], info["datastore"]["completed"]) == (2, 0)
    assert [type(info[name]) for name in ("name", "description", "version", "labels")] == [str, str, str, list]
    objects = ("models", "trainers", "strategies", "scoring", "train_stats")
    assert [type(info[name]) for name in objects] == [dict] * 5
    assert set(info["strategies"]) == {"random", "first"}
    assert all(isinstance(strategy["description"], str) for strategy in info["strategies"].values())
    assert "config" not in info


@pytest.mark.parametrize("strategy", ["random", "first"])
def test_it_gets_the_next_image_as_its_sample(server: Server, strategy: str) -> None:
    """POST /activelearning/{strategy}: the sample has all that Slicer keeps, and none of Slicer's own keys."""
    server.store.update_image_info(
        "case_1", {"session": "x", "session_id": "y", "VolumeNodeName": "z", "PatientID": "P1"}
    )
    server.store.image_checksum("case_1")
    server.store.remove_image("case_2")
    answer = ask(server, "POST", f"/activelearning/{strategy}", b'{"client_id": "user-xyz"}', "application/json")
    sample = answer.json
    assert answer.status == 200
    assert (sample["id"], sample["name"], sample["PatientID"]) == ("case_1", "case_1.nii.gz", "P1")
    assert sample["path"] == str((server.folder / "case_1.nii.gz").resolve())
    assert type(sample["ts"]) is int
    assert sample.get("checksum", "SHA256:") in ("SHA256:", f"SHA256:{hashlib.sha256(IMAGE).hexdigest()}")
    assert not {"session", "session_id", "VolumeNodeName"} & set(sample)
    recorded = server.store.get_image_info("case_1")["strategy"][strategy]
    assert recorded["client_id"] == "user-xyz"
    assert type(recorded["ts"]) is int


def test_a_sample_carries_the_checksum_of_what_was_uploaded(server: Server) -> None:
    """Bytes that were hashed on their way here are told as `SHA256:hex`."""
    for image in ("case_1", "case_2"):
        server.put(f"/datastore/image?image={image}", "file", "x.nii.gz", image.encode())
    sample = ask(server, "POST", "/activelearning/first", b"{}", "application/json").json
    assert sample["checksum"] == f"SHA256:{hashlib.sha256(b'case_1').hexdigest()}"


def test_a_random_sample_has_a_weight_and_is_not_handed_out_twice_in_a_row(server: Server) -> None:
    """Who asks again gets another image while there is one that was not handed out as lately."""
    samples = [
        ask(server, "POST", "/activelearning/random", b'{"client_id": "a"}', "application/json").json for _ in "12"
    ]
    assert {sample["id"] for sample in samples} == {"case_1", "case_2"}
    assert all(type(sample["weight"]) is int for sample in samples)


def test_no_image_left_is_an_empty_object(server: Server) -> None:
    """POST /activelearning/random with every image labelled: `{}`, so that `id` is absent."""
    for image in ("case_1", "case_2"):
        server.put(f"/datastore/label?image={image}", "label", "x.nii.gz", b"voxels")
    answer = ask(server, "POST", "/activelearning/random", b'{"client_id": null}', "application/json")
    assert (answer.status, answer.body) == (200, b"{}")


def test_it_downloads_an_image_without_any_login(server: Server) -> None:
    """GET /datastore/image: the bytes, to be saved under the `name` of the info, which is a plain file name."""
    answer = ask(server, "GET", "/datastore/image?image=case_1")
    assert (answer.status, answer.body) == (200, IMAGE)
    name = server.get("/datastore/image/info?image=case_1").json["name"]
    assert name == "case_1.nii.gz"


def test_it_finds_the_labels_names_in_the_whole_datastore(server: Server) -> None:
    """GET /datastore/?output=all: the info of a label `original`, with `params.label_names`."""
    server.store.update_label_info("case_1", "original", {"params": {"label_names": {"liver": 1}}})
    answer = ask(server, "GET", "/datastore/?output=all")
    assert answer.status == 200
    info = answer.json["objects"]["case_1"]["labels"]["original"]["info"]
    assert info["params"]["label_names"] == {"liver": 1}


@pytest.mark.parametrize(
    "path", ["label.nii.gz", "label.nrrd", "label.seg.nrrd", "label.json"], ids=lambda path: path.partition(".")[2]
)
def test_the_suffix_of_a_label_tells_it_how_to_read(server: Server, path: str) -> None:
    """GET /datastore/label: bytes and a Content-Disposition whose file name has the label's own suffix."""
    server.put("/datastore/label?image=case_1&tag=original", "label", path, b"voxels")
    answer = ask(server, "GET", "/datastore/label?label=case_1&tag=original")
    assert (answer.status, answer.body) == (200, b"voxels")
    assert file_name(answer.headers["content-disposition"]) == f"case_1.{path.partition('.')[2]}"


def test_the_suffix_is_found_for_ids_of_any_letters(server: Server) -> None:
    """An id beyond ASCII, quoted as `quote_plus` does, and with a space in it."""
    server.put("/datastore/image?image=Sch%C3%A4del+1", "file", "x.nii.gz", b"voxels")
    selector = "/datastore/label?image=Sch%C3%A4del+1&tag=original"
    assert send_file(server, selector, b"{}", b"label", b"x.seg.nrrd", LABEL, b"application/octet-stream").status == 200
    answer = ask(server, "GET", "/datastore/label?label=Sch%C3%A4del+1&tag=original")
    assert answer.body == LABEL
    assert file_name(answer.headers["content-disposition"]) == "Schädel 1.seg.nrrd"


def test_it_uploads_an_image_at_the_old_address(server: Server) -> None:
    """PUT /datastore/?image=: still what it calls; the file's name is a whole Windows path."""
    path = rb"C:/Users/anna/AppData/Local/Temp/Slicer/volume_3.nii.gz"
    params = b'{"client_id": "user-xyz"}'
    answer = send_file(server, "/datastore/?image=1.2.840.3", params, b"file", path, b"voxels\r\n", b"application/gzip")
    assert (answer.status, answer.json) == (200, {"image": "1.2.840.3"})
    assert (server.folder / "1.2.840.3.nii.gz").read_bytes() == b"voxels\r\n"
    assert server.store.get_image_info("1.2.840.3")["client_id"] == "user-xyz"


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        (rb"C:\Users\anna\AppData\Local\Temp\tmpq1x2.nii.gz", "case_1.nii.gz"),
        (rb"/tmp/Slicer-anna/tmpq1x2.seg.nrrd", "case_1.seg.nrrd"),
        (rb"\\server\share\tmpq1x2.nrrd", "case_1.nrrd"),
        (rb"C:\Users\anna\tmpq1x2.json", "case_1.json"),
    ],
)
def test_it_submits_a_label(server: Server, path: bytes, kept: str) -> None:
    """PUT /datastore/label: the answer names image and label; the file keeps its extension, the info what was sent."""
    params = b'{"label_info": [{"name": "spleen", "idx": 1}], "model": "deepedit", "client_id": "user-xyz"}'
    data = b"\x00\xff\r\n--" + BOUNDARY[:-1] + b"\r\nvoxels"
    answer = send_file(server, "/datastore/label?image=case_1&tag=final", params, b"label", path, data, b"image/x")
    assert (answer.status, answer.json) == (200, {"image": "case_1", "label": "case_1"})
    assert [file.name for file in (server.folder / "labels" / "final").iterdir()] == [kept]
    assert (server.folder / "labels" / "final" / kept).read_bytes() == data
    info = server.store.get_label_info("case_1", "final")
    assert info["label_info"] == [{"name": "spleen", "idx": 1}]
    assert (info["model"], info["client_id"], info["name"]) == ("deepedit", "user-xyz", kept)
    assert ask(server, "GET", "/info/").json["datastore"]["completed"] == 1


@pytest.mark.parametrize("selector", ["/datastore/label?image=case_1", "/datastore/label?image=case_1&tag="])
def test_a_label_without_a_tag_is_final(server: Server, selector: str) -> None:
    """The tag is `final` where none, or an empty one, is given."""
    send_file(server, selector, b"{}", b"label", b"x.nii.gz", b"voxels", b"application/gzip")
    assert (server.folder / "labels" / "final" / "case_1.nii.gz").read_bytes() == b"voxels"


@pytest.mark.parametrize("selector", ["/train/", "/train/?check_if_running=true", "/train", "/train/deepedit"])
def test_no_training_ever_runs_here(server: Server, selector: str) -> None:
    """404: any 200 would mean that a training is running, and Slicer would wait for its end."""
    assert [ask(server, method, selector).status for method in ("GET", "HEAD", "POST", "DELETE")] == [404] * 4


def test_a_session_lives_from_put_to_delete(server: Server) -> None:
    """PUT /session/ as `requests` sends it, then GET and DELETE with the id that came back."""
    boundary = b"5bf2ae2a2c1b4c4fbe2d8ee6e9d0d2f5"
    body = (
        b"--" + boundary + b'\r\nContent-Disposition: form-data; name="client_id"\r\n\r\nuser-xyz\r\n'
        b"--" + boundary + b'\r\nContent-Disposition: form-data; name="files"; filename="volume.nii.gz"\r\n\r\n'
        b"voxels\r\n--" + boundary + b"--\r\n"
    )
    head = (
        f"PUT /session/ HTTP/1.1\r\nHost: {server.host}\r\nUser-Agent: python-requests/2.31.0\r\n"
        "Accept-Encoding: gzip, deflate\r\nAccept: */*\r\nConnection: keep-alive\r\n"
        f"Content-Length: {len(body)}\r\nContent-Type: multipart/form-data; boundary={boundary.decode()}\r\n\r\n"
    )
    made = server.send(head.encode() + body)
    assert made.status == 200
    info = made.json["session_info"]
    assert set(info) == {"name", "path", "image", "meta", "create_ts", "last_access_ts", "expiry"}
    assert made.json["session_id"] == info["name"]
    address = f"/session/{info['name']}"
    got = ask(server, "GET", address)
    assert (got.status, got.json) == (200, info)
    assert ask(server, "GET", f"{address}?image=true").body == b"voxels"
    assert ask(server, "DELETE", address).json == info
    assert ask(server, "GET", address).status == 404


def test_no_answer_is_a_redirect(server: Server) -> None:
    """Slicer follows none: each address answers by itself with the slash at its end, and without it."""
    pairs = [
        "/info",
        "/auth",
        "/datastore",
        "/datastore?output=all",
        "/datastore/image?image=case_1",
        "/activelearning/first",
    ]
    for address in pairs:
        path, _, query = address.partition("?")
        method = "POST" if "active" in path else "GET"
        answers = [ask(server, method, f"{p}{'?' if query else ''}{query}") for p in (path, f"{path}/")]
        assert [answer.status for answer in answers] == [200, 200]
