"""The datastore over HTTP, for the clients of MONAI Label and for anyone else."""
