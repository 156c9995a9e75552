"""A web server for lists over HTTPS that misbehaves on request.

What it does is told by the first part of the path (`PAGES`; else 404), which may carry a number:
`/status-500/list.txt`. A test that needs exact contents sets `server.content["/list.txt"]` to
bytes, and may change them as it likes: they have an ETag and a date, and are answered with 304 to
those who know them. Every request that arrives is kept in `asked`.

It speaks HTTP/1.1 by hand, so that it can break off anywhere, and HTTP/2 when made with h2=True
(ordinary pages only).
"""

import gzip
import hashlib
import re
import socket
import ssl
import struct
import threading
from dataclasses import dataclass, field

import h2.config
import h2.connection
import h2.events

HOST = "lists.test"
LIST = b"".join(b"bad%03d.example\n" % number for number in range(200))
HTML = b"<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body>Welcome</body></html>\n"
DATE = "Wed, 21 Oct 2015 07:28:00 GMT"
HANG_S = 60  # longer than anyone waits

PAGES = {}


def page(word):
    def keep(function):
        PAGES[word] = function
        return function

    return keep


@dataclass
class Request:
    method: str
    path: str
    headers: dict  # lower-case names
    version: str = "HTTP/1.1"


@dataclass
class Answer:
    status: int = 200
    body: bytes = b""
    headers: dict = field(default_factory=dict)


def etag_of(body):
    return '"%s"' % hashlib.sha256(body).hexdigest()[:16]


def content_answer(request, body, **more):
    """A body with all that belongs to it, or 304."""
    headers = {"Content-Type": "text/plain", "ETag": etag_of(body), "Last-Modified": DATE, **more}
    known = request.headers.get("if-none-match")
    since = request.headers.get("if-modified-since")
    if known == etag_of(body) or (known is None and since == DATE):
        return Answer(304, b"", headers)
    return Answer(200, body, headers)


class Talk:
    """What a page sees of one HTTP/1.1 exchange: the request, and the bytes on the wire."""

    def __init__(self, server, stream, request, number):
        self.server, self.stream, self.request, self.number = server, stream, request, number

    def send(self, data):
        self.stream.sendall(data)

    def head(self, status=200, **headers):
        lines = ["HTTP/1.1 %d Word" % status]
        lines += ["%s: %s" % (name.replace("_", "-"), value) for name, value in headers.items()]
        self.send(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))

    def answer(self, answer):
        headers = {**answer.headers}
        if answer.status != 304:
            headers["Content-Length"] = len(answer.body)
        self.head(answer.status, **headers)
        self.send(answer.body)

    def hang(self):
        self.server.ended.wait(HANG_S)

    def reset(self):
        """RST instead of FIN."""
        self.stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise ConnectionAbortedError

    def cut(self):
        """FIN without a TLS close_notify."""
        raise ConnectionAbortedError


@page("good")
def good(_):
    return LIST


@page("empty")
def empty(_):
    return b""


@page("html")
def html(_):
    return Answer(200, HTML, {"Content-Type": "text/html; charset=utf-8"})


@page("packed")
def packed(_):
    return Answer(200, gzip.compress(LIST), {"Content-Encoding": "gzip"})


@page("brotli")
def brotli(_):
    """A coding that nobody asked for."""
    return Answer(200, b"\x0b\x02\x80abc\x03", {"Content-Encoding": "br"})


@page("status")
def status(talk):
    return Answer(talk.number, b"sorry\n", {"Content-Type": "text/plain"})


@page("partial")
def partial(_):
    return Answer(206, LIST[:100], {"Content-Range": "bytes 0-99/%d" % len(LIST)})


@page("half")
def half(talk):
    """Fewer bytes than were promised, in good order."""
    talk.head(Content_Length=2 * len(LIST))
    talk.send(LIST)


@page("chunks")
def chunks(talk):
    talk.head(Transfer_Encoding="chunked")
    for at in range(0, len(LIST), 1000):
        part = LIST[at : at + 1000]
        talk.send(b"%x\r\n%s\r\n" % (len(part), part))
    talk.send(b"0\r\n\r\n")


