"""The rows, against namegate: what they stand on is that of tests/flow."""

import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "flow")]

import certificates as certs  # noqa: E402
import program  # noqa: E402
from namegate import Ours  # noqa: E402
from upstream import Upstream  # noqa: E402


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """One for all rows, with all that they do to it."""
    authority = certs.make(tmp_path_factory.mktemp("certificates"))
    ports = {word: program.Ports.take() for word in ("doh", "dot", "dns", "admin")}
    with Upstream(program.Ports.take()) as upstream:
        ours = Ours(tmp_path_factory.mktemp("namegate"), authority, upstream, ports).start()
        yield ours
        ours.stop()
