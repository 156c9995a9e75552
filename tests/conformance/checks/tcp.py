"""DNS over TCP and over TLS: RFC 7766, RFC 9210, RFC 7858, RFC 8310."""

import socket
import ssl
import struct
import time

import dns_wire as w
from dns_client import Stream, tls_context
from rows import expect, proven, row
from server import ADDRESS

STREAMS = ("tcp", "dot")


def message(client):
    wire = client.receive()
    expect(wire, "the connection ended")
    return w.Message(wire)


def messages(client, count):
    return [message(client) for _ in range(count)]


@row("stream-persistent", "RFC 7766 6.2.1", "M", "A connection serves one query after another.")
def stream_persistent(s):
    for protocol in STREAMS:
        client = s.connect(protocol)
        for number in range(20):
            answer = client.ask(w.query(s.fresh(), id=number))
            expect(answer is not None, "%s: closed after %d answers", protocol, number)


@row("stream-pipelined", "RFC 7766 6.2.1.1", "M", "A hundred queries in one write are answered.")
def stream_pipelined(s):
    for protocol in STREAMS:
        names = [s.fresh() for _ in range(100)]
        client = s.connect(protocol)
        client.send(*(w.query(name, id=number) for number, name in enumerate(names)))
        found = {answer.id: answer for answer in messages(client, 100)}
        expect(sorted(found) == list(range(100)), "%s: %d answers", protocol, len(found))
        for number, name in enumerate(names):
            expect(found[number].qname == w.name(name), "%s: answers are mixed up", protocol)


@row("stream-out-of-order", "RFC 7766 7", "S", "A slow answer does not hold up a fast one.")
def stream_out_of_order(s):
    for protocol in STREAMS:
        client = s.connect(protocol)
        client.send(w.query(s.fresh("slow-700"), id=1), w.query(s.fresh(), id=2))
        order = [answer.id for answer in messages(client, 2)]
        expect(order == [2, 1], "%s: %s", protocol, order)


@row("stream-same-id-twice", "RFC 7766 6.2.1.1", "S",
     "Two questions with one id are told apart by their names.")
def stream_same_id_twice(s):
    for protocol in STREAMS:
        names = [s.fresh("slow-100"), s.fresh("slow-100")]
        client = s.connect(protocol)
        client.send(*(w.query(name, id=9) for name in names))
        found = {answer.qname for answer in messages(client, 2)}
        expect(found == {w.name(name) for name in names}, "%s: %s", protocol, found)


@row("stream-byte-by-byte", "RFC 7766 8", "M", "Length and message may come byte by byte.")
def stream_byte_by_byte(s):
    for protocol in STREAMS:
        client = s.connect(protocol)
        wire = w.query(s.fresh())
        for byte in struct.pack("!H", len(wire)) + wire:
            client.send_raw(bytes([byte]))
        expect(message(client).addresses, "%s: no address", protocol)


@row("stream-cut-between-messages", "RFC 7766 8", "M",
     "A segment may end within the length of the next message.")
def stream_cut_between_messages(s):
    for protocol in STREAMS:
        client = s.connect(protocol)
        first, second = (w.query(s.fresh(), id=number) for number in (1, 2))
        data = b"".join(struct.pack("!H", len(one)) + one for one in (first, second))
        cut = 2 + len(first) + 1
        client.send_raw(data[:cut])
        expect(message(client).id == 1, "%s: not the first", protocol)
        client.send_raw(data[cut:])
        expect(message(client).id == 2, "%s: not the second", protocol)


@row("stream-one-write", "RFC 7766 8", "S", "Length and answer come in one segment.")
def stream_one_write(s):
    client = s.connect("tcp")
    client.send(w.query(s.fresh()))
    client.socket.settimeout(5)
    data = client.socket.recv(65535)
    length = struct.unpack("!H", data[:2])[0] if len(data) > 1 else 0
    expect(length == len(data) - 2 > 0, "%d bytes at first", len(data))


@row("stream-empty-message", "RFC 7766 8", "B",
     "A message of no length costs at most its own connection.")
