"""DNS over HTTPS: RFC 8484, and the HTTP/2 (RFC 9113) below it."""

import socket
import ssl
import struct

import h2.exceptions
import h2.settings

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
from rows import expect, proven, row
from server import ADDRESS

LARGE = 70000  # bytes of a body, more than any DNS message


def get(client, query, **more):
    return client.wait(client.get(query=query, **more))


def post(client, wire, **more):
    return client.wait(client.post(wire, **more))


def expect_status(response, wanted, what):
    wanted = wanted if isinstance(wanted, tuple) else (wanted,)
    found = response.status if response.reset is None else "reset"
    expect(found in wanted, "%s: %s", what, found)


def expect_works(s, client, what):
    """The connection is as good as before."""
    try:
        answer = client.ask(w.query(s.fresh()))
    except (AssertionError, OSError, h2.exceptions.ProtocolError) as error:
        expect(False, "%s: the connection is lost: %s", what, error)
    expect(answer.rcode == w.NOERROR, "%s: the connection is of no use", what)


@row("doh-get-and-post", "RFC 8484 4.1", "M", "GET and POST are answered, id and all.")
def doh_get_and_post(s):
    for method in ("get", "post"):
        client = s.connect("doh")
        wire = w.query(s.fresh(), id=0x4242)
        response = client.wait(getattr(client, method)(wire))
        expect_status(response, 200, method)
        expect(response.message.id == 0x4242 and response.message.addresses, "%s: no", method)


@row("doh-id-0", "RFC 8484 4.1", "S", "Id 0, which caches like, is answered with id 0.")
def doh_id_0(s):
    client = s.connect("doh")
    response = client.wait(client.get(w.query(s.fresh(), id=0)))
    expect(response.message.id == 0, "id %d", response.message.id)


@row("doh-media-type", "RFC 8484 4.2.1", "M", "The answer has its media type and its length.")
def doh_media_type(s):
    client = s.connect("doh")
    response = post(client, w.query(s.fresh()))
    kind, length = (response.headers.get(word) for word in ("content-type", "content-length"))
    expect(kind == MEDIA_TYPE, "content-type: %s", kind)
    expect(length in (None, str(len(response.body))), "content-length: %s", length)


@row("doh-dns-errors-are-200", "RFC 8484 4.2.1", "M",
     "SERVFAIL, NXDOMAIN and REFUSED are answers, so their status is 200.")
def doh_dns_errors_are_200(s):
    for word, rcode in (("servfail", 2), ("nxdomain", 3), ("refused", 5)):
        for method in ("get", "post"):
            client = s.connect("doh")
            response = client.wait(getattr(client, method)(w.query(s.fresh(word))))
            expect_status(response, 200, word)
            known = (rcode,) if word == "nxdomain" else (rcode, w.SERVFAIL)
            expect(response.message.rcode in known, "%s: %d", word, response.message.rcode)


@row("doh-parameter-missing-or-bad", "RFC 8484 4.1", "M",
     "GET without a good dns parameter is 400, and costs its stream only.")
def doh_parameter_missing_or_bad(s):
    rows = ("", "name=example.com", "dns=", "dns=!!!!", "dns=AAAA+/+/", "dns=AAAAA",
            "dns=" + base64url(b"garbage"))
    for query in rows:
        client = s.connect("doh")
        expect_status(get(client, query), 400, query or "nothing")
        expect_works(s, client, query or "nothing")


@row("doh-bad-message", "ours", "B", "A message that is no DNS is 400, and costs its stream only.")
def doh_bad_message(s):
    for wire in (b"", b"garbage", b"\0" * 11, w.query(s.fresh(), flags=w.QR)):
        client = s.connect("doh")
        expect_status(post(client, wire), 400, "%d bytes" % len(wire))
        expect_works(s, client, "%d bytes" % len(wire))


@row("doh-media-type-of-request", "RFC 8484 4.1", "M",
     "POST with another media type, or none, is 415; its case does not count.")
def doh_media_type_of_request(s):
    wire = w.query(s.fresh())
    for kind, wanted in (
        ("text/plain", 415),
        (None, (400, 415)),
        ("application/dns-messages", 415),
        ("Application/DNS-Message", 200),
    ):
        client = s.connect("doh")
        expect_status(post(client, wire, content_type=kind), wanted, str(kind))
        expect_works(s, client, str(kind))


@row("doh-too-large", "RFC 9110 15.5.14", "M", "A body above 65,535 bytes is 413.")
def doh_too_large(s):
    client = s.connect("doh")
    stream = client.begin(client.headers("POST"))
    response, left = client.responses[stream], LARGE
    while left and not response.ended and response.reset is None and not client.closed:
        room = min(client.h2.local_flow_control_window(stream), 10000, left)
        if room:
            client.h2.send_data(stream, b"\0" * room, end_stream=room == left)
            left -= room
            client.flush()
        client.pump(0.01 if room else 2)
    expect_status(client.wait(stream), 413, "%d bytes" % LARGE)
    expect_works(s, client, "afterwards")


