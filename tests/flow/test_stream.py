"""DNS over TCP and over TLS: RFC 7766, RFC 7858, RFC 9210."""

import socket
import ssl
import struct
import time

import pytest

import dns_wire as w
from dns_client import Stream, tls_context

STREAMS = ("tcp", "dot")


@pytest.mark.quick
@pytest.mark.threads
@pytest.mark.parametrize("protocol", STREAMS)
def test_pipelined(plain, connect, protocol):
    """rfc7766-6.2.1: a hundred queries in one write, all answered on the same connection."""
    client = connect(plain, protocol)
    client.send(*(w.query("ok.n%d.pipe.test" % i, id=i) for i in range(100)))
    answers = [w.Message(client.receive()) for _ in range(100)]
    assert sorted(answer.id for answer in answers) == list(range(100))
    for answer in answers:
        assert answer.qname == w.name("ok.n%d.pipe.test" % answer.id)
        assert answer.addresses == ["192.0.2.1"]


@pytest.mark.parametrize("protocol", STREAMS)
def test_out_of_order(plain, connect, protocol):
    """rfc7766-7: who is slow does not hold up who is not."""
    client = connect(plain, protocol)
    slow = "slow-700.%s.order.test" % protocol
    client.send(w.query(slow, id=1), w.query("ok.order.test", id=2))
    assert [w.Message(client.receive()).id for _ in range(2)] == [2, 1]


@pytest.mark.parametrize("protocol", STREAMS)
def test_same_id_twice(plain, connect, protocol):
    """Two questions in flight with one id: both are answered, told apart by their question."""
    client = connect(plain, protocol)
    client.send(w.query("slow-100.a.same.test", id=9), w.query("slow-100.b.same.test", id=9))
    answers = [w.Message(client.receive()) for _ in range(2)]
    assert {a.qname for a in answers} == {w.name("slow-100.%s.same.test" % x) for x in "ab"}


@pytest.mark.parametrize("protocol", STREAMS)
def test_byte_by_byte(plain, connect, protocol):
    """rfc7766-8: length and message arrive in whatever pieces."""
    client = connect(plain, protocol)
    wire = w.query("ok.bytes.test")
    for byte in struct.pack("!H", len(wire)) + wire:
        client.send_raw(bytes([byte]))
    assert w.Message(client.receive()).rcode == w.NOERROR


@pytest.mark.parametrize("protocol", STREAMS)
def test_cut_between_messages(plain, connect, protocol):
    """A read that ends within the next message's length."""
    client = connect(plain, protocol)
    first, second = (w.query("ok.cut.test", id=i) for i in (1, 2))
    data = b"".join(struct.pack("!H", len(m)) + m for m in (first, second))
    cut = 2 + len(first) + 1
    client.send_raw(data[:cut])
    assert w.Message(client.receive()).id == 1
    client.send_raw(data[cut:])
    assert w.Message(client.receive()).id == 2


def test_length_and_answer_in_one_segment(plain, connect):
    """rfc7766-8: a client that reads once gets all of it."""
    client = connect(plain, "tcp")
    client.send(w.query("ok.segment.test"))
    client.socket.settimeout(5)
    data = client.socket.recv(65535)
    assert struct.unpack("!H", data[:2])[0] == len(data) - 2


@pytest.mark.parametrize("protocol", STREAMS)
def test_empty_message(plain, connect, protocol):
    """A length of 0: no answer; the connection may end over it."""
    client = connect(plain, protocol)
    client.send_raw(b"\0\0")
    try:
        answer = client.ask(w.query("ok.empty.test"))
        assert answer is None or answer.rcode == w.NOERROR
    except ConnectionError:
        pass
    assert connect(plain, protocol).ask(w.query("ok.empty.test")).rcode == w.NOERROR


@pytest.mark.threads
@pytest.mark.parametrize("protocol", STREAMS)
@pytest.mark.parametrize("how", ("close", "reset"))
def test_client_leaves_with_answers_pending(plain, connect, protocol, how):
    """rfc7766-6.2.4: late answers find nobody, and nobody is hurt."""
    for round in range(5):
        client = connect(plain, protocol)
        client.send(*(w.query("slow-150.p%d.left%d.test" % (i, round)) for i in range(20)))
        time.sleep(0.02)
        if how == "reset":
            linger = struct.pack("ii", 1, 0)
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        client.close()
    time.sleep(0.4)
    assert connect(plain, protocol).ask(w.query("ok.left.test")).rcode == w.NOERROR


