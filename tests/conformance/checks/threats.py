"""Attacks, bounded: one client does its worst, and somebody else does not notice."""

import random
import socket
import ssl
import struct
import time
from concurrent.futures import ThreadPoolExecutor

import hpack

import dns_wire as w
from bystander import cpu_seconds, resident_bytes, unnoticed
from dns_client import tls_context
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
from rows import expect, proven, row
from server import ADDRESS, BLOCKED, PROTOCOLS, ZONE, rcode_word

MIB = 1 << 20
CANCEL = struct.pack("!I", 8)
NO_WINDOW = struct.pack("!HI", 4, 0)  # SETTINGS_INITIAL_WINDOW_SIZE
UNSAFE = "192.0.2.66"
PATIENT_S = 15  # the longest that a slow client may be suffered
FLOW = "tests/flow/"


def threat(id, source, holds, restart=False):
    return row(id, source, "threat", holds, restart=restart)


def evidence(id, source, holds, by):
    proven("threats", id, source, "threat", holds, FLOW + by)


def flood(client, pieces, look_every=50):
    """Sends until the peer has enough; True when it closed or said GOAWAY."""
    for number, piece in enumerate(pieces):
        client.send(piece)
        if number % look_every == 0:
            client.pump()
        if client.closed or client.goaway:
            return True
    return client.wait(lambda: client.closed or client.goaway, 3)


# --- HTTP/2 ---


@threat("rapid-reset", "CVE-2023-44487",
        "2,000 requests that are reset at once end the connection.")
def rapid_reset(s):
    ask = w.query(s.fresh())
    with unnoticed(s):
        client = s.connect("raw-h2")
        pieces = (
            client.request(stream, ask) + frame(RST, 0, stream, CANCEL)
            for stream in range(1, 4001, 2)
        )
        expect(flood(client, pieces), "it goes on")


@threat("reset-requests-upstream", "CVE-2023-44487",
        "150 requests for one name, each reset, are no more than a few questions upstream.")
def reset_requests_upstream(s):
    name = s.fresh("slow-400")
    ask = w.query(name)
    with unnoticed(s):
        client = s.connect("raw-h2")
        for stream in range(1, 301, 2):
            client.send(client.request(stream, ask) + frame(RST, 0, stream, CANCEL))
        time.sleep(1)
    expect(s.asked(name) <= 8, "%d questions", s.asked(name))


@threat("made-you-reset", "CVE-2025-8671",
        "A client that makes the server reset its streams loses the connection.")
def made_you_reset(s):
    with unnoticed(s):
        client = s.connect("raw-h2")
        ask = w.query(s.fresh("slow-50"))
        pieces = (
            client.request(stream, ask) + frame(WINDOW_UPDATE, 0, stream, b"\0\0\0\0")
            for stream in range(1, 4001, 2)
        )
        expect(flood(client, pieces), "it goes on")


@threat("continuation-flood", "VU#421644", "CONTINUATION without an end ends the connection.")
def continuation_flood(s):
    ask = w.query(s.fresh())
    with unnoticed(s):
        for fragment in (b"", b"\0\1x\1y"):
            client = s.connect("raw-h2")
            pieces = [frame(HEADERS, END_STREAM, 1, client.block(ask))]
            pieces += [frame(CONTINUATION, 0, 1, fragment)] * 3000
            expect(flood(client, pieces), "%d bytes at a time: it goes on", len(fragment))


FLOODS = {
    "ping": ("CVE-2019-9512", frame(PING, 0, 0, b"12345678")),
    "ping-ack": ("CVE-2019-9512", frame(PING, ACK, 0, b"12345678")),
    "settings": ("CVE-2019-9515", frame(SETTINGS, 0, 0, struct.pack("!HI", 4, 65535))),
    "empty-settings": ("CVE-2019-9515", frame(SETTINGS)),
    "priority": ("CVE-2019-9513", frame(PRIORITY, 0, 1, struct.pack("!IB", 0, 16))),
    "window-update": ("CVE-2019-9517", frame(WINDOW_UPDATE, 0, 0, struct.pack("!I", 1))),
    "unknown-frame": ("RFC 9113 10.5", frame(0xEE, 0, 0, b"x")),
}


