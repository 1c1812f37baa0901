"""The promises that the rest of the package keeps."""

from pkgutil import extend_path

__path__ = extend_path(__path__, __name__)
