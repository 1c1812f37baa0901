"""Measures what the datastore's operations cost, beside MONAI Label and beside what the machine can do."""
