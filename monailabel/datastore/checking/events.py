"""Checks the events: each as it was sealed, none missing, and none cut off behind a head that was noted."""

from collections.abc import Iterable, Iterator

from monailabel.catalog import chain
from monailabel.catalog.sqlite import SqliteCatalog
from monailabel.datastore.checking.finding import Finding
from monailabel.datastore.head import Noted, contradiction, noted
from monailabel.datastore.progress import Progress

FROM_BACKUP = "what it was, a backup can tell; somebody changed the catalog past the datastore, or its disk failed"


def events(catalog: SqliteCatalog, progress: Progress | None) -> Iterator[Finding]:
    """Compute the chain anew."""

    def tell(done: int, total: int) -> None:
        if progress is not None:
            progress("checking events", done, total)

    for flaw in chain.verify(catalog, tell):
        which = f"event {flaw.first}" if flaw.first == flaw.last else f"events {flaw.first} to {flaw.last}"
        yield Finding("event", f"{which} {flaw.what}", "" if flaw.told else FROM_BACKUP)


def heads(catalog: SqliteCatalog, beside: Iterable[Noted], path: str, given: str | None) -> Iterator[Finding]:
    """Compare the catalog with the heads that were noted `beside` it, in the file `path`, and with the one given."""
    remedy = f"a backup may have them; where the loss is known, remove the line from {path}"
    for head in beside:
        if how := contradiction(catalog, head):
            yield Finding("head", how, remedy)
    if given is not None and (how := contradiction(catalog, noted(given))):
        yield Finding("head", how, "a backup may have them")
