"""DNS messages (requirements by RFC and section): what is answered how, on every protocol."""

import struct

import pytest

import dns_wire as w
from program import PROTOCOLS

SILENCE = "silence"
REFUSED_OR_NOTIMP = (w.REFUSED, w.NOTIMP)

GOOD = w.question("ok.rows.test")


def raw(body, flags=w.RD, counts=(1, 0, 0, 0)):
    return w.header(0x2222, flags, counts) + body


LONG_NAME = w.labels_to_name(*[b"x" * 63] * 3, b"y" * 62)  # 256 bytes with the root
FULL_NAME = w.labels_to_name(b"nxdomain", *[b"x" * 60] * 3, b"y" * 60)  # 254 bytes
MANY_LABELS = w.labels_to_name(b"nxdomain", *[b"a"] * 122)
TSIG = w.record(
    "key.test",
    w.TSIG,
    w.name("hmac-sha256")
    + b"\0" * 6
    + struct.pack("!HH", 300, 16)
    + b"m" * 16
    + b"\x22\x22"
    + b"\0" * 4,
    ttl=0,
    rclass=255,
)

ROWS = {
    # RFC 1035 4.1.1: a response is not a question; shorter than a header is nothing.
    "rfc5625-qr1": (raw(GOOD, flags=0x8100), SILENCE),
    "rfc5625-qr1-answer": (w.reply(w.query("ok.rows.test"), [w.a("ok.rows.test")]), SILENCE),
    "rfc1035-empty-header-cut": (raw(GOOD)[:11], SILENCE),
    "rfc1035-one-byte": (b"\0", SILENCE),
    # RFC 9619: exactly one question.
    "rfc9619-qdcount-0": (raw(b"", counts=(0, 0, 0, 0)), w.FORMERR),
    "rfc9619-qdcount-2": (raw(GOOD + GOOD, counts=(2, 0, 0, 0)), w.FORMERR),
    "rfc9619-qdcount-65535": (raw(GOOD, counts=(65535, 0, 0, 0)), w.FORMERR),
    # RFC 8906 3.1.4: unknown opcodes are told so.
    "rfc8906-opcode-15": (raw(GOOD, flags=15 << 11), w.NOTIMP),
    "rfc8906-opcode-1": (raw(GOOD, flags=1 << 11), w.NOTIMP),
    "rfc1996-notify": (raw(w.question("ok.rows.test", w.SOA), flags=4 << 11), REFUSED_OR_NOTIMP),
    "rfc2136-update": (raw(w.question("ok.rows.test", w.SOA), flags=5 << 11), REFUSED_OR_NOTIMP),
    "rfc8490-dso": (raw(b"", flags=6 << 11, counts=(0, 0, 0, 0)), w.NOTIMP),
    # RFC 1035 4.1.4: names in a question.
    "rfc1035-4.1.4-pointer-to-itself": (raw(b"\xc0\x0c\0\1\0\1"), w.FORMERR),
    "rfc1035-4.1.4-pointer-into-header": (raw(b"\xc0\0\0\1\0\1"), w.FORMERR),
    "rfc1035-4.1.4-pointer-forward": (raw(b"\xc0\x10\0\1\0\1"), w.FORMERR),
    "rfc1035-4.1.4-label-then-pointer": (raw(b"\1a\xc0\x0c\0\1\0\1"), w.FORMERR),
    "rfc1035-4.1.4-label-type-40": (raw(b"\x41a\0\0\1\0\1"), w.FORMERR),
    "rfc1035-4.1.4-label-type-80": (raw(b"\x81a\0\0\1\0\1"), w.FORMERR),
    "rfc1035-2.3.4-name-of-256": (raw(LONG_NAME + b"\0\1\0\1"), w.FORMERR),
    "rfc1035-2.3.4-name-of-254": (raw(FULL_NAME + b"\0\1\0\1"), w.NXDOMAIN),
    "rfc1035-2.3.4-123-labels": (raw(MANY_LABELS + b"\0\1\0\1"), w.NXDOMAIN),
    "rfc1035-no-type": (raw(w.name("ok.rows.test")), w.FORMERR),
    "rfc1035-label-past-end": (raw(b"\x3fabc"), w.FORMERR),
    # Counts that promise more than there is, and bytes that nothing accounts for.
    "rfc1035-ancount-1": (raw(GOOD, counts=(1, 1, 0, 0)), w.FORMERR),
    "rfc1035-nscount-1": (raw(GOOD, counts=(1, 0, 1, 0)), w.FORMERR),
    "rfc1035-arcount-65535": (raw(GOOD, counts=(1, 0, 0, 65535)), w.FORMERR),
    "rfc1035-trailing-bytes": (raw(GOOD + b"\0trailing"), w.FORMERR),
    "rfc1035-additional-rdlen-beyond": (
        raw(GOOD + b"\0" + struct.pack("!HHIH", 1, 1, 0, 100), counts=(1, 0, 0, 1)),
        w.FORMERR,
    ),
    "rfc1035-additional-pointer-loop": (
        raw(GOOD + b"\xc0\x1e" + struct.pack("!HHIH", 1, 1, 0, 0), counts=(1, 0, 0, 1)),
        (w.FORMERR, w.NOERROR),  # nobody reads this name, and it is not sent on
    ),
    # Zone transfers are refused everywhere (RFC 5936 2.2.1, RFC 1995, RFC 9103).
    "rfc5936-axfr": (w.query("ok.rows.test", w.AXFR), REFUSED_OR_NOTIMP),
    "rfc1995-ixfr": (
        raw(
            w.question("ok.rows.test", w.IXFR) + w.record("ok.rows.test", w.SOA, w.soa_rdata()),
            counts=(1, 0, 1, 0),
        ),
        REFUSED_OR_NOTIMP,
    ),
    # RFC 8945 5.2: a signature with a key that we do not have.
    "rfc8945-tsig": (
        raw(GOOD + TSIG, counts=(1, 0, 0, 1)),
        (w.NOERROR, w.FORMERR, w.REFUSED, w.NOTAUTH),
    ),
    # RFC 5625 4.4.1: what is unknown is not dropped.
    "rfc5625-4.4.1-chaos": (
        w.query("version.bind", w.TXT, qclass=3),
        (w.NOERROR, w.REFUSED, w.NOTIMP, w.NXDOMAIN),
    ),
    "rfc5625-4.4.1-class-any": (
        w.query("ok.rows.test", qclass=255),
        (w.NOERROR, w.REFUSED, w.NOTIMP, w.FORMERR),
    ),
    "rfc5625-4.4.1-type-65400": (w.query("ok.rows.test", 65400), w.NOERROR),
    "rfc5625-4.4.1-type-0": (w.query("ok.rows.test", 0), (w.NOERROR, w.FORMERR, w.REFUSED)),
}

