"""Bytes by version, and never a row of the catalog."""
