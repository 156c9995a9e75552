"""The firewall on the wire: every action and block response on every protocol, redirection, views,
local data, failure modes. The semantics themselves are proven in tests/unit; here they arrive."""

import pytest

import dns_wire as w
from config_text import group, inline, rule
from program import PROTOCOLS, with_rules

BLOCKED, PROHIBITED = 15, 18  # RFC 8914 5.2
EDNS = w.opt()


@pytest.fixture(scope="module")
def firewall(shared_maker, scripted_session):
    """One program with a rule of every kind."""
    settings = shared_maker.settings(scripted=scripted_session)
    lists = [
        inline("allowed", "*.allow.fw.test"),
        inline("alerted", "*.alert.fw.test"),
        inline("monitored", "*.fw.test"),
        inline("nodata", "*.nodata.fw.test", "nodata.fw.test"),
        inline("nxdomain", "*.nxd.fw.test"),
        inline("override", "*.override.fw.test"),
        inline("refused", "*.refuse.fw.test"),
        inline("dropped", "*.drop.fw.test"),
        inline("addressed", "*.address.fw.test"),
        inline("only-txt", "*.txt.fw.test"),
        inline("exact", "exact.fw.test"),
        inline("trusted", "trust.fw.test", "cname.trust.fw.test", "*.trusting.fw.test"),
        inline("target", "*.target.test", "target.test"),
        inline("soft-target", "*.soft.test"),
    ]
    block = dict(action="BLOCK")
    rules = [
        rule("watch", "MONITOR", "monitored"),
        rule("allow", "ALLOW", "allowed"),
        rule("trust", "ALLOW", "trusted", redirection="TRUST"),
        rule("alert", "ALERT", "alerted"),
        rule("nodata", domain_list="nodata", block_response="NODATA", **block),
        rule("nxdomain", domain_list="nxdomain", block_response="NXDOMAIN", **block),
        rule(
            "override",
            domain_list="override",
            block_response="OVERRIDE",
            override_domain="ok.landing.test",
            override_ttl="42s",
            **block,
        ),
        rule("refused", domain_list="refused", block_response="REFUSED", **block),
        rule("dropped", domain_list="dropped", block_response="DROP", **block),
        rule(
            "addressed",
            domain_list="addressed",
            block_response="ADDRESS",
            addresses=["192.0.2.99", "192.0.2.98", "2001:db8::99"],
            **block,
        ),
        rule(
            "only-txt",
            domain_list="only-txt",
            block_response="NXDOMAIN",
            query_type="TXT",
            **block,
        ),
        rule("exact", domain_list="exact", block_response="NXDOMAIN", **block),
        rule("targets", domain_list="target", block_response="NXDOMAIN", **block),
        rule("soft", "ALERT", "soft-target"),
    ]
    with_rules(settings, lists, rules)
    return shared_maker.start(settings)


def ask(client, name, qtype=w.A, edns=EDNS):
    return client.ask(w.query(name, qtype, edns=edns))


