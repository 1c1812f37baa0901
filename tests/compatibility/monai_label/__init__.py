"""Runs the released MONAI Label in processes of its own, to compare this project with it."""
