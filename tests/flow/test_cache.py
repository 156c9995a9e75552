"""The cache: what is kept, for how long, for whom, and what a policy change does to it."""

import os
import signal
import time

import pytest

import dns_wire as w
from config_text import inline, rule
from program import run_command, with_rules
from scripted_dns import negative

pytestmark = pytest.mark.threads

EDNS = w.opt()
DO = w.opt(flags=0x8000)
ANSWER_PROTOCOLS = ("udp", "tcp", "dot", "doh")


@pytest.fixture
def cached(maker, scripted):
    """A program with a cache of its own."""
    return maker.start(maker.settings(scripted=scripted))


def with_ttl(ttl, address="192.0.2.1", **more):
    return lambda s: w.reply(s.wire, [w.a(s.qname, address, ttl)], **more)


def ask(connect, namegate, name, protocol="udp", **more):
    return connect(namegate, protocol).ask(w.query(name, **more))


def times_asked(scripted, name):
    return len(scripted.asked_for(name))


@pytest.mark.quick
def test_asked_once(cached, scripted, connect):
    """All clients and protocols share what one of them asked for."""
    for protocol in ANSWER_PROTOCOLS:
        assert ask(connect, cached, "ok.once.test", protocol).addresses == ["192.0.2.1"]
    assert times_asked(scripted, "ok.once.test") == 1
    lines = cached.wait_log("ok.once.test.", 4)  # each worker writes its own, in its own time
    assert sorted(line["ext"]["source"] for line in lines) == ["cache"] * 3 + ["upstream"]
    cached.wait_metric("namegate_cache_hits_total", 3)
    cached.wait_metric("namegate_cache_misses_total", 1)
    assert cached.metrics().sum("namegate_cache_entries") == 1


@pytest.mark.quick
def test_question_is_each_clients_own(cached, scripted, connect):
    """rfc4343: the letters of the question and of the records that are its name."""
    for name in ("ok.Case.Test", "OK.case.TEST", "ok.case.test"):
        answer = ask(connect, cached, name)
        assert answer.qname == w.name(name)
        assert answer.answer[0].owner == w.name(name)
    assert times_asked(scripted, "ok.case.test") == 1


def test_ttl_counts_down(cached, scripted, connect):
    scripted.zone["x.ttl.test."] = with_ttl(100)
    first = ask(connect, cached, "x.ttl.test").answer[0].ttl
    time.sleep(2.1)
    second = ask(connect, cached, "x.ttl.test").answer[0].ttl
    assert first == 100 and 96 <= second <= 98
    fresh, kept = cached.wait_log("x.ttl.test.", 2)
    assert "age_s" not in fresh["ext"] and kept["ext"]["age_s"] == 100 - second


def test_ends_with_its_ttl(cached, scripted, connect):
    scripted.zone["x.end.test."] = with_ttl(1)
    ask(connect, cached, "x.end.test")
    time.sleep(1.2)
    scripted.zone["x.end.test."] = with_ttl(60, "192.0.2.9")
    assert ask(connect, cached, "x.end.test").addresses == ["192.0.2.9"]


@pytest.mark.parametrize("ttl", (0, 0x80000001))
def test_ttl_zero_is_not_kept(cached, scripted, connect, ttl):
    """rfc1035-3.2.1, rfc2181-8."""
    scripted.zone["x.zero.test."] = with_ttl(ttl)
    for _ in range(2):
        assert ask(connect, cached, "x.zero.test").answer[0].ttl == 0
    assert times_asked(scripted, "x.zero.test") == 2


def test_ttl_is_capped(maker, scripted, connect):
    settings = maker.settings(scripted=scripted)
    settings["cache"] = {"min_ttl": "20s", "max_ttl": "1h"}
    namegate = maker.start(settings)
    scripted.zone["long.cap.test."] = with_ttl(604800)
    scripted.zone["short.cap.test."] = with_ttl(1)
    assert ask(connect, namegate, "long.cap.test").answer[0].ttl == 3600
    assert ask(connect, namegate, "short.cap.test").answer[0].ttl == 20
    time.sleep(1.2)
    assert ask(connect, namegate, "short.cap.test").answer[0].ttl <= 19
    assert times_asked(scripted, "short.cap.test") == 1