def readable_answer(answer, wire):
    """The id comes back; QR is set and Z is not."""
    assert answer.id == int.from_bytes(wire[:2], "big")
    assert answer.flags & w.QR and not answer.flags & 0x0040


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("row", ROWS)
def test_row(plain, scripted, connect, row, protocol):
    wire, outcome = ROWS[row]
    client = connect(plain, protocol)
    outcomes = outcome if isinstance(outcome, tuple) else (outcome,)
    if protocol == "doh":
        response = client.wait(client.post(wire))
        if response.status == 200:
            readable_answer(response.message, wire)
            assert response.message.rcode in outcomes
        else:
            assert response.status == 400 and set(outcomes) & {SILENCE, w.FORMERR}
        assert client.ask(w.query("ok.after.test")).rcode == w.NOERROR  # on the same connection
    elif outcome == SILENCE:
        assert protocol_is_silent(client, wire)
    else:
        answer = client.ask(wire)
        readable_answer(answer, wire)
        assert answer.rcode in outcomes
    if not {w.NOERROR, w.NXDOMAIN} & set(outcomes):
        assert not scripted.asked_for("ok.rows.test")
    for asked in scripted.asked:
        assert asked.message.counts == [1, 0, 0, 1]  # our own question and our own OPT


def protocol_is_silent(client, wire):
    """No answer; a stream may be closed over it."""
    client.send(wire)
    try:
        return client.receive(0.3) is None
    except TimeoutError:
        return True


