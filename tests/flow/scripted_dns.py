"""A resolver that misbehaves on request, for namegate to ask: UDP and TCP on one port.

What it does is told by the first label of the question's name (`BEHAVIOURS`), which may carry a
number: `slow-300.x.test` answers after 300 ms. `cname.` and its like stand in front of the name
that they lead to, so they can be piled up: `cname.cname.ok.x.test`. A test that needs exact names
sets `zone` instead. Everything that arrives is kept in `asked`.

Run alone it serves until it is killed:  scripted_dns.py PORT [ADDRESS]
"""

import asyncio
import re
import struct
import sys
import threading
import time
from dataclasses import dataclass

import dns_wire as w


@dataclass
class Asked:
    """One query as it arrived."""

    at: float  # time.monotonic()
    transport: str  # "udp" or "tcp"; scripted_tls.py has "dot" and "doh"
    port: int  # its source port
    wire: bytes

    def __post_init__(self):
        self.message = w.Message(self.wire)

    @property
    def name(self):
        return w.text(self.message.qname).lower()


BEHAVIOURS = {}


def behaviour(label):
    def keep(function):
        BEHAVIOURS[label] = function
        return function

    return keep


@dataclass
class Script:
    """What a behaviour sees: the query, the number in its label, and the rest of the name."""

    asked: Asked
    number: int
    rest: bytes  # the question's name without its first label, lower case

    @property
    def wire(self):
        return self.asked.wire

    @property
    def qname(self):
        return self.asked.message.qname

    @property
    def qtype(self):
        return self.asked.message.qtype


def records_for(qname, qtype):
    """What an ordinary name has: one A, one AAAA, one TXT; nothing else."""
    return {
        w.A: [w.a(qname)],
        w.AAAA: [w.record(qname, w.AAAA, b"\x20\x01\x0d\xb8" + b"\0" * 11 + b"\1")],
        w.TXT: [w.record(qname, w.TXT, b"\5hello")],
    }.get(qtype, [])


def negative(s, rcode):
    top = w.labels_to_name(*w.labels_of(s.qname)[-1:])
    soa = w.record(top, w.SOA, w.soa_rdata())
    return w.reply(s.wire, authority=[soa], rcode=rcode)


@behaviour("ok")
def ok(s):
    answers = records_for(s.qname, s.qtype)
    return w.reply(s.wire, answers) if answers else negative(s, w.NOERROR)


@behaviour("silent")
def silent(_):
    return None


@behaviour("servfail")
def servfail(s):
    return w.reply(s.wire, rcode=w.SERVFAIL)


@behaviour("refused")
def refused(s):
    return w.reply(s.wire, rcode=w.REFUSED)


@behaviour("nxdomain")
def nxdomain(s):
    return negative(s, w.NXDOMAIN)


@behaviour("nodata")
def nodata(s):
    return negative(s, w.NOERROR)


def follow(name, qtype):
    """The records that a chain of `cname.` labels and its end have, in order."""
    if not w.labels_of(name):
        return []
    first = w.labels_of(name)[0].lower()
    rest = name[1 + name[0] :].lower()
    if first == b"cname":
        return [w.record(name, w.CNAME, rest)] + follow(rest, qtype)
    return records_for(name, qtype)


@behaviour("cname")
def cname(s):
    return w.reply(s.wire, follow(s.qname, s.qtype))


@behaviour("cnameonly")
def cname_only(s):
    """The target's own records are left for the client to ask for."""
    return w.reply(s.wire, [w.record(s.qname, w.CNAME, s.rest)])


@behaviour("cnameback")
def cname_back(s):
    """A chain whose records stand in the wrong order."""
    chain = [w.record(s.qname, w.CNAME, s.rest)] + records_for(s.rest, s.qtype)
    return w.reply(s.wire, list(reversed(chain)))


@behaviour("cnameloop")
def cname_loop(s):
    other = w.name("loop.test")
    return w.reply(s.wire, [w.record(s.qname, w.CNAME, other), w.record(other, w.CNAME, s.qname)])


@behaviour("chain")
def chain(s):
    """A chain of `number` names in one answer."""
    names = [s.qname] + [w.name("hop%d.test" % i) for i in range(1, s.number + 1)]
    links = [w.record(a, w.CNAME, b) for a, b in zip(names, names[1:])]
    return w.reply(s.wire, links + records_for(names[-1], s.qtype))


@behaviour("dname")
def dname(s):
    """dname.X.REST: X.REST is a DNAME to REST; the CNAME is synthesised."""
    below = s.rest[1 + s.rest[0] :]
    target = s.qname[: 1 + s.qname[0]].lower() + below
    dname_record = w.record(s.rest, w.DNAME, below)
    return w.reply(
        s.wire, [dname_record, w.record(s.qname, w.CNAME, target)] + records_for(target, s.qtype)
    )


