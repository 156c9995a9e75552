"""Names that are answered here, names that are asked elsewhere than the rest, and discovery of
designated resolvers, which dnspython reads and a client follows to its end."""

import socket

import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import pytest

import certificates as certs
import dns_wire as w
from config_text import inline, rule
from dns_client import tls_context
from program import PROTOCOLS, Ports, with_rules
from scripted_dns import ScriptedDns

ALPN, PORT, IPV4HINT, IPV6HINT, DOHPATH = 1, 3, 4, 6, 7  # RFC 9460 14.3.2, RFC 9461 5
LOOPBACK_V6 = "1." + "0." * 31 + "ip6.arpa"


def ask(namegate, name, rtype="A", **flags):
    """By dnspython, which knows nothing of how the program writes messages."""
    query = dns.message.make_query(name, rtype, **flags)
    answer = dns.query.udp(query, "127.0.0.1", timeout=6, port=namegate.ports["dns"])
    assert answer.flags & dns.flags.RA
    return answer


def said(answer):
    """(rcode, records of the answer, owner of the SOA) as text."""
    records = sorted(
        "%s %s" % (dns.rdatatype.to_text(s.rdtype), r) for s in answer.answer for r in s
    )
    soa = [str(s.name) for s in answer.authority if s.rdtype == dns.rdatatype.SOA]
    assert len(soa) == len(answer.authority)
    return dns.rcode.to_text(answer.rcode()), records, soa[0] if soa else None


def serving(address):
    """A server that answers everything with this address."""
    server = ScriptedDns(Ports.take())
    server.default = lambda s: w.reply(s.wire, [w.a(s.qname, address)])
    return server


@pytest.fixture(scope="module")
def special(shared_maker, scripted_session):
    """Special names as they are without a word in the configuration."""
    settings = shared_maker.settings(scripted=scripted_session)
    settings.pop("special_names", None)
    return shared_maker.start(settings)


class TestSpecial:
    @pytest.mark.quick
    @pytest.mark.parametrize(
        "name, rtype, rcode, records, soa",
        [
            ("localhost", "A", "NOERROR", ["A 127.0.0.1"], None),
            ("localhost", "AAAA", "NOERROR", ["AAAA ::1"], None),
            ("a.LocalHost", "A", "NOERROR", ["A 127.0.0.1"], None),
            ("localhost", "MX", "NOERROR", [], "localhost."),
            ("x.invalid", "A", "NXDOMAIN", [], "invalid."),
            ("www.test", "AAAA", "NXDOMAIN", [], "test."),
            ("expyuzz4wqqyqhjn.onion", "A", "NXDOMAIN", [], "onion."),
            ("printer.local", "A", "NXDOMAIN", [], "local."),
            ("nas.home.arpa", "A", "NXDOMAIN", [], "home.arpa."),
            ("home.arpa", "NS", "NOERROR", ["NS home.arpa."], None),
            ("5.1.168.192.in-addr.arpa", "PTR", "NXDOMAIN", [], "168.192.in-addr.arpa."),
            ("4.3.2.10.in-addr.arpa", "PTR", "NXDOMAIN", [], "10.in-addr.arpa."),
            ("1.1.64.100.in-addr.arpa", "PTR", "NXDOMAIN", [], "64.100.in-addr.arpa."),
            ("1.d.f.ip6.arpa", "PTR", "NXDOMAIN", [], "d.f.ip6.arpa."),
            ("1.0.0.127.in-addr.arpa", "PTR", "NOERROR", ["PTR localhost."], None),
            (LOOPBACK_V6, "PTR", "NOERROR", ["PTR localhost."], None),
        ],
    )
    def test_answered_here(self, special, scripted, name, rtype, rcode, records, soa):
        assert said(ask(special, name, rtype)) == (rcode, records, soa)
        assert not scripted.asked

    @pytest.mark.parametrize("protocol", PROTOCOLS)
    def test_over_every_protocol(self, special, scripted, connect, protocol):
        answer = connect(special, protocol).ask(w.query("x.%s.onion" % protocol))
        assert answer.rcode == w.NXDOMAIN and [r.type for r in answer.authority] == [w.SOA]
        assert not scripted.asked
        assert special.wait_log("x.%s.onion" % protocol)[0]["rcode"] == "NXDOMAIN"

    @pytest.mark.parametrize(
        "name, rtype",
        [
            ("locally.example", "A"),
            ("localhost.example", "A"),
            ("32.172.in-addr.arpa", "PTR"),
            ("8.8.8.8.in-addr.arpa", "PTR"),
            ("use-application-dns.net", "A"),  # only when the configuration says so
            ("home.arpa", "DS"),  # belongs to arpa
            ("10.in-addr.arpa", "DS"),
        ],
    )
    def test_asked_upstream(self, special, scripted, name, rtype):
        ask(special, name, rtype)
        assert scripted.asked_for(name)

    def test_switches(self, maker, scripted):
        settings = maker.settings(scripted=scripted)
        settings["special_names"] = {"onion": False, "private_reverse": False, "canary": True}
        namegate = maker.start(settings)
        ask(namegate, "x.onion")
        ask(namegate, "1.0.0.10.in-addr.arpa", "PTR")
        assert scripted.asked_for("x.onion") and scripted.asked_for("1.0.0.10.in-addr.arpa")
        canary = said(ask(namegate, "use-application-dns.net"))
        assert canary == ("NXDOMAIN", [], "use-application-dns.net.")
        settings["special_names"] = {"onion": True}
        assert namegate.reload(settings)
        assert said(ask(namegate, "y.onion"))[0] == "NXDOMAIN"
        assert not scripted.asked_for("y.onion")

    def test_local_data_first(self, maker, scripted):
        settings = maker.settings(scripted=scripted)
        settings["local_data"] = [
            {"name": "nas.home.arpa", "type": "A", "value": "192.168.1.7"},
            {"name": "192.168.1.7", "type": "PTR", "value": "nas.home.arpa"},
        ]
        namegate = maker.start(settings)
        assert said(ask(namegate, "nas.home.arpa"))[1] == ["A 192.168.1.7"]
        assert said(ask(namegate, "7.1.168.192.in-addr.arpa", "PTR"))[1] == ["PTR nas.home.arpa."]
        assert said(ask(namegate, "8.1.168.192.in-addr.arpa", "PTR"))[0] == "NXDOMAIN"
        assert not scripted.asked


