"""EDNS (RFC 6891) and its options."""

import struct
import time

import dns_wire as w
from rows import expect, not_applicable, proven, row
from server import BLOCKED, CLOSED, PROTOCOLS, SILENCE, rcode_word

ENCRYPTED = ("dot", "doh")
CLEAR = ("udp", "tcp")
UNKNOWN = w.option(65001, b"unknown")
SHORT_OPTION = struct.pack("!HH", 65001, 8) + b"abc"  # promises 8 bytes, has 3


def with_additional(name, *records):
    counts = (1, 0, 0, len(records))
    return w.header(0x1234, w.RD, counts) + w.question(name) + b"".join(records)


def in_section(name, section, record):
    """The record as the only one of the answer (0) or authority (1) section."""
    counts = [1, 0, 0, 0]
    counts[1 + section] = 1
    return w.header(0x1234, w.RD, counts) + w.question(name) + record


def expect_formerr(s, wire, what, also=(), protocols=PROTOCOLS):
    """FORMERR, over DoH also an HTTP status of 4xx."""
    for protocol in protocols:
        found = s.outcome(wire, protocol, 2)
        right = found == "FORMERR" or found in also or found.startswith("HTTP 4")
        expect(right, "%s over %s: %s", what, protocol, found)


def ask_with(s, options, protocol="udp", name=None, **more):
    return s.query(name, protocol, edns=w.opt(options=options, **more))


@row("opt-when-asked", "RFC 6891 6.1.1", "M",
     "The answer has an OPT exactly when the query had one.")
def opt_when_asked(s):
    for protocol in PROTOCOLS:
        name = s.fresh()
        for _ in range(2):
            expect(s.query(name, protocol, edns=True).opt, "%s: none", protocol)
            expect(not s.query(name, protocol).opt, "%s: one without being asked", protocol)


@row("opt-on-errors", "RFC 6891 7", "M", "Errors for queries with an OPT have one too.")
def opt_on_errors(s):
    for word in ("nxdomain", "servfail"):
        answer = s.query(s.fresh(word), edns=True)
        expect(answer.opt, "none on %s", rcode_word(answer.rcode))


@row("opt-twice", "RFC 6891 6.1.1", "M", "More than one OPT: FORMERR.")
def opt_twice(s):
    expect_formerr(s, with_additional(s.fresh(), w.opt(), w.opt()), "two")
    apart = with_additional(s.fresh(), w.opt(), w.a("x.example"), w.opt())
    expect_formerr(s, apart, "two with a record between them")


@row("opt-owner", "RFC 6891 6.1.2", "M", "An OPT with another owner than the root: FORMERR.")
def opt_owner(s):
    expect_formerr(s, with_additional(s.fresh(), b"\1x" + w.opt()), "an OPT of x.")


@row("edns-version", "RFC 6891 6.1.3", "M",
     "A version above 0: BADVERS, with our version 0 and an empty answer.")
def edns_version(s):
    for protocol in PROTOCOLS:
        for version in (1, 255):
            answer = ask_with(s, b"", protocol, version=version)
            rcode = rcode_word(answer.rcode)
            expect(answer.rcode == w.BADVERS, "%s: version %d: %s", protocol, version, rcode)
            expect(answer.opt.ttl >> 16 & 0xFF == 0, "%s: not version 0", protocol)
            expect(not answer.answer, "%s: with an answer", protocol)


@row("edns-version-and-option", "RFC 8906 8.2.5", "M",
     "A version above 0 with an unknown option: BADVERS, and the option does not come back.")
def edns_version_and_option(s):
    answer = ask_with(s, UNKNOWN, version=1)
    expect(answer.rcode == w.BADVERS, "%s", rcode_word(answer.rcode))
    expect(answer.option(65001) is None, "the option came back")


@row("edns-flags", "RFC 6891 6.1.4", "M",
     "Unknown flags are ignored, 0 in the answer and not sent upstream.")
def edns_flags(s):
    for protocol in PROTOCOLS:
        name = s.fresh()
        answer = ask_with(s, b"", protocol, name, flags=0x7FFF)
        expect(answer.rcode == w.NOERROR, "%s: %s", protocol, rcode_word(answer.rcode))
        expect(answer.opt and not answer.opt.ttl & 0x7FFF, "%s: flags came back", protocol)
        for asked in s.upstream.asked_for(name):
            sent = asked.message.opts and asked.message.opt.ttl & 0x7FFF
            expect(not sent, "%s: flags were sent upstream", protocol)


