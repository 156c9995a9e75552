"""Asks at a steady rate, every question another name, and tells how each went.

  outage_load.py ADDRESS PORT RATE SECONDS NAMES ZONE...

Prints when it begins and then one JSON list: [when it was sent (s), how long it took (s) or null,
rcode or null, ede]. The zones take turns. With NAMES so many names come round again and again, and
a cache knows them; 0 for none twice."""

import json
import socket
import struct
import sys
import time

import dns_wire as w

PATIENCE_S = 6


def main(address, port, rate, seconds, names, *zones):
    rate, seconds, names = float(rate), float(seconds), int(names)
    count = int(rate * seconds)
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    sock.connect((address, int(port)))
    sock.setblocking(False)
    queries = [
        w.query("ok.n%d.%s" % (number, zones[i % len(zones)]), id=i & 0xFFFF, edns=w.opt())
        for i in range(count)
        for number in [i // len(zones) % names if names else i]
    ]
    begin = time.monotonic()
    print(json.dumps(begin), flush=True)
    sent, results = [None] * count, [None] * count
    following = done = 0
    while done < count and time.monotonic() < begin + seconds + PATIENCE_S:
        now = time.monotonic()
        while following < count and begin + following / rate <= now:
            sent[following] = time.monotonic()
            sock.send(queries[following])
            following += 1
        try:
            while True:
                reply = sock.recv(4096)
                at = struct.unpack("!H", reply[:2])[0]
                if results[at] is None:
                    message = w.Message(reply)
                    results[at] = (time.monotonic() - sent[at], message.rcode, message.ede_code)
                    done += 1
        except (BlockingIOError, ConnectionRefusedError):
            pass
        time.sleep(0.001)
    rows = [
        [s - begin, *(r or (None, None, None))] for s, r in zip(sent, results) if s is not None
    ]
    print(json.dumps(rows), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
