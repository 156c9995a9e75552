"""Encrypted upstreams: programs that we did not write (unbound, BIND, dnsdist), whom we believe to
be who they say, and servers that fail in every way that connections can fail."""

import concurrent.futures
import threading
import time
from pathlib import Path

import pytest

import certificates as certs
import dns_wire as w
from dns_client import Udp
from knot import BIG
from program import PROTOCOLS, Ports
from scripted_dns import ScriptedDns
from scripted_tls import ScriptedTls
from upstream_servers import HOST, Dnsdist, Named, Unbound

NETWORK_ERRORS = (22, 23)  # RFC 8914: no reachable authority, network error
EDNS = w.opt()
DEADLINE_S = 5  # what a stub waits for
PROMPT_S = 3  # milliseconds, but for a machine that is busy; SERVFAIL comes after 4.5 s
OTHERS = ("unbound-dot", "named-dot", "named-doh", "dnsdist-dot", "dnsdist-doh")
KINDS = {"unbound": Unbound, "named": Named, "dnsdist": Dnsdist}
BOTH = ("dot", "doh")

one_of_each = pytest.mark.parametrize(
    "kind, protocol", [("unbound", "dot"), ("named", "doh"), ("dnsdist", "doh")]
)


def settings_for(maker, *upstreams):
    """Every question is asked of an upstream."""
    settings = maker.settings()
    settings["upstreams"] = list(upstreams)
    settings["cache"] = {"size": "0B"}
    return settings


def plain(name, server):
    return {"name": name, "protocol": "dns", "address": "127.0.0.1", "port": server.port}


def established(port):
    """Connections to a port of ours, as the kernel has them."""
    wanted = ":%04X" % port
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(row[2].endswith(wanted) and row[3] == "01" for row in rows)


def timed(client, wire):
    begin = time.monotonic()
    answer = client.ask(wire, timeout=DEADLINE_S) if isinstance(client, Udp) else client.ask(wire)
    return answer, time.monotonic() - begin


# --- programs that others wrote ---


@pytest.fixture(scope="module")
def start_other(tmp_path_factory, certificates, knot):
    """Makes a server that a test may treat as it likes."""

    def make(kind, **more):
        directory = tmp_path_factory.mktemp(kind)
        return KINDS[kind](directory, certificates, Ports, backend=knot.port, **more)

    return make


@pytest.fixture(scope="module")
def others(start_other):
    """Starts each server when it is first asked for; shared by all tests."""
    running = {}

    def server(kind):
        if kind not in running:
            running[kind] = start_other(kind).start()
        return running[kind]

    yield server
    for one in running.values():
        one.stop()


@pytest.fixture(scope="module", params=OTHERS)
def other(request, others, shared_maker):
    """A program whose one upstream is one of the others over one of its protocols."""
    kind, protocol = request.param.split("-")
    settings = settings_for(shared_maker, others(kind).upstream(protocol))
    settings["limits"] = {"queries_per_connection": 1000}
    return shared_maker.start(settings)


