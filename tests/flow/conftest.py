"""What the flow tests stand on: certificates, upstreams, and a namegate that is looked at after
every test. See README.md here."""

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import certificates as certs  # noqa: E402
import program  # noqa: E402
from dns_client import Stream, Udp, tls_context  # noqa: E402
from h2_client import H2, RawH2  # noqa: E402
from knot import Knot  # noqa: E402
from program import Namegate, Ports, base_settings  # noqa: E402
from scripted_dns import ScriptedDns  # noqa: E402


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    return certs.make(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="session")
def scripted_session():
    with ScriptedDns(Ports.take()) as server:
        yield server


@pytest.fixture
def scripted(scripted_session):
    """The misbehaving upstream, with nothing asked and no zone yet."""
    scripted_session.asked.clear()
    scripted_session.zone.clear()
    scripted_session.mute = False
    return scripted_session


@pytest.fixture(scope="session")
def knot(tmp_path_factory):
    with Knot(tmp_path_factory.mktemp("knot"), Ports.take()) as server:
        yield server


class Maker:
    """Makes settings and starts programs; stops what it started."""

    def __init__(self, root, certificates):
        self.root, self.certificates, self.made = root, certificates, []

    def settings(self, **upstreams):
        """Fresh settings; upstreams are names and servers (or ports)."""
        number = len(list(self.root.iterdir()))
        self.directory = self.root / ("namegate-%d" % number)
        self.directory.mkdir()
        self.ports = {word: Ports.take() for word in ("doh", "dot", "dns", "admin")}
        ports = {name: getattr(server, "port", server) for name, server in upstreams.items()}
        return base_settings(self.directory, self.certificates, ports, self.ports)

    def prepare(self, settings):
        """A program that is not started yet, for the settings made last."""
        made = Namegate(self.directory, settings, self.ports, self.certificates)
        self.made.append(made)
        return made

    def start(self, settings, **how):
        return self.prepare(settings).start(**how)

    def stop_all(self):
        for made in self.made:
            if made.process:
                made.stop()


@pytest.fixture
def maker(tmp_path, certificates):
    """For tests that need a program of their own."""
    maker = Maker(tmp_path, certificates)
    yield maker
    maker.stop_all()


@pytest.fixture(scope="module")
def shared_maker(tmp_path_factory, certificates):
    maker = Maker(tmp_path_factory.mktemp("shared"), certificates)
    yield maker
    maker.stop_all()


@pytest.fixture(scope="module")
def plain(shared_maker, scripted_session):
    """One program for a whole file of tests: no rules, the scripted upstream."""
    return shared_maker.start(shared_maker.settings(scripted=scripted_session))


@pytest.fixture(autouse=True)
def nobody_died():
    yield
    for namegate in list(program.running):
        namegate.check_alive()


@pytest.fixture
def connect():
    """connect(namegate, "udp" | "tcp" | "dot" | "doh") gives a client with ask(), "raw-h2" one
    without manners; all are closed in the end."""
    opened = []

    def open_client(namegate, protocol, **more):
        address, ca = more.pop("address", "127.0.0.1"), namegate.certificates.ca
        if protocol == "udp":
            client = Udp(address, namegate.ports["dns"], **more)
        elif protocol == "tcp":
            client = Stream(address, namegate.ports["dns"], **more)
        elif protocol == "dot":
            context = more.pop("context", None) or tls_context(ca, "dot")
            client = Stream(address, namegate.ports["dot"], context, **more)
        elif protocol == "raw-h2":
            client = RawH2(address, namegate.ports["doh"], ca, **more)
        else:
            client = H2(address, namegate.ports["doh"], ca, **more)
        opened.append(client)
        return client

    yield open_client
    for client in opened:
        client.close()


def pytest_addoption(parser):
    parser.addoption("--write-policy", action="store_true", help="of TLS: what is, is right")
    parser.addoption(
        "--share", metavar="I/N", help="only the I-th of N shares, which may run beside each other"
    )


# Files whose tests take longer than most, in tests of the usual length (0.4 s).
HEAVY = {"test_faults.py": 250, "test_torture.py": 120, "test_certificates_reload.py": 80}


def pytest_collection_modifyitems(config, items):
    """Whole files, the largest first, each to the share that has the least so far: tests of a file
    share programs and servers."""
    share = config.getoption("--share")
    if not share:
        return
    wanted, count = (int(number) for number in share.split("/"))
    files = {}
    for item in items:
        files.setdefault(item.fspath, []).append(item)
    loads = [0] * count
    mine = set()
    weights = {path: len(tests) + HEAVY.get(path.basename, 0) for path, tests in files.items()}
    for path in sorted(files, key=lambda path: (-weights[path], str(path))):
        least = loads.index(min(loads))
        loads[least] += weights[path]
        if least == wanted - 1:
            mine.add(path)
    config.hook.pytest_deselected(items=[i for i in items if i.fspath not in mine])
    items[:] = [item for item in items if item.fspath in mine]


def pytest_configure(config):
    config.addinivalue_line("markers", "quick: part of tests/run --quick")
    config.addinivalue_line("markers", "threads: run again under the thread sanitizer")
    config.addinivalue_line("markers", "slow: takes more than five seconds")
    if not os.path.exists(program.BINARY):
        pytest.exit("no program at %s; set NAMEGATE" % program.BINARY, returncode=2)
