"""The sidecar: a network of its own whose resolv.conf names 127.0.0.1 and nothing else. Programs
that know nothing of namegate, with glibc and with musl, resolve through it on port 53."""

import shutil

import pytest

from config_text import inline, rule
from namespace import Namespace
from program import with_rules
from tools import run

HERE = __file__.rpartition("/")[0]
UPSTREAM_PORT = 5300


@pytest.fixture
def pod(tmp_path):
    with Namespace(tmp_path / "pod", network=True) as pod:
        (pod.etc / "resolv.conf").unlink(missing_ok=True)
        (pod.etc / "resolv.conf").write_text("nameserver 127.0.0.1\n")
        (pod.etc / "nsswitch.conf").write_text("hosts: files dns\n")
        yield pod


@pytest.fixture
def sidecar(pod, maker):
    settings = maker.settings(scripted=UPSTREAM_PORT)
    maker.ports.update(dns=53, admin=9053)
    settings["listeners"] = [{"protocol": "dns", "address": "127.0.0.1", "port": 53}]
    settings["admin"]["port"] = 9053
    del settings["tls"]
    with_rules(
        settings,
        [inline("bad", "*.evil.test", "evil.test")],
        [rule("no-evil", "BLOCK", "bad", block_response="NXDOMAIN")],
    )
    with pod.upstream(UPSTREAM_PORT), pod.namegate(maker.prepare(settings)) as namegate:
        yield namegate


@pytest.fixture(scope="module")
def musl_program(tmp_path_factory):
    if not shutil.which("musl-gcc"):
        pytest.skip("no musl-gcc")
    program = tmp_path_factory.mktemp("musl") / "getaddrinfo"
    run("musl-gcc", "-static", "-O1", "-o", program, HERE + "/getaddrinfo.c")
    return program


def test_glibc_programs(pod, sidecar):
    assert "192.0.2.1" in pod.run("getent", "ahostsv4", "ok.web.test").stdout
    assert "2001:db8::1" in pod.run("getent", "ahostsv6", "ok.web.test").stdout
    blocked = pod.run("getent", "hosts", "www.evil.test", check=False)
    assert blocked.returncode == 2 and not blocked.stdout
    lines = sidecar.wait_log("www.evil.test")
    assert {line["firewall_rule_action"] for line in lines} == {"BLOCK"}


def test_curl(pod, sidecar):
    """A closed port on a resolved name is exit 7; a name that is not resolved is exit 6."""
    pod.run("ip", "address", "add", "192.0.2.1/32", "dev", "lo")
    found = pod.run("curl", "-sS4", "http://ok.curl.test:9/", check=False)
    assert found.returncode == 7
    assert sidecar.wait_log("ok.curl.test")[0]["transport"] == "UDP"
    assert pod.run("curl", "-sS4", "http://curl.evil.test:9/", check=False).returncode == 6


def test_search_list(pod, sidecar):
    """musl and glibc alike depend on NXDOMAIN to go on with the search list."""
    (pod.etc / "resolv.conf").write_text("nameserver 127.0.0.1\nsearch evil.test web.test\n")
    assert "192.0.2.1" in pod.run("getent", "ahostsv4", "ok").stdout


def test_long_answer_over_tcp(pod, sidecar):
    """500 addresses do not fit into a datagram: the library comes back over TCP."""
    found = pod.run("getent", "ahostsv4", "many-500.web.test").stdout
    assert len({line.split()[0] for line in found.splitlines()}) == 500


def test_musl_program(pod, sidecar, musl_program):
    assert pod.run(musl_program, "ok.musl.test").stdout.split() == ["192.0.2.1"]
    assert pod.run(musl_program, "musl.evil.test", check=False).returncode == 1
    assert sidecar.wait_log("ok.musl.test")
