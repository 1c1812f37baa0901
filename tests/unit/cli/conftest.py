"""What the tests of the command line share: running one."""

import pytest

from monailabel.cli.__main__ import main
from tests.unit.cli.running import Ran, Run


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Give a function that runs a command line and checks that it ends without a traceback."""

    def ran(*words: object) -> Ran:
        result = Ran(main([str(word) for word in words]), *capsys.readouterr())
        assert "Traceback" not in result.err
        return result

    return ran