def flood_check(piece):
    def check(s):
        with unnoticed(s):
            client = s.connect("raw-h2")
            expect(flood(client, [piece * 1000] * 100, 1), "100,000 of them, and it goes on")

    return check


for kind, (source, piece) in FLOODS.items():
    threat(
        kind + "-flood", source, "100,000 frames (%s) without a request end the connection." % kind
    )(flood_check(piece))


@threat("empty-data-flood", "CVE-2019-9518", "DATA frames of nothing end the connection.")
def empty_data_flood(s):
    ask = w.query(s.fresh())
    with unnoticed(s):
        client = s.connect("raw-h2")
        client.send(frame(HEADERS, END_HEADERS, 1, client.block(ask, "POST")))
        expect(flood(client, [frame(DATA, 0, 1) * 500] * 100, 1), "it goes on")


@threat("late-data-flood", "RFC 9113 10.5", "DATA frames on a stream that is over end it as well.")
def late_data_flood(s):
    ask = w.query(s.fresh())
    with unnoticed(s):
        client = s.connect("raw-h2")
        client.send(client.request(1, ask))
        expect(client.wait(lambda: client.bodies.get(1)), "no answer")
        expect(flood(client, [frame(DATA, 0, 1) * 500] * 200, 1), "it goes on")


@threat("hpack-bomb", "CVE-2016-6581",
        "16 MB of fields from a few kB are refused, and cost no memory.")
def hpack_bomb(s):
    ask = w.query(s.fresh())
    with unnoticed(s, 24 * MIB):
        client = s.connect("raw-h2")
        encoder, fields = hpack.Encoder(), client.fields(ask)
        for stream, times in ((1, 1), (3, 4000)):
            block = encoder.encode(fields + [("x-bomb", "b" * 4000)] * times)
            client.send(frame(HEADERS, END_STREAM | END_HEADERS, stream, block))
        client.wait(lambda: client.statuses.get(3) or 3 in client.resets or client.goaway)
        status = client.statuses.get(3)
        refused = status == 431 or 3 in client.resets or client.closed or client.goaway
        expect(refused, "status %s", status)


@threat("too-many-streams", "RFC 9113 5.1.2",
        "Streams above the announced number are refused; those of others are served.")
def too_many_streams(s):
    wires = [w.query(s.fresh("slow-300")) for _ in range(300)]
    with unnoticed(s):
        client = s.connect("raw-h2")
        client.send(b"".join(client.request(1 + 2 * i, wire) for i, wire in enumerate(wires)))
        client.wait(lambda: client.resets or client.goaway or client.closed, 3)
        served = sum(status == 200 for status in client.statuses.values())
        expect(client.resets or client.goaway or client.closed, "%d served at once", served)


# --- slowness ---


def drip(socket_, data, pause=0.05):
    """A byte now and then; seconds until the peer has enough, None when it never had."""
    begin = time.monotonic()
    socket_.setblocking(True)
    socket_.settimeout(PATIENT_S)
    try:
        for byte in data:
            socket_.sendall(bytes([byte]))
            if time.monotonic() - begin > PATIENT_S:
                return None
            time.sleep(pause)
        socket_.settimeout(max(0.1, PATIENT_S - (time.monotonic() - begin)))
        while socket_.recv(4096):
            pass
    except TimeoutError:
        return None
    except (OSError, ssl.SSLError):
        pass
    return time.monotonic() - begin


def client_hello(s, port):
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = tls_context(s.ca, "h2" if port == "doh" else "dot")
    tls = context.wrap_bio(incoming, outgoing, server_hostname=ADDRESS)
    try:
        tls.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


def drip_all(clients):
    """{word: (socket, data)}: all of them at once."""
    with ThreadPoolExecutor(len(clients)) as pool:
        waits = {
            word: pool.submit(drip, socket_, data) for word, (socket_, data) in clients.items()
        }
    for word, wait in waits.items():
        expect(wait.result() is not None, "%s: still there after %d s", word, PATIENT_S)


