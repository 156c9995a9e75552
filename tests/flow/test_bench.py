"""bench/ still works: its tools against the responder that does no DNS work, a comparison of
nothing but one row. Nothing here looks at a figure."""

import contextlib
import json
import os
import socket
import subprocess
import time

import dns_wire
import pytest

from program import BINARY, ROOT, Ports
from tools import run

LIBRARIES = ("-lnghttp2", "-lssl", "-lcrypto")
LINK = ["cost", "doh_link", "dot_link", "latency", "link", "questions", "udp_link"]
NULL = ["null", "null_answer", "null_h2", "null_tls", "null_udp"]
PROGRAMS = {
    "load/load": ["load/%s.c" % word for word in ["load", *LINK]],
    "load/connections": ["load/%s.c" % word for word in ["connections", *LINK]],
    "null/null": ["null/%s.c" % word for word in NULL],
    "lists/list_names": ["lists/list_names.c"],
    "load/turn_load": ["load/turn_load.c", *["load/%s.c" % word for word in LINK]],
}
ENVIRONMENT = {**os.environ, "NAMEGATE": BINARY}
SCRIPTS = ["compare", "growth/growth"]
SCRIPTS += ["lists/" + word for word in ("compare", "reload_under_load", "shared")]
SCRIPTS += ["lists/two_hundred_reloads"]


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    """A build directory that has the tools."""
    build = tmp_path_factory.mktemp("build")
    for program, sources in PROGRAMS.items():
        path = build / "bench" / program
        path.parent.mkdir(parents=True, exist_ok=True)
        files = [ROOT / "bench" / source for source in sources]
        run("cc", "-O1", "-D_GNU_SOURCE", "-I", ROOT, "-o", path, *files, *LIBRARIES, timeout=120)
    return build / "bench"


def await_answer(port):
    """A load over UDP cannot tell that nobody listens yet."""
    for _ in range(100):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.connect(("127.0.0.1", port))
            asking.settimeout(0.1)
            with contextlib.suppress(OSError):
                asking.send(dns_wire.query("a.example"))
                return asking.recv(4096)
            time.sleep(0.05)
    raise AssertionError("null does not answer")


@pytest.fixture(scope="module")
def null(build, certificates):
    """{protocol: (process, port)}"""
    begun = {}
    for protocol in ("udp", "dot", "doh"):
        port = Ports.take()
        command = [build / "null/null", protocol, port]
        if protocol != "udp":
            command += [certificates.certificate, certificates.key]
        begun[protocol] = subprocess.Popen([str(word) for word in command]), port
    await_answer(begun["udp"][1])
    yield begun
    for process, _ in begun.values():
        assert process.poll() is None
        process.terminate()
        process.wait()


def ask(build, null, protocol, tmp_path, *options):
    questions = tmp_path / "questions"
    questions.write_text("a.example A\nwww.b.example AAAA\nc.example HTTPS\n")
    process, port = null["doh" if protocol == "get" else protocol]
    command = [build / "load/load", protocol, port, questions, "--server", process.pid, *options]
    for _ in range(50):  # it may not listen yet
        done = run(*command, check=False)
        if done.returncode == 0:
            return json.loads(done.stdout)
    raise AssertionError(done.stderr)


@pytest.mark.parametrize("script", SCRIPTS)
def test_script_starts(script):
    run("/usr/bin/python3", ROOT / "bench" / script, "--help")


@pytest.mark.parametrize("protocol", ("udp", "dot", "doh", "get"))
def test_load_counts_answers(build, null, tmp_path, protocol):
    """All of them, by as many links as were wanted; none of them wrong."""
    some = ("--warm", 0, "--questions", 300, "--seconds", 20, "--links", 3, "--depth", 4)
    for options in some, (*some, "--fresh", 1), (*some, "--rate", 1000):
        found = ask(build, null, protocol, tmp_path, *options)
        assert found["answers"] == found["noerror"] >= 300
        assert found["lost"] == found["closed"] == found["http_errors"] == found["empty"] == 0
        assert found["cpu_us"] > 0
        assert found["p50_us"] <= found["p90_us"] <= found["p99_us"] <= found["most_us"] * 1.02


@pytest.mark.parametrize("protocol", ("dot", "doh"))
def test_connections_are_opened_resumed_and_held(build, null, tmp_path, protocol):
    ask(build, null, protocol, tmp_path, "--questions", 1)
    process, port = null[protocol]

    def connections(word):
        command = (build / "load/connections", word, protocol, port, 10, process.pid, "a.example")
        return json.loads(run(*command).stdout)

    assert connections("open")["answers"] == 10
    assert connections("resume")["resumed"] == 10
    assert connections("hold")["open"] == 10


@pytest.mark.parametrize("protocol", ("udp", "dot", "doh"))
def test_turn_load_does_what_it_is_told(build, null, tmp_path, protocol):
    """And ends with 1 when nobody answers."""
    ask(build, null, protocol, tmp_path, "--questions", 1)
    counts = [100, 5, 10][: 1 if protocol == "udp" else 3]
    commands = "ask 100\nrenew 5\nask 10\n" if len(counts) == 3 else "ask 100\n"
    (tmp_path / "commands").write_text(commands)
    load, asked = build / "load/turn_load", tmp_path / "questions"
    with open(tmp_path / "commands") as stdin:
        done = run(load, protocol, null[protocol][1], 3, 4, asked, 2, 1, stdin=stdin)
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert told[0] == {} and [one["answers"] for one in told[1:]] == counts
    assert all(one["noerror"] == one["answers"] and one["lost"] == 0 for one in told[1:])
    done = run(load, protocol, Ports.take(), 3, 4, asked, check=False)
    assert done.returncode == 1 and not done.stdout