@pytest.mark.quick
@pytest.mark.parametrize("protocol", PROTOCOLS)
class TestBlockResponses:
    """What a blocked client sees; nothing of it is asked upstream."""

    def check(self, firewall, scripted, answer, name, response):
        assert answer.ede_code == BLOCKED
        assert answer.flags & w.RA and not answer.flags & (w.AA | w.AD)
        assert not scripted.asked_for(name)
        line = firewall.wait_log(name)[-1]
        assert line["firewall_rule_action"] == "BLOCK"
        assert line["ext"]["action"] == "BLOCK" and line["ext"]["rule"] == response

    def test_nodata(self, firewall, scripted, connect, protocol):
        name = "a.%s.nodata.fw.test" % protocol
        answer = ask(connect(firewall, protocol), name)
        assert answer.rcode == w.NOERROR and not answer.answer
        assert [r.type for r in answer.authority] == [w.SOA]
        self.check(firewall, scripted, answer, name, "nodata")

    def test_nxdomain(self, firewall, scripted, connect, protocol):
        name = "a.%s.nxd.fw.test" % protocol
        answer = ask(connect(firewall, protocol), name)
        assert answer.rcode == w.NXDOMAIN and not answer.answer
        assert [r.type for r in answer.authority] == [w.SOA]
        self.check(firewall, scripted, answer, name, "nxdomain")

    def test_override(self, firewall, scripted, connect, protocol):
        name = "a.%s.override.fw.test" % protocol
        answer = ask(connect(firewall, protocol), name)
        assert answer.rcode == w.NOERROR
        assert answer.answer[0].type == w.CNAME and answer.answer[0].ttl == 42
        assert answer.answer[0].owner == w.name(name)
        assert answer.answer[0].target == w.name("ok.landing.test")
        self.check(firewall, scripted, answer, name, "override")

    def test_refused(self, firewall, scripted, connect, protocol):
        name = "a.%s.refuse.fw.test" % protocol
        answer = ask(connect(firewall, protocol), name)
        assert answer.rcode == w.REFUSED and not answer.answer and not answer.authority
        self.check(firewall, scripted, answer, name, "refused")

    def test_address(self, firewall, scripted, connect, protocol):
        name = "a.%s.address.fw.test" % protocol
        answer = ask(connect(firewall, protocol), name)
        assert sorted(answer.addresses) == ["192.0.2.98", "192.0.2.99"]
        self.check(firewall, scripted, answer, name, "addressed")
        six = ask(connect(firewall, protocol), name, w.AAAA)
        assert [r.rdata.hex() for r in six.answer] == ["20010db8000000000000000000000099"]
        other = ask(connect(firewall, protocol), name, w.MX)
        assert other.rcode == w.NOERROR and not other.answer

    def test_drop(self, firewall, scripted, connect, protocol):
        """Silence; over HTTP, where that is not possible, REFUSED."""
        name = "a.%s.drop.fw.test" % protocol
        client = connect(firewall, protocol)
        if protocol == "doh":
            assert ask(client, name).rcode == w.REFUSED
        else:
            client.send(w.query(name, edns=EDNS))
            client.send(w.query("ok.after.allow.fw.test", id=7))
            answer = client.receive()
            assert answer is None or w.Message(answer).id == 7
        assert not scripted.asked_for(name)
        assert firewall.wait_log(name)[-1]["ext"]["rule"] == "dropped"


def test_override_to_what_cannot_be_resolved(maker, scripted, connect):
    """The alias alone, at the first attempt as at all others: a SERVFAIL would send the client to
    its next resolver."""
    settings = maker.settings(scripted=scripted)
    lands = {"block_response": "OVERRIDE", "override_domain": "servfail.land.test"}
    with_rules(settings, [inline("bad", "bad.test")],
               [rule("no", "BLOCK", "bad", override_ttl="60s", **lands)])
    client = connect(maker.start(settings), "udp")
    for _ in range(3):
        answer = ask(client, "bad.test")
        assert answer.rcode == w.NOERROR and answer.ede_code == BLOCKED
        assert [r.target for r in answer.answer] == [w.name("servfail.land.test")]


@pytest.mark.parametrize("protocol", PROTOCOLS)
class TestLetThrough:
    def test_allow(self, firewall, scripted, connect, protocol):
        """AWS reports nothing on ALLOW; our part of the line does."""
        name = "ok.%s.allow.fw.test" % protocol
        answer = ask(connect(firewall, protocol), name)
        assert answer.addresses == ["192.0.2.1"] and answer.ede is None
        line = firewall.wait_log(name)[-1]
        assert "firewall_rule_action" not in line
        assert (line["ext"]["action"], line["ext"]["rule"]) == ("ALLOW", "allow")
        assert line["ext"]["list"] == "allowed" and line["ext"]["entry"] == "*.allow.fw.test."

    def test_alert(self, firewall, scripted, connect, protocol):
        name = "ok.%s.alert.fw.test" % protocol
        answer = ask(connect(firewall, protocol), name)
        assert answer.addresses == ["192.0.2.1"] and answer.ede is None
        line = firewall.wait_log(name)[-1]
        assert line["firewall_rule_action"] == "ALERT"
        assert line["firewall_rule_group_id"] == "rules"
        assert line["firewall_domain_list_id"] == "alerted"

    def test_no_match(self, firewall, scripted, connect, protocol):
        name = "ok.%s.elsewhere.test" % protocol
        assert ask(connect(firewall, protocol), name).addresses == ["192.0.2.1"]
        line = firewall.wait_log(name)[-1]
        assert "firewall_rule_action" not in line and "rule" not in line["ext"]