@threat("slow-handshake", "RFC 9325 7.5",
        "A handshake that comes in drops is ended, whatever drops there are.")
def slow_handshake(s):
    with unnoticed(s):
        clients = {
            port: (socket.create_connection((ADDRESS, s.ports[port]), 5), client_hello(s, port))
            for port in ("dot", "doh")
        }
        drip_all({port: (raw, hello[:-1]) for port, (raw, hello) in clients.items()})


@threat("slow-message", "RFC 9210 4.1", "A message over TCP or DoT that does not end is ended.")
def slow_message(s):
    data = struct.pack("!H", 2000) + w.query(s.fresh()) + b"\0" * 1000
    with unnoticed(s):
        drip_all({word: (s.connect(word).socket, data) for word in ("tcp", "dot")})


@threat("slow-headers", "slowloris", "A header block that does not end is ended.")
def slow_headers(s):
    ask = w.query(s.fresh())
    with unnoticed(s):
        client = s.connect("raw-h2")
        client.send(frame(HEADERS, END_STREAM, 1, client.block(ask)))
        expect(client.is_closed(PATIENT_S), "still there after %d s", PATIENT_S)


@threat("slow-post", "slow HTTP POST", "A body that comes in drops is ended.")
def slow_post(s):
    with unnoticed(s):
        client = s.connect("raw-h2")
        client.send(frame(HEADERS, END_HEADERS, 1, client.block(w.query(s.fresh()), "POST")))
        begin = time.monotonic()
        while not (client.closed or client.goaway or 1 in client.resets or client.statuses):
            client.send(frame(DATA, 0, 1, b"\0"))
            client.pump(0.1)
            expect(time.monotonic() - begin < PATIENT_S, "still there after %d s", PATIENT_S)


# --- who does not read ---


@threat("tcp-never-reads", "CVE-2024-0760",
        "Answers of 60 kB that a client does not take do not pile up.")
def tcp_never_reads(s):
    with unnoticed(s):
        for protocol in ("tcp", "dot"):
            client = s.connect(protocol)
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.socket.settimeout(0.5)
            try:
                for _ in range(100):
                    client.send(*(w.query(s.fresh("huge"), w.TXT) for _ in range(10)))
            except (OSError, ssl.SSLError):
                pass  # it stops reading from us, or has closed


@threat("zero-window", "CVE-2019-9517",
        "A hundred answers that no window lets out do not pile up.")
def zero_window(s):
    with unnoticed(s):
        client = s.connect("raw-h2", settings=NO_WINDOW)
        name = s.fresh("huge")
        for stream in range(1, 200, 2):
            client.send(client.request(stream, w.query(name, w.TXT)))
        time.sleep(1)


@threat("tiny-window", "CVE-2019-9511", "A window of a byte at a time is served, at little cost.")
def tiny_window(s):
    with unnoticed(s):
        client = s.connect("raw-h2", settings=NO_WINDOW)
        client.send(client.request(1, w.query(s.fresh())))
        expect(client.wait(lambda: client.statuses.get(1)) == 200, "no answer")
        for _ in range(20):
            client.send(frame(WINDOW_UPDATE, 0, 1, struct.pack("!I", 1)))
        got = client.wait(lambda: len(client.bodies.get(1, b"")) >= 20)
        expect(got, "%d bytes", len(client.bodies.get(1, b"")))


# --- crowds ---


@threat("idle-crowd", "RFC 9210 4.2",
        "200 idle connections of one address keep nobody else out.")
def idle_crowd(s):
    with unnoticed(s):
        crowds = []
        for port in ("dns", "dot", "doh"):
            for _ in range(200):
                try:
                    crowds.append(socket.create_connection((ADDRESS, s.ports[port]), 2))
                except OSError:
                    break
        time.sleep(0.5)
        for one in crowds:
            one.close()


