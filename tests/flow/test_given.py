"""Rules whose action is GIVEN: what the entry of a list wants arrives on the wire; and what rules
with other actions make of the same entries. Which line wants what is proven in tests/unit."""

import re

import pytest

import dns_wire as w
from config_text import rule
from program import PROTOCOLS, run_command, with_rules

BLOCKED = 15  # RFC 8914 5.2
EDNS = w.opt()

ZONES = (
    'local-zone: "nx.fw.test." always_nxdomain',
    'local-zone: "empty.fw.test." always_nodata',
    'local-zone: "refused.fw.test." always_refuse',
    'local-zone: "silent.fw.test." always_deny',
    'local-zone: "null.fw.test." always_null',
    'local-zone: "page.fw.test." redirect',
    'local-data: "page.fw.test. 77 IN CNAME ok.landing.test."',
    'local-zone: "lost.fw.test." redirect',
    'local-data: "lost.fw.test. 77 IN CNAME servfail.landing.test."',
    'local-zone: "host.fw.test." redirect',
    'local-data: "host.fw.test. 78 IN A 192.0.2.61"',
    'local-data: "host.fw.test. 78 IN A 192.0.2.62"',
    'local-zone: "fine.nx.fw.test." always_transparent',
    'local-zone: "target.test." always_nxdomain',
)
FILTERS = (
    "||ads.test^",
    "@@||good.ads.test^",
    "||six.test^$dnstype=AAAA",
)


def zones_file(maker):
    path = maker.directory / "zones.conf"
    path.write_text("\n".join(ZONES) + "\n")
    return {"name": "zones", "format": "unbound", "file": str(path)}


@pytest.fixture(scope="module")
def given(shared_maker, scripted_session):
    settings = shared_maker.settings(scripted=scripted_session)
    lists = [
        zones_file(shared_maker),
        {"name": "filters", "format": "adblock", "domains": list(FILTERS)},
        {"name": "rest", "format": "domains", "domains": ["*.nx.fw.test"]},
    ]
    rules = [
        rule("given", "GIVEN", "zones"),
        rule("refuse", "GIVEN", "filters", block_response="REFUSED"),
        rule("never", "ALERT", "rest"),
    ]
    with_rules(settings, lists, rules)
    return shared_maker.start(settings)


def ask(client, name, qtype=w.A):
    return client.ask(w.query(name, qtype, edns=EDNS))


def check(program, scripted, name, response, rule_name="given"):
    assert not scripted.asked_for(name)
    line = program.wait_log(name)[-1]
    assert line["firewall_rule_action"] == "BLOCK"
    ext = line["ext"]
    assert (ext["action"], ext["rule"], ext["block_response"]) == ("BLOCK", rule_name, response)
    return ext


@pytest.mark.quick
@pytest.mark.parametrize("protocol", PROTOCOLS)
class TestAnswers:
    def test_nxdomain(self, given, scripted, connect, protocol):
        name = "a.%s.nx.fw.test" % protocol
        answer = ask(connect(given, protocol), name)
        assert answer.rcode == w.NXDOMAIN and answer.ede_code == BLOCKED
        assert check(given, scripted, name, "NXDOMAIN")["entry"] == "nx.fw.test."

    def test_nodata(self, given, scripted, connect, protocol):
        name = "%s.empty.fw.test" % protocol
        answer = ask(connect(given, protocol), name)
        assert answer.rcode == w.NOERROR and not answer.answer
        assert [r.type for r in answer.authority] == [w.SOA]
        check(given, scripted, name, "NODATA")

    def test_refused(self, given, scripted, connect, protocol):
        name = "%s.refused.fw.test" % protocol
        assert ask(connect(given, protocol), name).rcode == w.REFUSED
        check(given, scripted, name, "REFUSED")

    def test_silence(self, given, scripted, connect, protocol):
        name = "%s.silent.fw.test" % protocol
        client = connect(given, protocol)
        if protocol == "doh":
            assert ask(client, name).rcode == w.REFUSED
        else:
            client.send(w.query(name, edns=EDNS))
            client.send(w.query("ok.elsewhere.test", id=7))
            answer = client.receive()
            assert answer is None or w.Message(answer).id == 7
        check(given, scripted, name, "DROP")

    def test_null_addresses(self, given, scripted, connect, protocol):
        name = "%s.null.fw.test" % protocol
        client = connect(given, protocol)
        assert ask(client, name).addresses == ["0.0.0.0"]
        assert [r.rdata for r in ask(client, name, w.AAAA).answer] == [bytes(16)]
        other = ask(client, name, w.TXT)
        assert other.rcode == w.NOERROR and not other.answer
        assert [r.type for r in other.authority] == [w.SOA]
        check(given, scripted, name, "RECORDS")

    def test_records(self, given, scripted, connect, protocol):
        name = "%s.host.fw.test" % protocol
        answer = ask(connect(given, protocol), name)
        assert sorted(answer.addresses) == ["192.0.2.61", "192.0.2.62"]
        assert [r.ttl for r in answer.answer] == [78, 78]
        assert all(r.owner == w.name(name) for r in answer.answer)
        every = ask(connect(given, protocol), name, w.ANY)
        assert sorted(every.addresses) == sorted(answer.addresses)
        check(given, scripted, name, "RECORDS")

    def test_alias(self, given, scripted, connect, protocol):
        """A CNAME is followed for the client, whatever the type; asked for itself it is all."""
        name = "%s.page.fw.test" % protocol
        client = connect(given, protocol)
        answer = ask(client, name)
        assert answer.answer[0].type == w.CNAME and answer.answer[0].ttl == 77
        assert answer.answer[0].target == w.name("ok.landing.test")
        assert answer.addresses == ["192.0.2.1"] and answer.ede_code == BLOCKED
        itself = ask(client, name, w.CNAME)
        assert [r.type for r in itself.answer] == [w.CNAME]
        check(given, scripted, name, "RECORDS")


