"""Asking upstream: whom we believe, what can be guessed, when we give up (RFC 5452, RFC 5625)."""

import os
import socket
import threading
import time
from pathlib import Path

import dns_wire as w
import scripted_dns
from rows import expect, not_applicable, proven, row
from server import PROTOCOLS, rcode_word

FORGED = "192.0.2.66"
BURST = 64


def believed(s, forge, word="ok"):
    """The answer to a question that an attacker answers first, the upstream after him. Over TCP
    there is no attacker."""

    def first_forged(q):
        return [*(forge(q) if q.asked.transport == "udp" else ()), scripted_dns.ok(q)]

    name = s.fresh(word)
    s.upstream.zone[name + "."] = first_forged
    with s.connect("udp") as client:
        return client.ask(w.query(name), 12)


def expect_not_believed(s, forge, word="ok"):
    answer = believed(s, forge, word)
    expect(answer is None or FORGED not in answer.addresses, "the forged answer was believed")
    return answer


def forged(q, qname=None, qtype=w.A, id=None, **more):
    """What an attacker says about the name that was asked for."""
    message = q.asked.message
    qname = message.qname if qname is None else qname
    query = w.query(qname, qtype, message.id if id is None else id)
    return w.reply(query, [w.a(qname, FORGED)], **more)


@row("answer-with-another-id", "RFC 5452 9.1", "M", "An answer with another id is not believed.")
def another_id(s):
    def forge(q):
        return [forged(q, id=(q.asked.message.id + step) & 0xFFFF) for step in (1, 255, 65535)]

    expect_not_believed(s, forge)


@row("answer-to-another-name", "RFC 5452 9.1", "M",
     "An answer with another question is not believed: another name, another type, none.")
def another_name(s):
    expect_not_believed(s, lambda q: [forged(q, w.name("other.example"))])
    expect_not_believed(s, lambda q: [forged(q, qtype=w.MX)])

    def none(q):
        head = w.header(q.asked.message.id, w.QR | w.RA | w.RD, (0, 1, 0, 0))
        return [head + w.a(q.qname, FORGED)]

    expect_not_believed(s, none)


@row("answer-that-is-none", "RFC 5452 9.1", "M",
     "What comes back without QR, or with another opcode, is not believed.")
def answer_that_is_none(s):
    expect_not_believed(s, lambda q: [forged(q, flags=w.RA)])
    expect_not_believed(s, lambda q: [forged(q, flags=w.QR | w.RA | 4 << 11)])


@row("answer-from-elsewhere", "RFC 5452 9.1", "M",
     "An answer from another address or port than was asked is not believed.")
def answer_from_elsewhere(s):
    def forge_from(address):
        def forge(q):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as attacker:
                attacker.bind((address, 0))
                attacker.sendto(forged(q), ("127.0.0.1", q.asked.port))
            return []

        return forge

    for address in ("127.0.0.1", "127.0.0.2"):
        expect_not_believed(s, forge_from(address), "slow-100")


@row("answer-in-another-case", "RFC 5452 9.1", "B",
     "Where the case of letters is made up as a secret, an answer in another case is not believed.")
def another_case(s):
    name = s.fresh()
    s.query(name)
    asked = s.upstream.asked_for(name)[0].message.qname
    if asked == asked.lower():
        not_applicable("does not make up the case of letters")

    def forge(q):
        return [forged(q, q.asked.message.qname.swapcase())]

    expect_not_believed(s, forge)


@row("right-answer-still-heard", "RFC 5452 4.5", "B",
     "Forged answers do not keep the right one from being heard.")
def right_answer_still_heard(s):
    def forge(q):
        message = q.asked.message
        return [
            forged(q, id=message.id ^ 0x5555),
            forged(q, w.name("other.example")),
            forged(q, qtype=w.MX),
            b"garbage",
        ]

    answer = believed(s, forge)
    expect(answer is not None, "no answer")
    expect(answer.addresses == ["192.0.2.1"], "%s", rcode_word(answer.rcode))