def stream_empty_message(s):
    for protocol in STREAMS:
        client = s.connect(protocol)
        client.send_raw(b"\0\0")
        s.outcome(w.query(s.fresh()), protocol)
        expect(s.query(protocol=protocol).addresses, "%s: not served", protocol)


@row("stream-client-leaves", "RFC 7766 6.2.4", "M",
     "Answers to a client that has left find nobody, and nobody is hurt.")
def stream_client_leaves(s):
    for protocol in STREAMS:
        for how in ("close", "reset"):
            client = s.connect(protocol)
            client.send(*(w.query(s.fresh("slow-150")) for _ in range(20)))
            time.sleep(0.02)
            if how == "reset":
                linger = struct.pack("ii", 1, 0)
                client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            client.close()
        time.sleep(0.3)
        expect(s.query(protocol=protocol).addresses, "%s: not served", protocol)


@row("stream-after-truncation", "RFC 7766 5", "M",
     "What is truncated over UDP is whole over TCP and DoT.")
def stream_after_truncation(s):
    name = s.fresh("many-90")
    expect(s.query(name).truncated, "not truncated over UDP")
    for protocol in STREAMS:
        answer = s.query(name, protocol)
        expect(not answer.truncated, "%s: truncated", protocol)
        expect(len(answer.addresses) == 90, "%s: %d", protocol, len(answer.addresses))


@row("dot-nothing-in-the-clear", "RFC 7858 3.1", "M",
     "On the port of DNS over TLS no query in the clear is answered.")
def dot_nothing_in_the_clear(s):
    with Stream(ADDRESS, s.ports["dot"]) as client:
        try:
            client.send(w.query(s.fresh()))
            data = client.receive_bytes(1, timeout=3)
        except (ConnectionError, TimeoutError):
            data = None
    expect(data in (None, b"\x15"), "it was answered")  # 21 is a TLS alert


@row("dot-resumption", "RFC 7858 3.4", "S", "A session can be resumed, with TLS 1.2 and 1.3.")
def dot_resumption(s):
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context = tls_context(s.ca, "dot", version)
        first = s.connect("dot", context=context)
        first.ask(w.query(s.fresh()))
        second = s.connect("dot", context=context, session=first.socket.session)
        expect(second.ask(w.query(s.fresh())) is not None, "no answer")
        expect(second.socket.session_reused, "%s: not resumed", version.name)


@row("dot-alpn", "RFC 7858 3.1", "S", "A client may say dot by ALPN, or nothing.")
def dot_alpn(s):
    for context in (tls_context(s.ca, "dot"), tls_context(s.ca)):
        answer = s.connect("dot", context=context).ask(w.query(s.fresh()))
        expect(answer is not None and answer.addresses, "no answer")


@row("doq-absent", "RFC 9250 4.1.1", "M",
     "Where there is no DNS over QUIC nothing is answered on its UDP port.")
def doq_absent(s):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect((ADDRESS, s.ports["dot"]))
        client.settimeout(0.5)
        got = None
        try:
            client.send(w.query(s.fresh()))
            got = client.recv(65535)
        except (TimeoutError, ConnectionError):
            pass
    expect(got is None, "%d bytes", len(got or b""))


def shown(id, source, level, holds, test):
    proven("tcp", id, source, level, holds, "tests/flow/test_stream.py::" + test)


shown("stream-idle-timeout", "RFC 7766 6.2.3", "S", "Idle connections are closed.",
      "TestIdle::test_nothing_sent")
shown("stream-partial-is-idle", "RFC 9210 4.1", "S", "Drops of a message do not keep it open.",
      "TestIdle::test_a_drop_now_and_then_does_not_help")
shown("stream-busy-stays", "RFC 7766 6.2.3", "M", "A connection with a query under way stays open.",
      "TestIdle::test_busy_one_stays")
shown("stream-per-address", "RFC 7766 6.2.2", "S", "One address has no more than its share.",
      "test_connections_per_address")
