"""Attacks, bounded: the attacker is stopped or served, its neighbours do not notice, memory stays
where it was, and nothing dies (the last is looked at after every test)."""

import random
import resource
import socket
import ssl
import struct
import threading
import time

import hpack
import pytest

import dns_wire as w
from dns_client import Stream, tls_context
from h2_client import (
    ACK,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    PING,
    PRIORITY,
    RST,
    SETTINGS,
    WINDOW_UPDATE,
    frame,
)

MIB = 1024 * 1024
ASK = w.query("ok.threat.test")
CANCEL = struct.pack("!I", 8)
NO_WINDOW = struct.pack("!HI", 4, 0)  # SETTINGS_INITIAL_WINDOW_SIZE


class Neighbour:
    """Somebody who keeps asking while the attack goes on."""

    def __init__(self, client):
        self.client, self.stop, self.slowest, self.failures = client, False, 0.0, []
        self.thread = threading.Thread(target=self._ask)

    def _ask(self):
        number = 0
        while not self.stop:
            number += 1
            begin = time.monotonic()
            try:
                answer = self.client.ask(w.query("ok.n%d.neighbour.test" % number))
                if answer is None or not answer.addresses:
                    self.failures.append(repr(answer))
            except Exception as error:  # noqa: BLE001: whatever it is, it is a failure
                self.failures.append(repr(error))
                return
            self.slowest = max(self.slowest, time.monotonic() - begin)
            time.sleep(0.01)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop = True
        self.thread.join()
        assert not self.failures, self.failures[:3]
        assert self.slowest < 2, "a neighbour waited %.1f s" % self.slowest


@pytest.fixture
def neighbour(plain, connect):
    with Neighbour(connect(plain, "dot")) as neighbour:
        yield neighbour


def flood(client, pieces, look_every=50):
    """Sends until the peer has enough; True when it closed or said GOAWAY."""
    for number, piece in enumerate(pieces):
        client.send(piece)
        if number % look_every == 0:
            client.pump()
        if client.closed or client.goaway:
            return True
    return client.wait(lambda: client.closed or client.goaway, 3)


