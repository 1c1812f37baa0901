"""What the processes of the copying test do: copy files in piece by piece, rename and delete them, read them all."""

import json
import random
import threading
from pathlib import Path

from monailabel.datastore.local import LocalDatastore
from monailabel.interfaces.exception import ImageNotFoundException
from tests.endurance.workers import until_stopped

PIECES = 4


def content(number: int) -> bytes:
    """Give the bytes of a file, which tell whether it is whole."""
    return f"<{number}>".encode() * random.Random(number).choice((1, 100, 3_000)) + b"the end"


def copy_in(folder: str, first: int, files: int, step: int) -> None:
    """Copy files into a folder, each piece by piece while it is open, as programs do that copy."""
    chance = random.Random(first)
    for number in range(first, files, step):
        data, place = content(number), Path(folder) / f"{number:04}.nii"
        target = place if chance.random() < 0.7 else place.with_name(f".{number}.part")
        with open(target, "wb", buffering=0) as file:
            for piece in range(PIECES):
                file.write(data[piece * len(data) // PIECES : (piece + 1) * len(data) // PIECES])
                threading.Event().wait(chance.random() * 0.004)
        if target != place:
            target.rename(place)


def meddle(folder: str, files: int, report: str) -> None:
    """Rename some of the files and delete others once they are whole; tell which are left, under which names."""
    chance, left = random.Random(1), {}
    for number in range(files):
        place = Path(folder) / f"{number:04}.nii"
        while not (place.exists() and place.stat().st_size == len(content(number))):
            threading.Event().wait(0.002)
        what = chance.choice(("kept", "kept", "renamed", "deleted"))
        if what == "renamed":
            place = place.rename(place.with_name(f"renamed-{number:04}.nii"))
        if what == "deleted":
            place.unlink()
        else:
            left[place.stem] = number
    Path(report).write_text(json.dumps(left))


def read_whole(folder: str, stop: str, faults: str, watch: bool) -> None:
    """List all the time what is there, after a refresh or with a watch; what is listed must be whole."""
    with LocalDatastore(folder, auto_reload=watch) as store:

        def look(chance: random.Random) -> None:
            if not watch:
                store.refresh()
            images = store.list_images()
            assert len(images) == len(set(images))
            for image in chance.sample(images, min(len(images), 30)):
                try:
                    opened = store.open_image(image)
                except ImageNotFoundException:
                    continue  # deleted or renamed meanwhile
                with opened, open(opened.fd, "rb", closefd=False) as file:
                    data = file.read()
                    assert data == content(int(image[-4:])), f"{image} was listed with {len(data)} bytes"

        until_stopped(stop, faults, look)