@page("chunkcut")
def chunk_cut(talk):
    """Chunks without an end."""
    talk.head(Transfer_Encoding="chunked")
    talk.send(b"%x\r\n%s\r\n" % (len(LIST), LIST))


@page("chunkgarbage")
def chunk_garbage(talk):
    talk.head(Transfer_Encoding="chunked")
    talk.send(b"10\r\n0123456789abcdef\r\nzz\r\n")
    talk.hang()


@page("closed")
def closed(talk):
    """No length at all: the end of the connection is the end of the list."""
    talk.head(Connection="close")
    talk.send(LIST)


@page("cut")
def cut(talk):
    """The same, but anybody on the way could have ended it."""
    talk.head(Connection="close")
    talk.send(LIST)
    talk.cut()


@page("reset")
def reset(talk):
    talk.head(Content_Length=2 * len(LIST))
    talk.send(LIST)
    talk.reset()


@page("resetearly")
def reset_early(talk):
    talk.reset()


@page("nothing")
def nothing(_):
    """The connection ends instead of an answer."""


@page("silent")
def silent(talk):
    talk.hang()


@page("drip")
def drip(talk):
    """A byte now and then."""
    talk.head(Content_Length=len(LIST))
    for at in range(len(LIST)):
        talk.send(LIST[at : at + 1])
        if talk.server.ended.wait(0.2):
            return


@page("headdrip")
def head_drip(talk):
    talk.send(b"HTTP/1.1 200 OK\r\n")
    while not talk.server.ended.wait(0.2):
        talk.send(b"X-More: yes\r\n")


@page("endless")
def endless(talk):
    talk.head(Transfer_Encoding="chunked")
    part = b"%x\r\n%s\r\n" % (len(LIST), LIST)
    while not talk.server.ended.is_set():
        talk.send(part)


@page("large")
def large(talk):
    """Promises more than it has to."""
    talk.head(Content_Length=1 << 40)
    talk.hang()


@page("headers")
def endless_headers(talk):
    talk.send(b"HTTP/1.1 200 OK\r\n")
    while not talk.server.ended.is_set():
        talk.send(b"X-More: %s\r\n" % (b"y" * 1000))


@page("longheader")
def long_header(talk):
    talk.send(b"HTTP/1.1 200 OK\r\nX-More: ")
    while not talk.server.ended.is_set():
        talk.send(b"y" * 1000)