@pytest.mark.usefixtures("neighbour")
class TestFloods:
    """nghttp2's budgets and ours (RFC 9113 10.5)."""

    @pytest.mark.quick
    def test_rapid_reset(self, plain, connect):
        """CVE-2023-44487"""
        client = connect(plain, "raw-h2")
        pieces = (
            client.request(stream, ASK) + frame(RST, 0, stream, CANCEL)
            for stream in range(1, 4001, 2)
        )
        assert flood(client, pieces)

    def test_cancelled_requests_are_asked_once(self, plain, scripted, connect):
        """150 requests for one slow name, each reset at once: not 150 upstream."""
        client = connect(plain, "raw-h2")
        query = w.query("slow-400.cancel.test")
        for stream in range(1, 301, 2):
            client.send(client.request(stream, query) + frame(RST, 0, stream, CANCEL))
        time.sleep(0.5)
        assert len(scripted.asked_for("slow-400.cancel.test")) <= 4

    def test_made_you_reset(self, plain, connect):
        """CVE-2025-8671: the peer is made to reset, by window updates of nothing."""
        client = connect(plain, "raw-h2")
        pieces = (
            client.request(stream, w.query("slow-50.threat.test"))
            + frame(WINDOW_UPDATE, 0, stream, b"\0\0\0\0")
            for stream in range(1, 4001, 2)
        )
        assert flood(client, pieces)

    @pytest.mark.parametrize("fragment", (b"", b"\0\1x\1y"), ids=("empty", "small"))
    def test_continuation(self, plain, connect, fragment):
        """VU#421644"""
        client = connect(plain, "raw-h2")
        pieces = [frame(HEADERS, END_STREAM, 1, client.block(ASK))]
        pieces += [frame(CONTINUATION, 0, 1, fragment)] * 3000
        assert flood(client, pieces)

    FRAMES = {
        "ping": frame(PING, 0, 0, b"12345678"),
        "ping-ack": frame(PING, ACK, 0, b"12345678"),
        "settings": frame(SETTINGS, 0, 0, struct.pack("!HI", 4, 65535)),
        "empty-settings": frame(SETTINGS),
        "priority": frame(PRIORITY, 0, 1, struct.pack("!IB", 0, 16)),
        "window-update": frame(WINDOW_UPDATE, 0, 0, struct.pack("!I", 1)),
    }

    @pytest.mark.parametrize("kind", FRAMES)
    def test_control_frames(self, plain, connect, kind):
        """CVE-2019-9511 to -9518: a hundred thousand of them without one request."""
        client = connect(plain, "raw-h2")
        before = plain.resident_bytes()
        assert flood(client, [self.FRAMES[kind] * 1000] * 100, look_every=1)
        assert plain.resident_bytes() - before < 32 * MIB

    def test_unknown_frames(self, plain, connect):
        """Of a type that nobody knows: ignored (RFC 9113 4.1), and no burden to others."""
        client = connect(plain, "raw-h2")
        before = plain.resident_bytes()
        flood(client, [frame(0xEE, 0, 0, b"x") * 1000] * 100, look_every=1)
        assert plain.resident_bytes() - before < 32 * MIB

    def test_empty_data(self, plain, connect):
        client = connect(plain, "raw-h2")
        client.send(frame(HEADERS, END_HEADERS, 1, client.block(ASK, "POST")))
        assert flood(client, [frame(DATA, 0, 1) * 500] * 100, look_every=1)

    def test_header_bomb(self, plain, connect):
        """One entry of 4 kB in the table, then 4000 times one byte: 16 MB of fields."""
        client = connect(plain, "raw-h2")
        encoder, fields = hpack.Encoder(), client.fields(ASK)
        before = plain.resident_bytes()
        for stream, times in ((1, 1), (3, 4000)):
            block = encoder.encode(fields + [("x-bomb", "b" * 4000)] * times)
            client.send(frame(HEADERS, END_STREAM | END_HEADERS, stream, block))
        stopped = client.wait(lambda: client.statuses.get(3) or 3 in client.resets)
        assert client.statuses.get(1) == 200
        assert client.statuses.get(3) == 431 or 3 in client.resets or client.closed, stopped
        assert plain.resident_bytes() - before < 16 * MIB


def test_random_bytes_everywhere(plain, connect):
    """A thousand changed messages on each protocol, from a fixed seed."""
    dice = random.Random(20240607)
    good = w.query("ok.dice.test", edns=w.opt(options=w.option(w.PADDING, b"\0" * 8)))

    def changed():
        wire = bytearray(good)
        for _ in range(dice.randint(1, 6)):
            at = dice.randrange(len(wire))
            kind = dice.randrange(4)
            if kind == 0:
                wire[at] = dice.randrange(256)
            elif kind == 1:
                wire[at:at] = dice.randbytes(dice.randint(1, 20))
            elif kind == 2 and len(wire) > 14:
                del wire[at : at + dice.randint(1, 8)]
            else:
                wire[at] ^= 1 << dice.randrange(8)
            if not wire:
                wire = bytearray(b"\0")
        return bytes(wire)

    udp = connect(plain, "udp")
    for _ in range(1000):
        udp.send(changed())
    stream = connect(plain, "tcp")
    for _ in range(300):
        try:
            stream.send(changed())
        except ConnectionError:
            stream = connect(plain, "tcp")
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", plain.ports["dot"]), 5) as raw:
            raw.sendall(dice.randbytes(dice.randint(1, 2000)))
    for _ in range(20):
        client = connect(plain, "doh")
        client.send_raw(dice.randbytes(dice.randint(9, 500)))
        client.close()
    doh = connect(plain, "doh")
    for _ in range(100):
        doh.wait(doh.post(changed(), content_length=None))
    time.sleep(0.3)
    assert connect(plain, "udp").ask(w.query("ok.dice.test")).addresses