class TestMatching:
    def test_exact_is_not_below(self, firewall, connect):
        client = connect(firewall, "udp")
        assert ask(client, "exact.fw.test").ede_code == BLOCKED
        assert ask(client, "ok.exact.fw.test").addresses

    def test_below_is_not_itself(self, firewall, connect):
        client = connect(firewall, "udp")
        assert ask(client, "nxd.fw.test").ede_code is None
        assert ask(client, "a.b.c.nxd.fw.test").ede_code == BLOCKED

    def test_text_is_not_a_suffix(self, firewall, connect):
        assert ask(connect(firewall, "udp"), "a.notnxd.fw.test").ede_code is None

    @pytest.mark.parametrize("name", ("A.NXD.FW.TEST", "a.nXd.fW.tEsT"))
    def test_case_does_not_count(self, firewall, connect, name):
        assert ask(connect(firewall, "udp"), name).ede_code == BLOCKED

    def test_query_type(self, firewall, connect):
        client = connect(firewall, "udp")
        assert ask(client, "ok.txt.fw.test", w.TXT).ede_code == BLOCKED
        assert ask(client, "ok.txt.fw.test", w.A).addresses
        assert ask(client, "ok.txt.fw.test", w.ANY).ede_code is None

    def test_dot_inside_a_label_does_not_match(self, firewall, connect):
        """The label `a.nxd` is not the two labels `a` and `nxd`."""
        client = connect(firewall, "udp")
        name = w.labels_to_name(b"a.nxd", b"fw", b"test")
        assert client.ask(w.query(name, edns=EDNS)).ede_code is None

    @pytest.mark.parametrize("label", (b"\0", b"\xff", b"a.b", b"*", b"\\"), ids=repr)
    def test_any_label_below_is_below(self, firewall, connect, label):
        name = w.labels_to_name(label, b"nxd", b"fw", b"test")
        assert connect(firewall, "udp").ask(w.query(name, edns=EDNS)).ede_code == BLOCKED

    def test_monitor_is_recorded_and_goes_on(self, firewall, connect):
        before = firewall.metrics().sum("namegate_rule_matches_total", rule="watch")
        assert ask(connect(firewall, "udp"), "ok.watched.fw.test").addresses
        firewall.wait_metric("namegate_rule_matches_total", before + 1, rule="watch")

    def test_no_ede_without_edns(self, firewall, connect):
        answer = ask(connect(firewall, "udp"), "a.nxd.fw.test", edns=b"")
        assert answer.rcode == w.NXDOMAIN and answer.opt is None


