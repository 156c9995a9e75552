"""DNS messages as bytes: a writer that can also write nonsense, and a reader that forgives nothing.

Names are wire bytes everywhere, because a label may hold any byte. `name()` turns text into them.
"""

import struct
from dataclasses import dataclass, field

A, NS, CNAME, SOA, PTR, MX, TXT, AAAA, SRV, DNAME, OPT = 1, 2, 5, 6, 12, 15, 16, 28, 33, 39, 41
SVCB, HTTPS, TSIG, IXFR, AXFR, ANY = 64, 65, 250, 251, 252, 255
NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED, NOTAUTH, BADVERS = 0, 1, 2, 3, 4, 5, 9, 16
QR, AA, TC, RD, RA, AD, CD = 0x8000, 0x0400, 0x0200, 0x0100, 0x0080, 0x0020, 0x0010
DO = 0x8000  # of the OPT's flags
COOKIE, KEEPALIVE, PADDING, EDE, ECS = 10, 11, 12, 15, 8


def name(text):
    """Text to wire, for plain names: no escapes, a final dot is optional."""
    labels = [label for label in text.rstrip(".").split(".") if label]
    return b"".join(bytes([len(label)]) + label.encode("latin-1") for label in labels) + b"\0"


def labels_to_name(*labels):
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def labels_of(wire):
    labels, at = [], 0
    while wire[at]:
        labels.append(wire[at + 1 : at + 1 + wire[at]])
        at += 1 + wire[at]
    return labels


def text(wire):
    """Wire to presentation form, RFC 1035 5.1, with a final dot."""
    if wire == b"\0":
        return "."
    out = []
    for label in labels_of(wire):
        out.append("".join(_escape(byte) for byte in label))
    return ".".join(out) + "."


def _escape(byte):
    if byte in b'."\\();@$':
        return "\\" + chr(byte)
    return chr(byte) if 0x21 <= byte <= 0x7E else "\\%03d" % byte


def question(qname, qtype=A, qclass=1):
    wire = qname if isinstance(qname, bytes) else name(qname)
    return wire + struct.pack("!HH", qtype, qclass)


def option(code, data=b""):
    return struct.pack("!HH", code, len(data)) + data


def opt(size=1232, version=0, flags=0, options=b"", rcode_high=0):
    head = struct.pack("!HHBBHH", OPT, size, rcode_high, version, flags, len(options))
    return b"\0" + head + options


def record(owner, rtype, rdata, ttl=60, rclass=1):
    wire = owner if isinstance(owner, bytes) else name(owner)
    return wire + struct.pack("!HHIH", rtype, rclass, ttl, len(rdata)) + rdata


def a(owner, address="192.0.2.1", ttl=60):
    return record(owner, A, bytes(int(part) for part in address.split(".")), ttl)


def soa_rdata(mname=b"\2ns\4test\0", minimum=30):
    return mname + b"\4host\4test\0" + struct.pack("!IIIII", 1, 3600, 600, 86400, minimum)


def header(id=0, flags=RD, counts=(1, 0, 0, 0)):
    return struct.pack("!HHHHHH", id, flags, *counts)


def query(qname, qtype=A, id=0x1234, flags=RD, edns=None, qclass=1):
    """A well-formed query. `edns` is the bytes of an OPT record, or True for a plain one."""
    edns = opt() if edns is True else edns or b""
    return header(id, flags, (1, 0, 0, 1 if edns else 0)) + question(qname, qtype, qclass) + edns


def reply(asked, answers=(), authority=(), additional=(), rcode=0, flags=QR | RA):
    """An answer to the message `asked`, with the question as it stood there, bit by bit."""
    message = Message(asked)
    flags |= message.flags & RD
    counts = (1, len(answers), len(authority), len(additional))
    return (
        header(message.id, flags | rcode, counts)
        + message.question_bytes
        + b"".join(answers)
        + b"".join(authority)
        + b"".join(additional)
    )


@dataclass
class Record:
    owner: bytes
    type: int
    rclass: int
    ttl: int
    rdata: bytes
    rdata_at: int
    message: bytes = field(repr=False)

    @property
    def target(self):
        """The name in the RDATA of a CNAME and its like, decompressed."""
        at = self.rdata_at + (2 if self.type in (SVCB, HTTPS, MX) else 0)
        return read_name(self.message, at)[0]

    @property
    def address(self):
        return ".".join(str(byte) for byte in self.rdata)