@threat("idle-crowd-newcomer", "RFC 9210 4.2",
        "While 200 connections of one address are idle, a new client gets in.")
def idle_crowd_newcomer(s):
    crowd = []
    try:
        for _ in range(200):
            crowd.append(socket.create_connection((ADDRESS, s.ports["dns"]), 2))
        time.sleep(0.5)
        with s.connect("tcp", source="127.0.0.3") as client:
            answer = client.ask(w.query(s.fresh()), 3)
        expect(answer is not None and answer.addresses, "not served")
    finally:
        for one in crowd:
            one.close()


@threat("half-handshakes", "handshake flood",
        "300 handshakes that stop after the first message hold nobody up.")
def half_handshakes(s):
    with unnoticed(s):
        crowd = []
        for number in range(300):
            port = ("dot", "doh")[number % 2]
            try:
                raw = socket.create_connection((ADDRESS, s.ports[port]), 2)
                raw.sendall(client_hello(s, port))
                crowd.append(raw)
            except OSError:
                break
        time.sleep(0.5)
        for one in crowd:
            one.close()


@threat("garbage-handshakes", "handshake flood",
        "200 connections that talk nonsense to TLS hold nobody up.")
def garbage_handshakes(s):
    dice = random.Random(7)
    with unnoticed(s):
        for number in range(200):
            port = ("dot", "doh")[number % 2]
            with socket.create_connection((ADDRESS, s.ports[port]), 5) as raw:
                raw.sendall(dice.randbytes(dice.randint(1, 1000)))


# --- messages ---


@threat("trailing-bytes", "CVE-2026-42004",
        "Bytes behind a query are never handed on to the upstream.")
def trailing_bytes(s):
    for protocol in PROTOCOLS:
        name = s.fresh()
        s.outcome(w.query(name) + b"SMUGGLED" * 20, protocol, 2)
        for wire in s.upstream.malformed + [asked.wire for asked in s.upstream.asked]:
            expect(b"SMUGGLED" not in wire, "%s: they were", protocol)


@threat("no-client-bytes-upstream", "CVE-2026-42004",
        "A second question, records and options of a client do not reach the upstream.")
def no_client_bytes_upstream(s):
    record = w.record(b"\7smuggle\0", w.TXT, b"\7SMUGGLE")
    for protocol in PROTOCOLS:
        name = s.fresh()
        plain = w.question(name)
        subnet = w.option(w.ECS, b"\0\1\x18\0\xc0\0\2")
        options = w.opt(options=w.option(65001, b"SMUGGLE") + subnet)
        for wire in (
            w.header(1, w.RD, (2, 0, 0, 0)) + plain + w.question("smuggle.test"),
            w.header(1, w.RD, (1, 1, 0, 0)) + plain + record,
            w.header(1, w.RD, (1, 0, 0, 1)) + plain + record,
            w.query(name, edns=options),
        ):
            s.outcome(wire, protocol, 2)
        for wire in s.upstream.malformed + [asked.wire for asked in s.upstream.asked]:
            expect(b"smuggle" not in wire.lower(), "%s: %r", protocol, wire[:60])
        for asked in list(s.upstream.asked):
            if asked.name == name + "." and asked.message.opts:
                expect(asked.message.option(w.ECS) is None, "%s: a subnet", protocol)


def ask_all(s, wires):
    """Over UDP, so many at once as its queue in the kernel takes; until the answers cease."""
    with s.connect("udp") as client:
        for wire in wires:
            client.send(wire)
        for _ in wires:
            if client.receive(0.05) is None:
                break


@threat("pointers-and-labels", "CVE-2026-52682",
        "700 messages of pointer loops, chains of pointers and labels that overflow cost less "
        "than 4 s of CPU, under a sanitizer too.")