def burst(s):
    """Many questions at once, as the upstream saw them."""
    names = [s.fresh("slow-400") for _ in range(BURST)]
    client = s.connect("udp")
    for id, name in enumerate(names):
        client.send(w.query(name, id=id))
    for _ in names:
        if client.receive(3) is None:
            break
    return [q for name in names for q in s.upstream.asked_for(name) if q.transport == "udp"]


@row("ports-unpredictable", "RFC 5452 9.2", "M",
     "64 questions at once leave from 16 ports or more.")
def ports_unpredictable(s):
    ports = {q.port for q in burst(s)}
    expect(len(ports) >= 16, "%d ports", len(ports))


@row("ids-unpredictable", "RFC 5452 9.2", "M",
     "The ids of 64 questions come from all 16 bits and follow no pattern.")
def ids_unpredictable(s):
    ids = [q.message.id for q in burst(s)]
    expect(len(ids) >= BURST, "only %d were asked", len(ids))
    steps = {(b - a) & 0xFFFF for a, b in zip(ids, ids[1:])}
    expect(len(steps) > len(ids) // 2, "%d ids, %d steps between them", len(ids), len(steps))
    expect(max(ids) > 0x4000, "none above %d", max(ids))


@row("asked-once", "RFC 5452 5", "M",
     "Fifty clients with one question at once: it is asked four times at most.")
def asked_once(s):
    name = s.fresh("slow-300")
    for client in [s.connect("udp") for _ in range(50)]:
        client.send(w.query(name))
    s.upstream.wait_for(name)
    time.sleep(1)
    expect(s.asked(name) <= 4, "asked %d times", s.asked(name))


@row("asked-once-answered-to-all", "RFC 5452 5", "B", "All fifty get the answer.")
def answered_to_all(s):
    name = s.fresh("slow-300")
    clients = [s.connect("udp") for _ in range(50)]
    for client in clients:
        client.send(w.query(name))
    end = time.monotonic() + 6
    answered = sum(
        client.receive(max(end - time.monotonic(), 0.001)) is not None for client in clients
    )
    expect(answered == 50, "%d were", answered)


@row("asked-once-in-any-case", "RFC 4343 3", "B",
     "Clients that write a name differently at once share the answer, each with its own letters.")
def asked_once_in_any_case(s):
    name = s.fresh("slow-300")
    written = (name, name.upper(), name.title())
    clients = [(s.connect("udp"), text) for text in written]
    for client, text in clients:
        client.send(w.query(text))
    for client, text in clients:
        answer = w.Message(client.receive())
        expect(answer.question_bytes == w.question(text), "somebody else's letters")
    expect(s.asked(name) == 1, "asked %d times", s.asked(name))


@row("listens-where-told", "RFC 5625 6.1", "S",
     "Nothing listens but what was configured, and nothing beyond loopback.")
def listens_where_told(s):
    time.sleep(1.5)  # sockets of questions that are over
    told = set(s.ports.values())
    for table, listening in (("tcp", "0A"), ("tcp6", "0A"), ("udp", "07"), ("udp6", "07")):
        for address, port in sockets_of(s.pid, table, listening):
            expect(port in told, "%s port %d", table, port)
            expect(address == "0100007F", "%s: address %s", table, address)


def sockets_of(pid, table, state):
    """(address, port) of its sockets that anyone may send to."""
    inodes = set()
    for entry in Path("/proc/%d/fd" % pid).iterdir():
        try:
            inodes.add(os.readlink(entry))
        except OSError:
            pass
    found = []
    for line in Path("/proc/%d/net/%s" % (pid, table)).read_text().splitlines()[1:]:
        word = line.split()
        if word[3] == state and "socket:[%s]" % word[9] in inodes:
            address, port = word[1].split(":")
            found.append((address, int(port, 16)))
    return found


@row("truncated-upstream", "RFC 7766 5", "M",
     "TC from the upstream: over TCP, DoT and DoH the client gets the whole answer.")
def truncated_upstream(s):
    for protocol in PROTOCOLS:
        answer = s.query(s.fresh("tc"), protocol)
        if protocol == "udp" and answer.truncated:
            continue  # the client asks over TCP
        expect(not answer.truncated, "%s: TC", protocol)
        expect(answer.addresses, "%s: %s without records", protocol, rcode_word(answer.rcode))


@row("truncated-upstream-without-tcp", "RFC 5625 4.1", "M",
     "TC from an upstream that then fails over TCP: SERVFAIL, not half an answer.")
def truncated_without_tcp(s):
    for protocol in ("tcp", "dot", "doh"):
        answer = s.query(s.fresh("udponly"), protocol)
        expect(answer.rcode == w.SERVFAIL, "%s: %s", protocol, rcode_word(answer.rcode))


@row("silent-upstream", "resolv.conf(5)", "B",
     "When the upstream is silent, SERVFAIL within six seconds, over every protocol: a stub waits "
     "for five.", restart=True)
def silent_upstream(s):
    s.upstream.mute = True
    outcomes = {}

    def ask(protocol):
        begin = time.monotonic()
        outcomes[protocol] = (s.outcome(w.query(s.fresh()), protocol), time.monotonic() - begin)

    threads = [threading.Thread(target=ask, args=(protocol,)) for protocol in PROTOCOLS]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for protocol, (found, seconds) in outcomes.items():
        is_error = found == "SERVFAIL" or protocol == "doh" and found.startswith("HTTP 5")
        expect(is_error, "%s: %s", protocol, found)
        expect(seconds < 6, "%s: after %.1f s", protocol, seconds)


@row("silent-upstream-retries", "RFC 9520 2.2", "M",
     "A question is sent to a silent upstream ten times at most, within ten seconds.",
     restart=True)
def silent_upstream_retries(s):
    name = s.fresh("silent")
    client = s.connect("udp")
    client.send(w.query(name))
    client.receive(10)
    expect(s.asked(name) >= 1, "it was not asked")
    expect(s.asked(name) <= 10, "asked %d times", s.asked(name))


@row("silent-upstream-many-names", "RFC 9520 3.2", "B",
     "When the upstream is well again after ten seconds of silence, so are the clients in ten.",
     restart=True)
def well_again(s):
    s.upstream.mute = True
    with s.connect("udp") as client:
        for _ in range(10):
            client.send(w.query(s.fresh()))
            time.sleep(1)
        s.upstream.mute = False
        end = time.monotonic() + 10
        while time.monotonic() < end:
            if s.is_well(1):
                return
    expect(False, "still not well")


@row("lame-upstream", "RFC 2308 7", "S",
     "REFUSED, NOTIMP and nonsense from the upstream reach the client as an error.")
def lame_upstream(s):
    for word in ("refused", "notimp", "garbage", "cutoff", "loop"):
        found = s.outcome(w.query(s.fresh(word)), timeout=6)
        expect(found in ("SERVFAIL", "REFUSED", "NOTIMP"), "%s: %s", word, found)


@row("short-rdata", "RFC 1035 3.4.1", "B", "An A record of two bytes does not reach the client.")
def short_rdata(s):
    answer = s.query(s.fresh("shortrdata"))
    found = [len(r.rdata) for r in answer.answer if r.type == w.A]
    expect(all(length == 4 for length in found), "an A of %s bytes", found)


@row("old-upstream", "RFC 6891 7", "M",
     "An upstream that answers FORMERR to EDNS is of use all the same.")
def old_upstream(s):
    answer = s.query(s.fresh("formerr"))
    expect(answer.rcode == w.NOERROR, "%s", rcode_word(answer.rcode))
    expect(answer.addresses, "no address")


@row("upstream-that-changes-case", "RFC 4343 3", "B",
     "An upstream that answers in lower case is understood all the same.")
def upstream_that_changes_case(s):
    answer = s.query(s.fresh("lowercase").upper().replace("EXAMPLE", "Example"))
    expect(answer.rcode == w.NOERROR and answer.addresses, "%s", rcode_word(answer.rcode))


proven("forward", "padding-upstream", "RFC 8467 4.1", "S",
       "Queries over DoT and DoH to an upstream are padded to 128 bytes.",
       "tests/flow/test_upstream_tls.py::% 128 == 0")
