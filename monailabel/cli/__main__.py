"""Runs a command line and turns whatever goes wrong into one sentence and an exit status."""

import io
import os
import sys
from collections.abc import Sequence

try:
    from monailabel.cli.command import PROGRAM, app
    from monailabel.interfaces.exception import MONAILabelException
except ImportError as error:  # MONAI Label's modules may lie over ours, as `check` would say
    from monailabel.datastore import beside

    found = beside.look()
    if found is None or found.ours:
        raise
    raise SystemExit(f"monailabel-datastore: {found.sentence}; `{beside.INSTALL_AGAIN}` puts ours back") from error

OK, WENT_WRONG, INTERRUPTED = 0, 1, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line and give its exit status: 0, 1 (went wrong, one sentence on stderr) or 2 (usage)."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # names that the locale cannot write are shown all the same
    try:
        app(arguments, prog_name=PROGRAM)
    except SystemExit as leaving:
        status = leaving.code if isinstance(leaving.code, int) else WENT_WRONG
        return _fail("interrupted") if status == INTERRUPTED else _flushed(status)
    except (MONAILabelException, OSError) as error:
        return _fail(_sentence(error))
    except Exception as error:  # whatever it is, a user gets a sentence
        if sys.flags.dev_mode:
            raise
        return _fail(f"unexpected {type(error).__name__}: {error} (python -X dev -m monailabel.cli shows where)")
    return _flushed(OK)


def _sentence(error: Exception) -> str:
    if isinstance(error, OSError) and not isinstance(error, MONAILabelException) and error.strerror:
        names = " -> ".join(os.fsdecode(n) for n in (error.filename, error.filename2) if isinstance(n, str | bytes))
        return f"{names}: {error.strerror.lower()}" if names else error.strerror.lower()
    return str(error) or type(error).__name__


def _fail(sentence: str) -> int:
    """Say what went wrong in one line."""
    print(f"{PROGRAM}: {' '.join(sentence.split())}", file=sys.stderr)  # noqa: T201 - the command line's voice
    return _flushed(WENT_WRONG)


def _flushed(status: int) -> int:
    """Bring out what is still buffered; a reader that left early, such as `head`, is no error."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return status


if __name__ == "__main__":
    sys.exit(main())