def pointers_and_labels(s):
    head = w.header(1, w.RD, (1, 0, 0, 0))
    nasty = [
        head + b"\xc0\x0c\0\1\0\1",
        head + b"\xc0\x0e\xc0\x0c\0\1\0\1",
        head + b"\xff\xff\0\1\0\1",
        head + b"\x40a\0\0\1\0\1",
        head + (b"\x3f" + b"a" * 63) * 4 + b"\0\0\1\0\1",
        head + b"\1a" * 200 + b"\0\0\1\0\1",
        b"\0\1\1\0" + b"\xff\xff" * 4 + b"\0" * 40,
    ]
    with unnoticed(s):
        begin = cpu_seconds(s)
        for _ in range(100):
            ask_all(s, nasty)
        time.sleep(0.3)
        expect(cpu_seconds(s) - begin < 4, "%.1f s of CPU", cpu_seconds(s) - begin)


@threat("costly-messages", "CVE-2024-8508",
        "Twenty messages of 60 kB, made to be as dear as can be, cost less than 4 s of CPU.")
def costly_messages(s):
    name = s.fresh()
    body, count, previous = bytearray(w.question(name)), 0, 12
    while len(body) < 60000:
        at = 12 + len(body)
        body += b"\1a" + struct.pack("!H", 0xC000 | min(previous, 0x3FFF))
        body += struct.pack("!HHIH", 1, 1, 0, 0)
        previous = at if at < 0x3FFF else previous
        count += 1
    pointers = w.header(1, w.RD, (1, 0, 0, count)) + bytes(body)
    options = w.query(name, edns=w.opt(options=w.option(65001) * 15000))
    with unnoticed(s):
        begin = cpu_seconds(s)
        for wire in (pointers, options):
            for _ in range(10):
                s.outcome(wire, "tcp")
        expect(cpu_seconds(s) - begin < 4, "%.1f s of CPU", cpu_seconds(s) - begin)


@threat("cname-chain", "CVE-2026-5950", "A chain of 200 names, or a loop of two, ends soon.")
def cname_chain(s):
    with unnoticed(s):
        for word in ("chain-200", "cnameloop"):
            begin = time.monotonic()
            answer = s.query(s.fresh(word), "tcp")
            expect(time.monotonic() - begin < 5, "%s: %s", word, rcode_word(answer.rcode))


@threat("random-bytes", "fuzzing from outside",
        "Changed and invented messages over every protocol are survived.")
def random_bytes(s):
    dice = random.Random(20240607)
    good = w.query(s.fresh(), edns=w.opt(options=w.option(w.PADDING, b"\0" * 8)))

    def changed():
        wire = bytearray(good)
        for _ in range(dice.randint(1, 6)):
            at = dice.randrange(len(wire))
            wire[at] = dice.randrange(256)
        return bytes(wire[: dice.randint(1, len(wire))] if dice.random() < 0.2 else wire)

    with unnoticed(s):
        udp = s.connect("udp")
        for _ in range(500):
            udp.send(changed())
        for protocol in ("tcp", "dot"):
            for _ in range(20):
                client = s.connect(protocol)
                try:
                    client.send(*(changed() for _ in range(10)))
                except OSError:
                    pass
                client.close()
        for _ in range(20):
            client = s.connect("raw-h2")
            client.send(dice.randbytes(dice.randint(9, 500)))
            client.close()


@threat("reflection", "DRDoS",
        "Over UDP no answer is above 1,232 bytes; one to an answer, or to port 0, is never given.")
def reflection(s):
    client = s.connect("udp")
    for word in ("many-60", "huge", "ok"):
        for qtype in (w.A, w.TXT, w.ANY):
            client.send(w.query(s.fresh(word), qtype, edns=w.opt(65535)))
            got = client.receive()
            size = len(got or b"")
            expect(size <= 1232, "%s, type %d: %d bytes", word, qtype, size)
    answer = w.reply(w.query(s.fresh()), [w.a(ZONE)])
    expect(client.is_silent(answer), "an answer was answered")


@threat("response-splitting", "CVE-2024-24795",
        "Names with CR, LF and colons do not turn into header fields.")