class TestCost:
    """What one message may cost."""

    def cpu_seconds(self, namegate):
        fields = open("/proc/%d/stat" % namegate.pid).read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / 100

    def test_names_made_of_pointers(self, plain, connect):
        """A query of 60 kB whose records' owners are chains of pointers; ten of them."""
        body, count = bytearray(w.question("ok.cost.test")), 0
        previous = 12
        while len(body) < 60000:
            at = 12 + len(body)
            body += b"\1a" + struct.pack("!H", 0xC000 | min(previous, 0x3FFF))
            body += struct.pack("!HHIH", 1, 1, 0, 0)
            previous = at if at < 0x3FFF else previous
            count += 1
        wire = w.header(1, w.RD, (1, 0, 0, count)) + bytes(body)
        before = self.cpu_seconds(plain)
        client = connect(plain, "tcp")
        for _ in range(10):
            assert client.ask(wire).rcode in (w.FORMERR, w.NOERROR)
        assert self.cpu_seconds(plain) - before < 2

    def test_largest_message_of_nothing(self, plain, connect):
        client = connect(plain, "tcp")
        assert client.ask(b"\0\1\1\0" + b"\0" * 65531).rcode == w.FORMERR
        assert connect(plain, "tcp").ask(w.query("ok.cost.test")).addresses

    def test_many_options(self, plain, connect):
        wire = w.query("ok.cost.test", edns=w.opt(options=w.option(65001) * 16000))
        before = self.cpu_seconds(plain)
        client = connect(plain, "tcp")
        for _ in range(20):
            assert client.ask(wire) is not None
        assert self.cpu_seconds(plain) - before < 2


@pytest.fixture(scope="module")
def strict(shared_maker, scripted_session):
    """Short deadlines, so that a test sees them pass."""
    settings = shared_maker.settings(scripted=scripted_session)
    settings["limits"] = {
        "handshake_timeout": "1s",
        "request_timeout": "1s",
        "idle_timeout": "2s",
    }
    return shared_maker.start(settings)


class TestSlowness:
    """Deadlines are absolute: bytes do not move them."""

    @pytest.mark.parametrize("port", ("dot", "doh"))
    def test_handshake_that_never_begins(self, strict, port):
        with Stream("127.0.0.1", strict.ports[port]) as client:
            assert client.is_closed(4)

    @pytest.mark.parametrize("port", ("dot", "doh"))
    def test_handshake_in_drops(self, strict, port):
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        context = tls_context(strict.certificates.ca, "h2" if port == "doh" else "dot")
        tls = context.wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")
        with pytest.raises(ssl.SSLWantReadError):
            tls.do_handshake()
        self.drip(Stream("127.0.0.1", strict.ports[port]), outgoing.read())

    def drip(self, client, data, pause=0.1):
        begin = time.monotonic()
        with pytest.raises((ConnectionError, ssl.SSLError)):
            for byte in data:
                client.send_raw(bytes([byte]))
                time.sleep(pause)
        assert time.monotonic() - begin < 5
        client.close()

    def test_headers_that_do_not_end(self, strict, connect):
        client = connect(strict, "raw-h2")
        client.send(frame(HEADERS, END_STREAM, 1, client.block(ASK)))
        assert client.is_closed(6)

    def test_post_in_drops(self, strict, connect):
        """The stream, or the connection, ends before the body does."""
        client = connect(strict, "doh")
        stream = client.begin(client.headers("POST", content_length="500"))
        response, begin = client.responses[stream], time.monotonic()
        while not (client.closed or response.ended or response.reset is not None):
            assert time.monotonic() - begin < 6
            client.h2.send_data(stream, b"\0")
            client.flush()
            client.pump(0.1)
        assert response.status in (0, 408)

    def test_preface_that_never_comes(self, strict):
        context = tls_context(strict.certificates.ca, "h2")
        with Stream("127.0.0.1", strict.ports["doh"], context) as client:
            assert client.is_closed(6)


