"""Upstreams that change their mood together: good, silent, garbage, reset. One over plain DNS, one
over DoT. What a good one says of a name can be told by the name alone, so whoever asked can judge
the answer.

As a program: moods.py PLAIN-PORT DOT-PORT CERTIFICATES, a word a line on standard input; it ends
with it.
"""

import asyncio
import hashlib
import sys
from pathlib import Path

FLOW = Path(__file__).resolve().parents[1] / "flow"
sys.path.insert(0, str(FLOW))

import dns_wire as w  # noqa: E402
from certificates import Certificates  # noqa: E402
from scripted_dns import ScriptedDns  # noqa: E402
from scripted_tls import ScriptedTls  # noqa: E402

MOODS = ("good", "silent", "garbage", "reset")
ZONE = "soak.test"
TTL_S = 5


def address_of(name):
    """The one address that a name (text, lower case, final dot) has."""
    digest = hashlib.sha256(name.encode()).digest()
    return "11.%d.%d.%d" % tuple(digest[:3])


def good(s):
    labels = w.labels_of(s.qname.lower())
    if b"nx" in labels or s.qtype != w.A:
        soa = w.record(ZONE, w.SOA, w.soa_rdata(minimum=TTL_S))
        return w.reply(s.wire, authority=[soa], rcode=w.NXDOMAIN if b"nx" in labels else 0)
    if b"tc" in labels and s.asked.transport == "udp":
        return w.reply(s.wire, flags=w.QR | w.RA | w.TC)
    return w.reply(s.wire, [w.a(s.qname, address_of(s.asked.name), TTL_S)])


class Garbage:
    """What nobody may believe: noise, another's id, another question, a message cut off."""

    def __init__(self):
        self.turn = 0

    def __call__(self, s):
        lie = w.a(s.qname, "192.0.2.66")
        other = w.query("other." + ZONE, id=s.asked.message.id)
        kinds = (
            s.wire[:2] + b"\x81\x80" + b"\xff" * 60,
            bytes([s.wire[0] ^ 0xFF]) + w.reply(s.wire, [lie])[1:],
            w.reply(other, [w.a("other." + ZONE, "192.0.2.66")]),
            w.reply(s.wire, [lie])[:-2],
        )
        self.turn += 1
        return kinds[self.turn % len(kinds)]


class Plain(ScriptedDns):
    up = True

    def set(self, mood):
        self.asked.clear()
        self.mute = mood == "silent"
        self.default = Garbage() if mood == "garbage" else good
        self._on_loop(self._move(mood != "reset"))

    async def _move(self, up):
        """Down: the sockets are closed, so the kernel says that nobody is there."""
        if up and not self.up:
            await self._start()
        if self.up and not up:
            self._close()
        self.up = up

    def _on_loop(self, work):
        asyncio.run_coroutine_threadsafe(work, self._loop).result(5)


class Dot(ScriptedTls):
    def set(self, mood):
        self.asked.clear()
        self.connections.clear()
        self.mute = mood == "silent"
        self.default = good
        self.manner = mood if mood in ("garbage", "reset") else None
        self.handshake = "refused" if mood == "reset" else "tls"
        if mood == "reset":
            self.drop_all(reset=True)


def main():
    plain_port, dot_port, directory = sys.argv[1:]
    certificates = Certificates(Path(directory))
    with Plain(int(plain_port)) as plain, Dot(int(dot_port), "dot", certificates) as dot:
        plain.default = dot.default = good
        print("ready", flush=True)
        for line in sys.stdin:
            plain.set(line.strip())
            dot.set(line.strip())


if __name__ == "__main__":
    main()
