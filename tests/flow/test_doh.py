"""DNS over HTTPS: RFC 8484 over HTTP/2 (RFC 9113), and what bad requests cost: their stream."""

import socket
import ssl
import struct
import time

import h2.settings
import pytest

import dns_wire as w
from dns_client import tls_context
from h2_client import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    MEDIA_TYPE,
    PING,
    RST,
    SETTINGS,
    WINDOW_UPDATE,
    base64url,
    frame,
)

ASK = w.query("ok.doh.test", id=0x4242)

PROTOCOL_ERROR, REFUSED_STREAM, ENHANCE_YOUR_CALM = 1, 7, 11


def works(client):
    """The connection is as good as before."""
    return client.ask(w.query("ok.after.test")).rcode == w.NOERROR


@pytest.mark.quick
@pytest.mark.threads
@pytest.mark.parametrize("method", ("get", "post"))
def test_answer(plain, connect, method):
    """rfc8484-4.1, 4.2.1"""
    client = connect(plain, "doh")
    response = client.wait(getattr(client, method)(ASK))
    assert response.status == 200
    assert response.headers["content-type"] == MEDIA_TYPE
    assert response.headers["content-length"] == str(len(response.body))
    assert response.message.addresses == ["192.0.2.1"]
    assert response.message.id == 0x4242


@pytest.mark.parametrize("name, rcode", [("servfail", 2), ("nxdomain", 3), ("refused", 5)])
@pytest.mark.parametrize("method", ("get", "post"))
def test_dns_errors_are_http_200(plain, connect, name, rcode, method):
    """rfc8484-4.2.1"""
    client = connect(plain, "doh")
    response = client.wait(getattr(client, method)(w.query(name + ".errors.test")))
    assert (response.status, response.message.rcode) == (200, rcode)


def test_get_with_id_0(plain, connect):
    """rfc8484-4.1: friendly to caches, and answered with id 0."""
    client = connect(plain, "doh")
    assert client.wait(client.get(w.query("ok.zero.test", id=0))).message.id == 0


def request_row(method="GET", query="", wire=None, **fields):
    """A request that is not what it should be; a `path` of its own has its query with it."""
    return {"method": method, "query": query, "wire": wire, "fields": fields}


ENCODED = base64url(ASK)
REQUESTS = {
    "rfc8484-4.1-no-dns": (request_row(query=""), 400),
    "rfc8484-4.1-other-parameter-only": (request_row(query="name=example.com"), 400),
    "rfc8484-4.1-dns-empty": (request_row(query="dns="), 400),
    "rfc8484-4.1-not-base64url": (request_row(query="dns=!!!!"), 400),
    "rfc8484-4.1-base64-of-the-wrong-kind": (request_row(query="dns=AAAA+/+/"), 400),
    "rfc8484-4.1-impossible-length": (request_row(query="dns=AAAAA"), 400),
    "rfc8484-4.1-garbage": (request_row(query="dns=" + base64url(b"garbage")), 400),
    "rfc8484-4.1-percent": (request_row(query="dns=%41%41%4"), 400),
    "ours-padded-base64url": (request_row(query="dns=" + ENCODED + "=" * (-len(ENCODED) % 4)), 200),
    "ours-more-parameters": (request_row(query="ct=x&dns=%s&random=1" % ENCODED), 200),
    "ours-dns-twice": (request_row(query="dns=%s&dns=AAAA" % ENCODED), (200, 400)),
    "rfc8484-4.1-post-garbage": (request_row("POST", wire=b"garbage"), 400),
    "rfc8484-4.1-post-empty": (request_row("POST", wire=b""), 400),
    "rfc8484-4.1-post-qr1": (request_row("POST", wire=w.query("x.test", flags=w.QR)), 400),
    "rfc8484-4.1-type": (request_row("POST", wire=ASK, content_type="text/plain"), 415),
    "rfc8484-4.1-no-type": (request_row("POST", wire=ASK, content_type=None), 415),
    "rfc8484-4.1-type-json": (
        request_row("POST", wire=ASK, content_type="application/dns-json"),
        415,
    ),
    "rfc9110-8.3-type-in-capitals": (
        request_row("POST", wire=ASK, content_type="Application/DNS-Message"),
        200,
    ),
    "rfc9110-12.5.1-accept-anything": (request_row("POST", wire=ASK, accept="*/*"), 200),
    "rfc9110-12.5.1-no-accept": (request_row("POST", wire=ASK, accept=None), 200),
    "rfc9110-12.5.1-accept-other": (request_row("POST", wire=ASK, accept="text/html"), (200, 406)),
    "rfc9110-15.5.6-put": (request_row("PUT", query="dns=" + ENCODED), 405),
    "rfc9110-15.5.6-delete": (request_row("DELETE", query="dns=" + ENCODED), 405),
    "rfc9110-15.5.6-options": (request_row("OPTIONS", query="dns=" + ENCODED), (200, 204, 405)),
    "rfc9110-9.1-unknown-method": (request_row("BREW", query="dns=" + ENCODED), (405, 501)),
    "rfc9110-15.5.5-path": (request_row(path="/other?dns=" + ENCODED), 404),
    "rfc9110-15.5.5-path-below": (request_row(path="/dns-query/x?dns=" + ENCODED), 404),
    "rfc9110-15.5.5-path-prefix": (request_row(path="/dns-quer?dns=" + ENCODED), 404),
    "rfc9110-15.5.5-path-dots": (request_row(path="/x/../dns-query?dns=" + ENCODED), 404),
    "rfc9110-15.5.14-declared-too-large": (
        request_row("POST", wire=b"x" * 100, content_length="70000", end=False),
        413,
    ),
}