@row("edns-unknown-option", "RFC 6891 6.1.2", "M", "Unknown options are ignored and not echoed.")
def edns_unknown_option(s):
    for protocol in PROTOCOLS:
        answer = ask_with(s, UNKNOWN, protocol)
        expect(answer.rcode == w.NOERROR, "%s: %s", protocol, rcode_word(answer.rcode))
        expect(answer.opt and answer.option(65001) is None, "%s: it came back", protocol)


@row("edns-option-list", "RFC 8906 8.2.7", "M",
     "NSID, ECS, EXPIRE and COOKIE together do not keep a query from its answer.")
def edns_option_list(s):
    client_subnet = w.option(w.ECS, b"\0\1\x18\0\xc0\0\2")
    options = w.option(3) + client_subnet + w.option(9) + w.option(w.COOKIE, b"12345678")
    for protocol in PROTOCOLS:
        answer = ask_with(s, options, protocol)
        expect(answer.rcode == w.NOERROR, "%s: %s", protocol, rcode_word(answer.rcode))
        expect(answer.opt, "%s: no OPT", protocol)


@row("edns-hop-by-hop-up", "RFC 6891 6.2.6", "M",
     "Options of a query are between the client and us: none is sent upstream.")
def edns_hop_by_hop_up(s):
    for what, option in (("unknown", UNKNOWN), ("NSID", w.option(3)), ("DAU", w.option(5, b"\1"))):
        name = s.fresh()
        ask_with(s, option, name=name)
        for asked in s.upstream.asked_for(name):
            sent = asked.message.option(int.from_bytes(option[:2], "big"))
            expect(sent is None, "%s: it was sent upstream", what)


@row("edns-hop-by-hop-down", "RFC 6891 6.2.6", "M",
     "Options of an upstream's answer are between the two of us: none reaches the client.")
def edns_hop_by_hop_down(s):
    name = s.fresh("options")
    for edns in (w.opt(), None):
        answer = s.query(name, edns=edns)
        expect(answer.addresses, "no answer with an OPT of options: %s", rcode_word(answer.rcode))
        codes = [code for code, _ in answer.options or ()]
        found = set(codes) & {3, w.COOKIE, 65001}
        expect(not found, "options %s reached the client", sorted(found))


@row("payload-below-512", "RFC 6891 6.2.3", "M", "A payload size below 512 counts as 512.")
def payload_below_512(s):
    name = s.fresh("many-20")
    for size in (0, 100, 511, 512):
        answer = s.query(name, edns=w.opt(size))
        whole = len(answer.addresses) == 20 and not answer.truncated
        expect(whole, "size %d: %d bytes, TC %d", size, len(answer.wire), answer.truncated)


@row("payload-kept", "RFC 6891 6.2.4", "M",
     "Answers fit the size that the client offers; what does not fit says TC and keeps its OPT.")
def payload_kept(s):
    name = s.fresh("many-90")
    for size, limit in ((0, 512), (100, 512), (511, 512), (512, 512), (700, 700), (1232, 1232)):
        answer = s.query(name, edns=w.opt(size))
        expect(len(answer.wire) <= limit, "size %d: %d bytes", size, len(answer.wire))
        expect(answer.truncated, "size %d: no TC", size)
        expect(answer.opt, "size %d: no OPT", size)


@row("payload-and-do", "RFC 8906 8.2.2", "M",
     "With DO and a size of 512 the answer has 512 bytes at most.")
def payload_and_do(s):
    answer = s.query(s.fresh("many-90"), edns=w.opt(512, flags=w.DO))
    expect(len(answer.wire) <= 512, "%d bytes", len(answer.wire))
    expect(answer.truncated and answer.opt, "no TC or no OPT")


@row("payload-cap", "RFC 9715 3.1", "S",
     "No datagram is larger than 1232 bytes, whatever the client says (DNS flag day 2020).")
def payload_cap(s):
    for word in ("many-90", "many-100"):
        answer = s.query(s.fresh(word), edns=w.opt(65535))
        expect(len(answer.wire) <= 1232, "%d bytes", len(answer.wire))


