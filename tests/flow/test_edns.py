"""EDNS (RFC 6891) and its options, hop by hop."""

import struct
import time

import pytest

import dns_wire as w
from program import PROTOCOLS

ENCRYPTED = ("dot", "doh")


def with_additional(*records):
    wire = w.query("ok.edns.test")
    return wire[:10] + struct.pack("!H", len(records)) + wire[12:] + b"".join(records)


def in_section(section, record):
    """The record as the only one of the answer (0) or authority (1) section."""
    counts = [1, 0, 0, 0]
    counts[1 + section] = 1
    return w.header(0x1234, w.RD, counts) + w.question("ok.edns.test") + record


SHORT_OPTION = struct.pack("!HH", 65001, 8) + b"abc"  # promises 8 bytes, has 3
MALFORMED = {
    "rfc6891-6.1.1-two-opts": with_additional(w.opt(), w.opt()),
    "rfc6891-6.1.1-opt-and-a-opt": with_additional(w.opt(), w.a("x.test"), w.opt()),
    "rfc6891-6.1.1-opt-in-answer": in_section(0, w.opt()),
    "rfc6891-6.1.1-opt-in-authority": in_section(1, w.opt()),
    "rfc6891-6.1.2-owner-not-root": with_additional(b"\1x" + w.opt()),
    "rfc6891-6.1.2-rdlen-beyond-message": with_additional(
        b"\0" + struct.pack("!HHIH", w.OPT, 1232, 0, 50) + b"abc"
    ),
    "rfc6891-6.1.2-option-beyond-rdlen": with_additional(w.opt(options=SHORT_OPTION)),
    "rfc6891-6.1.2-half-an-option": with_additional(w.opt(options=b"\0\x0a\0")),
    "rfc6891-more-options-than-anyone-needs": with_additional(
        w.opt(options=w.option(65001) * 4000)
    ),
}


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("row", MALFORMED)
def test_malformed(plain, scripted, connect, row, protocol):
    client = connect(plain, protocol)
    if protocol == "doh":
        response = client.wait(client.post(MALFORMED[row]))
        assert response.status == 400 or response.message.rcode == w.FORMERR
    else:
        assert client.ask(MALFORMED[row]).rcode == w.FORMERR
    assert not scripted.asked


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_opt_exactly_when_asked(plain, connect, protocol):
    """rfc6891-6.1.1"""
    client = connect(plain, protocol)
    assert client.ask(w.query("ok.with.test", edns=True)).opt
    assert not client.ask(w.query("ok.without.test")).opt


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("version", (1, 255))
def test_version(plain, scripted, connect, version, protocol):
    """rfc6891-6.1.3: BADVERS with our version 0, and nothing in the answer."""
    answer = connect(plain, protocol).ask(w.query("ok.v.test", edns=w.opt(version=version)))
    assert answer.rcode == w.BADVERS
    assert answer.opt.ttl >> 16 & 0xFF == 0
    assert not answer.answer and not scripted.asked


def test_unknown_flags(plain, scripted, connect):
    """rfc6891-6.1.4: ignored, and zero in the answer and upstream."""
    answer = connect(plain, "udp").ask(w.query("ok.flags.test", edns=w.opt(flags=0x7FFF)))
    assert answer.rcode == w.NOERROR and answer.opt.ttl & 0xFFFF == 0
    assert scripted.asked_for("ok.flags.test")[0].message.opt.ttl & 0xFFFF == 0


@pytest.mark.parametrize(
    "code, data",
    [
        (65001, b"unknown"),
        (3, b""),  # NSID
        (w.ECS, b"\0\1\x18\0\xc0\0\2"),
        (5, b"\1\2\3"),  # DAU
        (14, b""),  # key tag
    ],
)
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_options_are_hop_by_hop(plain, scripted, connect, code, data, protocol):
    """rfc6891-6.1.2: ignored, not echoed, not sent on."""
    options = w.option(code, data)
    name = "ok.%s%d.hop.test" % (protocol, code)  # not one that is kept already
    answer = connect(plain, protocol).ask(w.query(name, edns=w.opt(options=options)))
    assert answer.rcode == w.NOERROR
    assert answer.option(code) is None
    assert scripted.asked_for(name)[0].message.opt.rdata == b""


def test_one_own_opt_of_11_bytes(plain, scripted, connect):
    """rfc6891-6.2.6: what goes up is ours, last, without options, whatever came in."""
    connect(plain, "udp").ask(w.query("ok.own.test"))
    more = w.opt(4096, options=w.option(65001, b"x" * 99))
    connect(plain, "udp").ask(w.query("ok.own.test", edns=more))
    for asked in scripted.asked_for("ok.own.test"):
        assert asked.wire[-11:] == w.opt(1232)
        assert asked.message.counts == [1, 0, 0, 1]
        assert len(asked.wire) == 12 + len(w.question("ok.own.test")) + 11