@pytest.mark.parametrize("row", REQUESTS)
def test_request(plain, connect, row):
    """A status for everything, on this stream only."""
    request, outcome = REQUESTS[row]
    fields, method = dict(request["fields"]), request["method"]
    end = fields.pop("end", True)
    client = connect(plain, "doh")
    if method == "POST":
        fields.setdefault("content_length", str(len(request["wire"])))
        stream = client.begin(client.headers("POST", **fields))
        client.h2.send_data(stream, request["wire"], end_stream=end)
        client.flush()
    else:
        stream = client.get(query=request["query"], method=method, **fields)
    response = client.wait(stream)
    assert response.status in (outcome if isinstance(outcome, tuple) else (outcome,))
    if response.status == 405:
        assert "GET" in response.headers["allow"] and "POST" in response.headers["allow"]
    if response.status == 200 and response.body:
        assert response.message.addresses == ["192.0.2.1"]
    assert works(client)


def test_body_too_large(plain, connect):
    """rfc9110-15.5.14: 70,000 bytes in pieces, without a declared length."""
    client = connect(plain, "doh")
    stream = client.begin(client.headers("POST"))
    response, left = client.responses[stream], 70000
    while left and not response.ended and response.reset is None:
        room = min(client.h2.local_flow_control_window(stream), 10000, left)
        if room:
            client.h2.send_data(stream, b"\0" * room, end_stream=room == left)
            left -= room
            client.flush()
        client.pump(0.01 if room else 2)
    response = client.wait(stream)
    assert response.status == 413
    assert works(client)


def test_large_message_is_taken(plain, connect):
    """rfc8484-6: the limit is that of DNS, 65,535 bytes."""
    client = connect(plain, "doh")
    edns = w.opt(options=w.option(65001, b"x" * 40000))
    assert client.ask(w.query("ok.large.test", edns=edns)).rcode in (w.NOERROR, w.FORMERR)


def test_post_without_content_length(plain, connect):
    """rfc9110-8.6: served, as HTTP/2 knows where a body ends (411 is allowed)."""
    client = connect(plain, "doh")
    response = client.wait(client.post(ASK, content_length=None))
    assert response.status in (200, 411)


@pytest.mark.parametrize("declared", (len(ASK) + 5, len(ASK) - 5))
def test_content_length_mismatch(plain, connect, declared):
    """rfc9113-8.1.1: malformed; a stream error or 400."""
    client = connect(plain, "doh")
    response = client.wait(client.post(ASK, content_length=str(declared)))
    assert response.reset == PROTOCOL_ERROR or response.status == 400
    assert works(client)


def test_head(plain, connect):
    """rfc9110-9.3.2: as GET, without the body."""
    client = connect(plain, "doh")
    response = client.wait(client.get(ASK, method="HEAD"))
    assert response.status in (200, 405) and response.body == b""
    assert works(client)


@pytest.mark.parametrize("method", ("get", "post"))
@pytest.mark.parametrize(
    "name, at_most",
    [("ttl-77", 77), ("ttl-0", 0), ("cname.ttl-9", 60), ("nxdomain", 30), ("servfail", 5)],
)
def test_max_age(plain, connect, name, at_most, method):
    """rfc8484-5.1: explicit, and never fresher than the smallest TTL of the answer."""
    client = connect(plain, "doh")
    response = client.wait(getattr(client, method)(w.query(name + ".age.test")))
    assert response.max_age is not None and response.max_age <= at_most
    ttls = [r.ttl for r in response.message.answer]
    if ttls:
        assert response.max_age == min(ttls)


