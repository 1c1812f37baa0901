"""A server is told to end while people work: what was acknowledged is kept, and what is cut off is seen to be."""

import hashlib
import http.client
import os
import random
import signal
import threading
from pathlib import Path

import pytest

from monailabel.datastore.local import LocalDatastore
from tests.endurance.serving import Annotator, Serving, judge

ROUNDS = max(1, int(os.environ.get("ROUNDS", "100")) // 50)
SIZE = 48 << 20  # bytes of an image that takes a while to download


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_a_signal_in_the_middle_of_requests(tmp_path: Path, number: int) -> None:
    """It ends in seconds; all that it acknowledged is there, the document is current, no download is cut unnoticed."""
    folder = tmp_path / "studies"
    folder.mkdir()
    data = random.Random(1).randbytes(1 << 20) * (SIZE >> 20)
    (folder / "big.nii").write_bytes(data)
    right = hashlib.sha256(data).hexdigest()
    with LocalDatastore(str(folder)) as store:
        assert store.image_checksum("big") == right
    chance, everybody, tally = random.Random(number), list[Annotator](), {"whole": 0, "cut": 0}
    for turn in range(ROUNDS):
        server = Serving(folder, tmp_path / f"said-{turn}")
        stop = threading.Event()
        annotators = [Annotator(f"r{turn}a{n}", [server], stop, again=False) for n in range(6)]
        downloads = [threading.Thread(target=download, args=(server, right, tally)) for _ in range(3)]
        for thread in (*annotators, *downloads):
            thread.start()
        threading.Event().wait(chance.uniform(0.4, 1.2))
        seconds = server.end(number)
        for thread in (*annotators, *downloads):
            thread.join(30)
        assert (server.process.returncode, (tmp_path / f"said-{turn}").read_text()) == (0, "")
        assert seconds < 8, f"it took {seconds} s"
        everybody += annotators
        judge(everybody, folder)
    print(f"{sum(a.acknowledged for a in everybody)} changes acknowledged before {ROUNDS} signals, downloads: {tally}")
    assert "wrong" not in tally and sum(a.acknowledged for a in everybody) > 10 * ROUNDS


def download(server: Serving, right: str, tally: dict[str, int]) -> None:
    """Download the large image again and again until the server breaks off; a whole one must be right."""
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
        try:
            connection.request("GET", "/datastore/image?image=big")
            body = connection.getresponse().read()  # raises IncompleteRead where bytes are missing
            kind = "whole" if hashlib.sha256(body).hexdigest() == right else "wrong"
            tally[kind] = tally.get(kind, 0) + 1
        except (OSError, http.client.HTTPException) as error:
            tally["cut"] += isinstance(error, http.client.IncompleteRead)
            return
        finally:
            connection.close()
