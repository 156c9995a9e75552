"""The cable is pulled: two upstreams in network namespaces of their own, one or both of which
become silent under load, over plain DNS, DoT and DoH at the same time. What the clients see is
printed (pytest -s), and stands in docs/what-clients-see.md."""

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

import certificates as certs
import dns_wire as w
from namespace import Namespace
from tools import run

pytestmark = pytest.mark.slow

LOAD = Path(__file__).with_name("outage_load.py")
RATE = 450  # of all protocols, next to a program with sanitizers
PORTS = {"dns": 53, "dot": 853, "doh": 443}
ADDRESSES = ("10.89.1.2", "10.89.2.2")  # of the sites
STALE_AFTER_S = 0.5
SHOWN = 3  # EDE: a stale answer
SAID = {22, 23, 13}  # EDE: nobody reachable, network error, an error that is remembered

# Says the same whatever it is asked, over all protocols, as fast as anybody.
DNSDIST = """\
setLocal("%(address)s:%(dns)d")
setSecurityPollSuffix("")
setACL("0.0.0.0/0")
addTLSLocal("%(address)s:%(dot)d", "%(certificate)s", "%(key)s", { tcpListenQueueSize = 100 })
addDOHLocal("%(address)s:%(doh)d", "%(certificate)s", "%(key)s", "/dns-query", { idleTimeout = 30 })
setTCPRecvTimeout(30)
setServFailWhenNoServer(true)
addAction(AllRule(), SpoofAction({ "192.0.2.1" }, { ttl = 1 }))
"""


class Site:
    """One namespace with an upstream, linked to that of namegate by a cable that can be pulled."""

    def __init__(self, directory, number, center, certificates):
        self.here = ADDRESSES[number - 1]
        self.there = self.here[:-1] + "1"
        self.center, self.number, self.certificates = center, number, certificates
        self.directory = directory / ("site-%d" % number)
        self.space = Namespace(self.directory, network=True)

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
        # A copy: see upstream_servers.py.
        shutil.copy(shutil.which("dnsdist", path="/usr/sbin:/usr/bin"), self.directory)
        (self.directory / "config").write_text(DNSDIST % {
            **PORTS,
            "address": self.here,
            "certificate": self.certificates.certificate,
            "key": self.certificates.key,
        })
        self.start()
        self.wait()
        return self

    def __exit__(self, *what):
        self.kill()
        self.space.__exit__(*what)

    def start(self):
        with open(self.directory / "log", "ab") as log:
            words = ("--supervised", "--disable-syslog", "-C", self.directory / "config")
            dnsdist = self.directory / "dnsdist"
            self.server = self.space.popen(dnsdist, *words, stdout=log, stderr=log)

    def wait(self):
        for protocol, how in (("dns", "+notcp"), ("dot", "+tls"), ("doh", "+https")):
            ask = ("kdig", "@" + self.here, "-p", PORTS[protocol], how, "+short", "+retry=0")
            self.space.wait_for(*ask, "+timeout=1", "ok.started.test")

    def kill(self):
        """Its connections are reset, and new ones refused."""
        self.server.kill()
        self.server.wait()

    def pull(self, how="silence"):
        if how == "silence":  # somewhere on the way back packets vanish
            self.space.run("ip", "route", "add", "blackhole", self.there + "/32")
        else:
            self.space.run("ip", "link", "set", "far%d" % self.number, "down")

    def mend(self, how="silence"):
        if how == "silence":
            self.space.run("ip", "route", "del", "blackhole", self.there + "/32")
        else:
            self.space.run("ip", "link", "set", "far%d" % self.number, "up")


@pytest.fixture
def sites(tmp_path, certificates):
    own = certs.issue(certificates, tmp_path / "own", *ADDRESSES)
    with Namespace(tmp_path / "center", network=True) as center:
        with Site(tmp_path, 1, center, own) as one, Site(tmp_path, 2, center, own) as two:
            yield center, one, two


@pytest.fixture
def namegate(sites, maker, certificates):
    """Names below dns.test, dot.test and doh.test are asked of both sites, over that protocol."""
    center, *both = sites
    settings = maker.settings()
    del settings["tls"]
    settings["listeners"] = [{"protocol": "dns", "address": "127.0.0.1", "port": 53}]
    settings["admin"]["port"] = 9053
    settings["upstreams"] = [
        {
            "name": "%s-%d" % (protocol, site.number),
            "protocol": protocol,
            "address": site.here,
            "port": PORTS[protocol],
            **({} if protocol == "dns" else {"tls_ca": str(certificates.ca)}),
        }
        for protocol in PORTS
        for site in both
    ]
    settings["upstream_groups"] = [
        {"name": protocol, "upstreams": ["%s-%d" % (protocol, site.number) for site in both]}
        for protocol in PORTS
    ]
    settings["routes"] = [
        {"domains": [protocol + ".test"], "upstream_group": protocol} for protocol in PORTS
    ]
    settings["cache"] = {"stale_after": "%dms" % (STALE_AFTER_S * 1000)}
    with center.namegate(maker.prepare(settings)) as running:
        yield running