def compare(build, output):
    """The results of one short row of namegate and null, on ports of this run's own block."""
    Ports.take()
    command = [ROOT / "bench/compare", "--rows", "udp/cached", "--peers", "none", "--rounds", 1]
    command += ["--turns", 2, "--names", 500, "--output", output]
    command += ["--ports-from", Ports.base + Ports.BLOCK // 2]
    done = run(*command, timeout=120, env={**ENVIRONMENT, "BUILD": str(build.parent)})
    assert "ours/null" in done.stdout
    return json.loads(output.read_text())


def test_comparison_runs(build, tmp_path):
    """On a busy machine too much of a row may be lost, and it is left out with a word."""
    for _ in range(3):
        found = compare(build, tmp_path / "results.json")
        if not found["dropped"]:
            break
    assert {one["server"] for one in found["figures"]} == {"namegate", "null"}, found["dropped"]


# Row; what namegate, Unbound, Knot Resolver (not OpenSSL), dnsdist (not nghttp2) and null
# cost; words.
VERDICTS = [
    ("dot1/cached", (12, 20, 21, 22, 10), "| 0.60      | 1.20      | met"),
    ("dot1/cached", (15, 20, 21, 22, 10), "| 1.50      | missed: unbound 0.75 > 0.7 (null 0.50),"),
    ("dot1/cached", (12.5, 20, 21, 22, 10), "missed: null 1.25 > 1.2 |"),
    ("open-dot", (100, 100, 50, 110, 100), "| 1.00      | 1.00      | met"),
    ("idle-doh", (65, 100, 120, 50, 100), "missed: dnsdist 1.30 > 1.1 (null 2.00) |"),
    ("idle-doh", (50, 100, 120, 50, 100), "| 0.50      | 0.50      | met"),
    ("udp/forward", (9, 20, 30, 10, None), "| 0.90      | –         | missed: unbound 0.45 > 0.35"),
]


@pytest.mark.parametrize("row, values, words", VERDICTS)
def test_verdicts(tmp_path, row, values, words):
    servers = ("namegate", "unbound", "kresd", "dnsdist", "null")
    key = "bytes" if row.startswith("idle") else "cpu_us"
    figures = [
        {"row": row, "server": server, "turn": turn, key: value + more}
        for server, value in zip(servers, values)
        if value
        for turn, more in enumerate((-1, 0, 20))  # of which the median counts
    ]
    found = {"machine": "", "servers": servers, "dropped": [], "figures": figures}
    (tmp_path / "results.json").write_text(json.dumps(found))
    told = run(ROOT / "bench/compare", "--tell", tmp_path / "results.json").stdout
    assert words in told


def test_neighbours_in_time_are_compared(tmp_path):
    """The machine is twice as slow in the third turn, for both."""
    costs = {"namegate": (12, 12, 26), "null": (10, 11, 20)}
    figures = [
        {"row": "dot1/cached", "server": server, "turn": turn, "cpu_us": cost}
        for server, several in costs.items() for turn, cost in enumerate(several)
    ]
    found = {"machine": "", "servers": list(costs), "dropped": [], "figures": figures}
    (tmp_path / "results.json").write_text(json.dumps(found))
    told = run(ROOT / "bench/compare", "--tell", tmp_path / "results.json").stdout
    assert "| 12.0     | 11.0 | –         | 1.20      | met" in told


def test_verdict_of_a_step(tmp_path):
    """One run of nine in which an answer of ten is 20 ms late is one too many."""
    for last, words in (400, "| met"), (20400, "| missed: step 20.40 ms > 15 ms"):
        several = [400] * 8 + [last]
        figures = [
            {"row": "rate-dot", "server": "namegate", "turn": turn, "p90_us": one}
            for turn, one in enumerate(several)
        ]
        found = {"machine": "", "servers": ["namegate"], "dropped": [], "figures": figures}
        (tmp_path / "results.json").write_text(json.dumps(found))
        assert words in run(ROOT / "bench/compare", "--tell", tmp_path / "results.json").stdout


def test_verdict_above_the_cache(tmp_path):
    """A name on a list may cost 0.3 µs more than one in the cache."""
    for cost, words in (20.3, "+0.3 µs   | met"), (20.4, "missed: dot1/cached +0.4 µs > 0.3 µs"):
        pairs = ("dot1/cached", "namegate", 20), ("dot1/blocked", "namegate", cost)
        pairs += (("dot1/blocked", "unbound", 40),)
        figures = [dict(zip(("row", "server", "cpu_us"), pair), turn=0) for pair in pairs]
        found = {"machine": "", "servers": ["namegate", "unbound"], "dropped": []}
        (tmp_path / "results.json").write_text(json.dumps({**found, "figures": figures}))
        assert words in run(ROOT / "bench/compare", "--tell", tmp_path / "results.json").stdout