class TestOthers:
    def test_alias_to_what_cannot_be_resolved(self, given, connect):
        for _ in range(2):
            answer = ask(connect(given, "udp"), "lost.fw.test")
            assert answer.rcode == w.NOERROR
            assert [r.target for r in answer.answer] == [w.name("servfail.landing.test")]

    def test_the_rule_where_the_entry_wants_nothing(self, given, scripted, connect):
        assert ask(connect(given, "udp"), "www.ads.test").rcode == w.REFUSED
        check(given, scripted, "www.ads.test", "REFUSED", "refuse")

    def test_nxdomain_unless_given(self, maker, scripted, connect):
        settings = maker.settings(scripted=scripted)
        lists = [{"name": "plain", "domains": ["a.test"]}]
        with_rules(settings, lists, [rule("g", "GIVEN", "plain")])
        assert ask(connect(maker.start(settings), "udp"), "a.test").rcode == w.NXDOMAIN

    def test_exception_leaves_it_to_other_rules(self, given, connect):
        name = "ok.fine.nx.fw.test"
        assert ask(connect(given, "udp"), name).addresses == ["192.0.2.1"]
        ext = given.wait_log(name)[-1]["ext"]
        assert (ext["action"], ext["rule"]) == ("ALERT", "never")

    def test_exception_of_a_list(self, given, connect):
        name = "ok.good.ads.test"
        assert ask(connect(given, "udp"), name).addresses == ["192.0.2.1"]
        assert "rule" not in given.wait_log(name)[-1]["ext"]

    def test_type_of_an_entry(self, given, connect):
        client = connect(given, "udp")
        assert ask(client, "ok.six.test").addresses == ["192.0.2.1"]
        assert ask(client, "ok.six.test", w.AAAA).rcode == w.REFUSED

    def test_names_of_the_answer(self, given, scripted, connect):
        scripted.zone["front.test."] = lambda s: w.reply(
            s.wire,
            [w.record(s.qname, w.CNAME, w.name("www.target.test")), w.a("www.target.test")],
        )
        assert ask(connect(given, "udp"), "front.test").rcode == w.NXDOMAIN
        ext = given.wait_log("front.test")[-1]["ext"]
        assert (ext["hop"], ext["matched_name"]) == (1, "www.target.test.")

    def test_metrics(self, given, connect):
        labels = dict(rule="given", action="GIVEN")
        before = given.metrics().sum("namegate_rule_matches_total", **labels)
        ask(connect(given, "udp"), "a.nx.fw.test")
        given.wait_metric("namegate_rule_matches_total", before + 1, **labels)
        decisions = "namegate_firewall_decisions_total"
        assert given.metrics().sum(decisions, block_response="RECORDS") > 0

    def test_explain(self, given):
        """What the entry wants, and where it stands."""

        def explain(name, *more):
            done = run_command("explain", "-c", str(given.config), name, *more)
            assert done.returncode == 0, done.stderr
            return done.stdout

        said = explain("a.nx.fw.test")
        assert "verdict BLOCK" in said
        assert re.search(
            r'entry "nx.fw.test.", wants NXDOMAIN, \S*zones.conf line 1: local-zone', said
        )
        assert "verdict BLOCK NXDOMAIN, by rule rules/given" in said
        said = explain("x.fine.nx.fw.test")
        assert re.search(
            r'not count for it: entry "fine.nx.fw.test.", an exception, \S* line 13: ', said
        )
        assert "verdict ALERT" in said
        said = explain("good.ads.test")
        assert (
            "no: the entry does not count for it: "
            'entry "good.ads.test.", an exception, inline line 2' in said
        )
        assert "records of its own" in explain("host.fw.test")


