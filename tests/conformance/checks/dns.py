"""DNS messages: RFC 1035 and what came after it."""

import struct

import dns_wire as w
from rows import expect, row
from server import CLOSED, PROTOCOLS, SILENCE, rcode_of, rcode_word

BROKEN_S = 2  # how long an answer to nonsense is waited for


def raw(body, flags=w.RD, counts=(1, 0, 0, 0), id=0x2222):
    return w.header(id, flags, counts) + body


def expect_outcome(s, wire, wanted, what, protocols=PROTOCOLS):
    """Over each protocol one of the wanted words; over DoH an HTTP status of 4xx says FORMERR."""
    for protocol in protocols:
        found = s.outcome(wire, protocol, BROKEN_S)
        is_http = found.startswith("HTTP 4") and "FORMERR" in wanted
        expect(found in wanted or is_http, "%s over %s: %s", what, protocol, found)


def expect_not_relayed(s, name, what):
    expect(not s.asked(name), "%s: the upstream was asked", what)


@row("header-copied", "RFC 1035 4.1.1", "M", "Id and RD come back; QR and RA are set, Z is 0.")
def header_copied(s):
    for protocol in PROTOCOLS:
        for id, rd in ((0, w.RD), (1, w.RD), (0xFFFF, w.RD), (7, 0)):
            answer = s.query(protocol=protocol, id=id, flags=rd)
            expect(answer.id == id, "%s: id %d came back as %d", protocol, id, answer.id)
            flags = answer.flags & ~w.AA & 0xFFF0
            expect(flags == w.QR | w.RA | rd, "%s: flags %04x", protocol, answer.flags)


@row("question-copied", "RFC 1035 4.1.2", "M", "The answer has the question, and that alone.")
def question_copied(s):
    for protocol in PROTOCOLS:
        for qtype in (w.A, w.TXT, w.MX, 65400):
            name = s.fresh()
            answer = s.query(name, protocol, qtype=qtype)
            expect(answer.counts[0] == 1, "%s: %d questions", protocol, answer.counts[0])
            same = answer.question_bytes == w.question(name, qtype)
            expect(same, "%s: another question came back", protocol)


@row("answers-get-no-answer", "RFC 1035 4.1.1", "M", "What says that it is an answer gets none.")
def answers_get_no_answer(s):
    name = s.fresh()
    for wire in (
        raw(w.question(name), flags=w.QR | w.RD),
        w.reply(w.query(name), [w.a(name)]),
        w.reply(w.query(name), rcode=w.FORMERR),
    ):
        for protocol in ("udp", "tcp", "dot"):
            expect(s.is_silent(wire, protocol), "answered over %s", protocol)
    expect_not_relayed(s, name, "QR=1")


@row("shorter-than-a-header", "RFC 1035 4.1.1", "M", "Less than a header over UDP gets no answer.")
def shorter_than_a_header(s):
    client = s.connect("udp")
    whole = w.query(s.fresh())
    for length in range(12):
        client.send(whole[:length])
    got = client.receive(1)
    expect(got is None, "an answer of %d bytes", len(got or b""))


@row("cut-anywhere", "RFC 1035 4.1.1", "M",
     "A query that is cut gets FORMERR or nothing, and the next one its answer.")
def cut_anywhere(s):
    whole = w.query(s.fresh(), edns=w.opt(options=w.option(65001, b"abc")))
    client = s.connect("udp")
    for length in range(12, len(whole)):
        client.send(whole[:length])
    client.send(w.query(s.fresh(), id=0x7777))
    while True:
        answer = client.receive(3)
        expect(answer is not None, "the good query got no answer")
        if answer[:2] == b"\x77\x77":
            break
        expect(rcode_of(answer) == "FORMERR", "a cut query was answered: %s", rcode_of(answer))


@row("no-question", "RFC 9619 3", "S", "Without a question: FORMERR, or another error.")
def no_question(s):
    wanted = ("FORMERR", "NOTIMP", "REFUSED")
    expect_outcome(s, raw(b"", counts=(0, 0, 0, 0)), wanted, "QDCOUNT 0")


@row("two-questions", "RFC 9619 4", "M", "More than one question: FORMERR.")
def two_questions(s):
    twice = w.question(s.fresh()) + w.question(s.fresh())
    expect_outcome(s, raw(twice, counts=(2, 0, 0, 0)), ("FORMERR",), "QDCOUNT 2")


