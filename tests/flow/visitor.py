"""One question over each protocol, by clients that do not wait long: for tests in which something
fails meanwhile."""

import itertools
import os
import time

import dns_wire as w
from dns_client import Stream, Udp, tls_context
from h2_client import H2
from program import PROTOCOLS

GOOD_MS = 100  # what a client that nothing is wrong with may wait
EDNS = w.opt()
FAILURES = (OSError, AssertionError, ValueError, EOFError)  # of a client whose server is in trouble
numbers = itertools.count(1)


def fresh_name(first="ok"):
    """Nobody has asked for it before."""
    return "%s.v%d.visit.test" % (first, next(numbers))


def ask(namegate, protocol, name, patience=0.3):
    """A new connection and one question; the answer as a Message. Raises one of FAILURES."""
    wire, ca = w.query(name, edns=EDNS), namegate.certificates.ca
    if protocol == "udp":
        with Udp("127.0.0.1", namegate.ports["dns"]) as client:
            answer = client.ask(wire, patience)
    elif protocol == "doh":
        with H2("127.0.0.1", namegate.ports["doh"], ca, patience=patience) as client:
            answer = client.wait(client.post(wire), timeout=patience).message
    else:
        context = tls_context(ca, "dot") if protocol == "dot" else None
        port = namegate.ports["dot" if protocol == "dot" else "dns"]
        with Stream("127.0.0.1", port, context, patience=patience) as client:
            answer = client.ask(wire, patience)
    assert answer is not None, "no answer over %s" % protocol
    assert answer.qname.lower() == w.name(name), "an answer to something else"
    return answer


def visit(namegate, patience=0.3, first="ok"):
    """A question over each protocol; what came of them by protocol: a Message or None. What is
    answered with addresses has the right ones."""
    answers = {}
    for protocol in PROTOCOLS:
        try:
            answers[protocol] = ask(namegate, protocol, fresh_name(first), patience)
        except FAILURES:
            answers[protocol] = None
    for protocol, answer in answers.items():
        assert not answer or set(answer.addresses) <= {"192.0.2.1"}, (protocol, answer)
    return answers


def milliseconds(namegate, protocol):
    begin = time.monotonic()
    answer = ask(namegate, protocol, fresh_name(), patience=6)
    assert answer.addresses, (protocol, answer)
    return (time.monotonic() - begin) * 1000


def check_answers(namegate, tries=12):
    """All four protocols answer strangers in time. Each try opens a connection, and on a machine
    that has much else to do one of them may be late for no fault of ours: the best counts."""
    for protocol in PROTOCOLS:
        times = []
        while not times or (min(times) > GOOD_MS and len(times) < tries):
            times.append(milliseconds(namegate, protocol))
        assert min(times) <= GOOD_MS, (protocol, times)


def descriptors(namegate):
    return len(os.listdir("/proc/%d/fd" % namegate.pid))