def test_clear_dns_on_the_tls_port(plain, connect):
    """rfc7858-3.1: never answered."""
    client = Stream("127.0.0.1", plain.ports["dot"])
    try:
        client.send(w.query("ok.clear.test"))
        data = client.receive_bytes(1, timeout=3)
    except ConnectionError:
        data = None
    assert data in (None, b"\x15")  # closed, or a TLS alert first
    client.close()


@pytest.fixture
def impatient(maker, scripted):
    settings = maker.settings(scripted=scripted)
    settings["limits"] = {
        "idle_timeout": "1s",
        "handshake_timeout": "1s",
        "request_timeout": "1s",
        "connections_per_address": 8,
    }
    return maker.start(settings)


@pytest.mark.parametrize("protocol", STREAMS)
class TestIdle:
    """rfc7766-6.2.3, rfc9210."""

    def test_nothing_sent(self, impatient, connect, protocol):
        assert connect(impatient, protocol).is_closed(4)

    def test_after_an_answer(self, impatient, connect, protocol):
        client = connect(impatient, protocol)
        assert client.ask(w.query("ok.idle.test")).rcode == w.NOERROR
        assert client.is_closed(4)

    def test_a_drop_now_and_then_does_not_help(self, impatient, connect, protocol):
        """The deadline of a message is not moved by its bytes."""
        client = connect(impatient, protocol)
        wire = struct.pack("!H", 200) + b"\0" * 200
        begin = time.monotonic()
        with pytest.raises((ConnectionError, ssl.SSLError)):
            for byte in wire:
                client.send_raw(bytes([byte]))
                time.sleep(0.1)
        assert time.monotonic() - begin < 6

    def test_busy_one_stays(self, impatient, connect, protocol):
        client = connect(impatient, protocol)
        for _ in range(8):
            assert client.ask(w.query("slow-200.busy.test")).rcode == w.NOERROR


def test_connections_per_address(impatient, connect):
    """rfc9210-3: one address can not take all there is; a neighbour still gets in."""
    mine = [connect(impatient, "tcp") for _ in range(12)]
    served = 0
    for client in mine:
        try:
            answer = client.ask(w.query("ok.per.test"))
            served += answer is not None and answer.rcode == w.NOERROR
        except ConnectionError:
            pass
    assert served == 8
    neighbour = connect(impatient, "tcp", source="127.0.0.2")
    assert neighbour.ask(w.query("ok.per.test")).rcode == w.NOERROR


class TestAlpn:
    """rfc7858, rfc7301-3.2."""

    def test_none_is_fine(self, plain, connect):
        client = connect(plain, "dot", context=tls_context(plain.certificates.ca))
        assert client.ask(w.query("ok.alpn.test")).rcode == w.NOERROR

    def test_dot_is_chosen(self, plain, connect):
        assert connect(plain, "dot").socket.selected_alpn_protocol() == "dot"

    def test_another_is_refused(self, plain, connect):
        with pytest.raises(ssl.SSLError):
            connect(plain, "dot", context=tls_context(plain.certificates.ca, "http/1.1"))


def test_ipv6(maker, scripted, connect):
    """Listeners on ::1, beside those on 127.0.0.1, on the same port."""
    settings = maker.settings(scripted=scripted)
    settings["listeners"] += [dict(one, address="::1") for one in settings["listeners"]]
    namegate = maker.start(settings)
    for protocol in ("udp", "tcp", "dot", "doh"):
        for address in ("::1", "127.0.0.1"):
            client = connect(namegate, protocol, address=address)
            assert client.ask(w.query("ok.six.test")).rcode == w.NOERROR
    assert {line["srcaddr"] for line in namegate.wait_log("ok.six.test", 8)} == {"::1", "127.0.0.1"}


@pytest.mark.threads
def test_wildcard_address_answers_from_where_it_was_asked(maker, scripted, connect):
    """A connected socket takes answers from 127.0.0.77 only."""
    settings = maker.settings(scripted=scripted)
    settings["listeners"] = [
        {"protocol": "dns", "address": "0.0.0.0", "port": maker.ports["dns"]},
        {"protocol": "dns", "address": "::", "port": maker.ports["dns"]},
    ]
    namegate = maker.start(settings)
    for address in ("127.0.0.77", "127.1.2.3", "127.0.0.1", "::1"):
        client = connect(namegate, "udp", address=address)
        for name in ("ok.wild.test", "slow-50.wild.test", "nxdomain.wild.test"):
            assert client.ask(w.query(name)) is not None, address
