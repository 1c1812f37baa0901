"""The datastore of a medical-image annotation server: images, labels and their metadata, none of them ever lost."""

import os
from importlib.util import module_from_spec, spec_from_file_location
from pkgutil import extend_path
from typing import Any

__path__ = extend_path(__path__, __name__)
__version__ = "0.1.0"

_THEIRS = ("print_config", "__basedir__", "__copyright__", "__revision_id__")


def __getattr__(name: str) -> Any:
    """Hand on what MONAI Label's own package defines, where it is installed too."""
    here = os.path.dirname(os.path.abspath(__file__))
    for folder in __path__ if name in _THEIRS else ():
        path = os.path.join(folder, "__init__.py")
        if os.path.abspath(folder) == here or not os.path.isfile(path):
            continue
        spec = spec_from_file_location(__name__, path, submodule_search_locations=[folder])
        if spec is None or spec.loader is None:
            continue
        theirs = module_from_spec(spec)
        spec.loader.exec_module(theirs)
        if name in vars(theirs):
            return vars(theirs)[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
