"""A DoT or DoH resolver that misbehaves on request, for namegate to ask.

What is said is told by the question's name, as in scripted_dns.py; how it is said by `manner`, the
word of a method here: with "reset", `on_reset` is called instead of an answer.
`handshake` is what happens before: "tls", or a word of HANDSHAKES. `times` bounds how often the
manner is shown; then the server is a good one. Everything that arrives is kept: `asked`,
`connections`, `requests` (header fields of HTTP), and in `violations` what no client may do.
"""

import asyncio
import base64
import socket
import ssl
import struct
import time
from dataclasses import dataclass

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings

from scripted_dns import ScriptedDns

MEDIA_TYPE = "application/dns-message"
ALPN = {"dot": ["dot"], "doh": ["h2"]}
HANDSHAKES = {
    "never": None,  # the connection is taken, and that is all
    "refused": b"",  # closed at once
    "plain": b"HTTP/1.0 400 This is not TLS\r\n\r\n",
}


@dataclass
class Connection:
    """One connection that a client made, once its handshake is over."""

    at: float  # time.monotonic()
    resumed: bool
    alpn: str
    server_name: str  # None: no SNI
    asked: int = 0
    closed: bool = False


class ScriptedTls(ScriptedDns):
    def __init__(self, port, protocol, certificates, address="127.0.0.1"):
        super().__init__(port, address)
        self.protocol, self.certificates = protocol, certificates
        self.handshake, self.manner, self.times = "tls", None, None
        self.alpn = ALPN[protocol]
        self.idle_s = None  # connections are closed after so long without a query
        self.max_streams = 100  # doh
        self.hold = 2  # "reorder": so many queries before the first answer
        self.connections, self.requests, self.violations = [], [], []
        self.accepted = 0
        self._server_names = {}
        self._writers = set()

    # --- for tests ---

    @property
    def open_connections(self):
        return [c for c in self.connections if not c.closed]

    def drop_all(self, reset=False):
        """Closes every connection from our side, now."""

        def drop():
            for writer in list(self._writers):
                self._reset(writer) if reset else writer.close()

        self._loop.call_soon_threadsafe(drop)

    def upstream(self, **more):
        """It as an upstream in namegate's configuration; None takes a setting out."""
        settings = {
            "name": "scripted-%s" % self.protocol,
            "protocol": self.protocol,
            "address": self.address,
            "port": self.port,
            "tls_ca": str(self.certificates.ca),
            **more,
        }
        return {key: value for key, value in settings.items() if value is not None}

    # --- connections ---

    async def _start(self):
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(self.certificates.certificate, self.certificates.key)
        self._tls.sni_callback = self._on_server_name
        self._server = await asyncio.start_server(self._accept, self.address, self.port)

    def _close(self):
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()

    def _on_server_name(self, ssl_object, name, _):
        self._server_names[id(ssl_object)] = name

    async def _accept(self, reader, writer):
        self.accepted += 1
        self._writers.add(writer)
        try:
            if self.handshake == "tls":
                await self._serve(reader, writer)
            elif HANDSHAKES[self.handshake] is None:
                await reader.read()
            else:
                writer.write(HANDSHAKES[self.handshake])
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError, TimeoutError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _serve(self, reader, writer):
        if self.alpn:
            self._tls.set_alpn_protocols(self.alpn)
        await writer.start_tls(self._tls, ssl_handshake_timeout=5)
        ssl_object = writer.get_extra_info("ssl_object")
        connection = Connection(
            time.monotonic(),
            ssl_object.session_reused,
            ssl_object.selected_alpn_protocol(),
            self._server_names.pop(id(ssl_object), None),
        )
        self.connections.append(connection)
        try:
            await (Dot if self.protocol == "dot" else Doh)(self, connection, reader, writer).run()
        finally:
            connection.closed = True

    def _reset(self, writer):
        linger = struct.pack("ii", 1, 0)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.transport.abort()

    def take_manner(self):
        """The manner for a query that has come; None for good ones."""
        if not self.manner or self.times == 0:
            return None
        if self.times:
            self.times -= 1
        return self.manner