class TestRedirection:
    """CNAME, DNAME and, beyond AWS, HTTPS and SVCB targets are judged hop by hop."""

    @pytest.mark.quick
    @pytest.mark.parametrize("protocol", PROTOCOLS)
    @pytest.mark.parametrize(
        "name, qtype",
        [
            ("cname.ok.%s.target.test", w.A),
            ("cname.cname.cname.ok.%s.target.test", w.A),
            ("cnameonly.ok.%s.target.test", w.A),
            ("cnameback.ok.%s.target.test", w.A),
            ("alias.ok.%s.target.test", w.HTTPS),
            ("alias.ok.%s.target.test", w.SVCB),
            ("service.ok.%s.target.test", w.HTTPS),
        ],
    )
    def test_blocked_target(self, firewall, scripted, connect, name, qtype, protocol):
        """The question is under a name that is fine: only where it leads to is not."""
        target = name % protocol
        front = "www.%s.front.test" % protocol
        scripted.zone[front + "."] = lambda s: self.led_astray(s, target, qtype)
        answer = ask(connect(firewall, protocol), front, qtype)
        assert answer.rcode == w.NXDOMAIN and answer.ede_code == BLOCKED
        assert not answer.answer
        line = firewall.wait_log(front)[-1]
        assert line["firewall_rule_action"] == "BLOCK"
        assert line["ext"]["rule"] == "targets" and line["ext"]["hop"] >= 1
        assert line["ext"]["matched_name"].endswith(".target.test.")

    @staticmethod
    def led_astray(s, target, qtype):
        if qtype in (w.HTTPS, w.SVCB):
            priority = b"\0\0" if target.startswith("alias") else b"\0\1"
            return w.reply(s.wire, [w.record(s.qname, qtype, priority + w.name(target))])
        first = w.record(s.qname, w.CNAME, w.name(target))
        rest = [w.a(target)] if not target.startswith("cnameonly") else []
        answers = [first] + rest
        return w.reply(s.wire, answers[::-1] if target.startswith("cnameback") else answers)

    def test_dname(self, firewall, scripted, connect):
        """www.old.test by the DNAME old.test -> target.test."""

        def redirected(s):
            return w.reply(
                s.wire,
                [
                    w.record("old.test", w.DNAME, w.name("target.test")),
                    w.record(s.qname, w.CNAME, w.name("www.target.test")),
                    w.a("www.target.test"),
                ],
            )

        scripted.zone["www.old.test."] = redirected
        assert ask(connect(firewall, "udp"), "www.old.test").ede_code == BLOCKED

    def test_dname_without_the_cname(self, firewall, scripted, connect):
        """The synthesised CNAME is a courtesy; its absence opens no hole."""
        scripted.zone["www.older.test."] = lambda s: w.reply(
            s.wire,
            [w.record("older.test", w.DNAME, w.name("target.test")), w.a("www.target.test")],
        )
        answer = ask(connect(firewall, "udp"), "www.older.test")
        assert answer.ede_code == BLOCKED or not answer.addresses

    def test_long_chain_to_a_blocked_name(self, firewall, scripted, connect):
        """Ten names, the last one blocked."""

        def chained(s):
            names = [s.qname] + [w.name("hop%d.test" % i) for i in range(9)]
            names.append(w.name("www.target.test"))
            links = [w.record(a, w.CNAME, b) for a, b in zip(names, names[1:])]
            return w.reply(s.wire, links + [w.a(names[-1])])

        scripted.zone["ten.front.test."] = chained
        assert ask(connect(firewall, "udp"), "ten.front.test").ede_code == BLOCKED

    def test_endless_chain_fails_closed(self, firewall, connect):
        """More names than are judged is a failure, and the view's failure mode is closed."""
        answer = ask(connect(firewall, "udp"), "chain-40.front.test")
        assert answer.rcode == w.SERVFAIL and not answer.addresses

    def test_loop_ends(self, firewall, connect):
        assert ask(connect(firewall, "udp"), "cnameloop.front.test") is not None

    def test_trust_passes(self, firewall, scripted, connect):
        scripted.zone["trust.fw.test."] = lambda s: w.reply(
            s.wire,
            [w.record(s.qname, w.CNAME, w.name("www.target.test")), w.a("www.target.test")],
        )
        client = connect(firewall, "udp")
        assert ask(client, "trust.fw.test").addresses == ["192.0.2.1"]
        assert ask(client, "www.target.test").ede_code == BLOCKED  # asked directly

    def test_trust_covers_https_targets(self, firewall, scripted, connect):
        scripted.zone["trust.fw.test."] = lambda s: w.reply(
            s.wire, [w.record(s.qname, w.HTTPS, b"\0\0" + w.name("www.target.test"))]
        )
        answer = ask(connect(firewall, "udp"), "trust.fw.test", w.HTTPS)
        assert answer.rcode == w.NOERROR and answer.answer

    def test_alerting_target(self, firewall, scripted, connect):
        scripted.zone["www.softly.test."] = lambda s: w.reply(
            s.wire, [w.record(s.qname, w.CNAME, w.name("a.soft.test")), w.a("a.soft.test")]
        )
        assert ask(connect(firewall, "udp"), "www.softly.test").addresses == ["192.0.2.1"]
        line = firewall.wait_log("www.softly.test")[-1]
        assert line["firewall_rule_action"] == "ALERT"
        assert line["ext"]["matched_name"] == "a.soft.test."


