"""Clients for UDP, TCP and TLS that send exactly the bytes they are given."""

import socket
import ssl
import struct
import time

from dns_wire import Message

SILENCE_S = 0.4  # how long "no answer" is waited for on loopback
PATIENCE_S = 6  # how long an answer is waited for; sanitizers are slow


class Udp:
    def __init__(self, address, port, source=None):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        if source:
            self.socket.bind((source, 0))
        self.socket.connect((address, port))  # answers from elsewhere do not arrive

    def send(self, wire):
        self.socket.send(wire)

    def receive(self, timeout=PATIENCE_S):
        """The next datagram, or None when there is silence."""
        self.socket.settimeout(timeout)
        try:
            return self.socket.recv(65535)
        except TimeoutError:
            return None

    def ask(self, wire, timeout=PATIENCE_S):
        self.send(wire)
        answer = self.receive(timeout)
        return None if answer is None else Message(answer)

    def is_silent(self, wire):
        self.send(wire)
        return self.receive(SILENCE_S) is None

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Stream:
    """TCP, or TLS when a context is given: DNS messages behind two bytes of length. `preface` goes
    out in clear before anything else; the server name is the address unless one is given, and ""
    is none."""

    def __init__(
        self,
        address,
        port,
        context=None,
        server_name=None,
        session=None,
        source=None,
        preface=b"",
        patience=PATIENCE_S,
    ):
        source = (source, 0) if source else None
        self.socket = socket.create_connection((address, port), patience, source)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if preface:
            self.socket.sendall(preface)
        if context:
            name = address if server_name is None else server_name or None
            self.socket = context.wrap_socket(self.socket, server_hostname=name, session=session)

    def send(self, *messages):
        """All messages in one write."""
        self.send_raw(b"".join(struct.pack("!H", len(m)) + m for m in messages))

    def send_raw(self, data):
        self.socket.sendall(data)

    def receive_bytes(self, count, timeout=PATIENCE_S):
        """`count` bytes, or None when the peer closed before them. TimeoutError on silence."""
        data, deadline = b"", time.monotonic() + timeout
        while len(data) < count:
            self.socket.settimeout(max(deadline - time.monotonic(), 0.001))
            try:
                part = self.socket.recv(count - len(data))
            except (ConnectionResetError, BrokenPipeError, ssl.SSLEOFError):
                return None
            if not part:
                return None
            data += part
        return data

    def receive(self, timeout=PATIENCE_S):
        """The next message's bytes, or None when the peer closed the connection."""
        length = self.receive_bytes(2, timeout)
        return length and self.receive_bytes(struct.unpack("!H", length)[0], timeout)

    def ask(self, wire, timeout=PATIENCE_S):
        self.send(wire)
        answer = self.receive(timeout)
        return None if answer is None else Message(answer)

    def is_silent(self, wire):
        """Neither an answer nor a close."""
        self.send(wire)
        try:
            self.receive(SILENCE_S)
        except TimeoutError:
            return True
        return False

    def is_closed(self, timeout=PATIENCE_S):
        """Does the peer close within the time? What it still sends is thrown away."""
        deadline = time.monotonic() + timeout
        try:
            while time.monotonic() < deadline:
                if self.receive_bytes(1, deadline - time.monotonic()) is None:
                    return True
        except TimeoutError:
            pass
        return False

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def tls_context(ca_file, alpn=None, version=None, client=None):
    """`client` is a certificate to show, with `certificate` and `key`."""
    context = ssl.create_default_context(cafile=ca_file)
    if client:
        context.load_cert_chain(client.certificate, client.key)
    if alpn:
        context.set_alpn_protocols([alpn])
    if version:
        context.minimum_version = context.maximum_version = version
    return context