class TestOthers:
    @pytest.mark.quick
    @pytest.mark.parametrize("protocol", PROTOCOLS)
    def test_answers(self, other, connect, protocol):
        client = connect(other, protocol)
        assert client.ask(w.query("www.plain.test")).addresses == ["192.0.2.10"]
        aaaa = client.ask(w.query("www.plain.test", w.AAAA)).answer[0]
        assert aaaa.rdata.hex() == "20010db8000000000000000000000010"
        txt = client.ask(w.query("txt.plain.test", w.TXT)).answer[0]
        assert txt.rdata == b"\x0fknot says hello"
        alias = client.ask(w.query("alias.plain.test"))
        assert alias.types == [w.CNAME, w.A] and alias.addresses == ["192.0.2.10"]
        assert client.ask(w.query("svc.plain.test", w.HTTPS)).types == [w.HTTPS]
        assert client.ask(w.query("x%s.wild.plain.test" % protocol)).addresses == ["192.0.2.20"]

    @pytest.mark.parametrize("protocol", PROTOCOLS)
    def test_negative(self, other, connect, protocol):
        client = connect(other, protocol)
        nobody = client.ask(w.query("nobody.plain.test"))
        assert nobody.rcode == w.NXDOMAIN and [r.type for r in nobody.authority] == [w.SOA]
        nothing = client.ask(w.query("www.plain.test", w.MX))
        assert nothing.rcode == w.NOERROR and not nothing.answer
        assert [r.type for r in nothing.authority] == [w.SOA]
        broken = client.ask(w.query("www.broken.test", edns=EDNS))
        assert broken.rcode == w.SERVFAIL and not broken.answer

    @pytest.mark.parametrize("protocol", PROTOCOLS)
    def test_big(self, other, connect, protocol):
        """12 kB: cut over UDP, whole otherwise."""
        answer = connect(other, protocol).ask(w.query("big.plain.test", w.TXT, edns=EDNS))
        if protocol == "udp":
            assert answer.truncated and len(answer.wire) <= 1232
        else:
            assert sorted(r.rdata[1:4] for r in answer.answer) == [b"%03d" % i for i in range(BIG)]

    def test_many_at_once(self, other, connect):
        """400 questions in one write: all answers, over few connections."""
        client = connect(other, "tcp")
        client.send(*(w.query("m%d.wild.plain.test" % i, id=i) for i in range(400)))
        answers = {}
        for _ in range(400):
            message = w.Message(client.receive())
            answers[message.id] = message
        assert sorted(answers) == list(range(400))
        for i, message in answers.items():
            assert message.qname == w.name("m%d.wild.plain.test" % i)
            assert message.addresses == ["192.0.2.20"]
        port = other.settings["upstreams"][0]["port"]
        assert 1 <= established(port) <= 4

    def test_log_and_metrics(self, other, connect):
        name = other.settings["upstreams"][0]["name"]
        connect(other, "udp").ask(w.query("logged.wild.plain.test"))
        assert other.wait_log("logged.wild.plain.test")[0]["ext"]["upstream"] == name
        metrics = other.metrics()
        assert metrics.sum("namegate_upstream_requests_total", upstream=name) > 0
        assert metrics.sum("namegate_upstream_up", upstream=name) == 1


@pytest.mark.parametrize("kind", ("named", "dnsdist"))
def test_get(others, maker, connect, kind):
    namegate = maker.start(settings_for(maker, others(kind).upstream("doh", method="GET")))
    for protocol in PROTOCOLS:
        answer = connect(namegate, protocol).ask(w.query("www.plain.test"))
        assert answer.addresses == ["192.0.2.10"]


