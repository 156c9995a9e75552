"""Everything at once: names that wait, chase, join, go stale and are forgotten, clients that leave,
upstreams that come and go, reloads that change whom to ask. Nobody gets an answer that the policy
forbids, and the sanitizers have nothing to say."""

import copy
import os
import random
import threading
import time

import pytest

import dns_wire as w
from config_text import inline, rule
from program import Ports, run_command, with_rules
from scripted_dns import ScriptedDns

SECONDS = float(os.environ.get("STORM_S", "8"))
SEED = int(os.environ.get("STORM_SEED", "1"))

NAMES = (
    "good.n%d.test",
    "good.n%d.routed.test",
    "GOOD.N%d.Test",
    "broken.n%d.test",
    "leads.n%d.test",  # to a name that is blocked
    "n%d.bad.test",
    "private.n%d.test",
    "slow-%d00.n.test",
    "n%d.silence.test",
    "local.test",
    "_dns.resolver.arpa",
    "localhost",
)
TYPES = (w.A, w.A, w.A, w.AAAA, w.HTTPS, w.CNAME, 255)
FLAGS = (w.RD, w.RD, 0, w.RD | 0x10)
EDNS = (None, w.opt(), w.opt(flags=0x8000))


class Zone:
    """What both upstreams say; TTLs are short, and the mood changes."""

    def __init__(self, mood):
        self.mood = mood

    def __call__(self, s):
        first = (w.labels_of(s.qname) or [b""])[0].lower()
        if first == b"broken" and self.mood.random() < 0.5:
            return self.mood.choice((None, w.reply(s.wire, rcode=w.SERVFAIL)))
        if first == b"leads":
            target = w.name("n%d.bad.test" % self.mood.randrange(5))
            return w.reply(s.wire, [w.record(s.qname, w.CNAME, target, 1), w.a(target)])
        if s.qtype != w.A:
            soa = w.record("test", w.SOA, w.soa_rdata(minimum=1))
            return w.reply(s.wire, authority=[soa])
        address = "10.0.0.1" if first == b"private" else "192.0.2.1"
        return w.reply(s.wire, [w.a(s.qname, address, self.mood.choice((0, 1, 1, 60)))])


def storm_settings(maker, one, other):
    settings = maker.settings(one=one, other=other)
    settings["upstream_groups"] = [
        {"name": "first", "upstreams": ["one"]},
        {"name": "both", "upstreams": ["one", "other"], "policy": "parallel"},
    ]
    settings["routes"] = [{"domains": ["routed.test", "land.test"], "upstream_group": "both"}]
    settings["cache"] = {"size": "1MiB", "stale_after": "100ms"}
    settings["limits"] = {"queries": 24, "queries_per_connection": 8}
    settings["control_socket"] = "control.sock"
    settings["local_data"] = [{"name": "local.test", "type": "CNAME", "value": "broken.land.test"}]
    lands = {"block_response": "OVERRIDE", "override_domain": "broken.land.test"}
    rules = [
        rule("lands", "BLOCK", "bad", override_ttl="1s", **lands),
        rule("drops", "BLOCK", "silence", block_response="DROP"),
    ]
    lists = [inline("bad", "*.bad.test"), inline("silence", "*.silence.test")]
    return with_rules(settings, lists, rules, rebinding_protection=True)


def what_is_wrong(name, answer):
    """The addresses that nobody may have been told; None when all is well."""
    if answer.qname != w.name(name):
        return "another question"
    label = name.split(".")[0].lower()
    owners = {r.owner.lower() for r in answer.answer if r.type == w.A}
    if label == "private" and owners:
        return "a private address"
    if (label == "leads" or ".bad." in name) and owners - {w.name("broken.land.test")}:
        return "the address of what is blocked"
    return None


class Client(threading.Thread):
    def __init__(self, connect, namegate, seed, over):
        super().__init__()
        self.connect, self.namegate, self.over = connect, namegate, over
        self.mood, self.wrong, self.answers = random.Random(seed), [], 0

    def run(self):
        while not self.over.is_set():
            try:
                protocol = self.mood.choice(("udp", "tcp", "dot"))
                self.talk(protocol, self.connect(self.namegate, protocol))
            except OSError:
                pass  # refused, closed, or in a hurry

    def talk(self, protocol, client):
        """Asks a few things, hears some of the answers, and leaves. Who has the port of a client
        that left may hear a late datagram of it: the upper bits of an id say whose it is."""
        names, whose = [], self.mood.randrange(2048) << 5
        with client:
            for number in range(self.mood.randrange(1, 30)):
                name = self.mood.choice(NAMES)
                names.append(name % self.mood.randrange(6) if "%d" in name else name)
                client.send(w.query(names[-1], self.mood.choice(TYPES), whose | number,
                                    self.mood.choice(FLAGS), self.mood.choice(EDNS)))
                wire = client.receive(0.2) if self.mood.random() < 0.5 else None
                if wire:
                    answer = w.Message(wire)
                    if protocol == "udp" and answer.id & ~31 != whose:
                        continue
                    self.answers += 1
                    self.wrong += filter(None, [what_is_wrong(names[answer.id ^ whose], answer)])


@pytest.mark.slow
@pytest.mark.threads
def test_storm(maker, connect):
    mood = random.Random(SEED)
    with ScriptedDns(Ports.take()) as one, ScriptedDns(Ports.take()) as other:
        settings = storm_settings(maker, one, other)
        one.default = other.default = Zone(random.Random(SEED))
        namegate = maker.start(settings)
        over = threading.Event()
        clients = [Client(connect, namegate, seed, over) for seed in range(5)]
        for client in clients:
            client.start()
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            disturb(mood, namegate, settings, one, other)
            time.sleep(mood.random() * 0.2)
        over.set()
        for client in clients:
            client.join()
        assert namegate.stop() == 0
    assert not [wrong for client in clients for wrong in client.wrong]
    assert sum(client.answers for client in clients) > 50


def disturb(mood, namegate, settings, *servers):
    what = mood.randrange(10)
    if what < 4:
        server = mood.choice(servers)
        server.mute = not server.mute
    elif what < 7:
        changed = copy.deepcopy(settings)
        if mood.random() < 0.5:  # who still waits may have to ask a group that is gone
            del changed["routes"], changed["upstream_groups"][1], changed["upstreams"][1]
        changed["cache"]["stale_after"] = mood.choice(("100ms", "2s"))
        assert namegate.reload(changed)
    elif what < 8:
        run_command("flush", "-c", str(namegate.config), mood.choice(("--all", "local.test")))
    else:
        namegate.metrics()