class Load:
    """Questions at a steady rate from within the namespace, in the background."""

    def __init__(self, center, seconds, rate=RATE, names=0, below=""):
        zones = [below + protocol + ".test" for protocol in PORTS]
        words = [sys.executable, LOAD, "127.0.0.1", 53, rate, seconds, names, *zones]
        self.process = center.popen(*words, stdout=subprocess.PIPE, text=True)
        self.begin = json.loads(self.process.stdout.readline())

    def at(self, seconds):
        time.sleep(max(0, self.begin + seconds - time.monotonic()))

    def now(self):
        return time.monotonic() - self.begin

    def rows(self):
        """By protocol."""
        rows = json.loads(self.process.stdout.readline())
        self.process.wait()
        return {protocol: rows[i :: len(PORTS)] for i, protocol in enumerate(PORTS)}


def between(rows, begin, end):
    return [row for row in rows if begin <= row[0] < end]


def worst(rows, share=0.99):
    times = sorted(row[1] for row in rows)
    return times[min(len(times) - 1, int(len(times) * share))]


def tell(what, rows):
    print("%s: %d questions, p50 %.1f ms, p99 %.1f ms, worst %.1f ms" % (
        what, len(rows), *(1000 * worst(rows, share) for share in (0.5, 0.99, 1))))


def check_none_failed(rows):
    failed = [row for row in rows if row[2] != w.NOERROR]
    assert not failed, "%d of %d, such as %r" % (len(failed), len(rows), failed[:3])


@pytest.mark.parametrize("how", ("silence", "link-down"))
def test_one_of_two(sites, namegate, how):
    """No client gets a failure, and none waits long; after the mending it is as before."""
    center, one, _ = sites
    load = Load(center, 9)
    load.at(2)
    one.pull(how)
    load.at(5)
    one.mend(how)
    for protocol, rows in load.rows().items():
        assert len(rows) == RATE * 9 // len(PORTS)
        check_none_failed(rows)
        first, later, healed = (between(rows, *span) for span in ((2, 3), (3, 5), (8, 9)))
        tell("%s, before %s" % (protocol, how), between(rows, 1, 2))
        tell("%s, first second of %s" % (protocol, how), first)
        tell("%s, after that" % protocol, later)
        tell("%s, the second after the mending" % protocol, between(rows, 5, 6))
        tell("%s, three seconds after it" % protocol, healed)
        assert worst(first, 1) < 2
        assert worst(later) < 1 and worst(healed) < 0.5


def test_restarted(sites, namegate):
    """The first one's process is killed, three times: a storm of resets, then of refusals."""
    center, one, _ = sites
    load = Load(center, 7)
    for second in (1, 2.5, 4):
        load.at(second)
        one.kill()
        load.at(second + 0.5)
        one.start()
    for protocol, rows in load.rows().items():
        check_none_failed(rows)
        tell("%s, killed and restarted" % protocol, between(rows, 1, 6))
        assert worst(rows, 1) < 2 and worst(between(rows, 6, 7)) < 0.5


def test_flapping(sites, namegate):
    """The first one is away for every other second."""
    center, one, _ = sites
    load = Load(center, 9)
    for second in (1, 3, 5, 7):
        load.at(second)
        one.pull()
        load.at(second + 1)
        one.mend()
    for protocol, rows in load.rows().items():
        check_none_failed(rows)
        tell("%s, a second up, a second down" % protocol, rows)
        assert worst(rows, 1) < 2 and worst(rows) < 1


def test_both(sites, namegate):
    """Stale answers where there are any, else SERVFAIL with a reason, all before a stub gives up.
    The silence lasts until TCP waits for a quarter of a minute between two attempts: well again is
    who does not wait for them."""
    away_s, healing_s = 20, 5
    center, one, two = sites
    for rows in Load(center, 2, rate=90, names=20, below="known.").rows().values():
        check_none_failed(rows)
    for site in (one, two):
        site.pull()
    time.sleep(1.1)  # their TTL
    load = Load(center, away_s + healing_s + 5, rate=30)
    for protocol, rows in Load(center, 2, rate=30, names=20, below="known.").rows().items():
        check_none_failed(rows)
        tell("%s, both dead, stale answers" % protocol, rows)
        assert {row[3] for row in rows} <= {None, SHOWN} and SHOWN in {row[3] for row in rows}
        assert worst(rows, 1) < STALE_AFTER_S + 2
    load.at(away_s)
    for site in (one, two):
        site.mend()
    mended = load.now()
    for protocol, rows in load.rows().items():
        assert all(row[1] is not None and row[1] < 5 for row in rows)
        unknown = between(rows, 0, away_s - 5)
        tell("%s, both dead, nothing known" % protocol, unknown)
        print("%s, the reasons: %s" % (protocol, {row[3] for row in unknown}))
        assert {row[2] for row in unknown} == {w.SERVFAIL} and {row[3] for row in unknown} <= SAID
        bad = [row for row in rows if row[2] != w.NOERROR]
        late = [row for row in rows if row[0] > mended and (row in bad or row[1] > 0.5)]
        told = max(row[0] + row[1] for row in bad) - mended
        asked = max([row[0] for row in late], default=mended) - mended
        print("%s, both dead: the last failure %+.2f s after the mending; who asked later "
              "than %.2f s after it had an answer at once" % (protocol, told, asked))
        assert asked < healing_s