class TestTrust:
    """Nothing goes to a server that is not the one that was meant."""

    @pytest.fixture(scope="class")
    def impostors(self, tmp_path_factory, certificates):
        """Servers with certificates that must not do, by what is wrong with them."""
        directory = tmp_path_factory.mktemp("impostors")
        strange_ca = certs.make(_made(directory / "strange-ca"))
        issued = {
            "good": certs.issue(certificates, directory / "good", HOST, "127.0.0.1"),
            "name": certs.issue(certificates, directory / "name", "other.namegate.test"),
            "expired": certs.expire(
                certs.issue(certificates, directory / "expired", HOST, "127.0.0.1")
            ),
            "stranger": certs.issue(strange_ca, directory / "stranger", HOST, "127.0.0.1"),
        }
        servers = {
            (what, protocol): ScriptedTls(Ports.take(), protocol, one)
            for what, one in issued.items()
            for protocol in BOTH
        }
        for server in servers.values():
            server.__enter__()
        yield servers
        for server in servers.values():
            server.__exit__()

    @pytest.mark.parametrize("protocol", BOTH)
    @pytest.mark.parametrize(
        "what, more, word",
        [
            ("good", {"tls_name": "another.namegate.test"}, "certificate_name"),
            ("name", {"tls_name": HOST}, "certificate_name"),
            ("name", {}, "certificate_name"),  # it should have the address
            ("expired", {"tls_name": HOST}, "certificate_untrusted"),
            ("stranger", {"tls_name": HOST}, "certificate_untrusted"),
            ("good", {"tls_name": HOST, "tls_ca": None}, "certificate_untrusted"),
            ("good", {"tls_name": HOST, "tls_pins": ["A" * 43 + "="]}, "certificate_pin"),
            ("good", {"tls_ca": None, "tls_pins": ["A" * 43 + "="]}, "certificate_pin"),
            ("stranger", {"tls_name": HOST, "tls_pins": "own"}, "certificate_untrusted"),
            ("name", {"tls_name": HOST, "tls_pins": "own"}, "certificate_name"),
        ],
    )
    def test_refused(self, maker, impostors, certificates, connect, protocol, what, more, word):
        server = impostors[what, protocol]
        server.asked.clear()
        more = dict(more)
        if more.get("tls_pins") == "own":
            more["tls_pins"] = [certs.pin(server.certificates.certificate)]
        more.setdefault("tls_ca", str(certificates.ca))
        namegate = maker.start(settings_for(maker, server.upstream(**more)))
        answer, seconds = timed(connect(namegate, "udp"), w.query("ok.trust.test", edns=EDNS))
        assert answer.rcode == w.SERVFAIL and answer.ede_code in NETWORK_ERRORS
        assert seconds < DEADLINE_S
        assert not server.asked, "the question went to somebody else"
        assert word in namegate.stderr and "scripted-%s" % protocol in namegate.stderr
        name = server.upstream()["name"]
        assert namegate.metrics().sum("namegate_upstream_errors_total", upstream=name) > 0

    @pytest.mark.parametrize("protocol", BOTH)
    @pytest.mark.parametrize(
        "what, more",
        [
            ("good", {"tls_name": HOST}),
            ("good", {}),  # it has the address
            ("good", {"tls_name": HOST, "tls_pins": "own"}),
            ("good", {"tls_name": HOST, "tls_pins": "authority"}),
            ("good", {"tls_name": HOST, "tls_pins": "second"}),
            ("expired", {"tls_ca": None, "tls_pins": "own"}),  # the key alone counts
            ("stranger", {"tls_ca": None, "tls_pins": "own"}),
        ],
    )
    def test_accepted(self, maker, impostors, certificates, connect, protocol, what, more):
        server = impostors[what, protocol]
        own = certs.pin(server.certificates.certificate)
        pins = {
            "own": [own],
            "authority": [certs.pin(certificates.ca)],
            "second": ["A" * 43 + "=", own],
        }
        more = dict(more)
        if "tls_pins" in more:
            more["tls_pins"] = pins[more["tls_pins"]]
        namegate = maker.start(settings_for(maker, server.upstream(**more)))
        answer = connect(namegate, "udp").ask(w.query("ok.trust.test"))
        assert answer.addresses == ["192.0.2.1"]
        assert server.connections[-1].server_name == more.get("tls_name")

    @pytest.mark.parametrize("protocol", BOTH)
    def test_the_next_one_instead(
        self, maker, impostors, certificates, scripted, connect, protocol
    ):
        """A stranger in front costs nothing that a client would notice, and gets no question."""
        stranger = impostors["stranger", protocol]
        stranger.asked.clear()
        upstream = stranger.upstream(tls_name=HOST, tls_ca=str(certificates.ca))
        namegate = maker.start(settings_for(maker, upstream, plain("second", scripted)))
        client = connect(namegate, "udp")
        for i in range(5):
            answer, seconds = timed(client, w.query("ok.n%d.test" % i))
            assert answer.addresses == ["192.0.2.1"] and seconds < PROMPT_S
        assert not stranger.asked

    @pytest.mark.parametrize("protocol", BOTH)
    def test_a_better_certificate_later(self, maker, certificates, tmp_path, connect, protocol):
        """The server renews its certificate: nobody has to do anything here."""
        own = certs.expire(certs.issue(certificates, tmp_path / "own", HOST, "127.0.0.1"))
        port = Ports.take()
        with ScriptedTls(port, protocol, own) as server:
            namegate = maker.start(settings_for(maker, server.upstream(tls_name=HOST)))
            client = connect(namegate, "udp")
            assert client.ask(w.query("ok.old.test")).rcode == w.SERVFAIL
        certs.issue(certificates, tmp_path / "own", HOST, "127.0.0.1")
        with ScriptedTls(port, protocol, own):
            deadline = time.monotonic() + 20
            number = 0
            while client.ask(w.query("ok.new%d.test" % number)).addresses != ["192.0.2.1"]:
                number += 1
                assert time.monotonic() < deadline, "never asked again: %s" % namegate.stderr
                time.sleep(0.1)


