"""Views whose clients get HTTPS and SVCB records without "ech", or none: over every protocol, from
an upstream, from the cache, and stale; read back by dig, kdig and dnspython."""

import shutil
import struct

import pytest

import dns_wire as w
from program import PROTOCOLS, Ports
from tools import dig, kdig

ALPN = b"\0\1\0\3\2h2"
ECH = b"\0\5\0\4\xfe\x0d\0\0"
HINT = b"\0\4\0\4\xc0\0\2\1"
NEEDS_ECH = b"\0\0\0\2\0\5"
RRSIG = 46
EDNS, DO = w.opt(), w.opt(flags=0x8000)
VIEWS = {"strip_ech": "127.0.1.1", "strip": "127.0.2.1"}  # by the client's address; else: pass


def https(owner, params, priority=1, target=b"\0", rtype=w.HTTPS, ttl=60):
    return w.record(owner, rtype, struct.pack("!H", priority) + target + params, ttl)


def rrsig(owner, covered):
    return w.record(owner, RRSIG, struct.pack("!HBBIIIH", covered, 13, 2, 60, 2, 1, 7) + b"\0sig")


@pytest.fixture(scope="module")
def namegate(shared_maker, scripted_session):
    settings = shared_maker.settings(scripted=scripted_session)
    settings["views"] += [
        {"name": word, "clients": [address + "/32"], "https_records": word}
        for word, address in VIEWS.items()
    ]
    settings["cache"] = {"stale_after": "100ms"}
    return shared_maker.start(settings)


@pytest.fixture
def ask(namegate, connect):
    def ask(name, view, protocol="udp", qtype=w.HTTPS, edns=EDNS, **more):
        client = connect(namegate, protocol, source=VIEWS.get(view))
        return client.ask(w.query(name, qtype, edns=edns, **more))

    return ask


def rdatas(answer, rtype=w.HTTPS):
    return [r.rdata for r in answer.answer if r.type == rtype]


def is_nodata(answer, soa_owner=None):
    assert answer.rcode == w.NOERROR and not rdatas(answer) and not rdatas(answer, w.SVCB)
    owners = [r.owner for r in answer.authority if r.type == w.SOA]
    assert len(owners) == 1 and (not soa_owner or owners[0] == w.name(soa_owner))
    return True


@pytest.mark.quick
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_each_view_its_own(ask, scripted, protocol):
    """One answer of an upstream, kept once, told in three ways."""
    name = "x.%s.test" % protocol
    scripted.zone[name + "."] = lambda s: w.reply(s.wire, [https(s.qname, ALPN + HINT + ECH)])
    for _ in range(2):
        assert rdatas(ask(name, "pass", protocol)) == [b"\0\1\0" + ALPN + HINT + ECH]
        assert rdatas(ask(name, "strip_ech", protocol)) == [b"\0\1\0" + ALPN + HINT]
        assert is_nodata(ask(name, "strip", protocol), "%s.test" % protocol)
    assert len(scripted.asked_for(name)) == 1


@pytest.mark.quick
def test_aliases_stay(ask, scripted):
    def zone(s):
        target = w.name("b.cdn.test")
        return w.reply(s.wire, [w.record(s.qname, w.CNAME, target), https(target, ALPN + ECH)])

    scripted.zone["x.alias.test."] = zone
    stripped = ask("x.alias.test", "strip_ech")
    assert stripped.types == [w.CNAME, w.HTTPS]
    assert rdatas(stripped) == [b"\0\1\0" + ALPN]
    nodata = ask("x.alias.test", "strip")
    assert nodata.types == [w.CNAME] and is_nodata(nodata, "cdn.test")


@pytest.mark.quick
def test_what_cannot_be_without_ech_goes(ask, scripted):
    scripted.zone["x.needs.test."] = lambda s: w.reply(
        s.wire, [https(s.qname, NEEDS_ECH + ECH), https(s.qname, ALPN + ECH, priority=2)]
    )
    assert rdatas(ask("x.needs.test", "strip_ech")) == [b"\0\2\0" + ALPN]
    scripted.zone["x.only.test."] = lambda s: w.reply(s.wire, [https(s.qname, NEEDS_ECH + ECH)])
    assert is_nodata(ask("x.only.test", "strip_ech"))


@pytest.mark.quick
def test_broken_parameters(ask, scripted):
    """Lengths that lie: what cannot be read is not handed on where something has to go."""
    scripted.zone["x.lies.test."] = lambda s: w.reply(s.wire, [https(s.qname, b"\0\5\xff\xff")])
    assert len(rdatas(ask("x.lies.test", "pass"))) == 1
    assert is_nodata(ask("x.lies.test", "strip_ech"))


@pytest.mark.quick
def test_signatures_and_ad_go_with_what_changed(ask, scripted):
    def zone(s):
        records = [https(s.qname, ALPN + ECH), rrsig(s.qname, w.HTTPS)]
        return w.reply(s.wire, records, flags=w.QR | w.RA | w.AD)

    scripted.zone["x.signed.test."] = zone
    passed = ask("x.signed.test", "pass", edns=DO)
    assert passed.types == [w.HTTPS, RRSIG] and passed.flags & w.AD
    for view in VIEWS:
        answer = ask("x.signed.test", view, edns=DO)
        assert RRSIG not in answer.types and not answer.flags & w.AD, view
    # nothing had to be changed: all stays
    scripted.zone["x.plain.test."] = lambda s: w.reply(
        s.wire, [https(s.qname, ALPN), rrsig(s.qname, w.HTTPS)], flags=w.QR | w.RA | w.AD
    )
    answer = ask("x.plain.test", "strip_ech", edns=DO)
    assert answer.types == [w.HTTPS, RRSIG] and answer.flags & w.AD