@pytest.mark.threads
def test_interleaved_streams(plain, connect):
    """rfc9113-5: HEADERS of ten streams before any DATA, then bodies byte by byte in turns."""
    client = connect(plain, "doh")
    wires = {}
    for i in range(10):
        wire = w.query("ok.s%d.inter.test" % i, id=i)
        wires[client.begin(client.headers("POST", content_length=str(len(wire))))] = wire
    client.flush()
    for at in range(max(len(wire) for wire in wires.values())):
        for stream, wire in wires.items():
            if at < len(wire):
                client.h2.send_data(stream, wire[at : at + 1], end_stream=at == len(wire) - 1)
        client.flush()
    for i, stream in enumerate(wires):
        response = client.wait(stream)
        assert response.message.id == i
        assert response.message.qname == w.name("ok.s%d.inter.test" % i)


def test_streams_end_out_of_order(plain, connect):
    client = connect(plain, "doh")
    slow = client.post(w.query("slow-600.first.test"))
    fast = client.post(w.query("ok.second.test"))
    assert client.wait(fast).status == 200
    assert not client.responses[slow].ended
    assert client.wait(slow).status == 200


@pytest.mark.threads
def test_hundred_streams_at_once(plain, connect):
    """rfc9113-6.5.2: at least 100 are announced, and served."""
    client = connect(plain, "doh")
    client.pump(2)
    announced = client.h2.remote_settings.max_concurrent_streams
    assert 100 <= announced <= 1000
    streams = [client.post(w.query("ok.h%d.test" % i, id=i), flush=False) for i in range(100)]
    client.flush()
    for i, response in enumerate(client.wait(*streams)):
        assert (response.status, response.message.id) == (200, i)


def test_more_streams_than_announced(plain, connect):
    """rfc9113-5.1.2: an error of the streams that are too many, or, as nghttp2 has it, of the
    connection (5.4.2); then it ends at once, and a new one is served."""
    client = connect(plain, "doh")
    client.pump(2)
    announced = client.h2.remote_settings.max_concurrent_streams
    client.h2.remote_settings[h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS] = 10000
    client.h2.remote_settings.acknowledge()
    streams = [
        client.post(w.query("slow-500.m%d.test" % i), flush=False) for i in range(announced + 20)
    ]
    client.flush()
    while not client.goaway and not client.responses[streams[0]].ended and client.pump(2):
        pass
    if client.goaway:
        assert client.goaway.error in (PROTOCOL_ERROR, REFUSED_STREAM, ENHANCE_YOUR_CALM)
        assert client.wait_closed(3)
        client = connect(plain, "doh")
    else:
        responses = client.wait(*streams)
        assert sum(response.status == 200 for response in responses) <= announced
        assert any(r.reset in (PROTOCOL_ERROR, REFUSED_STREAM) for r in responses)
    assert works(client)


class TestMalformedHeaders:
    """rfc9113-8.2, 8.3: a stream error, or 400; the connection goes on."""

    ROWS = {
        "upper-case-name": [("X-Upper", "1")],
        "connection-header": [("connection", "close")],
        "transfer-encoding": [("transfer-encoding", "chunked")],
        "te-other-than-trailers": [("te", "gzip")],
        "unknown-pseudo-header": [(":unknown", "1")],
        "content-length-not-a-number": [("content-length", "abc")],
        "content-length-twice": [("content-length", "5"), ("content-length", "6")],
    }

    def send(self, client, fields):
        stream = client.begin(fields, end=True)
        client.flush()
        return client.wait(stream)

    @pytest.mark.parametrize("row", ROWS)
    def test_added(self, plain, connect, row):
        client = connect(plain, "doh")
        fields = client.headers("GET", client.path + "?dns=" + ENCODED)
        added = self.ROWS[row]
        at = 4 if added[0][0].startswith(":") else len(fields)
        response = self.send(client, fields[:at] + added + fields[at:])
        assert response.reset is not None or response.status == 400
        assert works(client)

    @pytest.mark.parametrize("missing", (":method", ":scheme", ":path"))
    def test_missing(self, plain, connect, missing):
        client = connect(plain, "doh")
        fields = client.headers("GET", client.path + "?dns=" + ENCODED)
        response = self.send(client, [f for f in fields if f[0] != missing])
        assert response.reset is not None or response.status == 400
        assert works(client)

    @pytest.mark.parametrize("twice", (":method", ":path"))
    def test_twice(self, plain, connect, twice):
        client = connect(plain, "doh")
        fields = client.headers("GET", client.path + "?dns=" + ENCODED)
        doubled = [field for field in fields if field[0] == twice]
        response = self.send(client, doubled + fields)
        assert response.reset is not None or response.status == 400
        assert works(client)

    def test_pseudo_after_regular(self, plain, connect):
        client = connect(plain, "doh")
        fields = client.headers("GET", client.path + "?dns=" + ENCODED)
        response = self.send(client, fields[4:] + fields[:4])
        assert response.reset is not None or response.status == 400
        assert works(client)

    @pytest.mark.parametrize("bad", ("a\0b", "a\rb", "a\nb"), ids=("nul", "cr", "lf"))
    def test_control_character_in_path(self, plain, connect, bad):
        client = connect(plain, "doh")
        response = self.send(client, client.headers("GET", client.path + "?dns=" + bad))
        assert response.reset is not None or response.status == 400
        assert works(client)