def _made(directory):
    directory.mkdir(parents=True)
    return directory


# --- connections that end ---


class TestConnections:
    def test_resumption(self, start_other, maker, connect):
        """unbound closes idle connections after a second; it counts those that resume."""
        with start_other("unbound", idle_s=1) as unbound:
            namegate = maker.start(settings_for(maker, unbound.upstream("dot")))
            client = connect(namegate, "udp")
            for i in range(4):
                answer, seconds = timed(client, w.query("i%d.wild.plain.test" % i))
                assert answer.addresses == ["192.0.2.20"] and seconds < PROMPT_S
                time.sleep(1.5)
            assert unbound.statistics()["num.query.tls.resume"] >= 1

    @pytest.mark.parametrize("protocol", BOTH)
    def test_resumption_with_a_script(self, maker, certificates, connect, protocol):
        with ScriptedTls(Ports.take(), protocol, certificates) as server:
            namegate = maker.start(settings_for(maker, server.upstream()))
            client = connect(namegate, "udp")
            for i in range(4):
                assert client.ask(w.query("ok.r%d.test" % i)).addresses == ["192.0.2.1"]
                server.drop_all()
                namegate.wait_for(lambda: not server.open_connections, "the connection's end")
            assert [c.resumed for c in server.connections] == [False, True, True, True]
            assert not server.violations

    @pytest.mark.slow
    @one_of_each
    def test_idle_connections(self, start_other, maker, connect, kind, protocol):
        """A server that closes what is idle for a second: every question is answered at once,
        whenever it comes."""
        with start_other(kind, idle_s=1) as server:
            namegate = maker.start(settings_for(maker, server.upstream(protocol)))
            client = connect(namegate, "udp")
            for i, pause in enumerate((0, 0.95, 1, 1.05, 1.1, 2)):
                time.sleep(pause)
                answer, seconds = timed(client, w.query("p%d.wild.plain.test" % i))
                assert answer.addresses == ["192.0.2.20"], answer
                assert seconds < PROMPT_S

    @pytest.mark.parametrize("reset", (False, True))
    @pytest.mark.parametrize("protocol", BOTH)
    def test_dropped_between_questions(self, maker, certificates, connect, protocol, reset):
        """The connection goes at the very time of a question: it is asked again, unseen."""
        with ScriptedTls(Ports.take(), protocol, certificates) as server:
            namegate = maker.start(settings_for(maker, server.upstream()))
            client = connect(namegate, "udp")
            for i in range(30):
                answer, seconds = timed(client, w.query("ok.d%d.test" % i))
                assert answer.addresses == ["192.0.2.1"] and seconds < PROMPT_S
                server.drop_all(reset)
            assert not server.violations

    @one_of_each
    def test_restart_of_one_of_two(self, start_other, maker, others, kind, protocol):
        """Under steady questions, one of two servers is restarted twice: no client sees it."""
        second = others("named" if kind != "named" else "unbound").upstream("dot", name="second")
        with start_other(kind) as server:
            namegate = maker.start(settings_for(maker, server.upstream(protocol), second))
            with Asking(namegate) as asking:
                for _ in range(2):
                    time.sleep(0.7)
                    server.restart()
                time.sleep(0.7)
            asking.check(longest_s=PROMPT_S)

    @one_of_each
    def test_restart_of_the_only_one(self, start_other, maker, connect, kind, protocol):
        """The first question after the restart is answered, although the connection is dead."""
        with start_other(kind) as server:
            namegate = maker.start(settings_for(maker, server.upstream(protocol)))
            client = connect(namegate, "udp")
            for i in range(3):
                answer, seconds = timed(client, w.query("o%d.wild.plain.test" % i))
                assert answer.addresses == ["192.0.2.20"] and seconds < PROMPT_S
                server.restart()


