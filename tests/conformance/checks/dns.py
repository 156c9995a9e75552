"""DNS messages: RFC 1035 and what came after it."""

import dns_wire as w
from rows import expect, row
from server import PROTOCOLS


@row("header-copied", "RFC 1035 4.1.1", "M", "Id and RD come back; QR and RA are set, Z is 0.")
def header_copied(s):
    for protocol in PROTOCOLS:
        for id in (0, 1, 0xFFFF):
            answer = s.query(protocol=protocol, id=id)
            expect(answer.id == id, "%s: id %d came back as %d", protocol, id, answer.id)
            flags = answer.flags & ~w.AA
            expect(flags == w.QR | w.RD | w.RA, "%s: flags %04x", protocol, answer.flags)