@row("doh-methods", "RFC 9110 15.5.6", "M",
     "Another method is 405 with what is allowed; one that nobody knows 405 or 501.")
def doh_methods(s):
    query = "dns=" + base64url(w.query(s.fresh()))
    for method, wanted in (("PUT", 405), ("DELETE", 405), ("BREW", (405, 501))):
        client = s.connect("doh")
        response = get(client, query, method=method)
        expect_status(response, wanted, method)
        allowed = response.headers.get("allow", "")
        told = response.status != 405 or ("GET" in allowed and "POST" in allowed)
        expect(told, "%s: allow is %r", method, allowed)
        expect_works(s, client, method)


@row("doh-head", "RFC 9110 9.3.2", "M", "HEAD has no body.")
def doh_head(s):
    client = s.connect("doh")
    response = client.wait(client.get(w.query(s.fresh()), method="HEAD"))
    expect(response.body == b"", "%d bytes", len(response.body))
    expect_works(s, client, "HEAD")


@row("doh-other-paths", "RFC 9110 15.5.5", "M", "Another path is 404.")
def doh_other_paths(s):
    query = "?dns=" + base64url(w.query(s.fresh()))
    for path in ("/other", "/dns-quer", "/dns-queryx", "/"):
        client = s.connect("doh")
        expect_status(get(client, "x", path=path + query), 404, path)
        expect_works(s, client, path)


@row("doh-accept", "RFC 9110 12.5.1", "M", "Accept of anything, or none, is served.")
def doh_accept(s):
    wire = w.query(s.fresh())
    for accept, wanted in (("*/*", 200), (None, 200), ("text/html", (200, 406))):
        client = s.connect("doh")
        expect_status(post(client, wire, accept=accept), wanted, str(accept))


@row("doh-without-content-length", "RFC 9110 8.6", "S",
     "POST without a content-length is served, or 411.")
def doh_without_content_length(s):
    client = s.connect("doh")
    expect_status(post(client, w.query(s.fresh()), content_length=None), (200, 411), "POST")


@row("doh-in-pieces", "RFC 9113 8.1", "M", "Bodies come byte by byte, of ten streams in turns.")
def doh_in_pieces(s):
    client, wires = s.connect("doh"), {}
    for number in range(10):
        wire = w.query(s.fresh(), id=number)
        wires[client.begin(client.headers("POST", content_length=str(len(wire))))] = wire
    client.flush()
    for at in range(max(len(wire) for wire in wires.values())):
        for stream, wire in wires.items():
            if at < len(wire):
                client.h2.send_data(stream, wire[at : at + 1], end_stream=at == len(wire) - 1)
        client.flush()
    for stream, wire in wires.items():
        response = client.wait(stream)
        expect_status(response, 200, "in pieces")
        same = response.message.question_bytes == w.Message(wire).question_bytes
        expect(same, "answers are mixed up")


@row("doh-freshness", "RFC 8484 5.1", "S",
     "max-age is told, and is never above the smallest TTL or, of NXDOMAIN, the SOA minimum.")
def doh_freshness(s):
    for word, most in (("ttl-77", 77), ("ttl-0", 0), ("cname.ttl-9", 60), ("nxdomain", 30)):
        name = s.fresh(word)
        for times in ("at first", "again"):
            client = s.connect("doh")
            response = client.wait(client.get(w.query(name)))
            age = response.max_age
            expect(age is not None, "%s %s: not told", word, times)
            expect(age <= most, "%s %s: %s", word, times, age)
            ttls = [r.ttl for r in response.message.answer]
            expect(not ttls or age <= min(ttls), "%s %s: %s of %s", word, times, age, ttls)


@row("doh-more-parameters", "ours", "B", "Other parameters are ignored; dns twice is 200 or 400.")
def doh_more_parameters(s):
    encoded = base64url(w.query(s.fresh()))
    for query, wanted in (
        ("ct=x&dns=%s&random=1" % encoded, 200),
        ("dns=%s&dns=AAAA" % encoded, (200, 400)),
    ):
        client = s.connect("doh")
        expect_status(get(client, query), wanted, query[:10])


@row("never-truncated-on-streams", "ours", "B",
     "Over TCP, DoT and DoH the EDNS size does not count, and TC is never set.")