def test_unknown_frames_and_settings_are_ignored(plain, connect):
    """rfc9113-4.1, 6.5.2, 5.5"""
    client = connect(plain, "doh")
    client.send_raw(frame(0xFA, 0xFF, 0, b"what is this"))
    client.send_raw(frame(4, 0, 0, struct.pack("!HI", 0xFAFA, 1)))
    assert works(client)


class TestBrokenRules:
    """What breaks the rules of the connection ends it (RFC 9113 5.4.1), and at once; what breaks
    those of a stream ends the stream or the connection, as its 5.4.2 allows."""

    REQUEST = object()  # a good request on stream 1 goes before

    CONNECTION = {
        "4.2-frame-too-large": [REQUEST, frame(DATA, 0, 1, b"x" * 16385)],
        "5.1-data-on-idle-stream": [frame(DATA, END_STREAM, 1, b"x")],
        "5.1-reset-of-idle-stream": [frame(RST, 0, 1, b"\0\0\0\x08")],
        "5.1-window-update-of-idle-stream": [frame(WINDOW_UPDATE, 0, 1, b"\0\0\0\1")],
        "5.1-continuation-without-headers": [frame(CONTINUATION, END_HEADERS, 1, b"")],
        "5.1.1-even-stream": [frame(HEADERS, END_STREAM | END_HEADERS, 2, b"\x82")],
        "6.1-data-on-stream-0": [frame(DATA, END_STREAM, 0, b"x")],
        "6.1-padding-longer-than-payload": [REQUEST, frame(DATA, 0x8, 3, b"\xff")],
        "6.2-headers-on-stream-0": [frame(HEADERS, END_STREAM | END_HEADERS, 0, b"\x82")],
        "6.2-frame-between-headers-and-continuation": [
            frame(HEADERS, 0, 1, b"\x82"),
            frame(SETTINGS),
        ],
        "6.4-reset-of-three-bytes": [REQUEST, frame(RST, 0, 1, b"\0\0\0")],
        "6.5-settings-on-a-stream": [frame(SETTINGS, 0, 1)],
        "6.5-settings-of-five-bytes": [frame(SETTINGS, 0, 0, b"\0\4\0\0\0")],
        "6.5.2-window-too-large": [frame(SETTINGS, 0, 0, b"\0\4\xff\xff\xff\xff")],
        "6.5.2-frame-size-too-small": [frame(SETTINGS, 0, 0, b"\0\5\0\0\0\1")],
        "6.7-ping-of-seven-bytes": [frame(PING, 0, 0, b"1234567")],
        "6.7-ping-on-a-stream": [frame(PING, 0, 1, b"12345678")],
        "6.9-window-update-of-nothing": [frame(WINDOW_UPDATE, 0, 0, b"\0\0\0\0")],
        "6.9.1-window-overflow": [frame(WINDOW_UPDATE, 0, 0, b"\x7f\xff\xff\xff")],
        "4.3-header-block-of-nonsense": [frame(HEADERS, END_STREAM | END_HEADERS, 1, b"\xff" * 40)],
    }

    @pytest.mark.parametrize("row", CONNECTION)
    def test_connection(self, plain, connect, row):
        client = connect(plain, "raw-h2")
        for piece in self.CONNECTION[row]:
            if piece is self.REQUEST:
                client.send(client.request(1, ASK))
                assert client.wait(lambda: client.bodies.get(1))
            else:
                client.send(piece)
        assert client.is_closed(3)
        assert client.goaway and client.goaway.error != 0
        assert works(connect(plain, "doh"))

    @pytest.mark.parametrize(
        "row, frames",
        [
            ("5.1-data-on-closed-stream", [frame(DATA, END_STREAM, 1, b"x")]),
            ("6.9-window-update-of-nothing", [frame(WINDOW_UPDATE, 0, 3, b"\0\0\0\0")]),
            ("6.9.1-window-overflow", [frame(WINDOW_UPDATE, 0, 3, b"\x7f\xff\xff\xff")]),
        ],
    )
    def test_stream(self, plain, connect, row, frames):
        client = connect(plain, "raw-h2")
        client.send(client.request(1, ASK))
        assert client.wait(lambda: client.bodies.get(1))
        client.send(client.request(3, w.query("slow-200.rules.test")))
        for piece in frames:
            client.send(piece)
        client.wait(lambda: client.resets or client.goaway or client.statuses.get(3))
        if not client.goaway:
            client.send(client.request(5, ASK))
            assert client.wait(lambda: client.statuses.get(5)) == 200
        else:
            assert client.is_closed(3)