class TestRoutes:
    @pytest.fixture(scope="class")
    def servers(self):
        with (
            serving("192.0.2.1") as main,
            serving("192.0.2.2") as office,
            serving("192.0.2.3") as lab,
        ):
            yield {"main": main, "office": office, "lab": lab}

    def settings(self, maker, servers):
        settings = maker.settings(**servers)
        settings["upstream_groups"] = [{"name": name, "upstreams": [name]} for name in servers]
        settings["cache"] = {"size": "0B"}
        return settings

    @pytest.fixture(scope="class")
    def routed(self, shared_maker, servers):
        settings = self.settings(shared_maker, servers)
        settings["routes"] = [
            {"domains": ["corp.example", "home.arpa", "10.0.0.0/8"], "upstream_group": "office"},
            {"domains": ["lab.corp.example"], "upstream_group": "lab"},
        ]
        return shared_maker.start(settings)

    @pytest.mark.quick
    @pytest.mark.parametrize(
        "name, upstream",
        [
            ("www.example", "main"),
            ("corp.example", "office"),
            ("a.b.CORP.example", "office"),
            ("xcorp.example", "main"),
            ("corp.example.org", "main"),
            ("lab.corp.example", "lab"),
            ("x.lab.corp.example", "lab"),
            ("xlab.corp.example", "office"),
            ("nas.home.arpa", "office"),  # stronger than a special name
            ("4.3.2.10.in-addr.arpa", "office"),
        ],
    )
    def test_domain(self, routed, servers, name, upstream):
        for server in servers.values():
            server.asked.clear()
        ask(routed, name)
        asked = {word for word, server in servers.items() if server.asked_for(name)}
        assert asked == {upstream}
        assert routed.wait_log(name)[-1]["ext"]["upstream"] == upstream

    def test_never_another_group(self, maker, servers):
        """A route's upstream that is dead is dead: nobody else hears the name."""
        settings = self.settings(maker, {**servers, "dead": Ports.take()})
        settings["routes"] = [{"domains": ["corp.example"], "upstream_group": "dead"}]
        namegate = maker.start(settings)
        assert said(ask(namegate, "secret.corp.example"))[0] == "SERVFAIL"
        assert not any(server.asked_for("secret.corp.example") for server in servers.values())

    def test_views(self, maker, servers, connect):
        """The view's group, and a route for one view."""
        settings = self.settings(maker, servers)
        settings["views"] = [
            {"name": "lan", "clients": ["127.0.0.1/32"]},
            {"name": "guests", "clients": ["127.0.0.2/32"], "upstream_group": "office"},
        ]
        settings["routes"] = [
            {"domains": ["corp.example"], "upstream_group": "lab", "views": ["lan"]},
        ]
        namegate = maker.start(settings)
        lan = connect(namegate, "udp")
        guest = connect(namegate, "udp", source="127.0.0.2")
        for client, name, address in (
            (lan, "a.example", "192.0.2.1"),
            (guest, "a.example", "192.0.2.2"),
            (lan, "a.corp.example", "192.0.2.3"),
            (guest, "a.corp.example", "192.0.2.2"),
        ):
            assert client.ask(w.query(name)).addresses == [address]

    def test_the_cache_knows_groups(self, maker, servers, connect):
        """What one group said is not told to those who ask another."""
        settings = self.settings(maker, servers)
        del settings["cache"]
        settings["views"] = [
            {"name": "lan", "clients": ["127.0.0.1/32"]},
            {"name": "guests", "clients": ["127.0.0.2/32"], "upstream_group": "office"},
        ]
        namegate = maker.start(settings)
        for _ in range(2):
            assert connect(namegate, "udp").ask(w.query("same.example")).addresses == ["192.0.2.1"]
            guest = connect(namegate, "udp", source="127.0.0.2")
            assert guest.ask(w.query("same.example")).addresses == ["192.0.2.2"]

    def test_reload(self, maker, servers):
        settings = self.settings(maker, servers)
        namegate = maker.start(settings)
        assert said(ask(namegate, "a.corp.example"))[1] == ["A 192.0.2.1"]
        settings["routes"] = [{"domains": ["corp.example"], "upstream_group": "lab"}]
        assert namegate.reload(settings)
        assert said(ask(namegate, "a.corp.example"))[1] == ["A 192.0.2.3"]

    def test_a_group_that_a_reload_took_away(self, maker, servers, connect):
        """A query of before still has to ask it: then nobody is asked, not somebody else."""
        settings = self.settings(maker, servers)
        settings["routes"] = [{"domains": ["corp.example"], "upstream_group": "office"}]
        lands = {"block_response": "OVERRIDE", "override_domain": "block.corp.example"}
        with_rules(settings, [inline("bad", "bad.example")],
                   [rule("no", "BLOCK", "bad", override_ttl="60s", **lands)])
        servers["main"].zone["slow-1500.example."] = lambda s: w.reply(
            s.wire, [w.record(s.qname, w.CNAME, w.name("bad.example"))])
        namegate = maker.start(settings)
        client = connect(namegate, "udp")
        client.send(w.query("slow-1500.example"))
        servers["main"].wait_for("slow-1500.example")
        del settings["routes"], settings["upstreams"][1], settings["upstream_groups"][1]
        assert namegate.reload(settings)
        answer = w.Message(client.receive())
        assert [r.target for r in answer.answer] == [w.name("block.corp.example")]
        assert not any(server.asked_for("block.corp.example") for server in servers.values())


