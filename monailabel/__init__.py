"""The datastore of a medical-image annotation server: images, labels and their metadata, none of them ever lost."""

from pkgutil import extend_path

__path__ = extend_path(__path__, __name__)
__version__ = "0.1.0"