def start_with(maker, scripted, lists, rules, **view):
    return maker.start(with_rules(maker.settings(scripted=scripted), lists, rules, **view))


class TestWorkedTable:
    """AWS's semantics, as they arrive on the wire."""

    ROWS = {
        "alert-before-block": (
            [rule("a", "ALERT", "x"), rule("b", "BLOCK", "y", block_response="NODATA")],
            [inline("x", "*.a.test"), inline("y", "ok.a.test")],
            "ok.a.test",
            "ALERT",
        ),
        "apex-does-not-cover-www": (
            [rule("a", "ALLOW", "x"), rule("b", "BLOCK", "y", block_response="NODATA")],
            [inline("x", "a.test"), inline("y", "*")],
            "www.a.test",
            "BLOCK",
        ),
        "other-type": (
            [rule("a", "BLOCK", "x", block_response="NODATA", query_type="TXT")],
            [inline("x", "*.a.test")],
            "ok.a.test",
            None,
        ),
    }

    @pytest.mark.parametrize("row", ROWS)
    def test_row(self, maker, scripted, connect, row):
        rules, lists, name, action = self.ROWS[row]
        namegate = start_with(maker, scripted, lists, rules)
        answer = ask(connect(namegate, "udp"), name)
        assert namegate.wait_log(name)[0].get("firewall_rule_action") == action
        assert bool(answer.addresses) == (action != "BLOCK")

    def test_association_order_beats_rule_priority(self, maker, scripted, connect):
        settings = maker.settings(scripted=scripted)
        settings["domain_lists"] = [inline("all", "*"), inline("a", "ok.a.test")]
        settings["rule_groups"] = [
            group("p", rule("r", "ALLOW", "all", priority=500)),
            group("q", rule("r", "BLOCK", "a", priority=1, block_response="NODATA")),
        ]
        settings["views"][0]["associations"] = [
            {"rule_group": "q", "priority": 102},
            {"rule_group": "p", "priority": 101},
        ]
        assert ask(connect(maker.start(settings), "udp"), "ok.a.test").addresses

    @pytest.mark.parametrize("redirection, passes", (("INSPECT", False), ("TRUST", True)))
    def test_walled_garden_and_its_chain(self, maker, scripted, connect, redirection, passes):
        """A target must itself be allowed, unless the rule trusts."""
        namegate = start_with(
            maker,
            scripted,
            [inline("a", "a.test"), inline("all", "*")],
            [
                rule("a", "ALLOW", "a", redirection=redirection),
                rule("all", "BLOCK", "all", block_response="NODATA"),
            ],
        )
        scripted.zone["a.test."] = lambda s: w.reply(
            s.wire, [w.record(s.qname, w.CNAME, w.name("c.cdn.test")), w.a("c.cdn.test")]
        )
        client = connect(namegate, "udp")
        assert bool(ask(client, "a.test").addresses) == passes
        assert ask(client, "c.cdn.test").ede_code == BLOCKED


@pytest.mark.parametrize("response, rcode", (("NXDOMAIN", w.NXDOMAIN), ("REFUSED", w.REFUSED)))
def test_default_action_block(maker, scripted, connect, response, rcode):
    """One more last rule, `*` BLOCK, for every inspected hop."""
    namegate = start_with(
        maker,
        scripted,
        [inline("ours", "*.ours.test")],
        [rule("ours", "ALLOW", "ours")],
        default_action="BLOCK",
        default_block_response=response,
    )
    client = connect(namegate, "udp")
    assert ask(client, "ok.ours.test").addresses
    answer = ask(client, "ok.theirs.test")
    assert (answer.rcode, answer.ede_code) == (rcode, BLOCKED)
    assert not scripted.asked_for("ok.theirs.test")
    assert ask(client, "cname.ok.ours.test").addresses
    scripted.zone["out.ours.test."] = lambda s: w.reply(
        s.wire, [w.record(s.qname, w.CNAME, w.name("ok.theirs.test")), w.a("ok.theirs.test")]
    )
    assert ask(client, "out.ours.test").ede_code == BLOCKED