def response_splitting(s):
    client = s.connect("doh")
    for label in (b"a\r\nx-injected: 1", b"a\nb", b"a\0b", b"\r\n\r\n"):
        name = w.labels_to_name(label, *(part.encode() for part in ZONE.split(".")))
        response = client.wait(client.post(w.query(name)))
        expect("x-injected" not in response.headers, "injected")
        for key, value in response.headers.items():
            expect(not set("\r\n\0") & set(key + value), "%s: %r", key, value)


@threat("many-names", "memory exhaustion",
        "5,000 names that exist nowhere cost no more than a bounded cache.")
def many_names(s):
    before = resident_bytes(s)
    with unnoticed(s, 64 * MIB):
        for _ in range(100):
            ask_all(s, [w.query(s.fresh("nxdomain")) for _ in range(50)])
    grown = resident_bytes(s) - before
    expect(grown < 64 * MIB, "%d MiB", grown // MIB)


# --- upstreams ---


@threat("spoofed-answers", "RFC 5452",
        "Answers with another id, question, opcode or no QR are not believed.")
def spoofed_answers(s):
    words = ("spoofed", "wrongid", "wrongqname", "wrongtype", "qr0", "opcode")
    client = s.connect("udp")
    for number, word in enumerate(words):
        client.send(w.query(s.fresh(word), id=number))
    deadline = time.monotonic() + 8
    while (left := deadline - time.monotonic()) > 0:
        got = client.receive(left)
        answer = got and w.Message(got)
        lies = answer and UNSAFE in answer.addresses
        expect(not lies, "%s: believed", words[answer.id] if answer else "")


@threat("blackhole", "RFC 9520 2.2",
        "When the upstream is silent the client is told so within 5 s, the time a stub waits.",
        restart=True)
def blackhole(s):
    s.upstream.mute = True
    for protocol in PROTOCOLS:
        client = s.connect(protocol)
        wire, begin = w.query(s.fresh()), time.monotonic()
        try:
            answer = client.ask(wire) if protocol == "doh" else client.ask(wire, 6)
        except (AssertionError, TimeoutError):
            answer = None
        took = time.monotonic() - begin
        expect(answer is not None and took < 5, "%s: nothing in %.1f s", protocol, took)
        expect(answer.rcode == w.SERVFAIL, "%s: %s", protocol, rcode_word(answer.rcode))


@threat("late-delivery", "CVE-2024-33655",
        "Answers that an upstream holds back for 7 s do not reach clients in one heap.",
        restart=True)
def late_delivery(s):
    client = s.connect("udp")
    for number in range(100):
        client.send(w.query(s.fresh("slow-7000"), id=number))
    begin, late = time.monotonic(), 0
    while time.monotonic() - begin < 9:
        got = client.receive(1)
        late += bool(got) and time.monotonic() - begin > 6.5
    expect(late == 0, "%d of 100 came after 6.5 s", late)


# --- the firewall ---


@threat("evasion-by-alias", "CVE-2026-50243",
        "A name that leads to a blocked one by CNAME is blocked, from the cache as well.")
def evasion_by_alias(s):
    target = w.name("www." + BLOCKED)
    for protocol in PROTOCOLS:
        name = s.fresh()
        s.upstream.zone[name + "."] = lambda q: w.reply(
            q.wire, [w.record(q.qname, w.CNAME, target), w.a(target, UNSAFE)]
        )
        for times in ("at first", "from the cache"):
            answer = s.query(name, protocol)
            expect(UNSAFE not in answer.addresses, "%s, %s: passed on", protocol, times)


@threat("evasion-by-https", "RFC 9460 2.4.2",
        "An HTTPS record in AliasMode that leads to a blocked name is not passed on.")
def evasion_by_https(s):
    name = s.fresh()
    s.upstream.zone[name + "."] = lambda q: w.reply(
        q.wire, [w.record(q.qname, w.HTTPS, b"\0\0" + w.name("www." + BLOCKED))]
    )
    for protocol in PROTOCOLS:
        answer = s.query(name, protocol, qtype=w.HTTPS)
        expect(w.HTTPS not in answer.types, "%s: passed on", protocol)


@threat("evasion-by-spelling", "RFC 4343",
        "Mixed case does not get round a rule; a dot within a label is no dot.")
def evasion_by_spelling(s):
    first, second = BLOCKED.split(".")
    for protocol in PROTOCOLS:
        for name in ("wWw." + BLOCKED.upper(), BLOCKED.title()):
            answer = s.query(name, protocol)
            expect(answer.rcode == w.NXDOMAIN, "%s %s: passed", protocol, name)
    dotted = w.labels_to_name(b"x" + first.encode() + b"." + second.encode(), b"ok")
    s.ask(w.query(dotted))
    expect(s.asked(w.text(dotted)[:-1]) or s.upstream.asked, "it was taken for another name")


@threat("evasion-by-protocol", "one policy", "A blocked name is blocked over every protocol.")
def evasion_by_protocol(s):
    for protocol in PROTOCOLS:
        for name in (BLOCKED, "a.b.c." + BLOCKED):
            answer = s.query(name, protocol)
            expect(answer.rcode == w.NXDOMAIN, "%s: %s", protocol, rcode_word(answer.rcode))
            expect(not s.asked(name), "%s: the upstream was asked", protocol)


@threat("evasion-by-designation", "RFC 9462 4",
        "No upstream can send clients round the firewall by _dns.resolver.arpa.")
def evasion_by_designation(s):
    for protocol in PROTOCOLS:
        s.query("_dns.resolver.arpa", protocol, qtype=w.SVCB)
    expect(not s.asked("_dns.resolver.arpa"), "the upstream was asked")


# --- of which only namegate can be asked ---

evidence("renegotiation", "CVE-2011-1473", "A client cannot renegotiate.",
         "test_tls.py::test_no_renegotiation")
evidence("early-data-replay", "RFC 8446 8", "No early data is taken, so none can be replayed.",
         "test_tls.py::test_no_early_data")
evidence("ssrf", "SSRF", "Lists are not fetched from private addresses, whoever says so.",
         "test_fetch.py::TestWhoItTalksTo")
evidence("ssrf-redirects", "SSRF", "A redirect leads no list to another host.",
         "test_fetch.py::TestRedirects::test_nowhere_else")
evidence("log-injection", "CVE-2026-0396", "A name stays one value of one line of the log.",
         "test_log.py::test_nasty_names")
evidence("metrics-injection", "CVE-2026-40011", "No label holds what a client chose.",
         "test_metrics.py::test_labels_are_a_closed_set")
evidence("admin-requests", "CVE-2026-33257", "The admin listener has fixed paths, and limits.",
         "test_metrics.py::TestAdmin")
evidence("descriptors-run-out", "EMFILE", "Who is in is served, and others get in again.",
         "test_threats.py::test_descriptors_run_out")
evidence("disk-full", "ENOSPC", "A log that takes nothing holds up no query.",
         "test_log.py::test_full_disk")
evidence("pipe-blocked", "EAGAIN", "A log that nobody reads holds up no query.",
         "test_log.py::test_pipe_that_nobody_reads")
evidence("reload-storm", "SIGHUP races", "Reloads under load lose no query.",
         "test_life.py::test_storm_of_reloads_under_load")
evidence("half-written-files", "half-written certificate", "What is broken replaces nothing.",
         "test_life.py::test_what_is_broken_replaces_nothing")
evidence("rebinding", "DNS rebinding", "Public names do not lead to private addresses, if wanted.",
         "test_firewall.py::TestRebinding")
evidence("acl-bypass", "CVE-2026-24029", "Whose view it is does not depend on the protocol.",
         "test_firewall.py::TestViews::test_unclaimed_client")
evidence("forged-proxy-header", "CVE-2026-24029", "Only listed peers say who a client is.",
         "test_behind_a_proxy.py::TestOtherPeers")
evidence("upstream-flapping", "flapping", "An upstream that comes and goes costs no answers.",
         "test_misbehaviour.py::test_flapping")
evidence("tunnelling", "DNS tunnels", "How fast a client may ask is bounded, as its view says.",
         "test_view_contract.py")