@row("counts-that-lie", "RFC 1035 4.1.1", "M",
     "Counts that promise more than there is: FORMERR, or no answer.")
def counts_that_lie(s):
    for counts in ((65535, 0, 0, 0), (1, 1, 0, 0), (1, 0, 1, 0), (1, 0, 0, 65535)):
        wire = raw(w.question(s.fresh()), counts=counts)
        expect_outcome(s, wire, ("FORMERR", SILENCE, CLOSED), "counts %s" % (counts,))


@row("unknown-opcode", "RFC 8906 3.1.4", "M", "An opcode that nobody knows: NOTIMP.")
def unknown_opcode(s):
    for opcode in (1, 3, 7, 15):
        wire = raw(w.question(s.fresh()), flags=opcode << 11)
        expect_outcome(s, wire, ("NOTIMP",), "opcode %d" % opcode)


@row("unknown-opcode-flags", "RFC 8906 8.1.4", "M",
     "An unknown opcode with all flags set: NOTIMP, and Z and the opcode's own flags are 0.")
def unknown_opcode_flags(s):
    for protocol in ("udp", "tcp"):
        answer = s.ask(raw(w.question(s.fresh()), flags=15 << 11 | 0x07F0), protocol)
        expect(answer.rcode == w.NOTIMP, "%s: %s", protocol, rcode_word(answer.rcode))
        expect(answer.opcode == 15, "%s: opcode %d came back", protocol, answer.opcode)
        expect(not answer.flags & 0x0040, "%s: Z is set", protocol)


@row("unknown-type", "RFC 8906 3.1.1", "M", "A type that nobody knows is asked for and answered.")
def unknown_type(s):
    for protocol in PROTOCOLS:
        for qtype in (666, 65400):
            name = s.fresh()
            answer = s.query(name, protocol, qtype=qtype)
            expect(answer.rcode == w.NOERROR, "%s: %s", protocol, rcode_word(answer.rcode))
            expect(s.asked(name), "%s: type %d was not asked for", protocol, qtype)


@row("unknown-class", "RFC 5625 4.4.1", "M", "Other classes are answered with an rcode.")
def unknown_class(s):
    for protocol in PROTOCOLS:
        for qclass in (3, 4, 254, 255, 65000):
            found = s.outcome(w.query(s.fresh(), qclass=qclass), protocol)
            expect(found.isupper(), "class %d over %s: %s", qclass, protocol, found)


@row("unknown-flag", "RFC 8906 3.1.3", "M",
     "The flag Z in a query is ignored, and 0 in the answer.")
def unknown_flag(s):
    for protocol in PROTOCOLS:
        answer = s.query(protocol=protocol, flags=w.RD | 0x0040)
        expect(answer.rcode == w.NOERROR, "%s: %s", protocol, rcode_word(answer.rcode))
        expect(not answer.flags & 0x0040, "%s: Z came back", protocol)


@row("flags-of-answers", "RFC 1035 4.1.1", "B",
     "AA, TC, RA and an rcode mean nothing in a query: it is answered like any other.")
def flags_of_answers(s):
    for flags in (w.AA, w.RA, w.TC, w.SERVFAIL):
        answer = s.query(flags=w.RD | flags)
        expect(answer.rcode == w.NOERROR and answer.addresses, "flags %04x: %s", flags,
               rcode_word(answer.rcode))
        expect(not answer.flags & w.TC, "TC came back")


@row("notify-and-update", "RFC 1996, RFC 2136", "M",
     "NOTIFY and UPDATE are refused with an rcode and never relayed.")
def notify_and_update(s):
    for opcode in (4, 5):
        name = s.fresh()
        wire = raw(w.question(name, w.SOA), flags=opcode << 11)
        wanted = ("NOTIMP", "REFUSED", "NOTAUTH", "FORMERR")
        expect_outcome(s, wire, wanted, "opcode %d" % opcode)
        expect_not_relayed(s, name, "opcode %d" % opcode)


@row("dso", "RFC 8490 5.1.1", "M",
     "DSO is not spoken: NOTIMP, or DSOTYPENI, or the end of the stream.")
def dso(s):
    keepalive = struct.pack("!HHII", 1, 8, 15000, 15000)
    wire = raw(keepalive, flags=6 << 11, counts=(0, 0, 0, 0))
    expect_outcome(s, wire, ("NOTIMP", "DSOTYPENI", CLOSED), "DSO", ("tcp", "dot"))