def test_upstream_options_end_here(plain, connect):
    """rfc6891-6.2.6, the other way."""
    answer = connect(plain, "udp").ask(w.query("options.up.test", edns=True))
    assert answer.addresses == ["192.0.2.1"] and answer.options == []


def test_upstream_extended_error_is_passed_on(plain, connect):
    """rfc8914-3: why it failed is for the client to know."""
    answer = connect(plain, "udp").ask(w.query("ede.up.test", edns=True))
    assert answer.rcode == w.SERVFAIL and answer.ede_code == 6


@pytest.mark.parametrize("size", (0, 100, 511, 512))
def test_small_payload_counts_as_512(plain, connect, size):
    """rfc6891-6.2.3; OPT stays when the answer is cut."""
    answer = connect(plain, "udp").ask(w.query("many-30.small.test", edns=w.opt(size)))
    assert answer.rcode == w.NOERROR and len(answer.wire) <= 512
    assert answer.opt
    answer = connect(plain, "udp").ask(w.query("many-100.small.test", edns=w.opt(size)))
    assert answer.truncated and len(answer.wire) <= 512 and answer.opt


def test_answers_fit_the_smaller_of_two(plain, connect):
    """rfc6891-6.2.5, rfc9715: at most 1232, whatever the client offers; our OPT says so."""
    answer = connect(plain, "udp").ask(w.query("many-70.fit.test", edns=w.opt(65535)))
    assert len(answer.addresses) == 70 and len(answer.wire) <= 1232
    assert answer.opt.rclass == 1232


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_padding(plain, connect, protocol):
    """rfc7830-3, rfc8467-4.1: blocks of 468 over TLS for who pads, never in the clear."""
    options = w.option(w.PADDING, b"\0" * 40)
    answer = connect(plain, protocol).ask(w.query("ok.pad.test", edns=w.opt(options=options)))
    padding = answer.option(w.PADDING)
    if protocol in ENCRYPTED:
        assert len(answer.wire) % 468 == 0 and padding.strip(b"\0") == b""
    else:
        assert padding is None


@pytest.mark.parametrize("protocol", ENCRYPTED)
def test_no_padding_unless_asked(plain, connect, protocol):
    answer = connect(plain, protocol).ask(w.query("ok.nopad.test", edns=True))
    assert answer.option(w.PADDING) is None


class TestKeepalive:
    """RFC 7828."""

    WITH = w.opt(options=w.option(w.KEEPALIVE))

    @pytest.mark.parametrize("protocol", ("tcp", "dot"))
    def test_told_on_streams(self, plain, connect, protocol):
        answer = connect(plain, protocol).ask(w.query("ok.alive.test", edns=self.WITH))
        timeout_ds = struct.unpack("!H", answer.option(w.KEEPALIVE))[0]
        assert 10 <= timeout_ds <= 1200

    @pytest.mark.parametrize("protocol", ("udp", "doh"))
    def test_never_elsewhere(self, plain, connect, protocol):
        answer = connect(plain, protocol).ask(w.query("ok.alive.test", edns=self.WITH))
        assert answer.rcode == w.NOERROR and answer.option(w.KEEPALIVE) is None

    def test_not_unless_asked(self, plain, connect):
        answer = connect(plain, "tcp").ask(w.query("ok.alive.test", edns=True))
        assert answer.option(w.KEEPALIVE) is None

    @pytest.mark.parametrize("protocol", ("tcp", "dot"))
    def test_query_with_a_value_is_malformed(self, plain, connect, protocol):
        edns = w.opt(options=w.option(w.KEEPALIVE, b"\0\x64"))
        assert connect(plain, protocol).ask(w.query("ok.alive.test", edns=edns)).rcode == w.FORMERR


def test_large_opt_is_cheap(plain, connect):
    """A 16 kB option costs a moment, and the answer does not grow with it."""
    client = connect(plain, "tcp")
    wire = w.query("ok.large.test", edns=w.opt(options=w.option(65001, b"x" * 16000)))
    begin = time.monotonic()
    answer = client.ask(wire)
    assert time.monotonic() - begin < 1
    assert answer.rcode in (w.NOERROR, w.FORMERR) and len(answer.wire) < 512


def test_repeated_options_do_not_grow_the_answer(plain, connect):
    edns = w.opt(options=w.option(w.PADDING, b"") * 30 + w.option(w.KEEPALIVE) * 30)
    answer = connect(plain, "dot").ask(w.query("ok.twice.test", edns=edns))
    codes = [code for code, _ in answer.options or ()]
    assert len(codes) == len(set(codes))
