"""Names that are special, and names that must be looked at wherever they stand."""

import dns_wire as w
from rows import expect, not_applicable, proven, row
from server import BLOCKED, BLOCKED_ADDRESS, PROTOCOLS, rcode_word

LOOPBACK_V6 = "1." + "0." * 31 + "ip6.arpa"


def expect_local(s, name, qtype=w.A, rcode=w.NXDOMAIN):
    """Answered here, with this rcode; nobody is asked."""
    answer = s.query(name, qtype=qtype)
    expect(not s.asked(name), "the upstream was asked for %s", name)
    expect(answer.rcode == rcode, "%s: %s", name, rcode_word(answer.rcode))
    return answer


def expect_kept_here(s, *names, qtype=w.A):
    for name in names:
        s.query(name, qtype=qtype)
        expect(not s.asked(name), "the upstream was asked for %s", name)


@row("localhost", "RFC 6761 6.3", "S",
     "localhost and all below it are 127.0.0.1 and ::1, and never asked for upstream.")
def localhost(s):
    for name in ("localhost", "n%d.localhost" % next(s.numbers)):
        answer = expect_local(s, name, rcode=w.NOERROR)
        expect(answer.addresses == ["127.0.0.1"], "%s A: %s", name, answer.addresses)
        answer = expect_local(s, name, w.AAAA, w.NOERROR)
        found = [r.rdata.hex() for r in answer.answer if r.type == w.AAAA]
        expect(found == ["0" * 31 + "1"], "%s AAAA: %s", name, found)


@row("onion", "RFC 7686 2", "S", "Names below onion do not exist and are not asked for upstream.")
def onion(s):
    expect_local(s, "n%d.onion" % next(s.numbers))


@row("invalid", "RFC 6761 6.4", "S", "Names below invalid do not exist, and nobody is asked.")
def invalid(s):
    expect_local(s, "n%d.invalid" % next(s.numbers))


@row("test", "RFC 6761 6.2", "S", "Names below test do not exist unless that is configured.")
def test(s):
    expect_local(s, "n%d.test" % next(s.numbers))


@row("home-arpa", "RFC 8375 4", "S", "Names below home.arpa are not asked for upstream.")
def home_arpa(s):
    expect_kept_here(s, "nas%d.home.arpa" % next(s.numbers))


@row("local", "RFC 6762 22.1", "S",
     "Names below local belong to multicast DNS: they do not exist, and nobody is asked.")
def local(s):
    expect_local(s, "printer%d.local" % next(s.numbers))


PRIVATE = (
    "5.1.168.192.in-addr.arpa",
    "4.3.2.10.in-addr.arpa",
    "1.1.16.172.in-addr.arpa",
    "1.1.31.172.in-addr.arpa",
    "2.0.254.169.in-addr.arpa",
    "1.2.0.192.in-addr.arpa",
    "1.d.f.ip6.arpa",
    "1.8.e.f.ip6.arpa",
)


@row("private-reverse", "RFC 6303 4", "S",
     "Reverse names of private, link-local and documentation addresses are answered here.")
def private_reverse(s):
    for name in PRIVATE:
        expect_local(s, name, w.PTR)


@row("shared-reverse", "RFC 7793 4", "S",
     "Reverse names of the addresses that carriers share (100.64.0.0/10) are answered here.")
def shared_reverse(s):
    for name in ("1.1.64.100.in-addr.arpa", "1.1.127.100.in-addr.arpa"):
        expect_local(s, name, w.PTR)


@row("loopback-reverse", "RFC 6303 4.2", "S",
     "Reverse names of the loopback addresses are answered here.")
def loopback_reverse(s):
    expect_kept_here(s, "1.0.0.127.in-addr.arpa", LOOPBACK_V6, qtype=w.PTR)


@row("public-reverse", "RFC 6303 4", "B", "The zones beside the private ones are asked for.")
def public_reverse(s):
    for name in ("1.1.32.172.in-addr.arpa", "1.1.15.172.in-addr.arpa", "8.8.8.8.in-addr.arpa"):
        s.query(name, qtype=w.PTR)
        expect(s.asked(name), "%s was not asked for", name)


@row("special-over-all-protocols", "RFC 6761 6", "B",
     "Special names are special over every protocol.")
def special_over_all_protocols(s):
    for protocol in PROTOCOLS:
        name = "%s%d.onion" % (protocol, next(s.numbers))
        s.query(name, protocol)
        expect(not s.asked(name), "the upstream was asked over %s", protocol)


@row("resolver-arpa", "RFC 9462 4, 6.4", "S",
     "Who asks for designated resolvers hears of ours or of none, never what the upstream says.")
def resolver_arpa(s):
    def elsewhere(q):
        other = w.record(q.qname, w.SVCB, b"\0\1" + w.name("dns.other.example"))
        return w.reply(q.wire, [other])

    s.upstream.zone["_dns.resolver.arpa."] = elsewhere
    for protocol in PROTOCOLS:
        answer = s.query("_dns.resolver.arpa", protocol, qtype=w.SVCB)
        told = any(b"other" in r.rdata for r in answer.answer)
        expect(not told, "%s: the client is sent to another resolver", protocol)
    expect_kept_here(s, "resolver.arpa", "www.resolver.arpa")


@row("svcb-opaque", "RFC 9460 2.4, 2.5", "M",
     "SVCB and HTTPS records arrive as the upstream gives them, unknown parameters too.")