@row("payload-announced", "RFC 9715 3.1", "S", "The size that we announce is 1400 at most.")
def payload_announced(s):
    size = s.query(edns=True).opt.rclass
    expect(512 <= size <= 1400, "%d", size)
    name = s.fresh()
    s.query(name, edns=True)
    for asked in s.upstream.asked_for(name):
        up = asked.message.opt.rclass if asked.message.opts else 512
        expect(up <= 1400, "%d to the upstream", up)


@row("payload-on-streams", "RFC 6891 6.2.5, RFC 8484 5", "M",
     "The size means nothing over TCP, DoT and DoH: answers are whole, without TC.")
def payload_on_streams(s):
    text = b"\xff" + b"x" * 255
    for protocol in ("tcp", "dot", "doh"):
        name = s.fresh()
        s.upstream.zone[name + "."] = lambda q: w.reply(
            q.wire, [w.record(b"\xc0\x0c", w.TXT, text + b"\1%c" % i) for i in range(90)]
        )
        answer = s.query(name, protocol, qtype=w.TXT, edns=w.opt(512))
        expect(not answer.truncated, "%s: TC", protocol)
        expect(len(answer.answer) == 90, "%s: %d of 90 records", protocol, len(answer.answer))


@row("opt-beyond-message", "RFC 6891 6.1.2", "M",
     "An RDLEN beyond the message: FORMERR, or no answer.")
def opt_beyond_message(s):
    beyond = b"\0" + struct.pack("!HHIH", w.OPT, 1232, 0, 50) + b"abc"
    expect_formerr(s, with_additional(s.fresh(), beyond), "RDLEN 50 of 3", (SILENCE, CLOSED))


@row("option-beyond-opt", "RFC 6891 6.1.2", "S", "An option beyond its OPT: FORMERR.")
def option_beyond_opt(s):
    for what, data in (("8 bytes of 3", SHORT_OPTION), ("half a head", b"\0\x0a\0")):
        expect_formerr(s, with_additional(s.fresh(), w.opt(options=data)), what)


@row("opt-elsewhere", "CVE-2026-42004", "B",
     "An OPT in the answer or authority section is none: FORMERR, and nothing is asked upstream.")
def opt_elsewhere(s):
    for section, what in enumerate(("answer", "authority")):
        name = s.fresh()
        expect_formerr(s, in_section(name, section, w.opt()), "OPT as " + what)
        expect(not s.asked(name), "OPT as %s: the upstream was asked", what)


@row("opt-large-is-cheap", "CVE-2026-41292", "B",
     "An OPT of 16 kB, in one option or in thousands, is answered at once and briefly.")
def opt_large_is_cheap(s):
    for what, options in (
        ("one option", w.option(65001, b"x" * 16000)),
        ("4,000 options", w.option(65001) * 4000),
    ):
        begin = time.monotonic()
        client = s.connect("tcp")
        client.send(with_additional(s.fresh(), w.opt(options=options)))
        answer = client.receive(3)
        expect(time.monotonic() - begin < 2, "%s: took two seconds", what)
        expect(answer is None or len(answer) < 512, "%s: a long answer", what)


@row("options-twice", "CVE-2026-42944", "B",
     "Options given thirty times do not make the answer grow.")
def options_twice(s):
    options = (w.option(w.PADDING) + w.option(w.KEEPALIVE) + w.option(3)) * 30
    answer = ask_with(s, options, "dot")
    codes = [code for code, _ in answer.options or ()]
    expect(len(codes) == len(set(codes)), "options come back as %s", codes)


@row("cookie", "RFC 7873 5.2, RFC 9018", "S",
     "A cookie gets the client's part and 16 bytes of ours back; who has none leaves it out.")
def cookie(s):
    for protocol in PROTOCOLS:
        found = ask_with(s, w.option(w.COOKIE, b"12345678"), protocol).option(w.COOKIE)
        if found is None:
            continue
        expect(found[:8] == b"12345678", "%s: the client's part changed", protocol)
        expect(len(found) == 24, "%s: %d bytes", protocol, len(found))
        expect(found[8:12] == b"\1\0\0\0", "%s: version %s", protocol, found[8:12].hex())


@row("cookie-again", "RFC 7873 5.2.4", "S",
     "A cookie that we gave is accepted; one that somebody made up is not an error for a question.")