@page("interim")
def endless_interim(talk):
    while not talk.server.ended.is_set():
        talk.send(b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n" * 20)


@page("ancient")
def ancient(talk):
    """HTTP/0.9: the body is all there is."""
    talk.send(LIST)


@page("garbage")
def garbage(talk):
    talk.send(b"\x00\x01\x02\xff" * 64 + b"\r\n\r\n")


@page("bomb")
def bomb(talk):
    """Small on the wire, large when unpacked; and endless on the wire as well."""
    talk.head(Content_Encoding="gzip", Transfer_Encoding="chunked")
    part = gzip.compress(b"a.example\n" * 1_000_000)
    while not talk.server.ended.is_set():
        talk.send(b"%x\r\n%s\r\n" % (len(part), part))


@page("tags")
def tags(talk):
    """What must not be sent back, nor reach a terminal."""
    talk.send(
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nETag: \"a\x1b[31m\xe9\"\r\n"
        b"Last-Modified: %s\r\nContent-Type: text/\x1b[31mplain\r\n\r\na\n" % (b"x" * 400)
    )


@page("to")
def redirect(talk):
    """`/to-302?TARGET`."""
    target = talk.request.path.partition("?")[2]
    return Answer(talk.number or 302, b"elsewhere\n", {"Location": target})


@page("nowhere")
def redirect_nowhere(_):
    return Answer(302, b"", {})


@page("hops")
def hops(talk):
    """`/hops-3` is three redirects away from the list."""
    if talk.number == 0:
        return LIST
    return Answer(301, b"", {"Location": "hops-%d" % (talk.number - 1)})


@page("loop")
def loop(talk):
    return Answer(302, b"", {"Location": talk.request.path})


class ListServer:
    """`with ListServer(certificates, port) as server`."""

    def __init__(self, certificates, port, address="127.0.0.1", h2=False, **files):
        self.port, self.address = port, address
        self.content, self.asked = {}, []
        self.instead = None  # a page that is given for every path
        self.ended = threading.Event()
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(
            str(files.get("certificate", certificates.certificate)),
            str(files.get("key", certificates.key)),
        )
        if h2:
            self.context.set_alpn_protocols(["h2"])
        self.threads, self.lock, self.open = [], threading.Lock(), set()

    def url(self, path, host=HOST):
        return "https://%s:%d%s" % (host, self.port, path)

    def __enter__(self):
        family = socket.AF_INET6 if ":" in self.address else socket.AF_INET
        self.socket = socket.create_server((self.address, self.port), family=family)
        self._start(self._accept)
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        with self.lock:
            for stream in self.open:
                try:
                    stream.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
        for thread in self.threads:
            thread.join(10)
        assert not any(thread.is_alive() for thread in self.threads)

    def _start(self, target, *arguments):
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self.threads.append(thread)
        thread.start()

    def _accept(self):
        while True:
            try:
                raw, _ = self.socket.accept()
            except OSError:
                return
            self._start(self._serve, raw)

    def _serve(self, raw):
        raw.settimeout(HANG_S)
        try:
            stream = self.context.wrap_socket(raw, server_side=True)
        except (OSError, ValueError):
            raw.close()
            return
        with self.lock:
            self.open.add(stream)
        try:
            if stream.selected_alpn_protocol() == "h2":
                self._talk_h2(stream)
            else:
                self._talk_h1(stream)
            stream.unwrap()
        except (OSError, ValueError):  # the other side has enough, or a page broke off
            pass
        with self.lock:
            self.open.discard(stream)
        stream.close()

    def _answer(self, request, talk=None):
        """An Answer, or None when the page has seen to everything and the connection ends."""
        self.asked.append(request)
        if self.instead:
            request.path = self.instead
        if request.path in self.content:
            return content_answer(request, self.content[request.path])
        word, number = re.match(r"/([a-z0-9]*[a-z])(?:-(\d+))?", request.path + "?a").groups()
        if talk:
            talk.number = int(number or 0)
        made = PAGES[word](talk) if word in PAGES else Answer(404, b"no such page\n")
        return content_answer(request, made) if isinstance(made, bytes) else made

    def _talk_h1(self, stream):
        rest = b""
        while True:
            while b"\r\n\r\n" not in rest:
                more = stream.recv(65536)
                if not more:
                    return
                rest += more
            head, _, rest = rest.partition(b"\r\n\r\n")
            first, *lines = head.decode("latin-1").split("\r\n")
            method, path, version = first.split(" ")
            pairs = (line.partition(":") for line in lines)
            headers = {name.lower(): value.strip() for name, _, value in pairs}
            request = Request(method, path, headers, version)
            talk = Talk(self, stream, request, 0)
            answer = self._answer(request, talk)
            if answer is None:
                return
            talk.answer(answer)

    def _talk_h2(self, stream):
        config = h2.config.H2Configuration(client_side=False, header_encoding="utf-8")
        connection = h2.connection.H2Connection(config)
        connection.initiate_connection()
        stream.sendall(connection.data_to_send())
        while True:
            data = stream.recv(65536)
            if not data:
                return
            for event in connection.receive_data(data):
                if isinstance(event, h2.events.RequestReceived):
                    self._answer_h2(connection, event)
                elif isinstance(event, h2.events.ConnectionTerminated):
                    return
            stream.sendall(connection.data_to_send())

    def _answer_h2(self, connection, event):
        """Small pages only: there is no flow control here."""
        fields = dict(event.headers)
        request = Request(fields[":method"], fields[":path"], fields, "HTTP/2")
        answer = self._answer(request)
        headers = [(name.lower(), str(value)) for name, value in answer.headers.items()]
        connection.send_headers(event.stream_id, [(":status", str(answer.status)), *headers])
        if request.path.endswith("?reset"):
            connection.send_data(event.stream_id, answer.body)
            connection.reset_stream(event.stream_id, 2)
        else:
            connection.send_data(event.stream_id, answer.body, end_stream=True)
