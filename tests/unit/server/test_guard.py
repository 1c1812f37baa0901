"""What no endpoint gets to see: foreign Host names and other pages' changes."""

from collections.abc import Callable

import pytest

from monailabel.server.guard import allowed_names, is_loopback, name_of
from monailabel.server.settings import Settings
from tests.unit.server.running import Server


def _with_host(server: Server, host: str, method: str = "GET", more: str = "") -> int:
    return server.send(f"{method} /info/ HTTP/1.1\r\nHost: {host}\r\n{more}\r\n".encode()).status


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "LOCALHOST:1234", "127.0.0.1:99", "[::1]:8000", "127.0.1.1"]
)
def test_this_machine_may_be_called_by_its_own_names(shared: Server, host: str) -> None:
    """Any loopback name, with any port, as behind a tunnel."""
    assert _with_host(shared, host) == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "10.0.0.1", "", "[::1", "a b", "0.0.0.0"],
)
def test_a_foreign_name_is_refused(shared: Server, host: str) -> None:
    """400, so that no web page reaches a scan by pointing its own name to this machine."""
    assert _with_host(shared, host) == 400


def test_a_request_without_a_name_is_refused(shared: Server) -> None:
    """A browser always sends one."""
    assert shared.send(b"GET /info/ HTTP/1.0\r\n\r\n").status == 400


def test_further_names_can_be_allowed(serve: Callable[..., Server]) -> None:
    """Exactly, or as a glob; letter case does not matter."""
    server = serve(allowed_hosts=("Scans.Example", "*.lab.example"))
    assert [_with_host(server, host) for host in ("scans.example", "a.lab.example:80", "lab.example")] == [
        200,
        200,
        400,
    ]


def test_an_address_of_its_own_is_a_name(shared: Server) -> None:
    """A server on one address goes by it; one on all addresses goes by every address, and by the machine's name."""
    assert "192.0.2.7" in allowed_names(Settings(host="192.0.2.7"))
    assert len(allowed_names(Settings(host="0.0.0.0"))) > len(allowed_names(Settings()))
    assert [name_of(host) for host in ("a:1", "[fe80::1]:8000", "A")] == ["a", "fe80::1", "a"]
    assert [is_loopback(host) for host in ("127.0.0.5", "::1", "localhost", "0.0.0.0", "example.org")] == [True] * 3 + [
        False
    ] * 2


def test_a_page_of_another_origin_changes_nothing(shared: Server) -> None:
    """403 for each changing method with a foreign Origin; the server's own pages, and programs, may."""
    foreign = ("http://evil.example", "null", f"http://localhost:{shared.port + 1}", "file://")
    for origin in foreign:
        answer = shared.ask("POST", "/activelearning/first", Origin=origin)
        assert answer.status == 403
        assert set(answer.json) == {"detail"}
    assert shared.ask("POST", "/activelearning/first", Origin=shared.url).status == 200
    assert shared.ask("POST", "/activelearning/first").status == 200


def test_no_page_may_read_unless_its_origin_is_named(shared: Server) -> None:
    """Without a named origin there is no CORS header at all, and nothing can be taken in as a picture or script."""
    answer = shared.get("/datastore/image?image=case_1", Origin="http://evil.example")
    assert not [name for name in answer.headers if name.startswith("access-control")]
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    assert answer.headers["x-content-type-options"] == "nosniff"