class Talk:
    """One connection's conversation."""

    def __init__(self, server, connection, reader, writer):
        self.server, self.connection = server, connection
        self.reader, self.writer = reader, writer
        self.held = []

    def note(self, wire):
        self.connection.asked += 1
        peer = self.writer.get_extra_info("peername")
        return self.server._note(self.server.protocol, peer, wire)

    async def read(self, reading):
        return await asyncio.wait_for(reading, self.server.idle_s)

    def handle(self, query, asked):
        """`query` is what an answer needs: nothing for DoT, the stream for DoH."""
        manner = self.server.take_manner()
        if manner:
            getattr(self, "on_" + manner)(query, asked)
        else:
            self.reply(query, asked)

    def reply(self, query, asked):
        delay, replies = self.server.answer(asked)
        for one in replies:
            if delay:
                self.server._loop.call_later(delay, self.send, query, one)
            else:
                self.send(query, one)

    def on_silent(self, query, asked):
        pass

    def on_close(self, query, asked):
        self.writer.close()

    def on_reset(self, query, asked):
        self.server._reset(self.writer)

    def on_reorder(self, query, asked):
        """The last one first; what is alone is answered late."""
        self.held.append((query, asked))
        if len(self.held) >= self.server.hold:
            self.release()
        else:
            self.server._loop.call_later(0.3, self.release)

    def release(self):
        held, self.held = self.held, []
        for query, asked in reversed(held):
            self.reply(query, asked)

    def on_garbage(self, query, asked):
        self.write(b"\xff\xfe\x00garbage" * 40)

    def write(self, data):
        if not self.writer.is_closing():
            self.writer.write(data)


class Dot(Talk):
    async def run(self):
        while True:
            length = struct.unpack("!H", await self.read(self.reader.readexactly(2)))[0]
            self.handle(None, self.note(await self.read(self.reader.readexactly(length))))

    def send(self, query, one):
        if one:
            self.write(struct.pack("!H", len(one)) + one)
        else:
            self.writer.close()

    def on_close_after(self, query, asked):
        self.reply(query, asked)
        self.writer.close()

    def on_twice(self, query, asked):
        self.reply(query, asked)
        self.reply(query, asked)

    def on_trickle(self, query, asked):
        """A byte at a time, each in a TLS record of its own."""
        _, (one, *_) = self.server.answer(asked)
        for i, byte in enumerate(struct.pack("!H", len(one)) + one):
            self.server._loop.call_later(0.002 * i, self.write, bytes([byte]))

    def on_empty(self, query, asked):
        """Messages of no length."""
        self.write(b"\0\0" * 100)

    def on_short(self, query, asked):
        """A message that never ends."""
        self.write(b"\xff\xff" + asked.wire[:2])


