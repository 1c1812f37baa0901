"""Every error that a datastore raises on purpose.

MONAILabelException
├── ImageNotFoundException
├── LabelNotFoundException
├── InvalidInputException      (also a ValueError)
│   └── UnreadableImageException
├── ConflictException
│   └── VersionConflictException
├── ReadOnlyException          (also a PermissionError)
└── DamagedDatastoreException
"""

from enum import Enum


class MONAILabelError(Enum):
    """What kind of thing went wrong; each member's value is its own name."""

    SERVER_ERROR = "SERVER_ERROR"
    UNKNOWN_ERROR = "UNKNOWN_ERROR"
    CLASS_INIT_ERROR = "CLASS_INIT_ERROR"
    MODEL_IMPORT_ERROR = "MODEL_IMPORT_ERROR"
    INFERENCE_ERROR = "INFERENCE_ERROR"
    TRANSFORM_ERROR = "TRANSFORM_ERROR"
    INVALID_INPUT = "INVALID_INPUT"
    APP_INIT_ERROR = "APP_INIT_ERROR"
    APP_INFERENCE_FAILED = "APP_INFERENCE_FAILED"
    APP_TRAIN_FAILED = "APP_TRAIN_FAILED"
    APP_ERROR = "APP_ERROR"


class MONAILabelException(Exception):
    """An error with its kind in `error` and one sentence for people in `msg`."""

    def __init__(self, error: MONAILabelError, msg: str) -> None:
        super().__init__(error, msg)
        self.error = error
        self.msg = msg

    def __str__(self) -> str:
        return self.msg


class _Kinded(MONAILabelException):
    """An exception whose kind is fixed by its class, so that it is made (and pickled) from its message alone."""

    kind = MONAILabelError.APP_ERROR

    def __init__(self, msg: str) -> None:
        super().__init__(self.kind, msg)

    def __reduce__(self) -> tuple[type, tuple[str]]:
        return type(self), (self.msg,)


class ImageNotFoundException(_Kinded):
    """No image has that id."""


class LabelNotFoundException(_Kinded):
    """The image has no label of that tag."""


class InvalidInputException(_Kinded, ValueError):
    """A name, an info or a file that is refused; nothing was changed."""

    kind = MONAILabelError.INVALID_INPUT


class UnreadableImageException(InvalidInputException):
    """A file's voxels cannot be read: its format is not known, it is damaged, or too large."""


class ConflictException(_Kinded):
    """The request contradicts what is there; nothing was changed."""


class VersionConflictException(ConflictException):
    """The file is not at the version that the sender knew; what was sent is kept under the number `version`."""

    def __init__(self, msg: str, version: int) -> None:
        super().__init__(msg)
        self.version = version

    def __reduce__(self) -> tuple[type, tuple[str, int]]:  # type: ignore[override]
        return type(self), (self.msg, self.version)


class ReadOnlyException(_Kinded, PermissionError):
    """A change was asked of a datastore that was opened read-only."""


class DamagedDatastoreException(_Kinded):
    """A file of the datastore itself cannot be read; the message names it and the command that mends it."""

    kind = MONAILabelError.APP_INIT_ERROR