class TestViews:
    @pytest.fixture
    def namegate(self, maker, scripted):
        settings = maker.settings(scripted=scripted)
        maker.ports["guest"] = guest = type(self).guest_port(maker)
        settings["listeners"].append(
            {"name": "guest", "protocol": "dns", "address": "127.0.0.1", "port": guest}
        )
        settings["domain_lists"] = [inline("all", "*.views.test")]
        settings["rule_groups"] = [
            group(name, rule(name, "BLOCK", "all", block_response="ADDRESS", addresses=[address]))
            for name, address in (
                ("wide", "192.0.2.11"),
                ("narrow", "192.0.2.12"),
                ("guest", "192.0.2.13"),
            )
        ]
        settings["views"] = [
            self.view("wide", clients=["127.0.0.0/24"]),
            self.view("narrow", clients=["127.0.0.8/30"]),
            self.view("guest", clients=["127.0.0.0/24"], listeners=["guest"]),
        ]
        return maker.start(settings)

    @staticmethod
    def guest_port(maker):
        from program import Ports

        return Ports.take()

    @staticmethod
    def view(name, **more):
        return {"name": name, "associations": [{"rule_group": name, "priority": 101}], **more}

    @pytest.mark.parametrize(
        "source, listener, address",
        [
            ("127.0.0.1", "dns", "192.0.2.11"),
            ("127.0.0.9", "dns", "192.0.2.12"),  # the longer network
            ("127.0.0.12", "dns", "192.0.2.11"),  # just outside it
            ("127.0.0.1", "guest", "192.0.2.13"),  # the same network, by listener
            ("127.0.0.9", "guest", "192.0.2.12"),  # network before listener
        ],
    )
    def test_who_is_who(self, namegate, connect, source, listener, address):
        namegate.ports["dns"] = namegate.ports[listener]
        for protocol in ("udp", "tcp"):
            client = connect(namegate, protocol, source=source)
            assert ask(client, "a.views.test").addresses == [address]
        view = namegate.wait_log("a.views.test", 2)[-1]["vpc_id"]
        assert view == {"1": "wide", "2": "narrow", "3": "guest"}[address[-1]]

    @pytest.mark.parametrize("protocol", PROTOCOLS[:3])
    def test_unclaimed_client(self, namegate, scripted, connect, protocol):
        """Refused, EDE 18, and nothing is asked."""
        answer = ask(connect(namegate, protocol, source="127.0.1.1"), "ok.views.test")
        assert (answer.rcode, answer.ede_code) == (w.REFUSED, PROHIBITED)
        assert not scripted.asked


class TestLocalData:
    @pytest.fixture
    def namegate(self, maker, scripted):
        settings = maker.settings(scripted=scripted)
        settings["local_data"] = [
            {"name": "nas.home.test", "type": "A", "value": "192.0.2.50", "ttl": "5m"},
            {"name": "nas.home.test", "type": "A", "value": "192.0.2.51"},
            {"name": "nas.home.test", "type": "AAAA", "value": "2001:db8::50"},
            {"name": "www.home.test", "type": "CNAME", "value": "nas.home.test"},
            {"name": "nas.home.test", "type": "TXT", "value": "a small box"},
            {"name": "50.2.0.192.in-addr.arpa", "type": "PTR", "value": "nas.home.test"},
        ]
        return maker.start(settings)

    @pytest.mark.parametrize("protocol", PROTOCOLS)
    def test_records(self, namegate, scripted, connect, protocol):
        client = connect(namegate, protocol)
        addresses = ask(client, "NAS.home.test")
        assert sorted(addresses.addresses) == ["192.0.2.50", "192.0.2.51"]
        assert {r.ttl for r in addresses.answer} & {300}
        six = ask(client, "nas.home.test", w.AAAA)
        assert six.answer[0].rdata.hex() == "20010db8000000000000000000000050"
        assert ask(client, "nas.home.test", w.TXT).answer[0].rdata == b"\x0ba small box"
        pointer = ask(client, "50.2.0.192.in-addr.arpa", w.PTR).answer[0]
        assert pointer.target == w.name("nas.home.test")
        assert not scripted.asked

    def test_other_type_of_a_local_name(self, namegate, scripted, connect):
        """The name is ours: NODATA, and the upstream is not asked."""
        answer = ask(connect(namegate, "udp"), "nas.home.test", w.MX)
        assert answer.rcode == w.NOERROR and not answer.answer and not scripted.asked

    def test_cname(self, namegate, connect):
        answer = ask(connect(namegate, "udp"), "www.home.test")
        assert answer.answer[0].type == w.CNAME
        assert answer.answer[0].target == w.name("nas.home.test")

    def test_log_says_local(self, namegate, connect):
        ask(connect(namegate, "udp"), "nas.home.test")
        assert namegate.wait_log("nas.home.test")[0]["rcode"] == "NOERROR"