class Doh(Talk):
    async def run(self):
        config = h2.config.H2Configuration(client_side=False, header_encoding="utf-8")
        self.h2 = h2.connection.H2Connection(config)
        self.h2.update_settings(
            {h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: self.server.max_streams}
        )
        self.h2.initiate_connection()
        self.streams, self.waiting = {}, {}
        self.flush()
        while True:
            data = await self.read(self.reader.read(65536))
            if not data:
                return
            try:
                events = self.h2.receive_data(data)
            except h2.exceptions.ProtocolError as error:
                self.server.violations.append(repr(error))
                self.flush()
                return
            for event in events:
                self.on_event(event)
            self.flush()

    def flush(self):
        self.write(self.h2.data_to_send())

    def on_event(self, event):
        if isinstance(event, h2.events.RequestReceived):
            self.streams[event.stream_id] = (dict(event.headers), b"")
        elif isinstance(event, h2.events.DataReceived):
            headers, body = self.streams[event.stream_id]
            self.streams[event.stream_id] = (headers, body + event.data)
            self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            self.on_request(event.stream_id, *self.streams.pop(event.stream_id))
        elif isinstance(event, h2.events.WindowUpdated):
            for stream in list(self.waiting):
                self.push(stream)

    def on_request(self, stream, headers, body):
        self.server.requests.append(headers)
        path, _, query = headers[":path"].partition("?")
        if headers[":method"] == "GET":
            body = base64.urlsafe_b64decode(query.removeprefix("dns=") + "==")
        asked = self.note(body)
        for is_so, what in (
            (headers[":scheme"] == "https", "scheme"),
            (headers[":method"] == "GET" or headers.get("content-type") == MEDIA_TYPE, "type"),
            (headers[":method"] in ("GET", "POST"), "method"),
            (asked.message.id == 0, "an id that is not 0 (RFC 8484 4.1)"),
        ):
            if not is_so:
                self.server.violations.append("%s: %r" % (what, headers))
        self.handle(stream, asked)

    def send(self, stream, one, status=200, media_type=MEDIA_TYPE):
        if not one and status == 200:
            self.writer.close()
            return
        fields = [(":status", str(status)), ("content-type", media_type)]
        try:
            self.h2.send_headers(stream, fields + [("content-length", str(len(one)))])
        except h2.exceptions.StreamClosedError:
            return  # the client gave up meanwhile
        self.waiting[stream] = one
        self.push(stream)

    def push(self, stream):
        """As much as the client's windows take."""
        try:
            while self.waiting.get(stream) is not None:
                left = self.waiting[stream]
                room = self.h2.local_flow_control_window(stream)
                size = min(len(left), room, self.h2.max_outbound_frame_size)
                if size == 0 and left:
                    break
                self.waiting[stream] = left[size:]
                self.h2.send_data(stream, left[:size], end_stream=size == len(left))
                if size == len(left):
                    del self.waiting[stream]
        except (h2.exceptions.StreamClosedError, KeyError):
            self.waiting.pop(stream, None)
        self.flush()

    def refuse(self, stream, status):
        self.send(stream, b"no\n", status, "text/plain")

    def on_500(self, stream, asked):
        self.refuse(stream, 500)

    def on_403(self, stream, asked):
        self.refuse(stream, 403)

    def on_429(self, stream, asked):
        self.refuse(stream, 429)

    def on_redirect(self, stream, asked):
        self.refuse(stream, 302)

    def on_html(self, stream, asked):
        self.send(stream, b"<html>Please log in", 200, "text/html")

    def on_empty(self, stream, asked):
        self.h2.send_headers(stream, [(":status", "200"), ("content-type", MEDIA_TYPE)], True)

    def on_close_after(self, stream, asked):
        self.reply(stream, asked)
        self.writer.close()

    def on_goaway(self, stream, asked):
        """The answer, and nothing more on this connection (RFC 9113 6.8)."""
        self.reply(stream, asked)
        self.h2.close_connection(last_stream_id=stream)
        self.flush()
        self.writer.close()

    def on_goaway_unseen(self, stream, asked):
        """What was sent was not looked at, and may be sent elsewhere."""
        self.h2.close_connection(last_stream_id=0)
        self.flush()
        self.writer.close()

    def on_refuse_stream(self, stream, asked):
        self.h2.reset_stream(stream, h2.errors.ErrorCodes.REFUSED_STREAM)

    def on_reset_stream(self, stream, asked):
        self.h2.reset_stream(stream, h2.errors.ErrorCodes.INTERNAL_ERROR)

    def on_half(self, stream, asked):
        """Half of the body, then the stream is reset."""
        _, (one, *_) = self.server.answer(asked)
        fields = [(":status", "200"), ("content-type", MEDIA_TYPE)]
        self.h2.send_headers(stream, fields)
        self.h2.send_data(stream, one[: len(one) // 2])
        self.h2.reset_stream(stream, h2.errors.ErrorCodes.INTERNAL_ERROR)