BAD_NAMES = {
    "a pointer to itself": b"\xc0\x0c\0\1\0\1",
    "a pointer into the header": b"\xc0\0\0\1\0\1",
    "a pointer forward": b"\xc0\x10\0\1\0\1",
    "a label and a pointer to it": b"\1a\xc0\x0c\0\1\0\1",
    "label type 0x40": b"\x41a\0\0\1\0\1",
    "label type 0x80": b"\x81a\0\0\1\0\1",
    "256 bytes": w.labels_to_name(*[b"x" * 63] * 3, b"y" * 62) + b"\0\1\0\1",
    "a label past the end": b"\x3fabc",
    "no type": w.name("ok.rows.example"),
}


@row("bad-name-in-question", "RFC 1035 4.1.4", "M",
     "A question with a name that cannot be: FORMERR, or no answer.")
def bad_name_in_question(s):
    for what, body in BAD_NAMES.items():
        expect_outcome(s, raw(body), ("FORMERR", SILENCE, CLOSED), what)


@row("nonsense-ends-here", "RFC 5625 4.4", "B",
     "What is no well-formed query never reaches the upstream.")
def nonsense_ends_here(s):
    client, name = s.connect("udp"), s.fresh()
    whole = w.query(name, edns=w.opt(options=w.option(65001, b"abc")))
    broken = [whole[:length] for length in range(12, len(whole))]
    broken += [raw(body) for body in BAD_NAMES.values()]
    broken += [raw(w.question(name) * 2, counts=(2, 0, 0, 0)), raw(w.question(name) + b"more")]
    for wire in broken:
        client.send(wire)
    s.query()
    expect(not s.upstream.malformed, "%d messages were relayed", len(s.upstream.malformed))


@row("longest-name", "RFC 1035 2.3.4", "M", "Names of 255 bytes and of 127 labels are names.")
def longest_name(s):
    long = w.labels_to_name(b"nxdomain", *[b"x" * 60] * 3, b"y" * 61)
    many = w.labels_to_name(*[b"a"] * 127)
    assert len(long) == len(many) == 255
    s.upstream.default, default = (lambda q: w.reply(q.wire, [w.a(q.qname)])), s.upstream.default
    try:
        for protocol in PROTOCOLS:
            found = s.outcome(w.query(long), protocol)
            expect(found == "NXDOMAIN", "255 bytes over %s: %s", protocol, found)
            found = s.outcome(w.query(many), protocol)
            expect(found == "NOERROR", "127 labels over %s: %s", protocol, found)
    finally:
        s.upstream.default = default


@row("case-echoed", "RFC 4343 3", "M",
     "The question comes back bit by bit, whatever case it was first asked in, cached or not.")
def case_echoed(s):
    name = s.fresh()
    for protocol in PROTOCOLS:
        for written in (name.upper(), name.title(), name):
            answer = s.query(written, protocol)
            same = answer.question_bytes == w.question(written)
            expect(same, "%s: %s came back as %s", protocol, written, w.text(answer.qname))
            expect(answer.addresses == ["192.0.2.1"], "%s: not the same name", protocol)


@row("case-is-one-name", "RFC 4343 3", "M", "Names that differ in case alone are one in the cache.")
def case_is_one_name(s):
    name = s.fresh()
    for written in (name, name.upper(), name.title()):
        s.query(written)
    expect(s.asked(name) == 1, "asked %d times", s.asked(name))


@row("case-beyond-ascii", "RFC 4343 3", "M", "Bytes that are no ASCII letters have no case.")
def case_beyond_ascii(s):
    for one, other in ((b"\xe4", b"\xc4"), (b"[", b"{"), (b"@", b"`")):
        end = w.labels_of(w.name(s.fresh()))
        for label, address in ((one, "192.0.2.1"), (other, "192.0.2.2")):
            name = w.labels_to_name(b"ok", label, *end)
            s.upstream.zone[w.text(name).lower()] = _with_address(address)
            found = s.ask(w.query(name)).addresses
            expect(found == [address], "%r and %r are taken for the same", one, other)


def _with_address(address):
    return lambda q: w.reply(q.wire, [w.a(q.qname, address)])


@row("labels-are-binary", "RFC 2181 11", "M",
     "Any byte may stand in a label, and arrives upstream as it is.")
