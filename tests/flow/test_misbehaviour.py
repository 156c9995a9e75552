"""What a client sees, and when, of an upstream that is silent, slow, broken or lying, over each of
the upstream protocols: alone, and as the first of two. Run with -s it ends with the table that
docs/what-clients-see.md has. (Cables that are pulled under load are in test_outage.py.)"""

import concurrent.futures
import time
from dataclasses import dataclass, field

import pytest

import dns_wire as w
from dns_client import Stream, Udp
from program import Ports
from scripted_dns import ScriptedDns
from scripted_tls import ScriptedTls

pytestmark = pytest.mark.slow

PROTOCOLS = ("dns", "dot", "doh")
PLACES = ("alone", "first")
EVERYWHERE = [(protocol, place) for protocol in PROTOCOLS for place in PLACES]
GOOD, OTHERS = "192.0.2.1", "192.0.2.2"  # the one that misbehaves when it does not, and the other
VICTIMS = ("victim.test", "ns.victim.test")
DEADLINE_S = 5  # what a stub waits for
PROMPT_S = 3  # some milliseconds, but for a busy machine
TTL_MAX = 7 * 86400
RIGHT = (w.NOERROR, w.NXDOMAIN)
WORDS = {w.NOERROR: "right", w.NXDOMAIN: "NXDOMAIN", w.SERVFAIL: "SERVFAIL", w.REFUSED: "REFUSED"}


@dataclass
class Case:
    """One way to misbehave: in the message, by a label of scripted_dns.py; or around it, by a
    manner or a handshake of scripted_tls.py, which plain DNS does not have."""

    what: str
    label: str = "ok"
    rcode: int | None = None  # what the client gets from it alone; None: an error with a reason
    manner: str | None = None
    handshake: str = "tls"
    only: tuple = PROTOCOLS
    gone: bool = False  # nobody is there
    qtype: int = w.A
    right_over: tuple = field(default=())  # an answer over these all the same

    def rcode_over(self, protocol):
        return w.NOERROR if protocol in self.right_over else self.rcode


TLS = ("dot", "doh")
CASES = [
    Case("nothing wrong", "ok", w.NOERROR),
    Case("NXDOMAIN", "nxdomain", w.NXDOMAIN),
    Case("silent", "silent"),
    Case("slow: 1.5 s", "slow-1500", w.NOERROR),
    Case("SERVFAIL", "servfail", w.SERVFAIL),
    Case("SERVFAIL with a reason (EDE 6)", "ede", w.SERVFAIL),
    Case("REFUSED", "refused", w.REFUSED),
    Case("FORMERR to EDNS", "formerr", w.NOERROR, only=("dns",)),
    Case("truncated", "tc", w.NOERROR),
    Case("truncated, and TCP is closed", "udponly", only=("dns",)),
    Case("59 kB", "huge", w.NOERROR, qtype=w.TXT),
    Case("wrong id", "wrongid", right_over=("doh",)),
    Case("question with another name", "wrongqname"),
    Case("question with another type", "wrongtype"),
    Case("no question", "noquestion"),
    Case("QR = 0", "qr0"),
    Case("another opcode", "opcode"),
    Case("garbage behind a header", "garbage"),
    Case("cut in the middle", "cutoff"),
    Case("pointer to itself", "loop"),
    Case("A record of two bytes", "shortrdata"),
    Case("six wrong answers, then the right one", "spoofed", w.NOERROR, only=("dns",)),
    Case("poison in answer, authority, additional", "extra", w.NOERROR),
    Case("TTL above 2^31", "ttltop", w.NOERROR),
    Case("port closed", gone=True),
    Case("connection taken, no handshake", handshake="never", only=TLS),
    Case("connection closed at once", handshake="refused", only=TLS),
    Case("no TLS", handshake="plain", only=TLS),
    Case("closes instead of an answer", manner="close", only=TLS),
    Case("resets instead of an answer", manner="reset", only=TLS),
    Case("garbage in the stream", manner="garbage", only=TLS),
    Case("a message that never ends", manner="short", only=("dot",)),
    Case("HTTP 500", manner="500", only=("doh",)),
    Case("HTTP redirect", manner="redirect", only=("doh",)),
    Case("a login page", manner="html", only=("doh",)),
    Case("GOAWAY, question not looked at", manner="goaway_unseen", only=("doh",)),
    Case("stream reset after half a body", manner="half", only=("doh",)),
]