class TestNegative:
    """rfc2308-5."""

    def test_nodata_per_type(self, cached, scripted, connect):
        for _ in range(2):
            answer = ask(connect, cached, "nodata.neg.test", qtype=w.A)
            assert answer.rcode == w.NOERROR and not answer.answer
            assert answer.authority[0].type == w.SOA and answer.authority[0].ttl <= 30
        ask(connect, cached, "nodata.neg.test", qtype=w.AAAA)
        assert times_asked(scripted, "nodata.neg.test") == 2

    def test_nxdomain_for_all_types(self, cached, scripted, connect):
        for qtype in (w.A, w.AAAA, w.TXT, w.A):
            assert ask(connect, cached, "nxdomain.neg.test", qtype=qtype).rcode == w.NXDOMAIN
        assert times_asked(scripted, "nxdomain.neg.test") == 1

    def test_without_soa_it_is_not_kept(self, cached, scripted, connect):
        scripted.zone["nosoa.neg.test."] = lambda s: w.reply(s.wire, rcode=w.NXDOMAIN)
        for _ in range(2):
            assert ask(connect, cached, "nosoa.neg.test").rcode == w.NXDOMAIN
        assert times_asked(scripted, "nosoa.neg.test") == 2

    def test_minimum_ends_it(self, cached, scripted, connect):
        """The lesser of the SOA's TTL and its MINIMUM."""
        soa = w.record("test", w.SOA, w.soa_rdata(minimum=1), ttl=3600)
        scripted.zone["min.neg.test."] = lambda s: w.reply(
            s.wire, authority=[soa], rcode=w.NXDOMAIN
        )
        assert ask(connect, cached, "min.neg.test").authority[0].ttl <= 1
        time.sleep(1.2)
        ask(connect, cached, "min.neg.test")
        assert times_asked(scripted, "min.neg.test") == 2


class TestFailures:
    """rfc9520-3.2: a failure is remembered for a moment."""

    def test_servfail(self, cached, scripted, connect):
        for _ in range(10):
            assert ask(connect, cached, "servfail.fail.test", edns=EDNS).rcode == w.SERVFAIL
        assert times_asked(scripted, "servfail.fail.test") <= 5
        assert ask(connect, cached, "servfail.fail.test", edns=EDNS).ede[0] == 13  # Cached Error

    def test_heals(self, cached, scripted, connect):
        ask(connect, cached, "servfail.heal.test")
        scripted.zone["servfail.heal.test."] = with_ttl(60)
        time.sleep(1.3)
        assert ask(connect, cached, "servfail.heal.test").addresses == ["192.0.2.1"]


class TestKey:
    def test_do_and_cd(self, cached, scripted, connect):
        """What is signed or unchecked is another answer."""
        cd = w.RD | 0x0010
        for more in ({}, {"edns": DO}, {"flags": cd}, {"edns": DO, "flags": cd}):
            for _ in range(2):
                ask(connect, cached, "ok.key.test", **more)
        assert times_asked(scripted, "ok.key.test") == 4

    def test_binary_labels(self, cached, scripted, connect):
        """rfc2181-11: a dot in a label is no border between labels."""
        one = w.labels_to_name(b"ok", b"a.b", b"test")
        two = w.labels_to_name(b"ok", b"a", b"b", b"test")
        for qname in (one, two, one, two):
            connect(cached, "udp").ask(w.query(qname))
        assert len(scripted.asked) == 2

    def test_without_recursion_nothing_is_kept(self, cached, scripted, connect):
        for flags in (w.RD, 0, 0):
            ask(connect, cached, "ok.rd.test", flags=flags)
        assert times_asked(scripted, "ok.rd.test") == 3

    def test_authentic_only_for_who_wants_it(self, cached, scripted, connect):
        """rfc6840-5.7, 5.8: AD is kept, and told to those who asked for it."""
        scripted.zone["x.ad.test."] = with_ttl(60, flags=w.QR | w.RA | 0x20)
        told = [
            bool(ask(connect, cached, "x.ad.test", flags=flags).flags & 0x20)
            for flags in (w.RD, w.RD | 0x20, w.RD)
        ]
        assert told == [False, True, False]
        assert times_asked(scripted, "x.ad.test") == 1


class TestPolicy:
    """Facts are kept, verdicts are not (design, decision 2)."""

    def test_reload_acts_on_what_is_kept(self, maker, scripted, connect):
        settings = maker.settings(scripted=scripted)
        namegate = maker.start(settings)
        assert ask(connect, namegate, "cname.ok.kept.test").rcode == w.NOERROR
        with_rules(settings, [inline("bad", "ok.kept.test")],
                   [rule("no", "BLOCK", "bad", block_response="NXDOMAIN")])
        namegate.reload(settings)
        assert ask(connect, namegate, "cname.ok.kept.test").rcode == w.NXDOMAIN
        del settings["views"][0]["associations"]
        namegate.reload(settings)
        assert ask(connect, namegate, "cname.ok.kept.test").rcode == w.NOERROR
        assert times_asked(scripted, "cname.ok.kept.test") == 1

    def test_each_view_judges_for_itself(self, maker, scripted, connect):
        settings = maker.settings(scripted=scripted)
        with_rules(settings, [inline("bad", "ok.views.test")],
                   [rule("no", "BLOCK", "bad", block_response="NXDOMAIN")])
        settings["listeners"][2]["name"] = "open-door"
        settings["views"].append({"name": "open", "clients": ["127.0.0.0/8", "::1/128"],
                                  "listeners": ["open-door"]})
        namegate = maker.start(settings)
        assert ask(connect, namegate, "cname.ok.views.test", "udp").rcode == w.NOERROR
        assert ask(connect, namegate, "cname.ok.views.test", "dot").rcode == w.NXDOMAIN
        assert times_asked(scripted, "cname.ok.views.test") == 1