def cookie_again(s):
    first = ask_with(s, w.option(w.COOKIE, b"12345678")).option(w.COOKIE)
    if first is None:
        not_applicable("has no cookies")
    for what, sent in (("ours", first), ("made up", b"12345678" + b"\1\0\0\0" + b"x" * 12)):
        answer = ask_with(s, w.option(w.COOKIE, sent))
        found = answer.option(w.COOKIE)
        expect(found and found[:8] == b"12345678", "%s: no cookie back", what)
        known = answer.rcode in (w.NOERROR, 23)
        expect(known, "%s: %s", what, rcode_word(answer.rcode))
        expect(what != "ours" or answer.addresses, "ours: %s", rcode_word(answer.rcode))


@row("cookie-length", "RFC 7873 5.2.2", "S",
     "A cookie of a length that cannot be: FORMERR; who has none ignores it.")
def cookie_length(s):
    if ask_with(s, w.option(w.COOKIE, b"12345678")).option(w.COOKIE) is None:
        not_applicable("has no cookies")
    for length in (0, 7, 9, 15, 41):
        found = s.outcome(w.query(s.fresh(), edns=w.opt(options=w.option(w.COOKIE, b"x" * length))))
        expect(found == "FORMERR", "%d bytes: %s", length, found)


@row("ecs-not-sent", "RFC 7871 11.1, 12.1", "S",
     "A client's subnet is not sent upstream unless that is configured.")
def ecs_not_sent(s):
    for data in (b"\0\1\x18\0\xc0\0\2", b"\0\2\x38\0\x20\1\x0d\xb8\0\0\0", b"\0\1\0\0"):
        name = s.fresh()
        ask_with(s, w.option(w.ECS, data), name=name)
        for asked in s.upstream.asked_for(name):
            expect(asked.message.option(w.ECS) is None, "it was sent upstream")
    name = s.fresh()
    s.query(name, edns=True)
    for asked in s.upstream.asked_for(name):
        expect(asked.message.option(w.ECS) is None, "one was added")


@row("ecs-malformed", "RFC 7871 7.1.2", "S",
     "A subnet that cannot be is FORMERR, for who takes notice of subnets.")
def ecs_malformed(s):
    valid = ask_with(s, w.option(w.ECS, b"\0\1\x18\0\xc0\0\2"))
    for what, data in (
        ("three bytes", b"\0\1\x18"),
        ("prefix of 33 bits", b"\0\1\x21\0\xc0\0\2\1\1"),
        ("bits behind the prefix", b"\0\1\x17\0\xc0\0\3"),
        ("too few bytes", b"\0\1\x18\0\xc0"),
        ("a scope in a query", b"\0\1\x18\x18\xc0\0\2"),
    ):
        found = s.outcome(w.query(s.fresh(), edns=w.opt(options=w.option(w.ECS, data))))
        if found == "NOERROR" and valid.option(w.ECS) is None:
            not_applicable("ignores subnets")
        expect(found == "FORMERR", "%s: %s", what, found)


@row("keepalive-not-over-udp", "RFC 7828 3.2.1", "M",
     "Keepalive is ignored in a UDP query and never in a UDP answer.")
def keepalive_not_over_udp(s):
    answer = ask_with(s, w.option(w.KEEPALIVE))
    expect(answer.rcode == w.NOERROR, "%s", rcode_word(answer.rcode))
    expect(answer.option(w.KEEPALIVE) is None, "it came back")


@row("keepalive-told", "RFC 7828 3.2.2", "S",
     "Over TCP and DoT a query with keepalive is told our idle timeout, of seconds.")
def keepalive_told(s):
    for protocol in ("tcp", "dot"):
        found = ask_with(s, w.option(w.KEEPALIVE), protocol).option(w.KEEPALIVE)
        if found is None:
            not_applicable("does not tell")
        expect(len(found) == 2, "%s: %d bytes", protocol, len(found))
        timeout_ds = int.from_bytes(found, "big")
        expect(10 <= timeout_ds <= 1200, "%s: %d ms", protocol, timeout_ds * 100)


@row("keepalive-with-value", "RFC 7828 3.2.1", "B",
     "A query may not have a timeout in its keepalive: FORMERR, for who has keepalive.")