def labels_are_binary(s):
    for label in (b"a.b", b"nul\0", b"\xff\xfe", b"back\\slash", b"sp ace", b"*", b"\1\x1f"):
        name = w.labels_to_name(b"ok", label, *w.labels_of(w.name(s.fresh())))
        answer = s.ask(w.query(name))
        expect(answer.rcode == w.NOERROR, "%r: %s", label, rcode_word(answer.rcode))
        expect(answer.qname == name, "%r: another name came back", label)
        seen = {q.message.qname.lower() for q in s.upstream.asked}
        expect(name.lower() in seen, "%r: another name was asked for", label)


@row("dot-in-a-label", "RFC 2181 11", "M", "A dot in a label is no border between labels.")
def dot_in_a_label(s):
    end = w.labels_of(w.name(s.fresh()))
    one = w.labels_to_name(b"ok", b"a.b", *end)
    two = w.labels_to_name(b"ok", b"a", b"b", *end)
    for name, address in ((one, "192.0.2.1"), (two, "192.0.2.2")):
        s.upstream.zone[w.text(name)] = _with_address(address)
        expect(s.ask(w.query(name)).addresses == [address], "%s got the other's answer", name)


@row("ttl-top-bit", "RFC 2181 8", "M", "A TTL with the top bit set is taken for 0, or is capped.")
def ttl_top_bit(s):
    ttl = s.query(s.fresh("ttltop")).answer[0].ttl
    expect(ttl <= 604800, "TTL %d", ttl)


@row("riders-not-cached", "RFC 2181 5.4.1", "M",
     "Records of an answer for other names are no answer to a question for these.")
def riders_not_cached(s):
    victim, ns = s.fresh(), s.fresh()

    def with_riders(q):
        return w.reply(
            q.wire,
            [w.a(q.qname), w.a(victim, "192.0.2.66")],
            [w.record(w.labels_to_name(*w.labels_of(q.qname)[1:]), w.NS, w.name(ns))],
            [w.a(victim, "192.0.2.66"), w.a(ns, "192.0.2.66")],
        )

    name = s.fresh()
    s.upstream.zone[name + "."] = with_riders
    s.query(name)
    for other in (victim, ns):
        found = s.query(other).addresses
        expect(found == ["192.0.2.1"], "a name of somebody else's answer has %s", found)


@row("riders-not-relayed", "RFC 2181 5.4.1", "B",
     "Records for other names than that which was asked for do not reach the client as its answer.")
def riders_not_relayed(s):
    victim, name = s.fresh(), s.fresh()
    s.upstream.zone[name + "."] = lambda q: w.reply(
        q.wire, [w.a(q.qname), w.a(victim, "192.0.2.66")]
    )
    owners = {w.text(r.owner).lower() for r in s.query(name).answer}
    expect(owners == {name + "."}, "the answer has records for %d names", len(owners))


@row("unknown-type-opaque", "RFC 3597 4", "M",
     "RDATA of an unknown type is bytes, also when they look like a compression pointer.")
def unknown_type_opaque(s):
    for protocol in PROTOCOLS:
        for _ in range(2):  # fresh, and cached
            name = s.fresh("opaque")
            rdata = [r.rdata for r in s.query(name, protocol, qtype=65400).answer]
            expect(rdata == [b"\xc0\x0c\xc0\x0c\0binary"], "%s: %r", protocol, rdata)


@row("names-in-rdata", "RFC 1035 4.1.4", "M",
     "Compressed names in the RDATA of an MX are the same names in our answer.")
def names_in_rdata(s):
    name = s.fresh("mx")
    for protocol in PROTOCOLS:
        found = s.query(name, protocol, qtype=w.MX).answer[0].target
        expect(found.lower() == w.name("mail." + name), "%s: %r", protocol, found)


@row("do-copied", "RFC 3225 3", "M", "DO of the query is DO of the answer.")
def do_copied(s):
    for protocol in PROTOCOLS:
        for flags in (w.DO, 0):
            found = s.query(protocol=protocol, edns=w.opt(flags=flags)).opt
            expect(found is not None, "%s: no OPT", protocol)
            expect(found.ttl & w.DO == flags, "%s: DO is %d", protocol, bool(found.ttl & w.DO))


@row("cd-copied", "RFC 4035 3.2.2", "M", "CD of the query is CD of the answer.")
def cd_copied(s):
    for protocol in PROTOCOLS:
        name = s.fresh()
        for cd in (w.CD, 0, w.CD):
            found = s.query(name, protocol, flags=w.RD | cd).flags & w.CD
            expect(found == cd, "%s: CD is %d", protocol, bool(found))


@row("ad-only-when-wanted", "RFC 6840 5.7, 5.8", "M",
     "AD is set only when the upstream said so and the query has AD or DO.")