def svcb_opaque(s):
    rdata = b"\0\1" + w.name("Web.Example") + b"\0\1\0\3\2h2" + b"\xff\x00\0\4\xc0\x0c\0\xff"
    for protocol in PROTOCOLS:
        for qtype in (w.SVCB, w.HTTPS):
            name = s.fresh()
            s.upstream.zone[name + "."] = lambda q: w.reply(
                q.wire, [w.record(q.qname, q.qtype, rdata)]
            )
            found = [r.rdata for r in s.query(name, protocol, qtype=qtype).answer]
            expect(found == [rdata], "%s: %r", protocol, found)


def expect_blocked(s, name, qtype=w.A):
    """Twice: what was decided of a fresh answer must be decided of a cached one, too."""
    for when in ("fresh", "cached"):
        answer = s.query(name, qtype=qtype)
        words = "%s: %s with %d records"
        blocked = answer.rcode == w.NXDOMAIN
        expect(blocked, words, when, rcode_word(answer.rcode), len(answer.answer))


@row("blocked", "policy", "B", "A blocked name and all below it are blocked, in any case.")
def blocked(s):
    for name in (BLOCKED, "www." + BLOCKED, "A.B." + BLOCKED.upper()):
        for protocol in PROTOCOLS:
            answer = s.query(name, protocol)
            expect(answer.rcode == w.NXDOMAIN, "%s over %s", name, protocol)


@row("blocked-not-asked", "policy", "B", "Nobody is asked for a blocked name.")
def blocked_not_asked(s):
    name = "n%d.%s" % (next(s.numbers), BLOCKED)
    s.query(name)
    expect(not s.asked(name), "the upstream was asked")


@row("blocked-behind-cname", "policy", "B",
     "An alias does not lead to a blocked name, fresh or cached.")
def blocked_behind_cname(s):
    name = s.fresh()
    target = w.name("ads." + BLOCKED)
    s.upstream.zone[name + "."] = lambda q: w.reply(
        q.wire, [w.record(q.qname, w.CNAME, target), w.a(target)]
    )
    expect_blocked(s, name)


@row("blocked-behind-chain", "policy", "B", "Nor does the middle of a chain of aliases.")
def blocked_behind_chain(s):
    name = s.fresh()
    middle, end = w.name("ads." + BLOCKED), w.name("end." + name)
    s.upstream.zone[name + "."] = lambda q: w.reply(
        q.wire, [w.record(q.qname, w.CNAME, middle), w.record(middle, w.CNAME, end), w.a(end)]
    )
    expect_blocked(s, name)


@row("blocked-behind-dname", "RFC 6672 3.1", "B", "Nor does a DNAME whose alias is blocked.")
def blocked_behind_dname(s):
    zone = s.fresh("zone")
    name = "ads." + zone
    target = w.name("ads." + BLOCKED)
    s.upstream.zone[name + "."] = lambda q: w.reply(
        q.wire,
        [
            w.record(zone, w.DNAME, w.name(BLOCKED)),
            w.record(q.qname, w.CNAME, target),
            w.a(target),
        ],
    )
    expect_blocked(s, name)


@row("blocked-behind-alias-mode", "RFC 9460 2.4.2", "B",
     "The target of an HTTPS or SVCB record in AliasMode is a name for the policy, too.")
def blocked_behind_alias_mode(s):
    for qtype in (w.HTTPS, w.SVCB):
        name = s.fresh()
        s.upstream.zone[name + "."] = lambda q: w.reply(
            q.wire, [w.record(q.qname, q.qtype, b"\0\0" + w.name("ads." + BLOCKED))]
        )
        expect_blocked(s, name, qtype)


@row("blocked-behind-service-mode", "RFC 9460 2.4.3", "B",
     "So is the target of one in ServiceMode.")
def blocked_behind_service_mode(s):
    name = s.fresh()
    target = w.name("ads." + BLOCKED)
    s.upstream.zone[name + "."] = lambda q: w.reply(
        q.wire, [w.record(q.qname, q.qtype, b"\0\1" + target + b"\0\1\0\3\2h2")]
    )
    expect_blocked(s, name, w.HTTPS)


def address_bytes():
    return bytes(int(part) for part in BLOCKED_ADDRESS.split("."))


@row("blocked-address", "policy", "B", "An answer with a blocked address is blocked.")
def blocked_address(s):
    if "addresses" not in s.has:
        not_applicable("does not judge answers")
    name = s.fresh()
    s.upstream.zone[name + "."] = lambda q: w.reply(q.wire, [w.a(q.qname, BLOCKED_ADDRESS)])
    expect_blocked(s, name)


@row("blocked-hint", "RFC 9460 7.3", "B",
     "Addresses in ipv4hint and ipv6hint are addresses for the policy, too.")
def blocked_hint(s):
    if "addresses" not in s.has:
        not_applicable("does not judge answers")
    hints = b"\0\4\0\4" + address_bytes()
    mapped = b"\0\6\0\x10" + b"\0" * 10 + b"\xff\xff" + address_bytes()
    for what, hint in (("ipv4hint", hints), ("ipv6hint, v4-mapped", mapped)):
        name = s.fresh()
        s.upstream.zone[name + "."] = lambda q: w.reply(
            q.wire, [w.record(q.qname, q.qtype, b"\0\1\0" + hint)]
        )
        answer = s.query(name, qtype=w.HTTPS)
        expect(address_bytes() not in answer.wire, "the client got the %s", what)


proven("names", "canary", "support.mozilla.org/kb/canary-domain", "B",
       "use-application-dns.net does not exist when that is configured, else it is asked for.",
       "tests/flow/test_names.py::TestSpecial::test_switches")
