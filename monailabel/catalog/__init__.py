"""The record of a datastore: rows, in one transaction each change, and never a byte of an image."""