def ad_only_when_wanted(s):
    def authentic(q):
        message = q.asked.message
        wanted = message.flags & w.AD or message.opts and message.opt.ttl & w.DO
        return w.reply(q.wire, [w.a(q.qname)], flags=w.QR | w.RA | (w.AD if wanted else 0))

    name = s.fresh()
    s.upstream.zone[name + "."] = authentic
    for flags, edns in ((w.RD | w.AD, None), (w.RD, w.opt(flags=w.DO))):
        s.query(name, flags=flags, edns=edns)
        expect(not s.query(name).flags & w.AD, "AD without being asked for")
        expect(not s.query(name, edns=w.opt()).flags & w.AD, "AD for EDNS without DO")
    expect(not s.query(flags=w.RD | w.AD).flags & w.AD, "AD of the query came back as the answer's")


@row("any-is-bounded", "RFC 8482 4", "S",
     "ANY over UDP is no amplifier: at most 512 bytes for who does not ask for more.")
def any_is_bounded(s):
    answer = s.query(s.fresh("many-90"), qtype=w.ANY)
    expect(len(answer.wire) <= 512, "%d bytes", len(answer.wire))
    whole = len(answer.answer) == 90
    expect(answer.truncated or not whole, "all records in so few bytes")


@row("zone-transfers", "RFC 5936 2.2, RFC 1995, RFC 9103", "M",
     "AXFR and IXFR are refused with an rcode over every protocol.")
def zone_transfers(s):
    for protocol in PROTOCOLS:
        for what, qtype, more in (("AXFR", w.AXFR, b""), ("IXFR", w.IXFR, w.soa_rdata())):
            name = s.fresh()
            soa = w.record(name, w.SOA, more) if more else b""
            wire = raw(w.question(name, qtype) + soa, counts=(1, 0, 1 if more else 0, 0))
            found = s.outcome(wire, protocol)
            wanted = ("REFUSED", "NOTIMP", "NOTAUTH", "FORMERR")
            expect(found in wanted, "%s over %s: %s", what, protocol, found)


def tsig(id):
    mac = struct.pack("!HH", 300, 16) + b"m" * 16 + struct.pack("!HHH", id, 0, 0)
    rdata = w.name("hmac-sha256") + b"\0" * 6 + mac
    return w.record("key.example", w.TSIG, rdata, ttl=0, rclass=255)


@row("unknown-tsig", "RFC 8945 5.2", "M",
     "A signature with a key that we do not have is answered with an rcode, not with silence.")
def unknown_tsig(s):
    for protocol in PROTOCOLS:
        name = s.fresh()
        wire = raw(w.question(name) + tsig(0x2222), counts=(1, 0, 0, 1))
        found = s.outcome(wire, protocol)
        expect(found.isupper() or found == "HTTP 400", "%s: %s", protocol, found)
        for asked in s.upstream.asked_for(name):
            signed = [r for r in asked.message.additional if r.type == w.TSIG]
            kept = asked.wire[2:] == wire[2:]  # the signature is not over the id
            expect(not signed or kept, "a signed message was changed and relayed")


@row("udp-and-tcp", "RFC 5625 4.1", "M", "Both are served, with the same answers.")
def udp_and_tcp(s):
    for word, count in (("ok", 1), ("many-20", 20)):
        name = s.fresh(word)
        counts = [len(s.query(name, protocol).addresses) for protocol in ("udp", "tcp")]
        expect(counts == [count, count], "%s records over UDP and TCP", counts)


@row("truncated-then-whole", "RFC 7766 5", "M",
     "An answer that does not fit says TC over UDP and is whole over TCP.")
def truncated_then_whole(s):
    name = s.fresh("many-90")
    answer = s.query(name)
    expect(answer.truncated, "no TC")
    expect(len(answer.wire) <= 512, "%d bytes", len(answer.wire))
    whole = s.query(name, "tcp")
    expect(not whole.truncated, "TC over TCP")
    expect(len(whole.addresses) == 90, "%d of 90 records over TCP", len(whole.addresses))


@row("truncated-is-whole-rrsets", "RFC 2181 9", "B",
     "A truncated answer has no part of an RRset, which the RFC allows and clients must ignore.")
def truncated_is_whole_rrsets(s):
    answer = s.query(s.fresh("many-90"))
    expect(answer.truncated, "no TC")
    expect(not answer.answer, "%d of 90 records", len(answer.answer))