def test_bad_preface(plain):
    """rfc9113-3.4: the connection ends, and says nothing of DNS."""
    raw = socket.create_connection(("127.0.0.1", plain.ports["doh"]), 5)
    context = tls_context(plain.certificates.ca, "h2")
    with context.wrap_socket(raw, server_hostname="127.0.0.1") as stream:
        stream.sendall(b"GET /dns-query?dns=%s HTTP/1.1\r\nHost: x\r\n\r\n" % ENCODED.encode())
        stream.settimeout(5)
        data = b""
        try:
            while part := stream.recv(65536):
                data += part
        except (ConnectionError, ssl.SSLEOFError):
            pass
    assert b"HTTP/1.1 200" not in data and MEDIA_TYPE.encode() not in data


@pytest.mark.parametrize("alpn", ("http/1.0", "h2c", "dot", "h3"))
def test_alpn_must_be_known(plain, alpn):
    """rfc7301-3.2: who offers neither h2 nor http/1.1 is told so in the handshake."""
    raw = socket.create_connection(("127.0.0.1", plain.ports["doh"]), 5)
    with pytest.raises((ssl.SSLError, ConnectionError)):
        stream = tls_context(plain.certificates.ca, alpn).wrap_socket(
            raw, server_hostname="127.0.0.1"
        )
        if stream.recv(100) == b"":
            raise ConnectionError("closed")
    raw.close()


def test_header_list_is_limited(plain, connect):
    """rfc9113-10.5.1, 6.5.2: announced, and 431 or a reset beyond it."""
    client = connect(plain, "doh")
    client.pump(2)
    announced = client.h2.remote_settings.max_header_list_size
    assert announced and 8192 <= announced <= 65536
    fields = client.headers("GET", client.path + "?dns=" + ENCODED)
    fields += [("x-filler-%d" % i, "y" * 1000) for i in range(announced // 1000 + 2)]
    stream = client.begin(fields, end=True)
    client.flush()
    response = client.wait(stream)
    assert response.status == 431 or response.reset is not None
    assert works(client)


def test_idle_connection_is_closed(maker, scripted, connect):
    settings = maker.settings(scripted=scripted)
    settings["limits"] = {"idle_timeout": "1s", "request_timeout": "1s"}
    client = connect(maker.start(settings), "doh")
    assert works(client)
    begin = time.monotonic()
    assert client.wait_closed(6) and time.monotonic() - begin > 0.5


@pytest.mark.threads
def test_client_leaves_with_streams_open(plain, connect):
    """What was asked for and not yet answered goes with the connection (see the leak check)."""
    for round in range(3):
        client = connect(plain, "doh")
        for i in range(20):
            client.post(w.query("slow-200.l%d.r%d.test" % (i, round)), flush=False)
        client.begin(client.headers("POST", content_length="100"))
        client.flush()
        time.sleep(0.05)
        client.close()
    time.sleep(0.4)
    assert works(connect(plain, "doh"))


def test_reset_stream_leaves_the_others(plain, connect):
    """A client that takes back one of its requests while it waits."""
    client = connect(plain, "doh")
    first = client.post(w.query("slow-200.reset.test"))
    second = client.post(w.query("slow-200.reset.test"))
    client.h2.reset_stream(first)
    client.flush()
    assert client.wait(second).status == 200
    assert works(client)


def test_path_of_the_listener(maker, scripted, connect):
    settings = maker.settings(scripted=scripted)
    settings["listeners"][0]["path"] = "/secret/dns"
    namegate = maker.start(settings)
    client = connect(namegate, "doh", path="/secret/dns")
    assert works(client)
    assert client.wait(client.get(ASK, path="/dns-query?dns=" + ENCODED)).status == 404