@pytest.mark.quick
@pytest.mark.parametrize("protocol", ("udp", "tcp"))
def test_every_prefix_of_a_query(plain, connect, protocol):
    """rfc1035: cut anywhere, a query gets FORMERR or nothing, and the next one its answer."""
    whole = w.query("ok.prefix.test", edns=w.opt(options=w.option(65001, b"abc")))
    probe = w.query("ok.probe.test", id=0x7777)
    for length in range(len(whole)):
        client = connect(plain, protocol)
        client.send(whole[:length])
        try:
            client.send(probe)
            while True:
                answer = client.receive()
                if answer is None and protocol == "tcp":
                    break  # closed over the nonsense
                answer = w.Message(answer)
                if answer.id == 0x7777:
                    assert answer.rcode == w.NOERROR
                    break
                assert answer.rcode == w.FORMERR
        except BrokenPipeError:
            assert protocol == "tcp"
        client.close()


def test_zero_body(plain, connect):
    """rfc1035: a header and nothing but zeros."""
    answer = connect(plain, "udp").ask(b"\0" * 12)
    assert answer is None or answer.rcode == w.FORMERR


@pytest.mark.quick
@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    "sent, kept",
    [
        (w.RD, w.RD),
        (0, 0),
        (w.RD | w.CD, w.RD | w.CD),
        (w.RD | 0x0040, w.RD),  # Z is zero in answers
        (w.RD | w.AA | w.RA, w.RD),  # meaningless in queries
    ],
)
def test_header_flags(plain, connect, sent, kept, protocol):
    """rfc1035-4.1.1, rfc6840-5.9: RD and CD are copied, QR and RA set, the rest is ours."""
    for id in (0, 1, 0xFFFF):
        answer = connect(plain, protocol).ask(w.query("ok.flags.test", id=id, flags=sent))
        assert answer.id == id
        assert answer.flags & 0xFFF0 == w.QR | w.RA | kept


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_question_is_echoed_bit_exact(plain, connect, protocol):
    """rfc4343: compared without case, echoed with it."""
    client = connect(plain, protocol)
    for name in ("Ok.MiXeD.TeSt", "oK.mIxEd.tEsT", "ok.mixed.test", "OK.MIXED.TEST"):
        answer = client.ask(w.query(name))
        assert answer.question_bytes == w.question(name)
        assert answer.answer[0].owner.lower() == w.name("ok.mixed.test")
        assert answer.addresses == ["192.0.2.1"]


BINARY_LABELS = [
    b"a.b",
    b"nul\0",
    b"\xff\xfe",
    b"back\\slash",
    b"sp ace",
    b'quo"te',
    b"*",
    b"\x01\x1f",
]


@pytest.mark.parametrize("label", BINARY_LABELS, ids=repr)
def test_labels_are_binary(plain, scripted, connect, label):
    """rfc2181-11: any byte may stand in a label, and arrives upstream as it is."""
    name = w.labels_to_name(b"ok", label, b"binary", b"test")
    answer = connect(plain, "udp").ask(w.query(name))
    assert answer.rcode == w.NOERROR and answer.qname == name
    seen = [q.message.qname.lower() for q in scripted.asked]
    assert name.lower() in seen


def test_dot_in_a_label_is_no_separator(plain, scripted, connect):
    """rfc2181-11: two questions that look alike as text are asked separately."""
    client = connect(plain, "udp")
    client.ask(w.query(w.labels_to_name(b"ok", b"a.b", b"dots", b"test")))
    client.ask(w.query(w.labels_to_name(b"ok", b"a", b"b", b"dots", b"test")))
    assert len({q.message.qname.lower() for q in scripted.asked}) == 2


@pytest.mark.parametrize("ttl, limit", [("ttl-4000000", 604800), ("ttltop", 604800), ("ttl-0", 0)])
def test_ttl(plain, connect, ttl, limit):
    """rfc2181-8: the top bit reads as 0; long ones are capped."""
    answer = connect(plain, "udp").ask(w.query(ttl + ".test"))
    assert answer.answer[0].ttl <= limit


def test_records_for_other_names_are_not_believed(plain, scripted, connect):
    """rfc2181-5.4.1: what rides along is not an answer to a question of its own."""
    client = connect(plain, "udp")
    client.ask(w.query("extra.trust.test"))
    scripted.zone["victim.test."] = lambda s: w.reply(s.wire, [w.a(s.qname, "192.0.2.7")])
    assert client.ask(w.query("victim.test")).addresses == ["192.0.2.7"]
    assert scripted.asked_for("victim.test")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_unknown_type_is_opaque(plain, connect, protocol):
    """rfc3597-4: bytes that look like a pointer are not one."""
    answer = connect(plain, protocol).ask(w.query("opaque.test", 65400))
    assert [r.rdata for r in answer.answer] == [b"\xc0\x0c\xc0\x0c\0binary"]