def never_truncated_on_streams(s):
    for protocol in ("tcp", "dot", "doh"):
        answer = s.query(s.fresh("many-90"), protocol, edns=w.opt(512))
        expect(not answer.truncated, "%s: truncated", protocol)
        expect(len(answer.addresses) == 90, "%s: %d", protocol, len(answer.addresses))


@row("doh-transfer", "RFC 9103 7", "M", "AXFR and IXFR over DoH are told no.")
def doh_transfer(s):
    client = s.connect("doh")
    for qtype in (w.AXFR, w.IXFR):
        response = post(client, w.query(s.fresh(), qtype))
        if response.status == 200:
            expect(response.message.rcode not in (w.NOERROR,), "type %d: NOERROR", qtype)


@row("h2-alpn", "RFC 9113 3.2", "M", "A client that offers h2 gets h2.")
def h2_alpn(s):
    raw = socket.create_connection((ADDRESS, s.ports["doh"]), 5)
    with tls_context(s.ca, "h2").wrap_socket(raw, server_hostname=ADDRESS) as stream:
        expect(stream.selected_alpn_protocol() == "h2", "%s", stream.selected_alpn_protocol())


@row("h2-bad-preface", "RFC 9113 3.4", "M", "A preface that is none ends the connection.")
def h2_bad_preface(s):
    raw = socket.create_connection((ADDRESS, s.ports["doh"]), 5)
    with tls_context(s.ca, "h2").wrap_socket(raw, server_hostname=ADDRESS) as stream:
        stream.settimeout(8)
        try:
            stream.sendall(b"BREW /dns-query HTTP/3.7\r\nHost: x\r\n\r\n" * 2)
            while stream.recv(65536):
                pass
        except (ConnectionError, ssl.SSLError):
            pass
        except TimeoutError:
            expect(False, "still there after 8 s")


REQUEST = object()  # a good request on stream 1 goes before
CONNECTION_ERRORS = {
    "4.2 frame too large": [REQUEST, frame(DATA, 0, 1, b"x" * 16385)],
    "5.1 DATA on an idle stream": [frame(DATA, END_STREAM, 1, b"x")],
    "5.1 RST_STREAM of an idle stream": [frame(RST, 0, 1, b"\0\0\0\x08")],
    "5.1 WINDOW_UPDATE of an idle stream": [frame(WINDOW_UPDATE, 0, 1, b"\0\0\0\1")],
    "5.1 CONTINUATION without HEADERS": [frame(CONTINUATION, END_HEADERS, 1, b"")],
    "5.1.1 even stream": [frame(HEADERS, END_STREAM | END_HEADERS, 2, b"\x82")],
    "6.1 DATA on stream 0": [frame(DATA, END_STREAM, 0, b"x")],
    "6.2 HEADERS on stream 0": [frame(HEADERS, END_STREAM | END_HEADERS, 0, b"\x82")],
    "6.4 RST_STREAM of three bytes": [REQUEST, frame(RST, 0, 1, b"\0\0\0")],
    "6.5 SETTINGS on a stream": [frame(SETTINGS, 0, 1)],
    "6.5 SETTINGS of five bytes": [frame(SETTINGS, 0, 0, b"\0\4\0\0\0")],
    "6.5.2 window too large": [frame(SETTINGS, 0, 0, b"\0\4\xff\xff\xff\xff")],
    "6.5.2 frame size too small": [frame(SETTINGS, 0, 0, b"\0\5\0\0\0\1")],
    "6.7 PING of seven bytes": [frame(PING, 0, 0, b"1234567")],
    "6.7 PING on a stream": [frame(PING, 0, 1, b"12345678")],
    "6.9 WINDOW_UPDATE of nothing": [frame(WINDOW_UPDATE, 0, 0, b"\0\0\0\0")],
    "6.9.1 window overflow": [frame(WINDOW_UPDATE, 0, 0, b"\x7f\xff\xff\xff")],
    "4.3 header block of nonsense": [frame(HEADERS, END_STREAM | END_HEADERS, 1, b"\xff" * 40)],
}


@row("h2-connection-errors", "RFC 9113 5.4.1", "M",
     "What breaks the rules of the connection ends it (18 cases).")
def h2_connection_errors(s):
    for what, pieces in CONNECTION_ERRORS.items():
        client = s.connect("raw-h2")
        for piece in pieces:
            if piece is REQUEST:
                client.send(client.request(1, w.query(s.fresh())))
                expect(client.wait(lambda: client.bodies.get(1)), "no answer")
            else:
                client.send(piece)
        over = client.wait(lambda: client.closed or (client.goaway and client.goaway.error), 4)
        expect(over, "%s: it goes on", what)


@row("h2-late-frames", "RFC 9113 5.1", "M",
     "DATA or HEADERS on a stream that is closed is an error.")