class TestStale:
    """rfc8767."""

    @pytest.fixture
    def outage(self, maker, scripted, connect):
        """Something was asked, ended, and now nobody answers."""
        settings = maker.settings(scripted=scripted)
        settings["cache"] = {"stale_after": "500ms"}
        namegate = maker.start(settings)
        scripted.zone["x.stale.test."] = with_ttl(1)
        scripted.zone["n.stale.test."] = lambda s: w.reply(
            s.wire, authority=[w.record("test", w.SOA, w.soa_rdata(minimum=1))], rcode=w.NXDOMAIN)
        ask(connect, namegate, "x.stale.test")
        ask(connect, namegate, "n.stale.test")
        time.sleep(1.2)
        return namegate

    def test_after_a_while(self, outage, scripted, connect):
        scripted.mute = True
        begin = time.monotonic()
        answer = ask(connect, outage, "x.stale.test", edns=EDNS)
        took = time.monotonic() - begin
        assert answer.addresses == ["192.0.2.1"] and answer.answer[0].ttl == 30
        assert answer.ede[0] == 3
        assert 0.4 < took < 3
        ext = outage.wait_log("x.stale.test.", 2)[1]["ext"]
        assert ext["source"] == "stale" and 1 <= ext["age_s"] < 10

    def test_nxdomain(self, outage, scripted, connect):
        scripted.mute = True
        answer = ask(connect, outage, "n.stale.test", edns=EDNS)
        assert answer.rcode == w.NXDOMAIN and answer.ede[0] == 19

    def test_at_once_when_upstreams_fail(self, outage, scripted, connect):
        scripted.zone["x.stale.test."] = lambda s: w.reply(s.wire, rcode=w.SERVFAIL)
        answer = ask(connect, outage, "x.stale.test", edns=EDNS)
        assert answer.addresses == ["192.0.2.1"] and answer.ede[0] == 3

    def test_the_late_answer_is_kept(self, outage, scripted, connect):
        """The client has its stale answer; the fresh one serves the next."""
        scripted.zone["x.stale.test."] = with_ttl(60, "192.0.2.7")
        scripted.mute = True
        assert ask(connect, outage, "x.stale.test").addresses == ["192.0.2.1"]
        scripted.mute = False
        deadline = time.monotonic() + 12
        while ask(connect, outage, "x.stale.test").addresses != ["192.0.2.7"]:
            assert time.monotonic() < deadline
            time.sleep(0.3)

    def test_not_when_switched_off(self, maker, scripted, connect):
        settings = maker.settings(scripted=scripted)
        settings["cache"] = {"stale": "0s"}
        namegate = maker.start(settings)
        scripted.zone["x.off.test."] = with_ttl(1)
        ask(connect, namegate, "x.off.test")
        time.sleep(1.2)
        scripted.zone["x.off.test."] = lambda s: w.reply(s.wire, rcode=w.SERVFAIL)
        assert ask(connect, namegate, "x.off.test").rcode == w.SERVFAIL


def test_prefetch(cached, scripted, connect):
    """A name that is asked for often is asked again before it ends, and nobody waits for it."""
    scripted.zone["x.pre.test."] = with_ttl(10)
    client = connect(cached, "udp")
    ttls = [client.ask(w.query("x.pre.test")).answer[0].ttl for _ in range(3)]
    time.sleep(8)
    while times_asked(scripted, "x.pre.test") == 1:
        ttls.append(client.ask(w.query("x.pre.test")).answer[0].ttl)
        time.sleep(0.05)
    assert ttls == sorted(ttls, reverse=True) and ttls[-1] == 1, "not before it ended"
    cached.wait_metric("namegate_cache_prefetches_total", 1)
    assert client.ask(w.query("x.pre.test")).answer[0].ttl >= 8
    sources = {line["ext"]["source"] for line in cached.log()[1:]}
    assert sources == {"cache"}