@behaviour("alias")
def alias(s):
    """HTTPS and SVCB in AliasMode (RFC 9460 2.4.2); an ordinary name for other types."""
    if s.qtype not in (w.SVCB, w.HTTPS):
        return ok(s)
    return w.reply(s.wire, [w.record(s.qname, s.qtype, b"\0\0" + s.rest)])


@behaviour("service")
def service(s):
    """HTTPS and SVCB in ServiceMode with alpn=h2."""
    if s.qtype not in (w.SVCB, w.HTTPS):
        return ok(s)
    return w.reply(s.wire, [w.record(s.qname, s.qtype, b"\0\1" + s.rest + b"\0\1\0\3\2h2")])


@behaviour("tc")
def tc(s):
    if s.asked.transport != "udp":
        return ok(s)
    return w.reply(s.wire, flags=w.QR | w.RA | w.TC)


@behaviour("udponly")
def udp_only(s):
    """TC over UDP and a connection closed without an answer over TCP."""
    return b"" if s.asked.transport != "udp" else w.reply(s.wire, flags=w.QR | w.RA | w.TC)


@behaviour("wrongid")
def wrong_id(s):
    return bytes([s.wire[0] ^ 0xFF]) + ok(s)[1:]


@behaviour("wrongqname")
def wrong_qname(s):
    other = w.query(w.name("other.test"), s.qtype, s.asked.message.id)
    return w.reply(other, [w.a("other.test", "192.0.2.66")])


@behaviour("wrongtype")
def wrong_type(s):
    other = w.query(s.qname, w.MX, s.asked.message.id)
    return w.reply(other, [w.a(s.qname, "192.0.2.66")])


@behaviour("noquestion")
def no_question(s):
    return w.header(s.asked.message.id, w.QR | w.RA | w.RD, (0, 1, 0, 0)) + w.a(s.qname)


@behaviour("qr0")
def qr0(s):
    """An answer that claims to be a query."""
    return w.reply(s.wire, [w.a(s.qname, "192.0.2.66")], flags=w.RA)


@behaviour("opcode")
def opcode(s):
    return w.reply(s.wire, [w.a(s.qname, "192.0.2.66")], flags=w.QR | w.RA | 4 << 11)


@behaviour("spoofed")
def spoofed(s):
    """Wrong answers first, the right one after them."""
    wrong = [wrong_id(s), wrong_qname(s), wrong_type(s), qr0(s), opcode(s), b"garbage", b""]
    return wrong + [ok(s)]


@behaviour("lowercase")
def lowercase(s):
    """A server that does not keep the case of the question (0x20 finds no echo)."""
    low = s.wire[:12] + s.qname.lower() + s.wire[12 + len(s.qname) :]
    return w.reply(low, records_for(s.qname.lower(), s.qtype))


@behaviour("formerr")
def formerr(s):
    """An old server: FORMERR to everything with EDNS, header and question only."""
    if s.asked.message.opts:
        return w.reply(s.wire, rcode=w.FORMERR)
    return ok(s)


@behaviour("notimp")
def notimp(s):
    return w.reply(s.wire, rcode=w.NOTIMP)


@behaviour("garbage")
def garbage(s):
    return s.wire[:2] + b"\x81\x80" + b"\xff" * 60


@behaviour("shortrdata")
def short_rdata(s):
    """An A record of two bytes, and a record that reaches behind the message."""
    return w.reply(s.wire, [w.record(s.qname, w.A, b"\1\2")])


@behaviour("cutoff")
def cutoff(s):
    return w.reply(s.wire, [w.a(s.qname)])[:-2]


@behaviour("loop")
def pointer_loop(s):
    """The owner of the answer is a pointer to itself."""
    at = 12 + len(s.asked.message.question_bytes)
    owner = struct.pack("!H", 0xC000 | at)
    return w.reply(s.wire, [owner + w.a(b"")])


@behaviour("huge")
def huge(s):
    """About 60,000 bytes: whole over TCP, TC over UDP."""
    if s.asked.transport == "udp":
        return w.reply(s.wire, flags=w.QR | w.RA | w.TC)
    text = b"\xff" + b"x" * 255
    return w.reply(s.wire, [w.record(b"\xc0\x0c", w.TXT, text) for _ in range(220)])


@behaviour("many")
def many(s):
    """`number` A records, over UDP as well when they fit into 4096 bytes."""
    if s.asked.transport == "udp" and s.number > 200:
        return w.reply(s.wire, flags=w.QR | w.RA | w.TC)
    return w.reply(
        s.wire, [w.a(b"\xc0\x0c", "10.1.%d.%d" % divmod(i, 256)) for i in range(s.number)]
    )


@behaviour("ttl")
def ttl(s):
    return w.reply(s.wire, [w.a(s.qname, ttl=s.number)])


@behaviour("ttltop")
def ttl_top(s):
    return w.reply(s.wire, [w.a(s.qname, ttl=0x80000001)])


@behaviour("opaque")
def opaque(s):
    """Unknown type, RDATA that looks like a compression pointer (RFC 3597 4)."""
    return w.reply(s.wire, [w.record(s.qname, s.qtype, b"\xc0\x0c\xc0\x0c\0binary")])


