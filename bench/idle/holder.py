"""holder.py PROTOCOL PORT COUNT FIRST CA: opens so many TLS connections, asks one question on each,
says "ready", and keeps them without a word until standard input ends. FIRST is the number of its
first address (127.1.x.y); each address has 200 connections."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests/flow"))

import dns_wire as w  # noqa: E402
from dns_client import Stream, tls_context  # noqa: E402
from h2_client import RawH2  # noqa: E402

PER_ADDRESS = 200
ASK = w.query("ok.idle.test")


def opened(protocol, port, ca, context, source):
    if protocol == "dot":
        client = Stream("127.0.0.1", port, context, source=source)
        assert client.ask(ASK).addresses
        return client
    client = RawH2("127.0.0.1", port, ca, context=context, source=source)
    client.send(client.request(1, ASK))
    assert client.wait(lambda: client.bodies.get(1)), client.statuses
    return client


def main():
    protocol, port, count, first, ca = sys.argv[1:]
    context = tls_context(ca, "h2" if protocol == "doh" else "dot")
    held = []
    for number in range(int(count)):
        address = int(first) + number // PER_ADDRESS
        source = "127.1.%d.%d" % divmod(address + 1, 250)
        held.append(opened(protocol, int(port), ca, context, source))
    print("ready", flush=True)
    sys.stdin.read()


main()