@pytest.mark.quick
def test_other_types_and_svcb(ask, scripted):
    scripted.zone["_dns.svcb.test."] = lambda s: w.reply(
        s.wire, [https(s.qname, ALPN + ECH, rtype=w.SVCB)]
    )
    assert rdatas(ask("_dns.svcb.test", "strip_ech", qtype=w.SVCB), w.SVCB) == [b"\0\1\0" + ALPN]
    assert is_nodata(ask("_dns.svcb.test", "strip", qtype=w.SVCB))
    assert ask("ok.others.test", "strip", qtype=w.A).addresses == ["192.0.2.1"]
    negative = ask("nxdomain.others.test", "strip")
    assert negative.rcode == w.NXDOMAIN


@pytest.mark.quick
def test_our_own_designation_stays(ask):
    """Discovery of designated resolvers (RFC 9462) is our own word."""
    answers = [ask("_dns.resolver.arpa", view, qtype=w.SVCB) for view in ("pass", "strip")]
    assert rdatas(answers[0], w.SVCB) == rdatas(answers[1], w.SVCB)


@pytest.mark.quick
def test_truncated(ask, scripted):
    """Over UDP as much as fits, and the rest over TCP."""
    scripted.zone["x.long.test."] = lambda s: w.reply(
        s.wire,
        [https(s.qname, ALPN + ECH + b"\xff\0\0\x64" + bytes(100), priority=i) for i in range(30)],
    )
    assert ask("x.long.test", "strip_ech").truncated
    whole = rdatas(ask("x.long.test", "strip_ech", "tcp"))
    assert len(whole) == 30 and not any(ECH in rdata for rdata in whole)


@pytest.mark.quick
def test_stale(ask, scripted, namegate):
    fresh = lambda s: w.reply(s.wire, [https(s.qname, ALPN + ECH, ttl=1)])  # noqa: E731
    scripted.zone["x.stale.test."] = fresh
    assert rdatas(ask("x.stale.test", "pass")) == [b"\0\1\0" + ALPN + ECH]
    scripted.zone["x.stale.test."] = lambda s: None

    def is_stale():
        answer = ask("x.stale.test", "strip_ech")
        assert rdatas(answer) == [b"\0\1\0" + ALPN]
        return answer.ede_code == 3

    namegate.wait_for(is_stale, "a stale answer", 10)
    assert is_nodata(ask("x.stale.test", "strip"))


@pytest.mark.quick
def test_the_log_tells_what_was_told(ask, scripted, namegate):
    scripted.zone["x.log.test."] = lambda s: w.reply(s.wire, [https(s.qname, ALPN + ECH)])
    ask("x.log.test", "strip")
    assert namegate.wait_log("x.log.test")[-1]["answers"] == []


class TestReaders:
    """What other programs make of it."""

    @pytest.fixture(autouse=True)
    def zone(self, scripted):
        scripted.zone["x.web.test."] = lambda s: w.reply(
            s.wire,
            [https(s.qname, ALPN + HINT + ECH)] if s.qtype == w.HTTPS else [w.a(s.qname)],
        )

    @pytest.mark.parametrize("tool", (dig, kdig))
    def test_tools(self, namegate, tool):
        if not shutil.which(tool.__name__):
            pytest.skip("there is no %s" % tool.__name__)
        asked = ("x.web.test", "TYPE65")
        said = {v: tool(namegate, "-b", VIEWS[v], *asked, protocol="udp") for v in VIEWS}
        assert "NOERROR" in said["strip"] and "SOA" in said["strip"], said["strip"]
        assert "NOERROR" in said["strip_ech"] and "ech" not in said["strip_ech"].lower()
        assert "h2" in said["strip_ech"] or "026832" in said["strip_ech"].replace(" ", "")

    def test_dnspython(self, namegate):
        resolver = pytest.importorskip("dns.query")
        import dns.message
        import dns.rdtypes.svcbbase as svcb

        def ask(view):
            question = dns.message.make_query("x.web.test", "HTTPS")
            return resolver.udp(
                question, "127.0.0.1", timeout=6, port=namegate.ports["dns"], source=VIEWS[view]
            )

        (record,) = ask("strip_ech").answer[0]
        assert set(record.params) == {svcb.ParamKey.ALPN, svcb.ParamKey.IPV4HINT}
        assert not ask("strip").answer


@pytest.mark.quick
def test_other_words_are_refused(maker, scripted):
    from program import run_command

    settings = maker.settings(scripted=scripted)
    settings["views"][0]["https_records"] = "strip_all"
    made = maker.prepare(settings)
    made.write_config()
    done = run_command("check", "-c", str(made.config))
    assert done.returncode == 78 and "https_records" in done.stderr