def designations(answer):
    """The SVCB records as dnspython reads them, by priority: (target, {key: value})."""
    found = {}
    for rrset in answer.answer:
        assert rrset.name == dns.name.from_text("_dns.resolver.arpa")
        assert rrset.rdtype == dns.rdatatype.SVCB
        for rdata in rrset:
            assert rdata.priority not in found
            params = {int(k): v for k, v in rdata.params.items()}
            found[rdata.priority] = (str(rdata.target), params)
    return [found[priority] for priority in sorted(found)]


class TestDiscovery:
    def settings(self, maker, scripted, **more):
        settings = maker.settings(scripted=scripted)
        settings.update(ddr=True, **more)
        return settings

    @pytest.fixture
    def discovered(self, maker, scripted):
        return maker.start(self.settings(maker, scripted))

    def test_what_is_said(self, discovered, scripted):
        doh, dot = designations(ask(discovered, "_dns.resolver.arpa", "SVCB"))
        assert doh[0] == dot[0] == certs.HOST + "."
        assert doh[1][ALPN].ids == (b"h2",) and dot[1][ALPN].ids == (b"dot",)
        assert doh[1][PORT].port == discovered.ports["doh"]
        assert dot[1][PORT].port == discovered.ports["dot"]
        assert doh[1][IPV4HINT].addresses == dot[1][IPV4HINT].addresses == ("127.0.0.1",)
        assert doh[1][DOHPATH].value == b"/dns-query{?dns}" and DOHPATH not in dot[1]
        assert not scripted.asked

    def test_followed_to_its_end(self, discovered, connect):
        """RFC 9462 4.2: a chain to a known authority, and the address that was asked in the
        certificate; then the resolver there answers."""
        for target, params in designations(ask(discovered, "_dns.resolver.arpa", "SVCB")):
            address, port = params[IPV4HINT].addresses[0], params[PORT].port
            alpn = params[ALPN].ids[0].decode()
            context = tls_context(discovered.certificates.ca, alpn)
            for wanted in ("127.0.0.1", target.rstrip(".")):
                with socket.create_connection((address, port), 6) as raw:
                    with context.wrap_socket(raw, server_hostname=wanted) as tls:
                        assert tls.selected_alpn_protocol() == alpn
            client = connect(discovered, {"h2": "doh", "dot": "dot"}[alpn])
            assert client.socket.getpeername() == (address, port)
            if alpn == "h2":
                assert params[DOHPATH].value.decode() == client.path + "{?dns}"
            assert client.ask(w.query("ok.ddr.test")).addresses == ["192.0.2.1"]

    @pytest.mark.parametrize("protocol", PROTOCOLS)
    def test_over_every_protocol(self, discovered, connect, protocol):
        answer = connect(discovered, protocol).ask(w.query("_dns.resolver.arpa", w.SVCB))
        assert answer.types == [w.SVCB, w.SVCB]

    @pytest.mark.parametrize(
        "name, rtype",
        [
            ("_dns.resolver.arpa", "A"),
            ("_dns.resolver.arpa", "HTTPS"),
            ("resolver.arpa", "SVCB"),
            ("x._dns.resolver.arpa", "SVCB"),
            ("www.resolver.arpa", "A"),
        ],
    )
    def test_nothing_else(self, discovered, scripted, name, rtype):
        """rfc9462-6.4: no data, and nobody is asked."""
        assert said(ask(discovered, name, rtype)) == ("NOERROR", [], "resolver.arpa.")
        assert not scripted.asked

    @pytest.mark.parametrize("ddr", (None, False))
    def test_off(self, maker, scripted, ddr):
        settings = maker.settings(scripted=scripted)
        if ddr is not None:
            settings["ddr"] = ddr
        namegate = maker.start(settings)
        answer = ask(namegate, "_dns.resolver.arpa", "SVCB")
        assert said(answer) == ("NOERROR", [], "resolver.arpa.")
        assert not scripted.asked and " ddr: " not in namegate.stderr

    @pytest.mark.parametrize(
        "names, reason",
        [
            ((certs.HOST, "10.0.0.1"), "does not have 127.0.0.1"),
            ((certs.HOST,), "does not have 127.0.0.1"),
            (("127.0.0.1",), "no host name"),
            (("*.namegate.test", "127.0.0.1"), "no host name"),
        ],
    )
    def test_a_certificate_that_nobody_would_believe(
        self, maker, scripted, certificates, tmp_path, names, reason
    ):
        """Nothing is said, the log tells the operator why; the right certificate and a reload
        put it right."""
        other = certs.issue(certificates, tmp_path / "other", *names)
        settings = self.settings(maker, scripted)
        good = settings["tls"]
        settings["tls"] = {"certificate": str(other.certificate), "key": str(other.key)}
        settings["hardening"] = {"landlock": False}  # the good one is in another directory
        namegate = maker.start(settings)
        answer = said(ask(namegate, "_dns.resolver.arpa", "SVCB"))
        assert answer == ("NOERROR", [], "resolver.arpa.")
        assert " ddr: " in namegate.stderr and reason in namegate.stderr
        assert not scripted.asked
        settings["tls"] = good
        assert namegate.reload(settings)
        assert len(designations(ask(namegate, "_dns.resolver.arpa", "SVCB"))) == 2

    def test_all_addresses(self, maker, scripted, certificates, tmp_path):
        """Listeners on 0.0.0.0: the certificate's addresses, loopback left out."""
        names = (certs.HOST, "127.0.0.1", "10.9.8.7", "fd00::1")
        own = certs.issue(certificates, tmp_path / "own", *names)
        settings = self.settings(maker, scripted)
        settings["tls"] = {"certificate": str(own.certificate), "key": str(own.key)}
        for listener in settings["listeners"]:
            listener["address"] = "0.0.0.0"
        namegate = maker.start(settings)
        for _, params in designations(ask(namegate, "_dns.resolver.arpa", "SVCB")):
            assert params[IPV4HINT].addresses == ("10.9.8.7",) and IPV6HINT not in params
