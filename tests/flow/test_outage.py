"""The cable is pulled: two upstreams in network namespaces of their own, one or both of which
become silent under load. What the clients see is printed (pytest -s)."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

import dns_wire as w
from namespace import Namespace
from tools import run

pytestmark = pytest.mark.slow

LOAD = Path(__file__).with_name("outage_load.py")
RATE = 500  # what the scripted upstreams in Python manage next to a program with sanitizers


class Site:
    """One namespace with an upstream, linked to that of namegate by a cable that can be pulled."""

    def __init__(self, directory, number, center):
        self.here = "10.89.%d.2" % number
        self.there = "10.89.%d.1" % number
        self.center, self.number = center, number
        self.space = Namespace(directory / ("site-%d" % number), network=True)

    def __enter__(self):
        self.space.__enter__()
        near, far = "near%d" % self.number, "far%d" % self.number
        run("ip", "link", "add", near, "netns", str(self.center.holder.pid), "type", "veth",
            "peer", "name", far, "netns", str(self.space.holder.pid))
        for space, device, address in (
            (self.center, near, self.there), (self.space, far, self.here),
        ):
            space.run("ip", "address", "add", address + "/24", "dev", device)
            space.run("ip", "link", "set", device, "up")
        self._server = self.space.upstream(53, self.here)
        self._server.__enter__()
        return self

    def __exit__(self, *what):
        self._server.__exit__(*what)
        self.space.__exit__(*what)

    def pull(self, how):
        if how == "silence":  # somewhere on the way back packets vanish
            self.space.run("ip", "route", "add", "blackhole", self.there + "/32")
        else:
            self.space.run("ip", "link", "set", "far%d" % self.number, "down")

    def mend(self, how):
        if how == "silence":
            self.space.run("ip", "route", "del", "blackhole", self.there + "/32")
        else:
            self.space.run("ip", "link", "set", "far%d" % self.number, "up")


@pytest.fixture
def sites(tmp_path):
    with Namespace(tmp_path / "center", network=True) as center:
        with Site(tmp_path, 1, center) as one, Site(tmp_path, 2, center) as two:
            yield center, one, two


@pytest.fixture
def namegate(sites, maker):
    center, one, two = sites
    settings = maker.settings()
    del settings["tls"]
    settings["listeners"] = [{"protocol": "dns", "address": "127.0.0.1", "port": 53}]
    settings["admin"]["port"] = 9053
    settings["upstreams"] = [{"name": "one", "address": one.here}, {"name": "two", "address": two.here}]
    settings["cache"] = {"stale_after": "500ms"}
    with center.namegate(maker.prepare(settings)) as running:
        yield running


class Load:
    """Questions at a steady rate from within the namespace, in the background."""

    def __init__(self, center, seconds, rate=RATE, names=0, zone="outage.test"):
        words = [sys.executable, LOAD, "127.0.0.1", 53, rate, seconds, names, zone]
        self.process = center.popen(*words, stdout=subprocess.PIPE, text=True)
        self.begin = json.loads(self.process.stdout.readline())

    def at(self, seconds):
        time.sleep(max(0, self.begin + seconds - time.monotonic()))

    def rows(self):
        rows = json.loads(self.process.stdout.readline())
        self.process.wait()
        return rows


def worst(rows, share=0.99):
    times = sorted(row[1] for row in rows)
    return times[min(len(times) - 1, int(len(times) * share))]


def tell(what, rows):
    print("%s: %d questions, p50 %.1f ms, p99 %.1f ms, worst %.1f ms" % (
        what, len(rows), *(1000 * worst(rows, share) for share in (0.5, 0.99, 1))))


@pytest.mark.parametrize("how", ("silence", "link-down"))
def test_one_of_two(sites, namegate, how):
    """No client gets a failure, and none waits long; after the mending it is as before."""
    center, one, _ = sites
    load = Load(center, 9)
    load.at(2)
    one.pull(how)
    load.at(5)
    one.mend(how)
    rows = load.rows()
    assert len(rows) == RATE * 9
    assert all(row[2] == w.NOERROR for row in rows)
    first, later, healed = (
        [row for row in rows if begin <= row[0] < end] for begin, end in ((2, 3), (3, 5), (8, 9))
    )
    tell("first second of %s" % how, first)
    tell("after that", later)
    tell("three seconds after the mending", healed)
    assert worst(first, 1) < 2
    assert worst(later) < 0.5 and worst(healed) < 0.2


def test_both(sites, namegate):
    """Stale answers where there are any, else SERVFAIL with a reason, all before a stub gives up;
    and soon after the mending all is well."""
    center, one, two = sites
    Load(center, 2, rate=100, names=50).rows()
    for site in (one, two):
        site.pull("silence")
    fresh = Load(center, 3, rate=20, names=50)  # still within their TTL
    unknown = Load(center, 1, rate=5, zone="unknown.test")
    assert all(row[2] == w.NOERROR for row in fresh.rows())
    rows = unknown.rows()
    assert all(row[1] is not None and row[1] < 5 for row in rows)
    assert {row[2] for row in rows} == {w.SERVFAIL}
    assert {row[3] for row in rows} <= {22, 23, 13}
    for site in (one, two):
        site.mend("silence")
    mended = time.monotonic()
    while True:
        answer = Load(center, 0.05, rate=20, names=1).rows()
        again = center.run("kdig", "@127.0.0.1", "+short", "+retry=0", "+timeout=5",
                           "ok.x%d.mended.test" % time.monotonic_ns(), check=False)
        if again.stdout.strip() == "192.0.2.1" and answer[0][2] == w.NOERROR:
            break
        assert time.monotonic() < mended + 10
    print("both dead: back %.1f s after the mending" % (time.monotonic() - mended))
