"""What can be set about the server, read from arguments and from MONAI Label's environment variables."""

import json
import os
import re
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from monailabel.files.entering import FollowLinks
from monailabel.files.layout import LayoutName
from monailabel.interfaces.exception import InvalidInputException

MIB = 2**20

# MONAI Label's own server takes the first eight of them.
DEFAULT_EXTENSIONS = tuple(
    f"*.{end}" for end in ("nii.gz", "nii", "nrrd", "jpg", "png", "tif", "svs", "xml", "mha", "jpeg", "tiff")
)

_VARIABLES = {
    "folder": "MONAI_LABEL_STUDIES",
    "extensions": "MONAI_LABEL_DATASTORE_FILE_EXT",
    "read_only": "MONAI_LABEL_DATASTORE_READ_ONLY",
    "auto_reload": "MONAI_LABEL_DATASTORE_AUTO_RELOAD",
    "follow_links": "MONAI_LABEL_DATASTORE_FOLLOW_LINKS",
    "layout": "MONAI_LABEL_DATASTORE_LAYOUT",
    "recursive": "MONAI_LABEL_DATASTORE_RECURSIVE",
    "port": "MONAI_LABEL_SERVER_PORT",
    "cors_origins": "MONAI_LABEL_CORS_ORIGINS",
    "session_path": "MONAI_LABEL_SESSION_PATH",
    "session_expiry": "MONAI_LABEL_SESSION_EXPIRY",
}
_ORIGIN = re.compile(r"https?://[^/*\s?#@]+")
_LISTS = ("extensions", "cors_origins")


class Settings(BaseModel):
    """All settings of a server; sizes are in bytes, times in seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    folder: str = Field("", description="the folder of images")
    extensions: tuple[str, ...] = Field(DEFAULT_EXTENSIONS, description="which files a scan takes in")
    read_only: bool = Field(False, description="refuse every change")
    auto_reload: bool = Field(True, description="watch the folder for what other programs change")
    follow_links: FollowLinks = Field(
        "reading", description="what links that lead out of the folder are followed for: never, reading, writing"
    )
    layout: LayoutName | None = Field(
        None, description="where the files of a new datastore lie: flat, or sharded over 256 folders"
    )
    recursive: bool | None = Field(None, description="take in images in sub-folders as they come")
    host: str = Field("127.0.0.1", description="the address to listen on")
    port: int = Field(8000, ge=0, le=65535, description="the port to listen on; 0 takes any free one")
    insecure: bool = Field(False, description="allow an address that other machines reach")
    allowed_hosts: tuple[str, ...] = Field((), description="further names of this server, for the Host header")
    cors_origins: tuple[str, ...] = Field((), description="web pages' origins that may read the answers")
    session_path: str = Field("", description="where sessions lie; default ~/.cache/monailabel/sessions")
    session_expiry: int = Field(3600, description="how long a session lives after its last use, at most")
    max_upload: int = Field(32 * 1024 * MIB, gt=0, description="largest body of a request")
    max_field: int = Field(4 * MIB, gt=0, description="largest form field or JSON body")
    max_parts: int = Field(10_000, gt=0, description="most parts of one form")
    body_timeout: float = Field(30, gt=0, description="how long a body may pause before the request ends with 408")
    min_rate: int = Field(1024, gt=0, description="bytes per second that a body must bring on average")
    heartbeat: float = Field(15, gt=0, description="after how long without an event its stream gives a sign of life")
    grace: float = Field(3, ge=0, description="how long open requests may go on when the server is told to stop")

    @field_validator("cors_origins")
    @classmethod
    def _check_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        plain = tuple(origin.rstrip("/").lower() for origin in origins)
        if any(not _ORIGIN.fullmatch(origin) for origin in plain):
            raise ValueError("an origin is a scheme, a host and perhaps a port, such as http://viewer.example:3000")
        return plain

    @classmethod
    def from_environment(cls, **overrides: Any) -> "Settings":
        """Read the environment; an override that is not None wins.

        Raises InvalidInputException with one sentence that names the setting, the value and what it takes.
        """
        values = {name: _read(name, os.environ[key]) for name, key in _VARIABLES.items() if os.environ.get(key)}
        values |= {name: value for name, value in overrides.items() if value is not None}
        try:
            return cls(**values)
        except ValidationError as error:
            raise InvalidInputException(_sentence(error, overrides)) from None


def _read(name: str, text: str) -> Any:
    if name not in _LISTS:
        return text
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, list):
        raise InvalidInputException(f'{_VARIABLES[name]}={text!r} refused: give a JSON list, such as ["*.nii.gz"]')
    return tuple(value)


def _sentence(error: ValidationError, overrides: dict[str, Any]) -> str:
    first = error.errors()[0]
    name = str(first["loc"][0])
    given = overrides.get(name)
    shown = name if given is not None or name not in _VARIABLES else _VARIABLES[name]
    reason = first["msg"].removeprefix("Value error, ")
    return f"{shown}={first['input']!r} refused: {reason[:1].lower()}{reason[1:]}"