class Asking:
    """Questions from several clients without a pause, in the background."""

    def __init__(self, namegate, clients=6):
        self.namegate, self.stop = namegate, threading.Event()
        self.rows = []  # (seconds, rcode, addresses)
        self.pool = concurrent.futures.ThreadPoolExecutor(clients)
        self.running = [self.pool.submit(self._run, number) for number in range(clients)]

    def _run(self, number):
        with Udp("127.0.0.1", self.namegate.ports["dns"]) as client:
            count = 0
            while not self.stop.is_set():
                count += 1
                answer, seconds = timed(client, w.query("a%d-%d.wild.plain.test" % (number, count)))
                self.rows.append((seconds, answer and answer.rcode, answer and answer.addresses))
                time.sleep(0.005)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop.set()
        for one in self.running:
            one.result()
        self.pool.shutdown()

    def check(self, longest_s):
        assert len(self.rows) > 50
        failed = [row for row in self.rows if row[2] != ["192.0.2.20"]]
        assert not failed, "%d of %d failed, such as %r" % (len(failed), len(self.rows), failed[0])
        assert max(self.rows)[0] < longest_s


# --- servers that do it wrong ---


@pytest.fixture(scope="module")
def bad_servers(certificates):
    servers = {protocol: ScriptedTls(Ports.take(), protocol, certificates) for protocol in BOTH}
    for server in servers.values():
        server.__enter__()
    yield servers
    for server in servers.values():
        server.__exit__()


@pytest.fixture(params=BOTH)
def bad(request, bad_servers):
    server = bad_servers[request.param]
    server.handshake, server.manner, server.times, server.idle_s = "tls", None, None, None
    server.zone.clear()
    server.mute = False
    for kept in (server.asked, server.connections, server.requests, server.violations):
        kept.clear()
    yield server
    assert not server.violations


@pytest.fixture
def only(bad, maker):
    """A program that has nobody else to ask."""
    return maker.start(settings_for(maker, bad.upstream()))


@pytest.fixture
def with_second(bad, maker, scripted):
    """A program that has somebody else to ask."""
    return maker.start(settings_for(maker, bad.upstream(), plain("second", scripted)))


MANNERS = {
    "dot": ("silent", "close", "reset", "garbage", "empty", "short"),
    "doh": (
        *("silent", "close", "reset", "garbage", "500", "403", "429", "redirect", "html", "empty"),
        *("goaway_unseen", "refuse_stream", "reset_stream", "half"),
    ),
}
BREAKS = {
    "dot": ("close", "reset"),
    "doh": ("close", "reset", "goaway_unseen", "refuse_stream"),
}
HARMLESS = {
    "dot": ("close_after", "twice", "trickle", "reorder"),
    "doh": ("close_after", "goaway", "reorder"),
}


def manners(table):
    """Pairs of a server and a manner."""
    pairs = [(protocol, manner) for protocol in BOTH for manner in table[protocol]]
    return pytest.mark.parametrize("bad, manner", pairs, indirect=["bad"])


