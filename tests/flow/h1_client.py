"""HTTP/1.1 over a blocking socket, byte by byte as it is given, with a reader that forgives
nothing. Without manners on purpose: what is sent is what the test says."""

import socket
import ssl
import time

from dns_client import PATIENCE_S, tls_context
from h2_client import MEDIA_TYPE, Response, base64url


class H1:
    """One connection; over TLS when a file of authorities is given. Answers come in the order of
    the requests: receive() gives the next one."""

    def __init__(self, address, port, ca_file=None, alpn="http/1.1", source=None):
        self.path, self.received = "/dns-query", b""
        source = (source, 0) if source else None
        self.socket = socket.create_connection((address, port), PATIENCE_S, source)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if ca_file:
            context = tls_context(ca_file, alpn)
            self.socket = context.wrap_socket(self.socket, server_hostname=address)
            assert self.socket.selected_alpn_protocol() == alpn

    def send(self, data):
        """All that the peer takes; it may close before the end."""
        self.socket.settimeout(PATIENCE_S)
        try:
            self.socket.sendall(data)
        except (ConnectionError, ssl.SSLError):
            pass

    def head(self, method="GET", path=None, version="1.1", **fields):
        lines = ["%s %s HTTP/%s" % (method, self.path if path is None else path, version)]
        fields = {"host": "x", **fields}
        for name, value in fields.items():
            for one in value if isinstance(value, (list, tuple)) else (value,):
                if one is not None:
                    lines.append("%s: %s" % (name.replace("_", "-"), one))
        return "\r\n".join((*lines, "", "")).encode()

    def get(self, wire=None, query=None, method="GET", **fields):
        query = "dns=" + base64url(wire) if query is None else query
        path = fields.pop("path", self.path + ("?" + query if query else ""))
        self.send(self.head(method, path, **fields))

    def post(self, wire, **fields):
        fields = {"content_type": MEDIA_TYPE, "content_length": str(len(wire)), **fields}
        self.send(self.head("POST", **fields) + wire)

    def post_chunks(self, *pieces, trailers=b"", **fields):
        fields = {"content_type": MEDIA_TYPE, "transfer_encoding": "chunked", **fields}
        body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
        self.send(self.head("POST", **fields) + body + b"0\r\n" + trailers + b"\r\n")

    def more(self, deadline):
        self.socket.settimeout(max(deadline - time.monotonic(), 0.001))
        try:
            part = self.socket.recv(65536)
        except (ConnectionError, ssl.SSLEOFError):
            part = b""
        self.received += part
        return part != b""

    def receive(self, is_head=False, timeout=PATIENCE_S):
        """The next response, or None when the peer closed before it."""
        deadline = time.monotonic() + timeout
        while b"\r\n\r\n" not in self.received:
            if not self.more(deadline):
                assert self.received == b""
                return None
        head, _, self.received = self.received.partition(b"\r\n\r\n")
        first, *lines = head.decode("ascii").split("\r\n")
        version, status, reason = first.split(" ", 2)
        assert version == "HTTP/1.1" and reason
        response = Response(int(status), ended=True)
        for line in lines:
            name, value = line.split(": ", 1)
            assert name.lower() not in response.headers and value == value.strip()
            response.headers[name.lower()] = value
        length = 0 if is_head or status == "100" else int(response.headers["content-length"])
        while len(self.received) < length:
            assert self.more(deadline), "closed inside of a body"
        response.body, self.received = self.received[:length], self.received[length:]
        return response

    def ask(self, wire):
        self.post(wire)
        return self.receive().message

    def is_closed(self, timeout=PATIENCE_S):
        """Does the peer close, and say nothing before it?"""
        try:
            return self.receive(timeout=timeout) is None
        except TimeoutError:
            return False

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
