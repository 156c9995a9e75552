"""HTTP/2 over blocking sockets: by python3-h2 (`H2`), and frame by frame without manners
(`RawH2`)."""

import base64
import socket
import struct
import time
from dataclasses import dataclass, field

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import hpack

from dns_client import PATIENCE_S, tls_context
from dns_wire import Message

MEDIA_TYPE = "application/dns-message"


@dataclass
class Response:
    status: int = 0
    headers: dict = field(default_factory=dict)
    body: bytes = b""
    ended: bool = False
    reset: int = None  # error code of a RST_STREAM

    @property
    def message(self):
        return Message(self.body)

    @property
    def max_age(self):
        for part in self.headers.get("cache-control", "").split(","):
            key, _, value = part.strip().partition("=")
            if key == "max-age":
                return int(value)
        return None


@dataclass
class Goaway:
    last_stream: int
    error: int


def base64url(wire):
    return base64.urlsafe_b64encode(wire).rstrip(b"=").decode()


class H2:
    """One connection. Streams are numbers; `wait(stream)` gives the Response. A context, the server
    name, a source and a preface as with Stream."""

    def __init__(
        self,
        address,
        port,
        ca_file,
        path="/dns-query",
        receive_window=None,
        context=None,
        server_name=None,
        source=None,
        preface=b"",
        patience=PATIENCE_S,
    ):
        self.authority, self.path = "%s:%d" % (address, port), path
        source = (source, 0) if source else None
        raw = socket.create_connection((address, port), patience, source)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if receive_window:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_window)
        if preface:
            raw.sendall(preface)
        name = address if server_name is None else server_name or None
        context = context or tls_context(ca_file, "h2")
        self.socket = context.wrap_socket(raw, server_hostname=name)
        assert self.socket.selected_alpn_protocol() == "h2"
        config = h2.config.H2Configuration(
            client_side=True,
            validate_outbound_headers=False,
            normalize_outbound_headers=False,
            header_encoding="utf-8",
        )
        self.h2 = h2.connection.H2Connection(config)
        self.h2.initiate_connection()
        self.responses = {}
        self.received = b""  # the beginning of a frame
        self.goaway = None
        self.closed = False
        self.acknowledged_pings = 0
        self.flush()

    def flush(self):
        self.send_raw(self.h2.data_to_send())

    def send_raw(self, data):
        self.socket.settimeout(PATIENCE_S)
        try:
            self.socket.sendall(data)
        except (ConnectionError, OSError):
            self.closed = True

    def headers(self, method="POST", path=None, **more):
        """The header fields of a request, as pairs; a value of None leaves one out."""
        fields = {
            ":method": method,
            ":scheme": "https",
            ":authority": self.authority,
            ":path": self.path if path is None else path,
            "accept": MEDIA_TYPE,
        }
        if method == "POST":
            fields["content-type"] = MEDIA_TYPE
        fields.update({key.replace("_", "-"): value for key, value in more.items()})
        return [(key, value) for key, value in fields.items() if value is not None]

    def begin(self, fields, end=False):
        stream = self.h2.get_next_available_stream_id()
        self.responses[stream] = Response()
        self.h2.send_headers(stream, fields, end_stream=end)
        return stream

    def post(self, wire, flush=True, **more):
        more.setdefault("content_length", str(len(wire)))
        stream = self.begin(self.headers("POST", **more))
        size = self.h2.max_outbound_frame_size
        pieces = [wire[at : at + size] for at in range(0, len(wire), size)] or [b""]
        for number, piece in enumerate(pieces):
            self.h2.send_data(stream, piece, end_stream=number == len(pieces) - 1)
        if flush:
            self.flush()
        return stream

    def get(self, wire=None, query=None, method="GET", flush=True, **more):
        """GET with `wire` as ?dns=, or with a query string as it is given."""
        query = "dns=" + base64url(wire) if query is None else query
        more.setdefault("path", self.path + ("?" + query if query else ""))
        stream = self.begin(self.headers(method, **more), end=True)
        if flush:
            self.flush()
        return stream

    def pump(self, timeout):
        """Reads once and takes in what came; False when nothing came in time."""
        self.socket.settimeout(timeout)
        try:
            data = self.socket.recv(65536)
        except TimeoutError:
            return False
        except (ConnectionError, OSError):
            data = b""
        if not data:
            self.closed = True
            return False
        self.received += data
        for frame in self.take_frames():
            for event in self.h2.receive_data(frame):
                self.on_event(event)
        self.flush()
        return True

    def take_frames(self):
        """Whole frames. GOAWAY is kept from python3-h2, which takes it for the end of everything
        although streams below its last id go on (RFC 9113 6.8)."""
        while len(self.received) >= 9:
            length = 9 + int.from_bytes(self.received[:3], "big")
            if len(self.received) < length:
                return
            frame, self.received = self.received[:length], self.received[length:]
            if frame[3] == 7:
                self.goaway = Goaway(*struct.unpack("!II", frame[9:17]))
            else:
                yield frame

    def on_event(self, event):
        response = self.responses.get(getattr(event, "stream_id", None))
        if isinstance(event, h2.events.ResponseReceived):
            response.headers = dict(event.headers)
            response.status = int(response.headers[":status"])
        elif isinstance(event, h2.events.DataReceived):
            response.body += event.data
            self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            response.ended = True
        elif isinstance(event, h2.events.StreamReset):
            response.reset = int(event.error_code)
        elif isinstance(event, h2.events.PingAckReceived):
            self.acknowledged_pings += 1

    def wait(self, *streams, timeout=PATIENCE_S):
        """The responses of the streams, once each of them has ended or was reset."""
        deadline = time.monotonic() + timeout
        waiting = [self.responses[stream] for stream in streams]
        while not all(r.ended or r.reset is not None for r in waiting):
            left = deadline - time.monotonic()
            assert left > 0, "no answer: %r" % [r for r in waiting if not r.ended][:3]
            assert self.pump(left) or not self.closed, "closed before the answer"
        return waiting[0] if len(streams) == 1 else waiting

    def wait_closed(self, timeout=PATIENCE_S):
        """True when the peer ends the connection in time."""
        deadline = time.monotonic() + timeout
        while not self.closed and time.monotonic() < deadline:
            try:
                self.pump(max(deadline - time.monotonic(), 0.001))
            except h2.exceptions.ProtocolError:
                pass
        return self.closed

    def ask(self, wire):
        """POST and the DNS answer."""
        response = self.wait(self.post(wire))
        assert response.status == 200, response
        return response.message

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