class TestManners:
    def test_good(self, bad, only, connect):
        """What a server sees of us: padded to 128 (RFC 8467 4.1), over DoH with id 0, on one
        connection, no trace of the client."""
        client = connect(only, "tcp")
        for i in range(20):
            assert client.ask(w.query("ok.g%d.test" % i, edns=EDNS)).addresses == ["192.0.2.1"]
        assert len(bad.connections) == 1 and len(bad.asked) == 20
        for asked in bad.asked:
            assert len(asked.wire) % 128 == 0
            codes = {code for code, _ in asked.message.options}
            assert w.PADDING in codes and w.ECS not in codes and w.COOKIE not in codes
        if bad.protocol == "doh":
            for headers in bad.requests:
                assert headers[":method"] == "POST" and headers[":path"] == "/dns-query"
                assert headers["accept"] == headers["content-type"] == "application/dns-message"
                assert headers[":authority"] == "127.0.0.1:%d" % bad.port
                assert not {"cookie", "user-agent", "referer", "x-forwarded-for"} & set(headers)
        else:
            assert len({asked.message.id for asked in bad.asked}) > 15

    @manners(MANNERS)
    def test_nobody_else(self, bad, only, connect, manner):
        """A failure with a reason, before the client gives up; well again soon after."""
        bad.manner = manner
        client = connect(only, "udp")
        answer, seconds = timed(client, w.query("ok.bad.test", edns=EDNS))
        assert answer and answer.rcode == w.SERVFAIL and not answer.answer, manner
        assert answer.ede_code in (*NETWORK_ERRORS, 0, 24) and seconds < DEADLINE_S
        bad.manner = None
        deadline = time.monotonic() + 15
        number = 0
        while client.ask(w.query("ok.again%d.test" % number)).addresses != ["192.0.2.1"]:
            number += 1
            assert time.monotonic() < deadline, "it was never asked again: %s" % only.stderr
            time.sleep(0.1)

    @manners(MANNERS)
    def test_somebody_else(self, bad, with_second, scripted, connect, manner):
        bad.manner = manner
        client = connect(with_second, "udp")
        for i in range(4):
            answer, seconds = timed(client, w.query("ok.else%d.test" % i, edns=EDNS))
            assert answer.addresses == ["192.0.2.1"] and seconds < PROMPT_S
        assert scripted.asked

    @manners({"dot": (), "doh": ("500", "403", "redirect", "html")})
    def test_no_resolver_behind(self, bad, with_second, connect, manner):
        """A web server that never has an answer is soon asked last, until it is well again."""
        bad.manner = manner
        client = connect(with_second, "udp")
        for i in range(30):
            assert client.ask(w.query("ok.last%d.test" % i)).addresses == ["192.0.2.1"]
        assert 3 <= len([asked for asked in bad.asked if b"last" in asked.wire]) < 15
        bad.manner = None
        deadline = time.monotonic() + 15
        while not any(b"again" in asked.wire for asked in bad.asked):
            assert client.ask(w.query("ok.again%d.test" % time.monotonic_ns())).addresses
            assert time.monotonic() < deadline, "it is not asked first again"
            time.sleep(0.1)

    @manners(HARMLESS)
    def test_no_harm(self, bad, only, connect, manner):
        """Odd, and none of the client's business."""
        bad.manner = manner
        client = connect(only, "tcp")
        for i in range(6):
            answer, seconds = timed(client, w.query("ok.odd%d.test" % i))
            assert answer.addresses == ["192.0.2.1"] and seconds < PROMPT_S

    @manners(BREAKS)
    def test_once(self, bad, only, connect, manner):
        """A connection that breaks under a question: a fresh one answers it."""
        client = connect(only, "udp")
        client.ask(w.query("ok.before.test"))
        bad.manner, bad.times = manner, 1
        answer, seconds = timed(client, w.query("ok.once.test"))
        assert answer.addresses == ["192.0.2.1"] and seconds < PROMPT_S

    def test_out_of_order(self, bad, only, connect):
        """Eight questions, answered from the last to the first: to each its own."""
        bad.manner, bad.hold = "reorder", 8
        client = connect(only, "tcp")
        for i in range(8):
            bad.zone["o%d.order.test." % i] = (
                lambda s, i=i: w.reply(s.wire, [w.a(s.qname, "192.0.2.%d" % (100 + i))])
            )
        client.send(*(w.query("o%d.order.test" % i, id=i) for i in range(8)))
        for _ in range(8):
            message = w.Message(client.receive())
            assert message.addresses == ["192.0.2.%d" % (100 + message.id)]

    @pytest.mark.parametrize(
        "name",
        [
            "wrongid.bad.test",
            "wrongqname.bad.test",
            "wrongtype.bad.test",
            "noquestion.bad.test",
            "qr0.bad.test",
            "opcode.bad.test",
            "garbage.bad.test",
            "cutoff.bad.test",
            "loop.bad.test",
        ],
    )
    def test_never_believed(self, bad, only, connect, name):
        """Not the answer to what was asked: SERVFAIL in the end. But over DoH it is HTTP that says
        what is the answer to what, and the id may be anything."""
        answer, seconds = timed(connect(only, "udp"), w.query(name, edns=EDNS))
        assert answer and seconds < DEADLINE_S
        if name.startswith("wrongid") and bad.protocol == "doh":
            assert answer.addresses == ["192.0.2.1"]
        else:
            assert answer.rcode == w.SERVFAIL and not answer.answer

    @pytest.mark.parametrize(
        "name, rcode",
        [
            ("nodata.up.test", w.NOERROR),
            ("nxdomain.up.test", w.NXDOMAIN),
            ("servfail.up.test", w.SERVFAIL),
            ("refused.up.test", w.REFUSED),
            ("tc.up.test", w.NOERROR),
            ("lowercase.up.test", w.NOERROR),
            ("extra.up.test", w.NOERROR),
            ("options.up.test", w.NOERROR),
            ("ttltop.up.test", w.NOERROR),
        ],
    )
    def test_outcome(self, bad, only, connect, name, rcode):
        answer = connect(only, "udp").ask(w.query(name, edns=EDNS))
        assert answer.rcode == rcode
        assert "192.0.2.66" not in answer.addresses
        assert "192.0.2.66" not in [r.address for r in answer.additional]

    def test_extended_error(self, bad, only, connect):
        answer = connect(only, "udp").ask(w.query("ede.up.test", edns=EDNS))
        assert answer.rcode == w.SERVFAIL and answer.ede == (6, "DNSSEC bogus")

    def test_huge(self, bad, only, connect):
        """59 kB: whole over TCP."""
        answer = connect(only, "tcp").ask(w.query("huge.up.test", w.TXT))
        assert len(answer.answer) == 220

    def test_slow(self, bad, only, connect):
        """1.5 s late is late, and an answer."""
        answer, seconds = timed(connect(only, "udp"), w.query("slow-1500.up.test"))
        assert answer.addresses == ["192.0.2.1"] and seconds >= 1.4

    def test_slow_with_somebody_else(self, bad, with_second, connect):
        answer, seconds = timed(connect(with_second, "udp"), w.query("slow-3000.up.test"))
        # The scripted server is slow for that name, too: whoever began is waited for.
        assert answer.addresses == ["192.0.2.1"] and seconds < DEADLINE_S