@pytest.mark.parametrize("protocol", ("udp", "doh"))
@pytest.mark.parametrize("name", ("resolver.arpa", "_dns.resolver.arpa", "a.b.resolver.arpa"))
def test_designation_is_never_forwarded(plain, scripted, connect, name, protocol):
    """rfc9462-6: an upstream's designation would lead clients around the firewall."""
    answer = ask(connect(plain, protocol), name, w.SVCB)
    assert answer.rcode in (w.NOERROR, w.NXDOMAIN) and not answer.answer
    assert not scripted.asked


class TestRebinding:
    """rebinding_protection: private addresses of public names; tests/unit has the addresses."""

    @pytest.fixture(scope="class")
    def protected(self, shared_maker, scripted_session):
        settings = shared_maker.settings(scripted=scripted_session)
        lists = [inline("fine", "fine.rebind.test"), inline("trusted", "trust.rebind.test")]
        rules = [
            rule("fine", "ALLOW", "fine"),
            rule("trusted", "ALLOW", "trusted", redirection="TRUST"),
        ]
        with_rules(settings, lists, rules, rebinding_protection=True)
        settings["views"].append({"name": "other", "clients": ["127.0.0.2/32"]})
        settings["rebinding_exceptions"] = ["corp.test"]
        settings["local_data"] = [{"name": "nas.rebind.test", "type": "A", "value": "10.0.0.7"}]
        return shared_maker.start(settings)

    HINT = b"\0\1\0" + b"\0\4\0\4\x0a\0\0\1"  # RFC 9460 7.3: ipv4hint=10.0.0.1

    def serve(self, scripted, qname, *answers):
        scripted.zone[qname + "."] = lambda s: w.reply(s.wire, answers)

    @pytest.mark.parametrize("protocol", PROTOCOLS)
    def test_private_address(self, protected, scripted, connect, protocol):
        qname = "%s.rebind.test" % protocol
        self.serve(scripted, qname, w.a(qname), w.a(qname, "192.168.1.1"))
        answer = ask(connect(protected, protocol), qname)
        assert answer.rcode == w.NOERROR and not answer.answer
        assert answer.ede_code == BLOCKED and "rebinding protection" in str(answer.ede)
        ext = protected.wait_log(qname)[-1]["ext"]
        assert ext["action"] == "BLOCK" and ext["reason"] == "rebinding"
        assert ext["matched_name"] == qname + "." and "rule" not in ext and "hop" not in ext

    def test_hint(self, protected, scripted, connect):
        self.serve(
            scripted, "hint.rebind.test", w.record("hint.rebind.test", w.HTTPS, self.HINT)
        )
        answer = ask(connect(protected, "udp"), "hint.rebind.test", w.HTTPS)
        assert answer.ede_code == BLOCKED and not answer.answer

    def test_beside_a_service(self, protected, scripted, connect):
        """rfc9460-4.1: the target's addresses, which some browsers use; from the cache as well."""
        qname, target = "beside.rebind.test", w.name("svc.rebind.test")
        scripted.zone[qname + "."] = lambda s: w.reply(
            s.wire, [w.record(qname, w.HTTPS, b"\0\1" + target)],
            additional=[w.a("svc.rebind.test", "10.0.0.1")])
        for _ in range(2):
            answer = ask(connect(protected, "udp"), qname, w.HTTPS)
            assert answer.ede_code == BLOCKED and not answer.answer and not answer.additional

    def test_behind_an_alias_into_an_exception(self, protected, scripted, connect):
        self.serve(
            scripted,
            "evil.rebind.test",
            w.record("evil.rebind.test", w.CNAME, w.name("www.corp.test")),
            w.a("www.corp.test", "10.0.0.1"),
        )
        assert ask(connect(protected, "udp"), "evil.rebind.test").ede_code == BLOCKED
        assert protected.wait_log("evil.rebind.test")[-1]["ext"]["matched_name"] == "www.corp.test."

    def test_allowed_is_not_trusted(self, protected, scripted, connect):
        for qname in ("fine.rebind.test", "trust.rebind.test"):
            self.serve(scripted, qname, w.a(qname, "10.0.0.1"))
        client = connect(protected, "udp")
        assert ask(client, "fine.rebind.test").ede_code == BLOCKED
        assert ask(client, "trust.rebind.test").addresses == ["10.0.0.1"]

    def test_exceptions(self, protected, scripted, connect):
        self.serve(scripted, "a.corp.test", w.a("a.corp.test", "10.0.0.1"))
        client = connect(protected, "udp")
        assert ask(client, "a.corp.test").addresses == ["10.0.0.1"]
        assert ask(client, "nas.rebind.test").addresses == ["10.0.0.7"]
        assert ask(client, "ok.rebind.test").addresses == ["192.0.2.1"]

    def test_other_views_are_not_protected(self, protected, scripted, connect):
        self.serve(scripted, "lan.rebind.test", w.a("lan.rebind.test", "10.0.0.1"))
        other = connect(protected, "udp", source="127.0.0.2")
        assert ask(other, "lan.rebind.test").addresses == ["10.0.0.1"]
        assert ask(connect(protected, "udp"), "lan.rebind.test").ede_code == BLOCKED


