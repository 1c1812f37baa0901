"""Two people with the same label over HTTP: nothing is overwritten unseen, and earlier moments are told again."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.server.running import Answer, Server, form

LABEL = "/datastore/label?image=case_1&tag=final"
DOWNLOAD = "/datastore/label?label=case_1&tag=final"
IMAGE = "/datastore/image?image=case_1"


def _save(server: Server, data: bytes, address: str = LABEL, who: str = "anna", **headers: str) -> Answer:
    part = "file" if "/image?" in address else "label"
    kind, body = form({"params": f'{{"client_id": "{who}"}}', part: ("x.nii.gz", data)})
    return server.ask("PUT", address, body, content_type=kind, **headers)


def _etag(server: Server, address: str = DOWNLOAD) -> str:
    return server.get(address).headers["etag"]


def test_saving_answers_with_the_etag_of_what_was_saved(server: Server) -> None:
    """It is that of the download, so that the next save can name it without asking."""
    for data in (b"one", b"two"):
        assert _save(server, data).headers["etag"] == _etag(server)
    assert _save(server, b"scan", IMAGE).headers["etag"] == _etag(server, IMAGE)


def test_who_knows_the_present_version_may_replace_it(server: Server) -> None:
    """`If-Match` with its ETag, alone or among others, or `*`: 200, and the answer that clients know."""
    _save(server, b"one")
    for n, condition in enumerate((_etag(server), "*")):
        answer = _save(server, b"next %d" % n, If_Match=condition)
        assert (answer.status, answer.json) == (200, {"image": "case_1", "label": "case_1"})
    assert _save(server, b"last", If_Match=f'"other", {_etag(server)}').status == 200
    assert server.get(DOWNLOAD).body == b"last"


@pytest.mark.parametrize("address", [LABEL, IMAGE], ids=["label", "image"])
def test_who_knows_an_older_version_overwrites_nothing(server: Server, address: str) -> None:
    """412 names the version under which the sent bytes are kept: they can be fetched and restored, with their info."""
    download, noun = (DOWNLOAD, "label") if address == LABEL else (IMAGE, "image")
    known = _save(server, b"one", address).headers["etag"]
    _save(server, b"hers", address, "anna")
    refused = _save(server, b"his", address, "ben", If_Match=known)
    assert (refused.status, set(refused.json)) == (412, {"detail", "version"})
    number = refused.json["version"]
    assert f"kept as version {number}" in refused.json["detail"]
    assert server.get(download).body == b"hers"
    assert server.get(f"{download}&version={number}").body == b"his"
    query = "image=case_1&tag=final" if noun == "label" else "image=case_1"
    (kept,) = [v for v in server.get(f"/datastore/{noun}/versions?{query}").json if v["version"] == number]
    assert (kept["actor"], kept["action"], kept["kept"], kept["current"]) == ("ben", "refused", True, False)
    assert server.ask("PUT", f"/datastore/{noun}/restore?{query}&version={number}").status == 200
    assert server.get(download).body == b"his"


@pytest.mark.parametrize("condition", ['"other"', "other", "", 'W/"{}"', '"*"', "{}x"])
def test_whatever_is_not_its_etag_is_another_version(server: Server, condition: str) -> None:
    """A weak ETag, a quoted star and nothing at all match no version."""
    tag = _save(server, b"one").headers["etag"].strip('"')
    assert _save(server, b"two", If_Match=condition.format(tag)).status == 412
    assert server.get(DOWNLOAD).body == b"one"


def test_one_that_is_gone_is_not_what_anybody_knows(server: Server) -> None:
    """After a removal the ETag that it had is refused, and so is `*`; what was sent is kept all the same."""
    known = _save(server, b"one").headers["etag"]
    server.ask("DELETE", "/datastore/label?id=case_1&tag=final")
    for condition in (known, "*"):
        refused = _save(server, b"two", If_Match=condition)
        assert refused.status == 412
        assert server.get(f"{DOWNLOAD}&version={refused.json['version']}").body == b"two"
    assert server.get(DOWNLOAD).status == 404


def test_only_the_first_one_is_made(server: Server) -> None:
    """`If-None-Match: *` saves where there is none yet, and keeps what came second aside."""
    assert _save(server, b"one", If_None_Match="*").status == 200
    refused = _save(server, b"two", If_None_Match="*")
    assert refused.status == 412
    assert server.get(DOWNLOAD).body == b"one"
    assert server.get(f"{DOWNLOAD}&version={refused.json['version']}").body == b"two"


def test_a_condition_that_no_change_knows_is_refused(server: Server) -> None:
    """400, and nothing is saved, rather than a condition passed over in silence."""
    assert _save(server, b"one", If_None_Match='"x"').status == 400
    assert server.get(DOWNLOAD).status == 404
    assert server.staged() == []


def test_without_a_condition_the_last_one_wins(server: Server) -> None:
    """Clients that know nothing of versions go on as ever, and every version is there."""
    for n in range(4):
        assert _save(server, b"%d" % n).status == 200
    assert server.get(DOWNLOAD).body == b"3"
    assert [server.get(f"{DOWNLOAD}&version={n}").body for n in (1, 2, 3, 4)] == [b"0", b"1", b"2", b"3"]


def test_of_many_who_save_on_top_of_the_same_version_one_wins(server: Server) -> None:
    """Twelve at once with the same ETag: one is shown, eleven are told so, and the bytes of all are there."""
    known = _save(server, b"base").headers["etag"]
    answers: dict[int, Answer] = {}

    def save(n: int) -> None:
        answers[n] = _save(server, b"by %d" % n, If_Match=known)

    threads = [threading.Thread(target=save, args=(n,)) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (won,) = [n for n, answer in answers.items() if answer.status == 200]
    assert server.get(DOWNLOAD).body == b"by %d" % won
    for n in answers.keys() - {won}:
        assert answers[n].status == 412
        assert server.get(f"{DOWNLOAD}&version={answers[n].json['version']}").body == b"by %d" % n


# ---- earlier moments


def _told(server: Server, output: str, as_of: object) -> Any:
    answer = server.get(f"/datastore/?output={output}&as_of={as_of}")
    assert answer.status == 200
    return answer.json


def test_the_whole_datastore_is_told_as_it_was(server: Server) -> None:
    """By an event's number or by a time: the document of that moment, and the files to train with and their bytes."""
    _save(server, b"one")
    before, number = server.get("/datastore/?output=all").json, server.store.last_event()
    time = server.store.events()[-1]["time"]
    _save(server, b"two")
    server.ask("DELETE", "/datastore/image?id=case_2")
    for moment in (number, time):
        assert _told(server, "all", moment) == before
        (case,) = _told(server, "train", moment)
        with open(case["label"], "rb") as label:
            assert label.read() == b"one"
    assert _told(server, "all", server.store.last_event()) == server.get("/datastore/?output=all").json
    assert _told(server, "all", 0)["objects"] == {}


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("output=all&as_of=99999", 400),
        ("output=all&as_of=yesterday", 400),
        ("output=train&as_of=", 400),
        ("output=stats&as_of=1", 422),
        ("as_of=1", 422),
    ],
)
def test_a_moment_that_cannot_be_told_is_said(shared: Server, query: str, status: int) -> None:
    """What is no moment, or not yet, or asked of the counts, which are only known of now."""
    answer = shared.get(f"/datastore/?{query}")
    assert (answer.status, set(answer.json)) == (status, {"detail"})


def test_a_moment_whose_bytes_are_gone_is_said(server: Server) -> None:
    """409 for files to train with of which a version was pruned; the document of that moment is still told."""
    _save(server, b"one")
    number = server.store.last_event()
    _save(server, b"two")
    server.store.prune(keep=0)
    assert server.get(f"/datastore/?output=train&as_of={number}").status == 409
    assert "final" in _told(server, "all", number)["objects"]["case_1"]["labels"]


def test_nothing_that_cannot_be_undone_is_offered(serve: Callable[..., Server]) -> None:
    """A parameter of another interface erases nothing over HTTP: the image comes back."""
    server = serve()
    server.ask("DELETE", "/datastore/image?id=case_1&purge=true")
    assert server.ask("PUT", "/datastore/image/restore?image=case_1").status == 200
    assert server.get(IMAGE).status == 200