@behaviour("ede")
def ede(s):
    option = w.option(w.EDE, struct.pack("!H", 6) + b"DNSSEC bogus")
    return w.reply(s.wire, additional=[w.opt(options=option)], rcode=w.SERVFAIL)


@behaviour("options")
def options(s):
    """An OPT full of options that are between the two of us: cookie, NSID, unknown."""
    data = w.option(w.COOKIE, b"12345678abcdefgh") + w.option(3, b"nsid") + w.option(65001, b"!")
    return w.reply(s.wire, [w.a(s.qname)], additional=[w.opt(options=data)])


@behaviour("extra")
def extra(s):
    """Records that nobody asked for, for names of other people."""
    return w.reply(
        s.wire,
        [w.a(s.qname), w.a("victim.test", "192.0.2.66")],
        [w.record("test", w.NS, w.name("ns.victim.test"))],
        [w.a("victim.test", "192.0.2.66"), w.a("ns.victim.test", "192.0.2.66")],
    )


@behaviour("ad")
def authentic(s):
    return w.reply(s.wire, [w.a(s.qname)], flags=w.QR | w.RA | w.AD)


@behaviour("mx")
def mx(s):
    """Names inside RDATA, compressed, as servers do it."""
    return w.reply(s.wire, [w.record(b"\xc0\x0c", w.MX, b"\0\x0a\4mail\xc0\x0c")])


class ScriptedDns:
    """The server; `with ScriptedDns(port) as upstream:`. Its loop has a thread of its own."""

    def __init__(self, port, address="127.0.0.1"):
        self.address, self.port = address, port
        self.asked = []  # of Asked; appended by the server's thread
        self.zone = {}  # lower-case text name with final dot -> function(Script) -> reply
        self.default = ok  # for names whose first label is no behaviour
        self.mute = False  # silent, whatever is asked
        self.tcp_connections = 0
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        assert self._ready.wait(5), "scripted server did not start"
        return self

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    def asked_for(self, name):
        """All queries for one name, given as text; case does not count."""
        wanted = name.lower().rstrip(".") + "."
        return [q for q in list(self.asked) if q.name == wanted]

    def wait_for(self, name, count=1, timeout=5):
        deadline = time.monotonic() + timeout
        while len(self.asked_for(name)) < count:
            assert time.monotonic() < deadline, "%s was not asked %d times" % (name, count)
            time.sleep(0.01)
        return self.asked_for(name)

    def answer(self, asked):
        """(delay in seconds, list of replies). A reply of b"" closes a TCP connection."""
        if self.mute:
            return 0, []
        name = asked.message.qname
        label = w.labels_of(name)[0].decode("latin-1").lower() if len(name) > 1 else ""
        match = re.fullmatch(r"([a-z0-9]+?)(?:-([0-9]+))?", label)
        word, number = (match[1], int(match[2] or 0)) if match else ("", 0)
        script = Script(asked, number, name[1 + name[0] :].lower() if name[0] else name)
        function = self.zone.get(asked.name) or BEHAVIOURS.get(word, self.default)
        delay = number / 1000 if word == "slow" else 0
        replies = function(script)
        if replies is None:
            return delay, []
        return delay, replies if isinstance(replies, list) else [replies]

    def _note(self, transport, peer, wire):
        try:
            asked = Asked(time.monotonic(), transport, peer[1], wire)
        except (w.Malformed, struct.error) as error:
            print("malformed query from the program: %s %r" % (error, wire), file=sys.stderr)
            raise
        self.asked.append(asked)
        return asked

    def _run(self):
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._start())
        self._ready.set()
        self._loop.run_forever()
        self._close()

    def _close(self):
        self._udp.close()
        self._tcp.close()

    async def _start(self):
        server = self

        class Udp(asyncio.DatagramProtocol):
            def connection_made(self, transport):
                self.transport = transport

            def datagram_received(self, data, peer):
                delay, replies = server.answer(server._note("udp", peer, data))
                for reply in replies:
                    server._loop.call_later(delay, self.transport.sendto, reply, peer)

        self._udp, _ = await self._loop.create_datagram_endpoint(
            Udp, local_addr=(self.address, self.port)
        )
        self._tcp = await asyncio.start_server(self._serve_tcp, self.address, self.port)

    async def _serve_tcp(self, reader, writer):
        self.tcp_connections += 1
        peer = writer.get_extra_info("peername")
        try:
            while True:
                length = struct.unpack("!H", await reader.readexactly(2))[0]
                asked = self._note("tcp", peer, await reader.readexactly(length))
                delay, replies = self.answer(asked)
                for reply in replies:
                    if not reply:
                        writer.close()
                        return
                    data = struct.pack("!H", len(reply)) + reply
                    self._loop.call_later(delay, writer.write, data)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


def main():
    server = ScriptedDns(int(sys.argv[1]), *sys.argv[2:])
    with server:
        threading.Event().wait()


if __name__ == "__main__":
    main()
