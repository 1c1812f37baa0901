"""Runs MONAI Label's DICOMweb store over an archive of pydicom's test files that lies in this process."""

import copy
import os
import stat
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from .calls import attempt

FIRST, SECOND, OTHER = "1.2.826.0.1.1", "1.2.826.0.1.2", "1.2.826.0.1.3"
SEGMENTATION = "1.2.826.0.1.9"

# Stands in for the program that MONAI Label downloads to turn a label into a DICOM segmentation.
CONVERTER = f"""#!{sys.executable}
import sys
from pathlib import Path
import pydicom
from pydicom.data import get_testdata_file

options = dict(zip(sys.argv[1::2], sys.argv[2::2]))
image = pydicom.dcmread(next(Path(options["--inputDICOMDirectory"]).glob("*.dcm")))
result = pydicom.dcmread(get_testdata_file("liver_1frame.dcm", download=False))
result.SeriesInstanceUID = "{SEGMENTATION}"
result.StudyInstanceUID = image.StudyInstanceUID
series = pydicom.Dataset()
series.SeriesInstanceUID = image.SeriesInstanceUID
result.ReferencedSeriesSequence = [series]
result.save_as(options["--outputDICOM"])
"""


class Archive:
    """Answers what a DICOMweb client is asked, from data sets in memory."""

    base_url = "http://archive.test/dicom-web"

    def __init__(self) -> None:
        self.pydicom: Any = import_module("pydicom")
        self.series = [self._read("CT_small.dcm", FIRST), self._read("CT_small.dcm", SECOND)]
        self.series.append(self._read("MR_small.dcm", OTHER))
        self.stored = 0

    def _read(self, name: str, series: str) -> Any:
        path = import_module("pydicom.data").get_testdata_file(name, download=False)
        dataset = self.pydicom.dcmread(path)
        dataset.SeriesInstanceUID = series
        dataset.SOPInstanceUID = f"{series}.1"
        return dataset

    def search_for_series(self, search_filters: dict[str, str]) -> list[dict[str, Any]]:
        """Find the series whose attributes have these values."""
        wanted = [s for s in self.series if all(str(s.get(k)) == v for k, v in search_filters.items())]
        return [self._described(series) for series in wanted]

    def _described(self, series: Any) -> dict[str, Any]:
        described = copy.deepcopy(series)
        described.pop("PixelData", None)
        answer: dict[str, Any] = described.to_json_dict()
        return answer

    def retrieve_series(self, study: str, series: str) -> list[Any]:
        """Give the instances of a series; each has one here."""
        return [copy.deepcopy(s) for s in self.series if s.SeriesInstanceUID == series]

    def retrieve_series_metadata(self, study: str, series: str) -> list[dict[str, Any]]:
        """Give their attributes without the voxels."""
        return [self._described(s) for s in self.retrieve_series(study, series)]

    def store_instances(self, datasets: list[Any]) -> Any:
        """Take instances in and answer with the address of their series."""
        self.series += datasets
        self.stored += len(datasets)
        answer = self.pydicom.Dataset()
        answer.RetrieveURL = f"{self.base_url}/studies/1/series/{datasets[0].SeriesInstanceUID}/instances/1"
        return answer


def run(cache: str, tools: str, label: str) -> dict[str, Any]:
    """Fetch a series, label it, ask for all there is, and give the answers."""
    _provide_converter(tools)
    archive = Archive()
    store = import_module("monailabel.datastore.dicom").DICOMWebDatastore(archive, {"Modality": "CT"}, cache)
    answers = {
        "name": store.name(),
        "images": store.list_images(),
        "fetched": store.get_image_uri(FIRST).endswith(".nii.gz"),
        "uri": store.get_image_uri(FIRST),
        "image": attempt(_size, store.get_image, FIRST),
        "info": store.get_image_info(FIRST),
        "original": store.save_label(FIRST, label, "original", {"by": "a model"}),
        "original uri": store.get_label_uri(FIRST, "original"),
        "original bytes": attempt(_size, store.get_label, FIRST, "original"),
        "final": store.save_label(FIRST, label, "final", {"label_info": [{"name": "liver", "idx": 1}]}),
        "final info": store.get_label_info(FIRST, "final"),
        "labelled": store.get_labeled_images(),
        "unlabelled": store.get_unlabeled_images(),
        "status": store.status(),
        "datalist": store.datalist(),
        "stored": archive.stored,
        "json": store.json(),
        "unknown": attempt(store.get_image_uri, "1.2.3"),
    }
    answers["removed"] = attempt(store.remove_label, FIRST, "original")
    getattr(store, "close", lambda: None)()
    return answers


def _size(read: Any, *arguments: str) -> int:
    return len(read(*arguments).getvalue())


def _provide_converter(tools: str) -> None:
    program = Path(tools, "itkimage2segimage")
    program.write_text(CONVERTER)
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    os.environ["PATH"] = os.pathsep.join([tools, os.environ["PATH"]])
