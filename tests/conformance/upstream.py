"""The resolver that all servers ask: scripted_dns.py with the manners that a real one has, so that
who only passes messages on is not blamed for what the upstream does. It speaks EDNS with who speaks
it, keeps to the size that it was offered, and refuses what every resolver refuses."""

import struct
import time

import dns_wire as w
from scripted_dns import Asked, ScriptedDns


class Upstream(ScriptedDns):
    def __init__(self, port):
        super().__init__(port)
        self.malformed = []  # bytes that no server should have sent on

    def _note(self, transport, peer, wire):
        try:
            asked = Asked(time.monotonic(), transport, peer[1], wire)
            message = asked.message
            good = message.counts[0] == 1 and all(r.owner == b"\0" for r in message.opts)
            message.options  # raises, too
        except (w.Malformed, struct.error, IndexError):
            good = False
        if not good:
            self.malformed.append(wire)
            return wire
        self.asked.append(asked)
        return asked

    def answer(self, asked):
        if isinstance(asked, bytes):
            return 0, [w.header(int.from_bytes(asked[:2], "big"), w.QR | w.RA | w.FORMERR, [0] * 4)]
        refusal = refused(asked.message)
        if refusal:
            return 0, [polite(asked, refusal)]
        delay, replies = super().answer(asked)
        return delay, [polite(asked, reply) for reply in replies]


def refused(message):
    """The answer to what no resolver does for a stranger; None for everything else."""
    if message.opcode:
        flags = w.QR | w.RA | message.flags & 0x7800
        return w.reply(message.wire, rcode=w.NOTIMP, flags=flags)
    if message.opts and message.opt.ttl >> 16 & 0xFF:
        return w.reply(message.wire, additional=[w.opt(rcode_high=w.BADVERS >> 4)])
    if message.qtype in (w.AXFR, w.IXFR):
        return w.reply(message.wire, rcode=w.REFUSED)
    return None


def polite(asked, reply):
    """The reply with an OPT when the query had one, and TC when it would be too large. What is
    wrong on purpose stays as it is."""
    try:
        message = w.Message(reply)
    except (w.Malformed, struct.error, IndexError):
        return reply
    ours = asked.message.opt
    if ours and not message.opts and message.flags & 15 != w.FORMERR:
        reply = with_opt(reply, ours)
    if message.opts and not ours:
        reply = without_opt(reply, message.opt)
    limit = max(512, ours.rclass if ours else 0)
    if asked.transport != "udp" or len(reply) <= limit:
        return reply
    cut = w.header(message.id, message.flags | w.TC, (1, 0, 0, 0)) + message.question_bytes
    return with_opt(cut, ours) if ours else cut


def with_opt(reply, asked_opt):
    count = int.from_bytes(reply[10:12], "big") + 1
    return reply[:10] + struct.pack("!H", count) + reply[12:] + w.opt(flags=asked_opt.ttl & w.DO)



def without_opt(reply, opt):
    """Less its last record, which the OPT is."""
    count = int.from_bytes(reply[10:12], "big") - 1
    return reply[:10] + struct.pack("!H", count) + reply[12 : opt.rdata_at - 11]