class TestFailMode:
    """A list that can not be loaded at start."""

    def start(self, maker, scripted, fail_mode):
        settings = maker.settings(scripted=scripted)
        lists = [
            {"name": "gone", "file": "no/such/list.domains", "format": "domains"},
            inline("there", "*.there.test"),
        ]
        rules = [
            rule("gone", "BLOCK", "gone", block_response="NXDOMAIN"),
            rule("there", "BLOCK", "there", block_response="NXDOMAIN"),
        ]
        with_rules(settings, lists, rules, fail_mode=fail_mode)
        settings["views"].append({"name": "other", "clients": ["127.0.0.2/32"]})
        return maker.start(settings, wait="live")

    def test_closed(self, maker, scripted, connect):
        namegate = self.start(maker, scripted, "closed")
        answer = ask(connect(namegate, "udp"), "ok.any.test")
        assert answer.rcode == w.SERVFAIL and not scripted.asked
        status, why = namegate.admin("/readyz")
        assert status == 503 and "lan" in why
        assert "no/such/list.domains" in namegate.stderr

    def test_open(self, maker, scripted, connect):
        namegate = self.start(maker, scripted, "open")
        assert ask(connect(namegate, "udp"), "ok.any.test").addresses
        assert namegate.admin("/readyz")[0] == 503

    def test_views_without_the_list_are_not_touched(self, maker, scripted, connect):
        namegate = self.start(maker, scripted, "closed")
        other = connect(namegate, "udp", source="127.0.0.2")
        assert ask(other, "ok.any.test").addresses

    def test_mended_by_a_reload(self, maker, scripted, connect):
        namegate = self.start(maker, scripted, "closed")
        (namegate.directory / "no/such").mkdir(parents=True)
        (namegate.directory / "no/such/list.domains").write_text("bad.gone.test\n")
        assert namegate.hup()
        assert namegate.admin("/readyz")[0] == 200
        client = connect(namegate, "udp")
        assert ask(client, "ok.any.test").addresses
        assert ask(client, "bad.gone.test").ede_code == BLOCKED
