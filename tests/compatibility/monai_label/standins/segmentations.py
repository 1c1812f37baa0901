"""Stands in for the reader of `pydicom_seg`: the frames of a DICOM segmentation as a volume."""

from dataclasses import dataclass
from importlib import import_module
from typing import Any


@dataclass
class Result:
    """What the reader gives: a SimpleITK image."""

    image: Any


class MultiClassReader:
    """Reads the frames of a segmentation with one segment."""

    def read(self, dataset: Any) -> Result:
        """Give its voxels, 0 or 1, as an image of 8-bit numbers."""
        frames = dataset.pixel_array
        volume = frames.reshape((-1, *frames.shape[-2:])).astype("uint8")
        return Result(import_module("SimpleITK").GetImageFromArray(volume))
