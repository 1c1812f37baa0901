"""Describes the names that a `monailabel` package offers: classes, methods, their arguments, enumerations."""

import inspect
from importlib import import_module
from typing import Any

MODULES = {
    "monailabel.datastore.local": ("DataModel", "ImageLabelModel", "LocalDatastoreModel", "LocalDatastore"),
    "monailabel.interfaces.datastore": ("Datastore", "DefaultLabelTag"),
    "monailabel.interfaces.exception": (
        "MONAILabelError",
        "MONAILabelException",
        "ImageNotFoundException",
        "LabelNotFoundException",
    ),
}


def describe() -> dict[str, Any]:
    """Describe each class by its bases, methods, fields and members."""
    return {
        f"{module}.{name}": _class(getattr(import_module(module), name))
        for module, names in MODULES.items()
        for name in names
    }


def _class(cls: Any) -> dict[str, Any]:
    methods = {name: _arguments(member) for name, member in vars(cls).items() if _is_method(name, member)}
    return {
        "bases": [base.__name__ for base in cls.__mro__[1:]],
        "methods": methods,
        "abstract": sorted(getattr(cls, "__abstractmethods__", ())),
        "fields": _fields(cls),
        "members": {name: member.value for name, member in getattr(cls, "__members__", {}).items()},
    }


def _is_method(name: str, member: Any) -> bool:
    return inspect.isfunction(member) and (name == "__init__" or not name.startswith("_"))


def _arguments(function: Any) -> list[list[str]]:
    """Give name, kind and default of each argument."""
    return [
        [p.name, p.kind.name, "" if p.default is p.empty else repr(p.default)]
        for p in inspect.signature(function).parameters.values()
    ]


def _fields(cls: Any) -> dict[str, list[Any]]:
    fields = getattr(cls, "model_fields", {})
    return {name: [field.is_required(), repr(field.get_default())] for name, field in fields.items()}


def package() -> dict[str, Any]:
    """Tell which package is imported, and where its modules are found."""
    monailabel = import_module("monailabel")
    found = {name: import_module(name).__file__ for name in ("monailabel.config", *MODULES)}
    return {
        "version": monailabel.__version__,
        "print_config": callable(getattr(monailabel, "print_config", None)),
        "basedir": getattr(monailabel, "__basedir__", None),
        "file": monailabel.__file__,
        "modules": found,
    }
