"""The questions about all images that a datastore answers: `find_images` and `facets`."""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from monailabel.datastore.store import Store

if TYPE_CHECKING:
    from monailabel.datastore.find import Found, Info, Several


class Finding(ABC):
    """The part of a datastore that finds images."""

    @property
    @abstractmethod
    def _store(self) -> Store:
        """The open folder."""

    def find_images(
        self,
        text: str = "",
        state: "Several" = None,
        tag: "Several" = None,
        annotator: "Several" = None,
        structure: "Several" = None,
        info: "Info | None" = None,
        sort: str = "id",
        after: str | None = None,
        limit: int | None = 100,
        *,
        without_tag: "Several" = None,
        id: str = "",
        skip: int = 0,
    ) -> "Found":
        """Find images: those of which everything holds that is given, a page of `limit` (None: all) after a `next`.

        `skip` begins a page anywhere instead, that many images from the first. `id` asks for one image alone.

        `text` is looked for in id and comment, in any letter case, with or without accents. `state` is unlabelled,
        labelled, flagged or approved (a reviewer's status of the label `final`); `annotator` who saved that label;
        `structure` what any label names. Of several values (a list) any will do. `info` is by key of the image's info,
        with dots for keys inside; None stands for any value. `sort` is id (2 before 10), time (of the last change),
        added, size or state, with `-` before it the other way round.

        Each image is a dictionary of id, name, state, tags, labels (tag to `version`), annotator, structures, time,
        added, size (bytes), level, comment and version. Raises InvalidInputException for an unknown sort, state or
        `after`, a `skip` below 0, and `skip` together with `after`.
        """
        from monailabel.datastore import find  # whoever finds nothing does not pay for its import

        asked = find.question(
            text=text, state=state, tag=tag, without_tag=without_tag, annotator=annotator, structure=structure,
            info=info, id=id, sort=sort, after=after, skip=skip, limit=limit,
        )  # fmt: skip
        store = self._store
        return store.finder.ask(store.catalog, lambda index: find.find(index, asked))

    def facets(self) -> dict[str, Any]:
        """Count the images: total, labelled, reviewed, and by state, tag, annotator, structure and key of the info."""
        from monailabel.datastore import find

        store = self._store
        return store.finder.ask(store.catalog, find.facets)
