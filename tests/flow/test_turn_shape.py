"""A turn is a batch (design, section 8): what the kernel sees of 8 connections with 16 questions in
flight each, in the steady state. Answers come from a rule, so that nothing but the front is
seen."""

import re
import shutil
import subprocess
import time

import pytest

from config_text import inline, rule
from program import with_rules
from tools import run

HERE = __file__.rpartition("/")[0]
QUERIES = 12800
READS = ("read", "readv", "recv", "recvfrom", "recvmsg", "recvmmsg")
WRITES = ("write", "writev", "send", "sendto", "sendmsg", "sendmmsg")


@pytest.fixture(scope="module")
def load(tmp_path_factory):
    program = tmp_path_factory.mktemp("load") / "load"
    run("cc", "-O2", "-o", program, HERE + "/load.c", "-lssl", "-lcrypto", "-lnghttp2")
    return program


@pytest.fixture
def namegate(maker):
    settings = maker.settings(nobody=9)
    settings["workers"] = 1
    lists = [inline("bad", "*.bad.test")]
    return maker.start(
        with_rules(settings, lists, [rule("r", "BLOCK", "bad", block_response="NXDOMAIN")])
    )


def system_calls(strace_output):
    """name -> calls, from the table of strace -c."""
    calls = {}
    for line in strace_output.splitlines():
        match = re.match(r"\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(\w+)$", line)
        if match:
            calls[match[2]] = int(match[1])
    return calls


@pytest.mark.skipif(not shutil.which("strace"), reason="no strace")
@pytest.mark.parametrize("protocol", ("dot", "doh"))
def test_turn_is_a_batch(namegate, load, tmp_path, protocol):
    """At most 0.2 reads and 0.2 writes a query, and no epoll_ctl."""
    port, authority = namegate.ports[protocol], namegate.certificates.ca
    arguments = [protocol, port, authority, "x.bad.test", QUERIES]
    client = subprocess.Popen(
        [str(load), *(str(word) for word in arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert client.stdout.readline() == "ready\n"
    table = tmp_path / "strace"
    strace = subprocess.Popen(
        ["strace", "-c", "-f", "-o", str(table), "-p", str(namegate.pid)],
        stderr=subprocess.PIPE,
        text=True,
    )
    said = strace.stderr.readline()
    if "attached" not in said:
        client.kill()
        pytest.skip("strace may not look: %s" % said)
    time.sleep(0.2)  # its other threads
    client.stdin.write("go\n")
    client.stdin.flush()
    assert client.stdout.readline() == "done\n"
    strace.send_signal(2)
    strace.wait(10)
    client.communicate("bye\n", timeout=10)
    assert client.returncode == 0
    calls = system_calls(table.read_text())
    reads = sum(calls.get(name, 0) for name in READS) / QUERIES
    writes = sum(calls.get(name, 0) for name in WRITES) / QUERIES
    print("%s: %.3f reads and %.3f writes a query; %r" % (protocol, reads, writes, calls))
    assert 0.03 < reads <= 0.2  # fewer would mean that it was not watched
    assert 0.03 < writes <= 0.2
    assert "epoll_ctl" not in calls, calls
