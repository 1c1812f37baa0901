"""Taking in what another program changed in datastore_v2.json: three-way, value by value."""

import json
import logging
from typing import TYPE_CHECKING, Any

from monailabel import naming
from monailabel.datastore.edit import Edit
from monailabel.files.looks import complete
from monailabel.interfaces.exception import ConflictException, InvalidInputException
from monailabel.models import IMAGE, State, plain

if TYPE_CHECKING:
    from monailabel.documents import DataModel, LocalDatastoreModel

logger = logging.getLogger(__name__)


def merge(edit: Edit, theirs: "LocalDatastoreModel", base: "LocalDatastoreModel | None") -> None:
    """Take in what another program changed in the document: three-way, against what we wrote last.

    Absence there deletes nothing. Without a base it may be an older document of ours, and nothing that the catalog
    said of a file before is news.
    """
    for name, value in _news(_heading(theirs), _earlier(edit, base, IMAGE, IMAGE)).items():
        edit.set(name, value)
    refused = []
    for image_id, entry in theirs.objects.items():
        if trouble := _refusal(edit, image_id, IMAGE, entry.image.ext):
            refused.append((image_id, IMAGE, entry.model_dump(), trouble))
            continue
        _merge_file(edit, image_id, IMAGE, entry.image, base)
        for tag, label in entry.labels.items():
            if trouble := _refusal(edit, image_id, tag, label.ext):
                refused.append((image_id, tag, label.model_dump(), trouble))
            else:
                _merge_file(edit, image_id, tag, label, base)
    if refused:
        _keep_refused(edit, refused)


def _heading(document: "LocalDatastoreModel") -> dict[str, Any]:
    return plain({"name": document.name, "description": document.description}, lenient=True)


def _refusal(edit: Edit, image_id: str, tag: str, ext: str) -> str:
    """Say why a name in a document may not reach a file, `""` if it may."""
    try:
        naming.tag(tag) if tag else naming.image_id(image_id)
        naming.extension(ext)
        edit.path(image_id, tag, ext)
    except InvalidInputException as error:
        return str(error)
    return ""


def _keep_refused(edit: Edit, refused: list[tuple[str, str, dict[str, Any], str]]) -> None:
    """Keep what the document says of unsafe names, for the document alone."""
    known = json.loads(edit.rows.settings().get("refused", "{}"))
    for image_id, tag, entry, trouble in refused:
        logger.warning("%s; it is kept in the document only", trouble)
        known[json.dumps([image_id, tag])] = plain(entry, lenient=True)
    edit.rows.set_setting("refused", json.dumps(known))


def _merge_file(edit: Edit, image_id: str, tag: str, theirs: "DataModel", base: "LocalDatastoreModel | None") -> None:
    info = plain(theirs.info, f"info of {image_id!r}", lenient=True)
    item = edit.rows.item(image_id, tag)
    earlier = _earlier(edit, base, image_id, tag)
    if item is None or item.state is State.REMOVED:
        if earlier is None:  # else they have not heard yet that it was removed here
            _take(edit, image_id, tag, theirs.ext, info)
        return
    merged = {**item.info, **_news(info, earlier)}
    before = _file_of(base, image_id, tag)
    other = base is not None and theirs.ext != item.ext and (before is None or theirs.ext != before.ext)
    if other and _take(edit, image_id, tag, theirs.ext, merged, only_if_there=True):
        return
    if merged != item.info:
        edit.inform(item, merged)


def _earlier(edit: Edit, base: "LocalDatastoreModel | None", image_id: str, tag: str) -> list[dict[str, Any]] | None:
    """Give the infos of a file (or, without an id, name and description) that they know from us; None if none."""
    if base is None:
        return edit.rows.said(image_id, tag)
    if not image_id:
        return [_heading(base)]
    before = _file_of(base, image_id, tag)
    return None if before is None else [plain(before.info, lenient=True)]


def _file_of(base: "LocalDatastoreModel | None", image_id: str, tag: str) -> "DataModel | None":
    entry = base.objects.get(image_id) if base else None
    return None if entry is None else entry.labels.get(tag) if tag else entry.image


def _news(theirs: dict[str, Any], earlier: list[dict[str, Any]] | None) -> dict[str, Any]:
    """Give what is not as we once said."""
    return {k: v for k, v in theirs.items() if all(k not in before or before[k] != v for before in earlier or ())}


def _take(edit: Edit, image_id: str, tag: str, ext: str, info: dict[str, Any], *, only_if_there: bool = False) -> bool:
    """Take in a file that the document speaks of, else its info alone; tell whether the file was there."""
    try:
        path = edit.path(image_id, tag, ext)
        edit.check_namesake(image_id, tag, ext)
    except (ConflictException, InvalidInputException) as error:
        logger.warning("%s", error)
        return False
    seen = edit.look(image_id, tag, ext)
    if seen is not None and complete({path: seen}):
        edit.find(edit.rows.item(image_id, tag), image_id, tag, ext, seen, info)
        return True
    if not only_if_there:
        edit.expect(image_id, tag, ext, info)
    return False
