"""What a client sees, and when, of an upstream that is silent, slow, broken or lying: alone, and as
the first of two. `-s` shows the tables that docs/upstreams.md has. (A cable that is pulled under
load is in test_outage.py.)"""

import time

import pytest

import dns_wire as w
from program import Ports
from scripted_dns import ScriptedDns

GOOD, FORGED, OTHERS = "192.0.2.1", "192.0.2.66", "192.0.2.2"

# The first label, what the client gets from it alone (an rcode, None for the error of nobody
# knowing), and whether the other upstream is asked.
BEHAVIOURS = [
    ("ok", w.NOERROR, False),
    ("nxdomain", w.NXDOMAIN, False),
    ("silent", None, True),
    ("slow-1500", w.NOERROR, True),
    ("servfail", w.SERVFAIL, True),
    ("refused", w.REFUSED, True),
    ("notimp", w.NOTIMP, True),
    ("formerr", w.NOERROR, False),
    ("tc", w.NOERROR, False),
    ("udponly", None, True),
    ("huge", w.NOERROR, False),
    ("wrongid", None, True),
    ("wrongqname", None, True),
    ("wrongtype", None, True),
    ("noquestion", None, True),
    ("qr0", None, True),
    ("garbage", None, True),
    ("cutoff", None, True),
    ("loop", None, True),
    ("spoofed", w.NOERROR, False),
    ("extra", w.NOERROR, False),
    ("ttltop", w.NOERROR, False),
]


@pytest.fixture
def second():
    with ScriptedDns(Ports.take()) as server:
        server.answer = lambda asked: (
            0,
            [] if server.mute else [w.reply(asked.wire, [w.a(asked.message.qname, OTHERS)])],
        )
        yield server


def ask(client, name):
    """(answer, ms)"""
    begin = time.monotonic()
    answer = client.ask(w.query(name, edns=True), timeout=6)
    return answer, (time.monotonic() - begin) * 1000


def warm_up(client, zone):
    """So that it is known how long they take."""
    for i in range(60):
        assert client.ask(w.query("ok.w%d.%s.test" % (i, zone))).addresses == [GOOD]
    time.sleep(0.1)


def show(label, how, answer, ms):
    codes = {w.NOERROR: "answer", w.NXDOMAIN: "NXDOMAIN", w.SERVFAIL: "SERVFAIL"}
    what = codes.get(answer.rcode, "rcode %d" % answer.rcode)
    ede = " (EDE %d)" % answer.ede_code if answer.opts and answer.ede_code is not None else ""
    print("| %-10s | %-5s | %s%s, %d ms |" % (label, how, what, ede, ms))


@pytest.mark.slow
@pytest.mark.parametrize("label, rcode, others", BEHAVIOURS, ids=[b[0] for b in BEHAVIOURS])
def test_alone(maker, scripted, connect, label, rcode, others):
    client = connect(maker.start(maker.settings(first=scripted)), "udp")
    warm_up(client, "one")
    answer, ms = ask(client, "%s.one.test" % label)
    show(label, "alone", answer, ms)
    assert ms < 5000
    if rcode is None:
        assert answer.rcode == w.SERVFAIL and not answer.answer
    elif label == "notimp":
        assert answer.rcode in (w.NOTIMP, w.SERVFAIL)
    else:
        assert answer.rcode == rcode
    assert FORGED not in answer.addresses[:1]
    # Whatever it was, it is over: the next answer comes as ever.
    assert ask(client, "ok.after-%s.one.test" % label)[0].addresses == [GOOD]


@pytest.mark.slow
@pytest.mark.parametrize("label, rcode, others", BEHAVIOURS, ids=[b[0] for b in BEHAVIOURS])
def test_first_of_two(maker, scripted, second, connect, label, rcode, others):
    client = connect(maker.start(maker.settings(first=scripted, second=second)), "udp")
    warm_up(client, "two")
    answer, ms = ask(client, "%s.two.test" % label)
    show(label, "first", answer, ms)
    assert ms < 1000
    if others:
        assert answer.rcode == w.NOERROR and answer.addresses == [OTHERS]
    elif ms < 15:
        assert answer.rcode == rcode and OTHERS not in answer.addresses
    # Else this machine was so slow that the other one was asked as well.
    assert FORGED not in answer.addresses[:1]


@pytest.mark.slow
def test_flapping(maker, scripted, second, connect):
    """The first of two is there for half a second, and away for the next."""
    client = connect(maker.start(maker.settings(first=scripted, second=second)), "udp")
    warm_up(client, "flap")
    took = []
    begin = time.monotonic()
    while time.monotonic() - begin < 6:
        scripted.mute = int((time.monotonic() - begin) * 2) % 2 == 1
        answer, ms = ask(client, "ok.f%d.flap.test" % len(took))
        assert answer.rcode == w.NOERROR and answer.addresses in ([GOOD], [OTHERS])
        took.append(ms)
        time.sleep(0.01)
    took.sort()
    print(
        "| flapping: %d questions one after the other, none failed; %d took more than 15 ms, "
        "p99 %d ms, at most %d ms |"
        % (len(took), sum(ms > 15 for ms in took), took[len(took) * 99 // 100], took[-1])
    )
    assert took[len(took) // 2] < 300


@pytest.mark.slow
def test_everybody_dead_and_back(maker, scripted, second, connect):
    """SERVFAIL with a reason in less than 5 s, and a second after they are back an answer."""
    namegate = maker.start(maker.settings(first=scripted, second=second))
    client = connect(namegate, "udp")
    warm_up(client, "dead")
    scripted.mute = second.mute = True
    answer, ms = ask(client, "ok.gone.dead.test")
    show("both dead", "two", answer, ms)
    assert answer.rcode == w.SERVFAIL and ms < 5000
    assert answer.ede_code in (22, 23)
    scripted.mute = second.mute = False
    answer, ms = ask(client, "ok.back.dead.test")
    show("both back", "two", answer, ms)
    assert answer.addresses in ([GOOD], [OTHERS]) and ms < 1500