def test_names_in_known_types_survive(plain, connect):
    """rfc1035-4.1.4: compressed names in RDATA are read in their message, not copied."""
    answer = connect(plain, "udp").ask(w.query("mx.names.test", w.MX))
    assert answer.answer[0].target.lower() == w.name("mail.mx.names.test")


@pytest.mark.parametrize("qtype", (w.SVCB, w.HTTPS))
def test_svcb_is_relayed(plain, connect, qtype):
    """rfc9460-2.4: parameters as they are, the target a whole name."""
    answer = connect(plain, "udp").ask(w.query("service.web.test", qtype))
    assert answer.answer[0].rdata == b"\0\1" + w.name("web.test") + b"\0\1\0\3\2h2"


class TestDnssecBits:
    """rfc3225, rfc4035-3.2.2, rfc6840-5.7 and 5.8."""

    def test_do_goes_up_and_comes_back(self, plain, scripted, connect):
        answer = connect(plain, "udp").ask(w.query("ok.do.test", edns=w.opt(flags=w.DO)))
        assert answer.opt.ttl & 0xFFFF == w.DO
        assert scripted.asked_for("ok.do.test")[0].message.opt.ttl & 0xFFFF == w.DO

    def test_no_do_without_being_asked(self, plain, scripted, connect):
        answer = connect(plain, "udp").ask(w.query("ok.nodo.test", edns=True))
        assert answer.opt.ttl & 0xFFFF == 0
        assert scripted.asked_for("ok.nodo.test")[0].message.opt.ttl & 0xFFFF == 0

    def test_cd_goes_up_and_comes_back(self, plain, scripted, connect):
        answer = connect(plain, "udp").ask(w.query("ok.cd.test", flags=w.RD | w.CD))
        assert answer.flags & w.CD
        assert scripted.asked_for("ok.cd.test")[0].message.flags & w.CD

    @pytest.mark.parametrize(
        "flags, edns, wanted",
        [(w.RD | w.AD, b"", True), (w.RD, w.opt(flags=w.DO), True), (w.RD, w.opt(), False)],
        ids=("ad", "do", "neither"),
    )
    def test_ad_only_when_wanted(self, plain, connect, flags, edns, wanted):
        answer = connect(plain, "udp").ask(w.query("ad.bits.test", flags=flags, edns=edns))
        assert bool(answer.flags & w.AD) == wanted

    def test_ad_is_not_invented(self, plain, connect):
        answer = connect(plain, "udp").ask(w.query("ok.ad.test", flags=w.RD | w.AD))
        assert not answer.flags & w.AD


@pytest.mark.parametrize(
    "edns, limit", [(b"", 512), (w.opt(512), 512), (w.opt(1232), 1232), (w.opt(65535), 1232)]
)
def test_truncation(plain, connect, edns, limit):
    """rfc5625-4.1, rfc9715: TC at what the client takes and at 1232; whole over TCP."""
    wire = w.query("many-150.size.test", edns=edns)
    answer = connect(plain, "udp").ask(wire)
    assert answer.truncated and len(answer.wire) <= limit
    assert bool(answer.opts) == bool(edns)
    whole = connect(plain, "tcp").ask(wire)
    assert not whole.truncated and len(whole.addresses) == 150


def test_answer_to_any_is_bounded(plain, connect):
    """rfc8482: ANY is no amplifier."""
    answer = connect(plain, "udp").ask(w.query("many-200.any.test", w.ANY))
    assert len(answer.wire) <= 512


@pytest.mark.parametrize("protocol", ("tcp", "dot", "doh"))
def test_large_answers_are_whole(plain, connect, protocol):
    """8484, 7766: TC and the size of EDNS mean nothing where there is room for 65,535 bytes."""
    answer = connect(plain, protocol).ask(w.query("huge.whole.test", w.TXT, edns=w.opt(512)))
    assert not answer.truncated and len(answer.answer) == 220


@pytest.mark.parametrize("name", ("extra.bytes.test", "options.bytes.test", "ede.bytes.test"))
def test_upstream_opt_is_not_relayed(plain, connect, name):
    """rfc6891-6.2.6: a query without OPT gets none, whatever the upstream sent."""
    assert connect(plain, "udp").ask(w.query(name)).opt is None
