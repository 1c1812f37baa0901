"""The datastores; each keeps an image or label and its row in the catalog together."""

from pkgutil import extend_path

__path__ = extend_path(__path__, __name__)