def keepalive_with_value(s):
    if ask_with(s, w.option(w.KEEPALIVE), "tcp").option(w.KEEPALIVE) is None:
        not_applicable("has no keepalive")
    for protocol in ("tcp", "dot"):
        wire = w.query(s.fresh(), edns=w.opt(options=w.option(w.KEEPALIVE, b"\0\x64")))
        found = s.outcome(wire, protocol)
        expect(found == "FORMERR", "%s: %s", protocol, found)


@row("padding", "RFC 7830 4", "M",
     "A padded query over DoT or DoH gets a padded answer, and the padding is zeros.")
def padding(s):
    for protocol in ENCRYPTED:
        name = s.fresh()
        for _ in range(2):  # fresh, and cached
            found = ask_with(s, w.option(w.PADDING, b"\0" * 40), protocol, name)
            data = found.option(w.PADDING)
            expect(data is not None, "%s: none", protocol)
            expect(not data.strip(b"\0"), "%s: not zeros", protocol)


@row("padding-unasked", "RFC 7830 4", "S", "A query without padding gets none.")
def padding_unasked(s):
    for protocol in ENCRYPTED:
        found = s.query(protocol=protocol, edns=True).option(w.PADDING)
        expect(found is None, "%s: %d bytes", protocol, len(found or b""))


@row("padding-in-the-clear", "RFC 7830 6", "M", "Over UDP and TCP nothing is padded.")
def padding_in_the_clear(s):
    for protocol in CLEAR:
        found = ask_with(s, w.option(w.PADDING, b"\0" * 40), protocol).option(w.PADDING)
        expect(found is None, "%s: %d bytes", protocol, len(found or b""))


@row("padding-468", "RFC 8467 4.1", "S", "Padded answers are a multiple of 468 bytes long.")
def padding_468(s):
    for protocol in ENCRYPTED:
        for word in ("ok", "nxdomain", "many-40"):
            found = ask_with(s, w.option(w.PADDING, b"\0" * 40), protocol, s.fresh(word))
            expect(len(found.wire) % 468 == 0, "%s: %d bytes", protocol, len(found.wire))


@row("ede-blocked", "RFC 8914 4.16", "S",
     "Who is kept from a name by policy is told so: Blocked, Censored, Filtered or Prohibited.")
def ede_blocked(s):
    for protocol in PROTOCOLS:
        answer = s.query("www." + BLOCKED, protocol, edns=True)
        expect(answer.rcode == w.NXDOMAIN, "%s: %s", protocol, rcode_word(answer.rcode))
        expect(answer.ede is not None, "%s: nothing is told", protocol)
        expect(answer.ede_code in (15, 16, 17, 18), "%s: code %s", protocol, answer.ede_code)


@row("ede-unreachable", "RFC 8914 4.23", "S",
     "When no upstream answers, the SERVFAIL says so.", restart=True)
def ede_unreachable(s):
    s.upstream.mute = True
    with s.connect("udp") as client:
        answer = client.ask(w.query(s.fresh(), edns=w.opt()), 15)
    expect(answer is not None, "no answer within 15 s")
    expect(answer.rcode == w.SERVFAIL, "%s", rcode_word(answer.rcode))
    expect(answer.ede is not None, "nothing is told")
    expect(answer.ede_code in (22, 23), "code %s", answer.ede_code)


@row("ede-only-with-opt", "RFC 8914 2", "M", "A query without an OPT is told no extended error.")
def ede_only_with_opt(s):
    for protocol in PROTOCOLS:
        for name in ("www." + BLOCKED, s.fresh("ede")):
            expect(s.query(name, protocol).opt is None, "%s: an OPT", protocol)


@row("ede-passed-on", "RFC 8914 3", "S", "The reason that an upstream gives reaches the client.")
def ede_passed_on(s):
    for protocol in PROTOCOLS:
        answer = s.query(s.fresh("ede"), protocol, edns=True)
        expect(answer.rcode == w.SERVFAIL, "%s: %s", protocol, rcode_word(answer.rcode))
        expect(answer.ede_code == 6, "%s: code %s", protocol, answer.ede_code)


proven("edns", "ede-dropped-first", "CVE-2024-1931", "B",
       "When an answer has no room for it, the extended error goes before anything else.",
       "tests/unit/reply_test.c::says_an_extended_error_when_there_is_room")
