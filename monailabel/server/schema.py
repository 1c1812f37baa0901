"""What OpenAPI says of bodies that are read by hand, and of the answers' shapes."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

_TEXT = {"type": "string"}
_FILE = {"type": "string", "format": "binary"}
SENT_EVENT = {  # one of those in a stream
    "type": "object",
    "properties": {
        "id": {**_TEXT, "description": "the event's number"},
        "data": {**_TEXT, "description": "the event", "contentMediaType": "application/json"},
    },
    "required": ["id", "data"],
}


def text(description: str) -> dict[str, Any]:
    """Describe a form field that holds a JSON object as text."""
    return {**_TEXT, "description": description, "contentMediaType": "application/json", "default": "{}"}


def file(description: str) -> dict[str, Any]:
    """Describe a part that is a file."""
    return {**_FILE, "description": description}


def files(description: str) -> dict[str, Any]:
    """Describe a part that comes once or more, each time a file."""
    return {"type": "array", "items": _FILE, "minItems": 1, "description": description}


def body(kinds: tuple[str, ...], needed: tuple[str, ...] = (), **parts: dict[str, Any]) -> dict[str, Any]:
    """Describe a body of these parts in one of these content types."""
    schema = {"type": "object", "properties": parts, "required": list(needed)}
    content = {kind: {"schema": {k: v for k, v in schema.items() if v != []}} for kind in kinds}
    return {"requestBody": {"required": bool(needed), "content": content}}


def answer(model: Any, description: str) -> dict[int | str, dict[str, Any]]:
    """Describe the JSON of a success."""
    return {200: {"model": model, "description": description}}


def binary(description: str, *statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe an answer of bytes, with the further statuses of conditional and partial requests."""
    content = {"application/octet-stream": {"schema": _FILE}, "*/*": {"schema": _FILE}}
    more = {206: "the range that was asked for", 304: "the client has it already"}
    found: dict[int | str, dict[str, Any]] = {200: {"content": content, "description": description}}
    for status in statuses:
        found[status] = {"description": more[status]} | ({"content": content} if status == 206 else {})
    return found


class Status(BaseModel):
    """How many images there are, how many have a `final` label, and how many labels each tag has."""

    total: int
    completed: int
    label_tags: dict[str, int]


class Strategy(BaseModel):
    """A way to choose the next image."""

    description: str


class Info(BaseModel):
    """What a client shows of a server; what needs a model stays empty here."""

    name: str
    description: str
    version: str
    labels: list[str]
    models: dict[str, Any]
    trainers: dict[str, Any]
    strategies: dict[str, Strategy]
    scoring: dict[str, Any]
    train_stats: dict[str, Any]
    datastore: Status
    read_only: bool = Field(description="whether every change is refused; MONAI Label's servers do not say it")


class ImageId(BaseModel):
    """The id under which an image was added."""

    image: str


class LabelId(BaseModel):
    """The image that a label was saved for, and the label's id."""

    image: str
    label: str


class ImageVersion(BaseModel):
    """The image that an earlier version of was restored, and the number that it has now."""

    image: str
    version: int


class LabelVersion(LabelId):
    """The label that an earlier version of was restored, and the number that it has now."""

    version: int


class Version(BaseModel):
    """One version of an image or label, and who made it when."""

    version: int
    name: str = Field(description="id and extension")
    sha256: str | None = Field(description="null until the bytes were read")
    size: int | None = Field(description="bytes")
    image_version: int | None = Field(description="of a label: the version of the image that it was made for")
    for_present_image: bool | None = Field(
        description="of a label: whether that has the bytes of the image's newest version; null where nobody knows"
    )
    time: str = Field(description="ISO 8601 in UTC, to the millisecond")
    actor: str
    authenticated: bool = Field(description="whether the actor proved who they are")
    action: str
    current: bool = Field(description="whether it is the one that is there now")
    kept: bool = Field(description="whether its bytes can be fetched and restored")


