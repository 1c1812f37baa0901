"""Every kind of change that the tests interrupt, what stands before it, and which steps it goes through."""

from tests.endurance.judging import Change, State, make
from tests.endurance.workers import bringing


def was(change: Change) -> dict[str, object]:
    """Give what a change that brings bytes makes of a file."""
    return {"ext": change["name"], "sha256": change["info"]["sha256"], "info": change["info"]}


FIRST = bringing("save_label", "a", ".nii.gz", "first", tag="version_1")
GONE = bringing("add_image", "gone", ".nii.gz", "image gone")
GONE_LABEL = bringing("save_label", "gone", ".nrrd", "label gone", tag="final")
BEFORE: list[Change] = [
    bringing("add_image", "a", ".nii.gz", "image a"),
    bringing("add_image", "b", ".nii.gz", "image b"),
    bringing("save_label", "a", ".nii.gz", "proposal a", tag="original"),
    bringing("save_label", "a", ".nii.gz", "label a", tag="final"),
    FIRST,
    bringing("save_label", "a", ".nii.gz", "second", tag="version_1"),
    GONE,
    GONE_LABEL,
    {"kind": "remove_image", "image": "gone"},
    {"kind": "set_description", "text": "as it was"},
]
NEW = {
    "a new image": bringing("add_image", "c", ".nii.gz", "image c"),
    "an image replaced": bringing("add_image", "a", ".nii.gz", "another image a"),
    "an image with another extension": bringing("add_image", "a", ".nii", "another image a"),
    "a new label": bringing("save_label", "b", ".nii.gz", "label b", tag="final"),
    "a label of a new tag": bringing("save_label", "b", ".nii.gz", "label b", tag="version_2"),
    "a label replaced": bringing("save_label", "a", ".nii.gz", "another label a", tag="final"),
    "a label with another extension": bringing("save_label", "a", ".nrrd", "another label a", tag="final"),
    "many images": {"kind": "add_images", "of": [bringing("add_image", i, ".nii", f"image {i}") for i in "abcd"]},
    "a label restored": {
        "kind": "restore_label", "image": "a", "tag": "version_1", "version": 1, "was": {"version_1": was(FIRST)},
    },
    "an image restored": {"kind": "restore_image", "image": "gone", "was": {"": was(GONE), "final": was(GONE_LABEL)}},
}  # fmt: skip
REMOVED: dict[str, Change] = {
    "a label removed": {"kind": "remove_label", "image": "a", "tag": "final"},
    "an image removed with its labels": {"kind": "remove_image", "image": "a"},
    "an image purged": {"kind": "purge", "image": "a"},
}
TOLD: dict[str, Change] = {
    "an image's info": {"kind": "update_image_info", "image": "a", "info": {"mark": "updated", "more": [1]}},
    "a label's info": {"kind": "update_label_info", "image": "a", "tag": "final", "info": {"mark": "updated"}},
    "the description": {"kind": "set_description", "text": "as it is to be"},
}
UNSEEN: dict[str, Change] = {
    "a label made for another version": bringing("conflict", "a", ".nii.gz", "made for another version", tag="final"),
    "versions pruned": {"kind": "prune", "image": "a", "tag": "version_1"},
}
KINDS = {**NEW, **REMOVED, **TOLD, **UNSEEN}


def enters(kind: str, step: str) -> bool:
    """Tell whether a change must enter a step: all commit; what moves files publishes; what brings bytes stages."""
    stages = kind in NEW or kind == "a label made for another version"
    return step == "commit" or stages or (step != "stage" and kind in REMOVED)


def state_after(*changes: Change) -> State:
    """Give what must be there after BEFORE and these changes."""
    state: State = {}
    for change in (*BEFORE, *changes):
        make(state, change)
    return state
