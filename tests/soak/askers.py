"""Clients that ask at a steady rate, on one connection each, and judge every answer: it must be for
a question that is open, be true, and come in time."""

import random
import socket
import struct
import sys
import threading
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "flow"))

import dns_wire as w  # noqa: E402
from dns_client import tls_context  # noqa: E402
from h2_client import H2  # noqa: E402
from moods import ZONE, address_of  # noqa: E402

KINDS = (  # share of all questions, name: %d is a number, drawn below the last column
    (40, "h%d.hot", 200),
    (30, "f%d.fresh", 1 << 30),
    (10, "t%d.tc", 1000),  # truncated over UDP, so it has to be asked again over TCP
    (10, "d%d.dot", 1000),  # from the upstream over DoT
    (5, "n%d.nx", 1000),
    (5, "b%d.blocked", 1000),
)
WEIGHTS = [kind[0] for kind in KINDS]


def draw(dice):
    """A name: text, lower case, final dot."""
    _, form, count = dice.choices(KINDS, WEIGHTS)[0]
    return "%s.%s." % (form % dice.randrange(count), ZONE)


class UdpLine:
    def __init__(self, namegate):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.connect(("127.0.0.1", namegate.ports["dns"]))

    def send(self, wire):
        self.socket.send(wire)

    def read(self, timeout):
        self.socket.settimeout(timeout)
        try:
            return [self.socket.recv(65535)]
        except TimeoutError:
            return []


class TcpLine:
    def __init__(self, namegate, port="dns"):
        self.socket = socket.create_connection(("127.0.0.1", namegate.ports[port]), 10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received = b""

    def send(self, wire):
        self.socket.settimeout(10)
        self.socket.sendall(struct.pack("!H", len(wire)) + wire)

    def read(self, timeout):
        self.socket.settimeout(timeout)
        try:
            data = self.socket.recv(65536)
        except TimeoutError:
            return []
        if not data:
            raise ConnectionError("closed")
        self.received += data
        return list(self._whole())

    def _whole(self):
        while len(self.received) >= 2:
            end = 2 + struct.unpack("!H", self.received[:2])[0]
            if len(self.received) < end:
                return
            message, self.received = self.received[2:end], self.received[end:]
            yield message


class DotLine(TcpLine):
    def __init__(self, namegate):
        super().__init__(namegate, "dot")
        context = tls_context(namegate.certificates.ca, "dot")
        self.socket = context.wrap_socket(self.socket, server_hostname="127.0.0.1")


class DohLine:
    def __init__(self, namegate):
        self.client = H2("127.0.0.1", namegate.ports["doh"], namegate.certificates.ca)

    def send(self, wire):
        self.client.post(wire)

    def read(self, timeout):
        self.client.pump(timeout)
        if self.client.closed or self.client.goaway:
            raise ConnectionError("closed")
        responses = self.client.responses
        done = [number for number, response in responses.items() if response.ended]
        taken = [responses.pop(number) for number in done]
        bad = [response.status for response in taken if response.status != 200]
        if bad:
            raise ConnectionError("HTTP status %s" % bad)
        return [response.body for response in taken]


LINES = {"udp": UdpLine, "tcp": TcpLine, "dot": DotLine, "doh": DohLine}


def fault_of(name, answer):
    """What is wrong with an answer, or None."""
    if not answer.flags & w.QR or answer.truncated:
        return "flags %04x" % answer.flags
    kind = name.split(".")[1]
    if kind == "blocked":
        return None if answer.rcode == w.NXDOMAIN else "blocked, but rcode %d" % answer.rcode
    if answer.rcode == w.SERVFAIL:
        return None if not answer.answer else "records in a SERVFAIL"
    if kind == "nx":
        good = answer.rcode == w.NXDOMAIN and not answer.answer
        return None if good else "no NXDOMAIN but %r" % answer
    good = answer.rcode == w.NOERROR and answer.addresses == [address_of(name)]
    return None if good else "not the address: %r" % answer


class Asker(threading.Thread):
    """One client. `late_s`: an answer that takes longer is a fault."""

    def __init__(self, namegate, protocol, rate, seconds, late_s, seed):
        super().__init__(daemon=True)
        self.namegate, self.protocol, self.seconds = namegate, protocol, seconds
        self.pause, self.late_s, self.dice = 1 / rate, late_s, random.Random(seed)
        self.open = {}  # id -> name, when it was asked
        self.sent, self.answers, self.slowest = 0, 0, 0.0
        self.rcodes, self.faults = Counter(), []

    def run(self):
        try:
            self.line = LINES[self.protocol](self.namegate)
            self._talk()
        except Exception as error:  # noqa: BLE001: a client that cannot go on is a fault
            self._fault("stopped: %r, %d questions open" % (error, len(self.open)))

    def _talk(self):
        begin = time.monotonic()
        due, end = begin, begin + self.seconds
        while due < end or (self.open and time.monotonic() < end + self.late_s):
            now = time.monotonic()
            if due < end and now >= due:
                self._ask(now)
                due += self.pause
            wait = due - now if due < end else 0.1
            for wire in self.line.read(max(min(wait, 0.1), 0.001)):
                self._judge(wire)
        for name, _ in self.open.values():
            self._fault("no answer for %s" % name)

    def _ask(self, now):
        number, name = self.sent % 65536, draw(self.dice)
        if number in self.open:
            self._fault("no answer for %s" % self.open.pop(number)[0])
        self.open[number] = (name, now)
        self.sent += 1
        self.line.send(w.query(name, id=number, edns=True))

    def _judge(self, wire):
        now = time.monotonic()
        answer = w.Message(wire)
        name, asked_at = self.open.pop(answer.id, (None, now))
        if name is None or answer.qname != w.name(name) or answer.qtype != w.A:
            return self._fault("an answer to nothing: %r" % answer)
        self.answers += 1
        self.slowest = max(self.slowest, now - asked_at)
        self.rcodes[answer.rcode] += 1
        fault = fault_of(name, answer)
        if not fault and now - asked_at > self.late_s:
            fault = "after %.2f s" % (now - asked_at)
        if fault:
            self._fault("%s: %s" % (name, fault))

    def _fault(self, text):
        self.faults.append("%s %s" % (self.protocol, text))