def h2_late_frames(s):
    for kind in (DATA, HEADERS):
        client = s.connect("raw-h2")
        client.send(client.request(1, w.query(s.fresh())))
        expect(client.wait(lambda: client.bodies.get(1)), "no answer")
        if kind == DATA:
            client.send(frame(DATA, END_STREAM, 1, b"x"))
        else:
            client.send(client.request(1, w.query(s.fresh())))
        over = client.wait(lambda: client.closed or client.goaway or client.resets, 3)
        expect(over, "type %d: ignored", kind)


@row("h2-unknown-is-ignored", "RFC 9113 4.1, 5.5", "M",
     "Frame types and settings that nobody knows are ignored.")
def h2_unknown_is_ignored(s):
    client = s.connect("doh")
    client.send_raw(frame(0xFA, 0xFF, 0, b"what is this"))
    client.send_raw(frame(SETTINGS, 0, 0, struct.pack("!HI", 0xFAFA, 1)))
    expect_works(s, client, "unknown")


@row("h2-hundred-streams", "RFC 9113 6.5.2", "S", "At least 100 streams are announced, and served.")
def h2_hundred_streams(s):
    client = s.connect("doh")
    client.pump(2)
    announced = client.h2.remote_settings.max_concurrent_streams
    expect(announced >= 100, "%d announced", announced)
    streams = [client.post(w.query(s.fresh(), id=i), flush=False) for i in range(100)]
    client.flush()
    for number, response in enumerate(client.wait(*streams)):
        expect_status(response, 200, "stream %d" % number)
        expect(response.message.id == number, "answers are mixed up")


@row("h2-content-length", "RFC 9113 8.1.1", "M",
     "A body that is not as long as declared is an error of its stream, or 400.")
def h2_content_length(s):
    wire = w.query(s.fresh())
    for declared in (len(wire) + 5, len(wire) - 5):
        client = s.connect("doh")
        response = post(client, wire, content_length=str(declared))
        refused = response.reset is not None or 400 <= response.status < 500
        expect(refused, "%+d: status %d", declared - len(wire), response.status)
        expect_works(s, client, "%+d" % (declared - len(wire)))


MALFORMED = {
    "upper case": [("X-Upper", "1")],
    "connection": [("connection", "close")],
    "transfer-encoding": [("transfer-encoding", "chunked")],
    "te": [("te", "gzip")],
    "unknown pseudo-header": [(":unknown", "1")],
    "content-length is no number": [("content-length", "abc")],
    "NUL": [("x-nul", "a\0b")],
    "CR": [("x-cr", "a\rb")],
    "LF": [("x-lf", "a\nb")],
}


def malformed_requests(client, encoded):
    fields = client.headers("GET", client.path + "?dns=" + encoded)
    for what, added in MALFORMED.items():
        at = 4 if added[0][0].startswith(":") else len(fields)
        yield what, fields[:at] + added + fields[at:]
    for missing in (":method", ":scheme", ":path"):
        yield "no " + missing, [field for field in fields if field[0] != missing]
    for twice in (":method", ":path"):
        yield twice + " twice", [field for field in fields if field[0] == twice] + fields
    yield "pseudo-headers behind others", fields[4:] + fields[:4]


@row("h2-malformed-fields", "RFC 9113 8.2, 8.3", "M",
     "Malformed header fields are an error of their stream, or 400 (15 cases).")
def h2_malformed_fields(s):
    encoded = base64url(w.query(s.fresh()))
    for what, fields in malformed_requests(s.connect("doh"), encoded):
        client = s.connect("doh")
        stream = client.begin(fields, end=True)
        client.flush()
        response = client.wait(stream)
        expect(response.reset is not None or response.status == 400, "%s: %d", what,
               response.status)
        expect_works(s, client, what)


@row("h2-fields-too-large", "RFC 9113 10.5.1", "S",
     "MAX_HEADER_LIST_SIZE is announced, and held to: 431 or a reset.")
def h2_fields_too_large(s):
    client = s.connect("doh")
    client.pump(2)
    announced = client.h2.remote_settings.max_header_list_size
    expect(announced is not None, "not announced")
    fields = client.headers("GET", client.path + "?dns=" + base64url(w.query(s.fresh())))
    stream = client.begin(fields + [("x-%d" % i, "y" * 1000) for i in range(40)], end=True)
    client.flush()
    response = client.wait(stream)
    refused = response.reset is not None or response.status == 431
    expect(refused, "40 kB: status %d", response.status)


proven("doh", "h2-goaway", "RFC 9113 6.8", "S",
       "Who is told to stop finishes what is under way, and says GOAWAY first.",
       "tests/flow/test_life.py::TestStop::test_drain")