class Event(BaseModel):
    """One change of the datastore."""

    seq: int = Field(description="its number; events are numbered without a gap")
    time: str = Field(description="ISO 8601 in UTC, to the millisecond")
    actor: str
    authenticated: bool = Field(description="whether the actor proved who they are")
    action: str = Field(description="added, replaced, removed, restored, updated, found, missing, back, changed, set …")
    image: str = Field(description="empty where the event is about the datastore itself")
    tag: str = Field(description="empty where the event is about an image")
    version: int | None
    before: str | None = Field(description="SHA-256 of the bytes before")
    after: str | None = Field(description="… and after")
    old: dict[str, Any] | None = Field(description="the info before")
    new: dict[str, Any] | None = Field(description="… and after")


class Events(BaseModel):
    """A page of events, and the number of the datastore's newest event."""

    events: list[Event]
    last: int


class LabelSummary(BaseModel):
    """A label of an image that was found."""

    version: int


class ImageSummary(BaseModel):
    """What is told of an image that was found; times are ISO 8601 in UTC."""

    id: str
    name: str
    state: str = Field(description="unlabelled, labelled, flagged or approved")
    tags: list[str] = Field(description="in the order in which the labels were created")
    labels: dict[str, LabelSummary]
    annotator: str | None
    structures: list[str]
    time: str = Field(description="of the last change of the image or a label of it")
    added: str
    size: int | None = Field(description="bytes")
    level: str
    comment: str
    version: int


class Page(BaseModel):
    """Some of the images that were found; all of it holds as of the event `seq`."""

    images: list[ImageSummary]
    next: str | None = Field(description="where the next page begins, to be given as `after`; null on the last one")
    total: int
    seq: int


class Facets(BaseModel):
    """How many images there are, labelled or not, reviewed, and by what they can be found by, most first."""

    total: int
    labelled: int
    reviewed: int
    state: dict[str, int]
    tag: dict[str, int]
    annotator: dict[str, int]
    structure: dict[str, int]
    info: dict[str, int]
    seq: int


class Sample(BaseModel):
    """The next image with all of its info; nothing at all when none is left."""

    model_config = ConfigDict(extra="allow")

    id: str = Field("", description="the image's id; absent when no image is left")
    path: str = Field("", description="where the image lies on the server")
    name: str = Field("", description="the image's file name")
    ts: int = Field(0, description="when the image was added, in seconds")
    weight: int = Field(0, description="random: seconds since the image was last handed out")
    checksum: str = Field("", description="SHA256:hex; absent until the image's bytes were read")
    bbox: list[int] = Field([], description="x, y, width, height of the patch that was asked for")


class ImageHeader(BaseModel):
    """What an image's file says of its voxels; null for what its format does not say."""

    format: str
    shape: list[int] = Field(description="voxels along each axis as stored: up to three in space, then volumes")
    spacing: list[float] | None = Field(description="mm between neighbours along each axis in space")
    orientation: str | None = Field(description="where each axis runs, such as RAS")
    affine: list[list[float]] | None = Field(description="4 x 4, from voxel indices to mm, RAS")
    dtype: str
    components: int = Field(description="numbers of each voxel")
    modality: str | None


class SessionInfo(BaseModel):
    """A session; times in seconds."""

    name: str
    path: str
    image: str
    meta: dict[str, Any]
    create_ts: int
    last_access_ts: int
    expiry: int


class SessionMade(BaseModel):
    """A new session and its id."""

    session_id: str
    session_info: SessionInfo


class AuthState(BaseModel):
    """Whether a client has to log in."""

    enabled: bool
    client_id: str
    realm: str


class Token(BaseModel):
    """A token; both are null while nobody has to log in."""

    access_token: str | None
    token_type: str | None


class User(BaseModel):
    """Who a request comes from."""

    username: str
    email: str | None
    name: str | None
    roles: list[str]