@pytest.mark.usefixtures("neighbour")
class TestNobodyReads:
    """CVE-2024-0760 and its like: answers that nobody takes."""

    def test_tcp_that_never_reads(self, plain, connect):
        before = plain.resident_bytes()
        lazy = connect(plain, "tcp")
        lazy.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        lazy.socket.settimeout(0.5)
        try:
            for batch in range(200):
                lazy.send(*(w.query("huge.b%d.lazy.test" % batch, w.TXT) for _ in range(10)))
        except (TimeoutError, ConnectionError):
            pass  # it stops reading from us, or has closed
        time.sleep(0.5)
        assert plain.resident_bytes() - before < 48 * MIB

    def test_zero_window(self, plain, connect):
        """SETTINGS_INITIAL_WINDOW_SIZE of 0 and a hundred requests for 60 kB each."""
        before = plain.resident_bytes()
        client = connect(plain, "raw-h2", settings=NO_WINDOW)
        for stream in range(1, 200, 2):
            client.send(client.request(stream, w.query("huge.window.test", w.TXT)))
        time.sleep(1)
        assert plain.resident_bytes() - before < 48 * MIB

    def test_one_byte_window(self, plain, connect):
        """A window that opens by one byte at a time."""
        client = connect(plain, "raw-h2", settings=NO_WINDOW)
        client.send(client.request(1, ASK))
        assert client.wait(lambda: client.statuses.get(1)) == 200
        for _ in range(20):
            client.send(frame(WINDOW_UPDATE, 0, 1, struct.pack("!I", 1)))
        assert client.wait(lambda: len(client.bodies.get(1, b"")) == 20)


def test_zero_window_is_ended(strict, connect):
    """An answer that makes no progress ends the connection."""
    client = connect(strict, "raw-h2", settings=NO_WINDOW)
    client.send(client.request(1, ASK))
    assert client.is_closed(15)


@pytest.mark.usefixtures("neighbour")
class TestCrowds:
    @pytest.mark.parametrize("port", ("dns", "dot", "doh"))
    def test_silent_connections(self, plain, port):
        """Two hundred that say nothing."""
        crowd = []
        for _ in range(200):
            try:
                crowd.append(socket.create_connection(("127.0.0.1", plain.ports[port]), 5))
            except OSError:
                break
        time.sleep(0.3)
        for one in crowd:
            one.close()

    def test_half_handshakes(self, plain):
        """A ClientHello each, and no more."""
        context = tls_context(plain.certificates.ca, "dot")
        crowd = []
        for _ in range(100):
            incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            tls = context.wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")
            with pytest.raises(ssl.SSLWantReadError):
                tls.do_handshake()
            raw = socket.create_connection(("127.0.0.1", plain.ports["dot"]), 5)
            raw.sendall(outgoing.read())
            crowd.append(raw)
        time.sleep(0.3)
        for one in crowd:
            one.close()


def test_descriptors_run_out(maker, scripted, connect):
    """With 100 descriptors and 300 clients: who is at work is served, later others get in again."""
    namegate = maker.start(maker.settings(scripted=scripted))
    limits = resource.prlimit(namegate.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(namegate.pid, resource.RLIMIT_NOFILE, (100, limits[1]))
    inside = connect(namegate, "tcp")
    udp = connect(namegate, "udp")
    crowd = []
    for number in range(300):
        try:
            crowd.append(socket.create_connection(("127.0.0.1", namegate.ports["dns"]), 1))
        except OSError:
            break
        if number % 20 == 0:
            assert inside.ask(w.query("ok.in.test")).addresses
    for number in range(20):
        assert inside.ask(w.query("nxdomain.i%d.test" % number)).rcode in (w.NXDOMAIN, w.SERVFAIL)
        assert udp.ask(w.query("nxdomain.u%d.test" % number)).rcode in (w.NXDOMAIN, w.SERVFAIL)
    for one in crowd:
        one.close()
    deadline = time.monotonic() + 10
    while True:
        try:
            client = connect(namegate, "tcp")
            if client.ask(w.query("ok.again.test"), timeout=2).addresses:
                break
        except (OSError, AttributeError):
            pass
        assert time.monotonic() < deadline, "nobody gets in any more"
        time.sleep(0.1)


def test_no_answer_to_port_zero_or_ourselves(plain, scripted):
    """A query that claims to come from our own port would be a conversation with ourselves."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.bind(("127.0.0.1", 0))
        sender.connect(("127.0.0.1", plain.ports["dns"]))
        answer = w.reply(w.query("ok.self.test"), [w.a("ok.self.test")])
        for _ in range(100):
            sender.send(answer)
    time.sleep(0.1)
    assert not scripted.asked