DATA, HEADERS, PRIORITY, RST, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = (
    *range(5),
    *range(6, 10),
)
END_STREAM, END_HEADERS, ACK = 1, 4, 1


def frame(kind, flags=0, stream=0, payload=b""):
    """One HTTP/2 frame (RFC 9113 4.1)."""
    return struct.pack("!I", len(payload))[1:] + struct.pack("!BBI", kind, flags, stream) + payload


class RawH2:
    """A connection of frames, for who wants to break the rules: it keeps none of its own, and only
    remembers what came back."""

    def __init__(self, address, port, ca_file, settings=b"", context=None, source=None):
        source = (source, 0) if source else None
        raw = socket.create_connection((address, port), PATIENCE_S, source)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        context = context or tls_context(ca_file, "h2")
        self.socket = context.wrap_socket(raw, server_hostname=address)
        self.authority = "%s:%d" % (address, port)
        self.closed, self.goaway, self.received = False, None, b""
        self.statuses, self.resets, self.bodies = {}, {}, {}
        self.decoder = hpack.Decoder()
        self.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(SETTINGS, 0, 0, settings))

    def fields(self, wire, method="GET", path="/dns-query"):
        get = method == "GET"
        return [
            (":method", method),
            (":scheme", "https"),
            (":authority", self.authority),
            (":path", path + ("?dns=" + base64url(wire) if get else "")),
        ] + ([] if get else [("content-type", MEDIA_TYPE)])

    def block(self, wire, method="GET"):
        """A header block that leaves the compression table as it is."""
        never = [hpack.NeverIndexedHeaderTuple(*field) for field in self.fields(wire, method)]
        return hpack.Encoder().encode(never)

    def request(self, stream, wire):
        return frame(HEADERS, END_STREAM | END_HEADERS, stream, self.block(wire))

    def send(self, data):
        self.socket.settimeout(PATIENCE_S)
        try:
            self.socket.sendall(data)
        except OSError:
            self.closed = True

    def pump(self, timeout=0.001):
        """Takes in what came; False when that was nothing."""
        self.socket.settimeout(timeout)
        try:
            data = self.socket.recv(65536)
        except TimeoutError:
            return False
        except OSError:
            data = b""
        if not data:
            self.closed = True
            return False
        self.received += data
        while len(self.received) >= 9:
            length = 9 + int.from_bytes(self.received[:3], "big")
            if len(self.received) < length:
                break
            one, self.received = self.received[:length], self.received[length:]
            self.on_frame(one[3], int.from_bytes(one[5:9], "big"), one[9:])
        return True

    def on_frame(self, kind, stream, payload):
        if kind == HEADERS:
            self.statuses[stream] = int(dict(self.decoder.decode(payload))[":status"])
        elif kind == DATA:
            self.bodies[stream] = self.bodies.get(stream, b"") + payload
        elif kind == RST:
            self.resets[stream] = int.from_bytes(payload, "big")
        elif kind == GOAWAY:
            self.goaway = Goaway(*struct.unpack("!II", payload[:8]))

    def wait(self, condition, timeout=PATIENCE_S):
        """Reads until the condition holds, the peer closes, or the time is over."""
        deadline = time.monotonic() + timeout
        while not condition() and not self.closed and time.monotonic() < deadline:
            self.pump(min(0.05, timeout))
        return condition()

    def is_closed(self, timeout=PATIENCE_S):
        return self.wait(lambda: self.closed, timeout)

    def close(self):
        self.socket.close()