def test_other_actions_do_not_ask_the_entry(maker, scripted, connect):
    settings = maker.settings(scripted=scripted)
    with_rules(
        settings,
        [zones_file(maker)],
        [rule("block", "BLOCK", "zones", block_response="REFUSED")],
    )
    client = connect(maker.start(settings), "udp")
    for name in ("nx.fw.test", "host.fw.test", "silent.fw.test"):
        assert ask(client, name).rcode == w.REFUSED
    assert ask(client, "ok.fine.nx.fw.test").addresses == ["192.0.2.1"]


POLICY_ZONE = """
$TTL 60
@ SOA localhost. root.localhost. 1 1h 1h 1d 60
@ NS localhost.
*.pz.test CNAME .
ok.fine.pz.test CNAME rpz-passthru.
big.pz.test CNAME rpz-tcp-only.
*.garden.test CNAME *.ok.landing.test.
32.66.2.0.192.rpz-ip CNAME .
24.0.100.51.198.rpz-ip A 192.0.2.77
"""


@pytest.fixture(scope="module")
def zone(shared_maker, scripted_session):
    """Two programs' worth of rules: the zone's word, and an ALERT for all that it lets pass."""
    settings = shared_maker.settings(scripted=scripted_session)
    path = shared_maker.directory / "policy.zone"
    path.write_text(POLICY_ZONE)
    with_rules(
        settings,
        [
            {"name": "zone", "format": "rpz", "file": str(path)},
            {"name": "all", "domains": ["*.pz.test"]},
        ],
        [rule("zone", "GIVEN", "zone"), rule("rest", "ALERT", "all")],
    )
    return shared_maker.start(settings)


class TestPolicyZone:
    def test_pass_allows(self, zone, connect):
        """The zone's own exception ends the evaluation: the ALERT below is not reached."""
        name = "ok.fine.pz.test"
        assert ask(connect(zone, "udp"), name).addresses == ["192.0.2.1"]
        ext = zone.wait_log(name)[-1]["ext"]
        assert (ext["action"], ext["rule"], ext["entry"]) == ("ALLOW", "zone", name + ".")

    def test_tcp_only(self, zone, scripted, connect):
        """Over UDP nothing but a hint to come back; then as if it were not listed: *.pz.test is."""
        name = "big.pz.test"
        answer = ask(connect(zone, "udp"), name)
        assert answer.flags & w.TC and answer.rcode == w.NOERROR
        assert not answer.answer and not answer.authority
        check(zone, scripted, name, "TRUNCATE", "zone")
        answer = ask(connect(zone, "tcp"), name)
        assert not answer.flags & w.TC and answer.ede is None
        line = zone.wait_log(name, 2)[-1]
        assert (line["ext"]["action"], line["ext"]["rule"]) == ("ALERT", "rest")

    def test_name_below_a_garden(self, zone, connect):
        answer = ask(connect(zone, "udp"), "www.garden.test")
        assert answer.answer[0].target == w.name("www.garden.test.ok.landing.test")

    def test_garden_that_does_not_fit(self, zone, connect):
        """Longer than a name can be: the view's failure, which is closed here."""
        long = ".".join(["x" * 60] * 3 + ["y" * 45])
        answer = ask(connect(zone, "udp"), long + ".garden.test")
        assert answer.rcode == w.SERVFAIL and not answer.answer

    @pytest.mark.parametrize("protocol", PROTOCOLS)
    def test_address(self, zone, scripted, connect, protocol):
        name = "%s.hosted.test" % protocol
        scripted.zone[name + "."] = lambda s: w.reply(
            s.wire,
            [
                w.record(s.qname, w.CNAME, w.name("cdn.elsewhere.test")),
                w.a("cdn.elsewhere.test", "203.0.113.1"),
                w.a("cdn.elsewhere.test", "192.0.2.66"),
            ],
        )
        for _ in range(2):  # the second time from the cache
            answer = ask(connect(zone, protocol), name)
            assert answer.rcode == w.NXDOMAIN and answer.ede_code == BLOCKED and not answer.answer
        line = zone.wait_log(name, 2)[-1]
        ext = line["ext"]
        assert (ext["rule"], ext["entry"]) == ("zone", "192.0.2.66/32")
        assert ext["matched_address"] == "192.0.2.66"
        assert ext["matched_name"] == "cdn.elsewhere.test." and "hop" not in ext

    def test_network_with_an_answer(self, zone, scripted, connect):
        name = "swapped.test"
        scripted.zone[name + "."] = lambda s: w.reply(s.wire, [w.a(s.qname, "198.51.100.9")])
        assert ask(connect(zone, "udp"), name).addresses == ["192.0.2.77"]
        assert zone.wait_log(name)[-1]["ext"]["entry"] == "198.51.100.0/24"