def test_truncated_from_the_cache(cached, scripted, connect):
    """rfc2181-9: too long for this client's datagram, whole for the next one over TCP."""
    scripted.zone["big.cut.test."] = lambda s: w.reply(
        s.wire, [w.a(s.qname, "192.0.2.%d" % i) for i in range(1, 200)])
    assert len(ask(connect, cached, "big.cut.test", "tcp").answer) == 199
    before = times_asked(scripted, "big.cut.test")
    cut = ask(connect, cached, "big.cut.test", "udp")
    assert cut.flags & w.TC and len(cut.wire) <= 512 and not cut.answer
    assert times_asked(scripted, "big.cut.test") == before


def test_http_freshness(cached, scripted, connect):
    """rfc8484-5.1: max-age is what is left, on hits too."""
    scripted.zone["x.age.test."] = with_ttl(100)
    ask(connect, cached, "x.age.test")
    time.sleep(2.1)
    client = connect(cached, "doh")
    age = client.wait(client.post(w.query("x.age.test"))).max_age
    assert 96 <= age <= 98


def test_poison_is_not_kept(cached, scripted, connect):
    """rfc2181-5.4.1: what comes along for other names is no answer to a question for them."""
    scripted.zone["x.poison.test."] = lambda s: w.reply(
        s.wire, [w.a(s.qname), w.a("victim.test", "192.0.2.66")],
        authority=[w.record("victim.test", w.NS, w.name("ns.evil.test"))],
        additional=[w.a("victim.test", "192.0.2.66"), w.a("ok.victim.test", "192.0.2.66")])
    answer = ask(connect, cached, "x.poison.test")
    assert answer.addresses == ["192.0.2.1"]
    assert not answer.authority and not [r for r in answer.additional if r.type == w.A]
    assert ask(connect, cached, "ok.victim.test").addresses == ["192.0.2.1"]
    assert times_asked(scripted, "ok.victim.test") == 1


def test_no_cache(maker, scripted, connect):
    settings = maker.settings(scripted=scripted)
    settings["cache"] = {"size": "0B"}
    namegate = maker.start(settings)
    for _ in range(2):
        ask(connect, namegate, "ok.none.test")
    assert times_asked(scripted, "ok.none.test") == 2


class TestFile:
    """What was kept is there after a restart."""

    @pytest.fixture
    def filed(self, maker, scripted, tmp_path):
        settings = maker.settings(scripted=scripted)
        settings["cache"] = {"file": str(tmp_path / "cache.bin")}
        return maker.prepare(settings), tmp_path / "cache.bin"

    def test_survives(self, filed, scripted, connect):
        namegate, file = filed
        namegate.start()
        ask(connect, namegate, "ok.file.test")
        namegate.stop()
        assert file.stat().st_mode & 0o777 == 0o600
        namegate.start()
        assert ask(connect, namegate, "ok.file.test").addresses == ["192.0.2.1"]
        assert times_asked(scripted, "ok.file.test") == 1

    @pytest.mark.parametrize("damage", ("cut", "flip", "foreign", "empty"))
    def test_damaged(self, filed, scripted, connect, damage):
        namegate, file = filed
        namegate.start()
        ask(connect, namegate, "ok.file.test")
        namegate.stop()
        good = file.read_bytes()
        flipped = bytearray(good)
        flipped[len(good) // 2] ^= 1
        file.write_bytes({"cut": good[:-5], "flip": bytes(flipped), "foreign": os.urandom(500),
                          "empty": b""}[damage])
        namegate.start()
        assert ask(connect, namegate, "ok.file.test").addresses == ["192.0.2.1"]
        assert times_asked(scripted, "ok.file.test") == 2


class TestFlush:
    @pytest.fixture
    def controlled(self, maker, scripted):
        settings = maker.settings(scripted=scripted)
        settings["control_socket"] = "control.sock"
        return maker.start(settings)

    def flush(self, namegate, *arguments):
        return run_command("flush", "-c", str(namegate.directory / "namegate.conf"), *arguments)

    @pytest.mark.parametrize("arguments, forgotten", [
        (["ok.a.flush.test"], {"ok.a.flush.test"}),
        (["a.flush.test", "--below"], {"ok.a.flush.test", "ok.b.a.flush.test"}),
        (["--all"], {"ok.a.flush.test", "ok.b.a.flush.test", "ok.c.flush.test"}),
        (["OK.C.Flush.Test."], {"ok.c.flush.test"}),
        (["nobody.flush.test"], set()),
    ])
    def test_flush(self, controlled, scripted, connect, arguments, forgotten):
        names = ("ok.a.flush.test", "ok.b.a.flush.test", "ok.c.flush.test")
        for name in names:
            ask(connect, controlled, name)
        result = self.flush(controlled, *arguments)
        assert result.returncode == 0, result.stderr
        assert str(len(forgotten)) in result.stdout
        for name in names:
            ask(connect, controlled, name)
        assert {n for n in names if times_asked(scripted, n) == 2} == forgotten