class Malformed(AssertionError):
    """A message that no server may send."""


def read_name(message, at):
    """A name at a position; pointers must go strictly backwards (RFC 1035 4.1.4)."""
    wire, after, limit = b"", None, at
    while True:
        if at >= len(message):
            raise Malformed("name runs out of the message")
        length = message[at]
        if length & 0xC0 == 0xC0:
            pointer = struct.unpack("!H", message[at : at + 2])[0] & 0x3FFF
            after = at + 2 if after is None else after
            if pointer >= limit:
                raise Malformed("compression pointer does not go backwards")
            at = limit = pointer
        elif length & 0xC0:
            raise Malformed("label type 0x%02x" % length)
        else:
            wire += message[at : at + 1 + length]
            at += 1 + length
            if len(wire) > 255:
                raise Malformed("name longer than 255 bytes")
            if not length:
                return wire, at if after is None else after


class Message:
    """One whole message; raises Malformed when a byte of it cannot be accounted for."""

    def __init__(self, wire):
        if len(wire) < 12:
            raise Malformed("shorter than a header: %r" % wire)
        self.wire = wire
        self.id, self.flags, *self.counts = struct.unpack("!HHHHHH", wire[:12])
        at = 12
        self.qname = self.qtype = self.qclass = None
        for _ in range(self.counts[0]):
            self.qname, at = read_name(wire, at)
            self.qtype, self.qclass = struct.unpack("!HH", wire[at : at + 4])
            at += 4
        self.question_bytes = wire[12:at]
        self.sections = []
        for count in self.counts[1:]:
            records = []
            for _ in range(count):
                found, at = self._record(at)
                records.append(found)
            self.sections.append(records)
        if at != len(wire):
            raise Malformed("%d bytes behind the last record" % (len(wire) - at))
        self.answer, self.authority, additional = self.sections
        self.opts = [r for r in additional if r.type == OPT]
        self.additional = [r for r in additional if r.type != OPT]
        if len(self.opts) > 1 or any(r.type == OPT for r in self.answer + self.authority):
            raise Malformed("OPT twice, or in the wrong section")

    def _record(self, at):
        owner, at = read_name(self.wire, at)
        if at + 10 > len(self.wire):
            raise Malformed("record header runs out of the message")
        rtype, rclass, ttl, length = struct.unpack("!HHIH", self.wire[at : at + 10])
        at += 10
        if at + length > len(self.wire):
            raise Malformed("RDATA runs out of the message")
        found = Record(owner, rtype, rclass, ttl, self.wire[at : at + length], at, self.wire)
        return found, at + length

    @property
    def opcode(self):
        return self.flags >> 11 & 15

    @property
    def rcode(self):
        return self.flags & 15 | (self.opt.ttl >> 24 << 4 if self.opts else 0)

    @property
    def truncated(self):
        return bool(self.flags & TC)

    @property
    def opt(self):
        return self.opts[0] if self.opts else None

    @property
    def options(self):
        """The OPT's options as a list of (code, bytes); None without OPT."""
        if not self.opts:
            return None
        data, at, found = self.opt.rdata, 0, []
        while at < len(data):
            code, length = struct.unpack("!HH", data[at : at + 4])
            if at + 4 + length > len(data):
                raise Malformed("option runs out of the OPT record")
            found.append((code, data[at + 4 : at + 4 + length]))
            at += 4 + length
        return found

    def option(self, code):
        return next((data for found, data in self.options or () if found == code), None)

    @property
    def ede(self):
        """(code, text) of the extended error, or None (RFC 8914)."""
        data = self.option(EDE)
        return None if data is None else (int.from_bytes(data[:2], "big"), data[2:].decode())

    @property
    def ede_code(self):
        return self.ede[0] if self.ede else None

    @property
    def addresses(self):
        return [r.address for r in self.answer if r.type == A]

    @property
    def types(self):
        return [r.type for r in self.answer]

    def __repr__(self):
        return "<Message %s %s rcode=%d flags=%04x answer=%r ede=%r>" % (
            text(self.qname) if self.qname else "-",
            self.qtype,
            self.rcode,
            self.flags,
            [(text(r.owner), r.type, r.ttl, r.rdata) for r in self.answer],
            self.ede,
        )
