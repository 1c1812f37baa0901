"""Stands in for the part of `monai.transforms` that reads a volume."""

from typing import Any

import nibabel


class LoadImage:
    """Reads a NIfTI file into its voxels and a dictionary with its affine."""

    def __init__(self, image_only: bool = False) -> None:
        self.image_only = image_only

    def __call__(self, path: str) -> Any:
        """Give (voxels, metadata), or the voxels alone."""
        image = nibabel.nifti1.Nifti1Image.from_filename(path)
        voxels = image.get_fdata()
        return voxels if self.image_only else (voxels, {"affine": image.affine})