@pytest.fixture(scope="module")
def bad(certificates):
    """The ones that misbehave, by protocol and place."""
    servers = {
        (protocol, place): ScriptedTls(Ports.take(), protocol, certificates)
        if protocol in TLS
        else ScriptedDns(Ports.take())
        for protocol, place in EVERYWHERE
    }
    for server in servers.values():
        server.__enter__()
    yield servers
    for server in servers.values():
        server.__exit__()


@pytest.fixture(scope="module")
def good():
    """The other one, which always has an answer."""
    with ScriptedDns(Ports.take()) as server:
        server.answer = lambda asked: (0, [w.reply(asked.wire, [record(asked.message)])])
        yield server


def record(question):
    if question.qtype == w.TXT:
        return w.record(question.qname, w.TXT, b"\5hello")
    return w.a(question.qname, OTHERS)


def upstream(name, protocol, port, certificates):
    settings = {"name": name, "protocol": protocol, "address": "127.0.0.1", "port": port}
    return settings if protocol == "dns" else {**settings, "tls_ca": str(certificates.ca)}


@pytest.fixture(scope="module")
def namegate(shared_maker, bad, good, certificates):
    """Below alone.dot.test nobody but the bad one is asked, over DoT; below first.dot.test the
    good one after it; and so on. Below gone-alone.dot.test nobody is there."""
    settings = shared_maker.settings()
    settings["upstreams"] = [upstream("good", "dns", good.port, certificates)]
    settings["upstream_groups"] = [{"name": "good", "upstreams": ["good"]}]
    settings["routes"] = []
    for protocol, place in EVERYWHERE:
        for name, port in (
            ("%s.%s.test" % (place, protocol), bad[protocol, place].port),
            ("gone-%s.%s.test" % (place, protocol), Ports.take()),
        ):
            members = [name, "good"] if place == "first" else [name]
            settings["upstreams"].append(upstream(name, protocol, port, certificates))
            settings["upstream_groups"].append({"name": name, "upstreams": members})
            settings["routes"].append({"domains": [name], "upstream_group": name})
    return shared_maker.start(settings)


class Seen:
    def __init__(self, answer, seconds):
        self.answer, self.seconds = answer, seconds

    @property
    def is_right(self):
        """Records, all of them ours, and of a TTL that is one."""
        answer = self.answer
        if answer.rcode == w.NXDOMAIN:
            return not answer.answer
        records = answer.answer + answer.authority + answer.additional
        return (
            answer.rcode == w.NOERROR
            and len(answer.answer) > 0
            and all(r.ttl <= TTL_MAX for r in records if r.type != w.OPT)
            and all(r.address in (GOOD, OTHERS) for r in records if r.type == w.A)
        )

    def __str__(self):
        what = WORDS.get(self.answer.rcode, "rcode %d" % self.answer.rcode)
        if self.answer.rcode not in RIGHT and self.answer.ede_code is not None:
            what += " (%d)" % self.answer.ede_code
        return "%s, %s" % (what, how_long(self.seconds))


def how_long(seconds):
    return "%d ms" % round(1000 * seconds) if seconds < 0.9995 else "%.1f s" % seconds


def ask(namegate, name, qtype=w.A):
    """Over TCP where the answer would not fit otherwise."""
    wire = w.query(name, qtype, edns=w.opt())
    with (Udp if qtype == w.A else Stream)("127.0.0.1", namegate.ports["dns"]) as client:
        begin = time.monotonic()
        answer = client.ask(wire)
        assert answer is not None, "no answer for %s" % name
        return Seen(answer, time.monotonic() - begin)


numbers = iter(range(10**9))


