"""What a check says: what it found, and the remedy."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that somebody ought to know about a datastore.

    Kinds: `module` (MONAI Label is installed too), `document` and `catalog` (damaged), `space` (little is left on a
    disk), `unfinished` (a change that cannot be finished), `staging` (a file that no change waits for), `problem` (what
    a scan could not take in: a file that is not known, a second one for an id), `missing` (a file is not there),
    `changed` (a file is not as the catalog says), `damaged` (bytes are not those that were saved), `event` (the chain
    of events is broken), `head` (events were cut off), `row` (the catalog contradicts itself), `version` (the bytes of
    an earlier version are gone), `history` (bytes are kept that no version names) and `copy` (that of the catalog is
    damaged).
    """

    kind: str
    what: str
    remedy: str  # what to do, or what was done; "" where nothing is wrong
    repaired: bool = False

    @property
    def stands(self) -> bool:
        """Whether something remains to be done."""
        return bool(self.remedy) and not self.repaired