class TestHandshake:
    @pytest.mark.parametrize("handshake", ("never", "refused", "plain"))
    def test_nobody_else(self, bad, only, connect, handshake):
        bad.handshake = handshake
        answer, seconds = timed(connect(only, "udp"), w.query("ok.hs.test", edns=EDNS))
        assert answer and answer.rcode == w.SERVFAIL and seconds < DEADLINE_S
        assert answer.ede_code in NETWORK_ERRORS

    @pytest.mark.parametrize("handshake", ("never", "refused", "plain"))
    def test_somebody_else(self, bad, with_second, connect, handshake):
        bad.handshake = handshake
        client = connect(with_second, "udp")
        for i in range(5):
            answer, seconds = timed(client, w.query("ok.hs%d.test" % i))
            assert answer.addresses == ["192.0.2.1"] and seconds < PROMPT_S
        bad.handshake = "tls"

    def test_closed_port(self, bad, maker, scripted, connect):
        upstream = bad.upstream(port=Ports.take())
        namegate = maker.start(settings_for(maker, upstream, plain("second", scripted)))
        for i in range(5):
            answer, seconds = timed(connect(namegate, "udp"), w.query("ok.p%d.test" % i))
            assert answer.addresses == ["192.0.2.1"] and seconds < PROMPT_S

    @pytest.mark.parametrize(
        "protocol, alpn, fine",
        [
            ("dot", ["dot"], True),
            ("dot", ["http/1.1", "dot"], True),
            ("dot", None, True),  # RFC 7858 3.1 knows no ALPN
            ("doh", ["http/1.1", "h2"], True),
            ("doh", ["http/1.1"], False),
            ("doh", None, False),
        ],
    )
    def test_alpn(self, certificates, maker, connect, protocol, alpn, fine):
        with ScriptedTls(Ports.take(), protocol, certificates) as server:
            server.alpn = alpn
            namegate = maker.start(settings_for(maker, server.upstream()))
            answer = connect(namegate, "udp").ask(w.query("ok.alpn.test", edns=EDNS))
            assert answer.rcode == (w.NOERROR if fine else w.SERVFAIL)
            assert fine or "no_application_protocol" in namegate.stderr

    def test_addresses_in_order(self, bad, maker, connect):
        """The first address is dead, the second one is not."""
        addresses = ["127.0.0.9", "127.0.0.1"]
        upstream = bad.upstream(address=None, addresses=addresses, tls_name=certs.HOST)
        namegate = maker.start(settings_for(maker, upstream))
        answer, seconds = timed(connect(namegate, "udp"), w.query("ok.second.test"))
        assert answer.addresses == ["192.0.2.1"] and seconds < PROMPT_S

    def test_by_name(self, bad, maker, connect):
        """The upstream's addresses are asked of another upstream, never of ourselves."""
        with ScriptedDns(Ports.take()) as bootstrap:
            bootstrap.zone["%s." % certs.HOST] = lambda s: w.reply(
                s.wire, [w.a(s.qname, "127.0.0.1")] if s.qtype == w.A else []
            )
            named = bad.upstream(address=None, host=certs.HOST, bootstrap="boot")
            namegate = maker.start(settings_for(maker, named, plain("boot", bootstrap)))
            answer = connect(namegate, "udp").ask(w.query("ok.byname.test"))
            assert answer.addresses == ["192.0.2.1"]
            assert bootstrap.asked_for(certs.HOST) and not bootstrap.asked_for("ok.byname.test")
            assert bad.asked_for("ok.byname.test")
            assert bad.connections[-1].server_name == certs.HOST


@pytest.mark.threads
def test_threads(certificates, maker, scripted):
    """Connections that come and go under load, for the thread sanitizer."""
    with ScriptedTls(Ports.take(), "dot", certificates) as dot:
        with ScriptedTls(Ports.take(), "doh", certificates) as doh:
            for server in (dot, doh):
                server.default = lambda s: w.reply(s.wire, [w.a(s.qname, "192.0.2.20")])
            namegate = maker.start(settings_for(maker, dot.upstream(), doh.upstream()))
            with Asking(namegate) as asking:
                for i in range(6):
                    time.sleep(0.3)
                    (dot, doh)[i % 2].drop_all(reset=i % 3 == 0)
            asking.check(longest_s=PROMPT_S)