def ask_all(namegate, case, protocols=PROTOCOLS):
    """By protocol and place, all at the same time."""
    names = {
        (protocol, place): "%s.n%d.%s%s.%s.test"
        % (case.label, next(numbers), "gone-" if case.gone else "", place, protocol)
        for protocol in protocols
        for place in PLACES
    }
    with concurrent.futures.ThreadPoolExecutor(len(names)) as pool:
        asking = {key: pool.submit(ask, namegate, name, case.qtype) for key, name in names.items()}
        return {key: one.result() for key, one in asking.items()}


def be_good(bad):
    for (protocol, _), server in bad.items():
        server.mute = False
        if protocol in TLS:
            server.handshake, server.manner = "tls", None


def recover(namegate, bad):
    """Until all of them are asked first again, and it is known how long they take."""
    be_good(bad)
    deadline = time.monotonic() + 20
    well = 0
    while well < 20:
        seen = ask_all(namegate, Case("", "ok"))
        is_well = all(one.answer.addresses == [GOOD] for one in seen.values())
        well = well + 1 if is_well else 0
        assert time.monotonic() < deadline, {key: str(one) for key, one in seen.items()}


@pytest.fixture(scope="module")
def table():
    """The cells, by what and by protocol and place."""
    rows = {}
    yield rows
    words = {"dns": "plain", "dot": "DoT", "doh": "DoH", "alone": "alone", "first": "first of two"}
    columns = ("%s, %s" % (words[a], words[b]) for a, b in EVERYWHERE)
    print("\n| the upstream | %s |" % " | ".join(columns))
    print("|---" * (1 + len(EVERYWHERE)) + "|")
    for what, cells in rows.items():
        print("| %s | %s |" % (what, " | ".join(str(cells.get(key, "–")) for key in EVERYWHERE)))


@pytest.fixture
def well(namegate, bad):
    recover(namegate, bad)
    yield
    be_good(bad)


@pytest.mark.parametrize("case", CASES, ids=[case.what for case in CASES])
def test_case(namegate, bad, table, well, case):
    for (protocol, _), server in bad.items():
        if protocol not in TLS or protocol not in case.only:
            continue
        server.manner, server.handshake = case.manner, case.handshake
        if case.handshake != "tls":
            server.drop_all()
    if case.handshake != "tls":
        time.sleep(0.1)  # until that has arrived
    table[case.what] = seen = ask_all(namegate, case, case.only)
    for (protocol, place), one in seen.items():
        rcode = case.rcode_over(protocol) if place == "alone" else one.answer.rcode
        assert one.seconds < (DEADLINE_S if place == "alone" else PROMPT_S)
        if place == "first" or rcode in RIGHT:
            assert one.is_right and one.answer.rcode == rcode, (protocol, place)
            continue
        assert one.answer.rcode == (w.SERVFAIL if rcode is None else rcode), (protocol, place)
        assert not one.answer.answer
        assert rcode is not None or one.answer.ede_code is not None, "not a word why"
    for victim in VICTIMS:
        assert ask(namegate, victim).answer.addresses == [OTHERS]


def test_flapping(namegate, bad, table, well):
    """A second up, a second down. The one that is alone may fail; nobody waits in vain."""
    seconds = 6

    def keep_asking(protocol, place):
        rows = []
        while time.monotonic() < begin + seconds:
            rows.append(ask(namegate, "ok.n%d.%s.%s.test" % (next(numbers), place, protocol)))
            time.sleep(0.01)
        return rows

    begin = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        asking = {
            (protocol, place): pool.submit(keep_asking, protocol, place)
            for protocol, place in EVERYWHERE
        }
        while time.monotonic() < begin + seconds:
            for server in bad.values():
                server.mute = int(time.monotonic() - begin) % 2 == 1
            time.sleep(0.01)
        be_good(bad)
        seen = {key: one.result() for key, one in asking.items()}
    cells = table["flapping: a second up, a second down"] = {}
    for (protocol, place), rows in seen.items():
        failed = [one for one in rows if not one.is_right]
        longest = max(one.seconds for one in rows)
        cells[protocol, place] = "%d of %d failed, worst %s" % (
            len(failed),
            len(rows),
            how_long(longest),
        )
        assert longest < (DEADLINE_S if place == "alone" else PROMPT_S)
        assert all(one.answer.rcode == w.SERVFAIL for one in failed)
        assert place == "alone" or not failed
