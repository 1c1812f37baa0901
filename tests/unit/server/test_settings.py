"""Settings: from MONAI Label's variables, from arguments, and one clear sentence for what cannot be."""

import pytest

from monailabel.interfaces.exception import InvalidInputException
from monailabel.server.settings import Settings

VARIABLES = {
    "MONAI_LABEL_STUDIES": "/data/brains",
    "MONAI_LABEL_DATASTORE_FILE_EXT": '["*.nii.gz", "*_ct.nii"]',
    "MONAI_LABEL_DATASTORE_READ_ONLY": "true",
    "MONAI_LABEL_DATASTORE_AUTO_RELOAD": "False",
    "MONAI_LABEL_SERVER_PORT": "8123",
    "MONAI_LABEL_CORS_ORIGINS": '["http://Viewer.example/"]',
    "MONAI_LABEL_SESSION_PATH": "/tmp/sessions",
    "MONAI_LABEL_SESSION_EXPIRY": "600",
}


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def test_without_anything_the_defaults_are_monai_labels() -> None:
    """Port 8000 of this machine, a watched folder, MONAI Label's extensions and three more."""
    settings = Settings.from_environment(folder="/data")
    assert (settings.folder, settings.host, settings.port) == ("/data", "127.0.0.1", 8000)
    assert (settings.auto_reload, settings.read_only, settings.insecure) == (True, False, False)
    extensions = "nii.gz nii nrrd jpg png tif svs xml mha jpeg tiff".split()
    assert settings.extensions == tuple(f"*.{extension}" for extension in extensions)
    assert settings.cors_origins == ()


def test_each_variable_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of MONAI Label's variables that this server has a use for."""
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    settings = Settings.from_environment()
    assert settings.folder == "/data/brains"
    assert settings.extensions == ("*.nii.gz", "*_ct.nii")
    assert (settings.read_only, settings.auto_reload, settings.port) == (True, False, 8123)
    assert settings.cors_origins == ("http://viewer.example",)
    assert (settings.session_path, settings.session_expiry) == ("/tmp/sessions", 600)


def test_an_argument_wins_over_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless it is None, which stands for one that was not given."""
    monkeypatch.setenv("MONAI_LABEL_SERVER_PORT", "8123")
    assert Settings.from_environment(port=9000).port == 9000
    assert Settings.from_environment(port=None).port == 8123


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MONAI_LABEL_SERVER_PORT", "eight thousand"),
        ("MONAI_LABEL_SERVER_PORT", "70000"),
        ("MONAI_LABEL_DATASTORE_READ_ONLY", "perhaps"),
        ("MONAI_LABEL_DATASTORE_FILE_EXT", "*.nii.gz"),
        ("MONAI_LABEL_DATASTORE_FILE_EXT", '{"a": 1}'),
        ("MONAI_LABEL_DATASTORE_FILE_EXT", "[1, 2]"),
        ("MONAI_LABEL_CORS_ORIGINS", "http://viewer.example"),
        ("MONAI_LABEL_CORS_ORIGINS", '["*"]'),
        ("MONAI_LABEL_CORS_ORIGINS", '["viewer.example"]'),
        ("MONAI_LABEL_SESSION_EXPIRY", "1h"),
    ],
)
def test_a_malformed_variable_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    """One sentence with the variable."""
    monkeypatch.setenv(name, value)
    with pytest.raises(InvalidInputException, match=f"^{name}=.* refused: .*") as raised:
        Settings.from_environment()
    assert "\n" not in str(raised.value)


def test_a_malformed_argument_is_named() -> None:
    """One sentence with the setting and its value."""
    with pytest.raises(InvalidInputException, match=r"^port=-1 refused: .*greater than or equal to 0"):
        Settings.from_environment(port=-1)
