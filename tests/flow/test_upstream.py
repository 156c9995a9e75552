"""Asking upstream: whom we believe, how soon we give up, and what an attacker could guess."""

import threading
import time

import pytest

import dns_wire as w
from namespace import Namespace
from program import BINARY, EX_CONFIG, PROTOCOLS, Ports
from scripted_dns import ScriptedDns
from tools import run

NETWORK_ERRORS = (22, 23)  # RFC 8914: no reachable authority, network error
EDNS = w.opt()


@pytest.fixture
def second():
    with ScriptedDns(Ports.take()) as server:
        server.default = lambda s: w.reply(s.wire, [w.a(s.qname, "192.0.2.2")])
        yield server


@pytest.mark.quick
@pytest.mark.parametrize(
    "name, rcode",
    [
        ("ok.up.test", w.NOERROR),
        ("nodata.up.test", w.NOERROR),
        ("nxdomain.up.test", w.NXDOMAIN),
        ("servfail.up.test", w.SERVFAIL),
        ("refused.up.test", w.REFUSED),
        ("notimp.up.test", w.NOTIMP),
        ("tc.up.test", w.NOERROR),
        ("lowercase.up.test", w.NOERROR),
        ("formerr.up.test", w.NOERROR),
        ("spoofed.up.test", w.NOERROR),
        ("extra.up.test", w.NOERROR),
    ],
)
@pytest.mark.parametrize("protocol", ("udp", "doh"))
def test_outcome(plain, scripted, connect, name, rcode, protocol):
    answer = connect(plain, protocol).ask(w.query(name, edns=EDNS))
    assert answer.rcode in ((rcode, w.SERVFAIL) if rcode == w.NOTIMP else (rcode,))
    if rcode == w.NOERROR and not name.startswith("nodata"):
        assert "192.0.2.1" in answer.addresses
        assert "192.0.2.66" not in answer.addresses[:1]


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
        "silent.bad.test",
        "udponly.bad.test",
    ],
)
def test_never_believed(plain, scripted, connect, name):
    """rfc5452-9.1: not the answer to what was asked: SERVFAIL in the end, within 5 s."""
    begin = time.monotonic()
    answer = connect(plain, "udp").ask(w.query(name, edns=EDNS), timeout=5)
    assert answer is not None and time.monotonic() - begin < 5
    assert answer.rcode == w.SERVFAIL and not answer.answer


def test_short_rdata_is_not_passed_on(plain, connect):
    """An A record of two bytes: an error, or gone; never handed to a client."""
    answer = connect(plain, "udp").ask(w.query("shortrdata.up.test"))
    assert all(len(r.rdata) == 4 for r in answer.answer if r.type == w.A)


def test_negative_answers_keep_their_soa(plain, connect):
    """rfc2308-2: stubs keep them for as long as the SOA says."""
    for name in ("nodata.soa.test", "nxdomain.soa.test"):
        answer = connect(plain, "udp").ask(w.query(name))
        assert [r.type for r in answer.authority] == [w.SOA]


def test_all_silent(maker, connect):
    """rfc9520-2.2: SERVFAIL with a reason before a stub gives up, on every protocol at once."""
    with ScriptedDns(Ports.take()) as one, ScriptedDns(Ports.take()) as two:
        one.mute = two.mute = True
        namegate = maker.start(maker.settings(one=one, two=two))
        clients = [connect(namegate, protocol) for protocol in PROTOCOLS]
        answers = {}

        def ask(protocol, client):
            begin = time.monotonic()
            answer = client.ask(w.query("x.%s.quiet.test" % protocol, edns=EDNS))
            answers[protocol] = (answer, time.monotonic() - begin)

        threads = [threading.Thread(target=ask, args=pair) for pair in zip(PROTOCOLS, clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for protocol in PROTOCOLS:
            answer, seconds = answers[protocol]
            assert answer.rcode == w.SERVFAIL and seconds < 5, protocol
            assert answer.ede_code in NETWORK_ERRORS
        assert one.asked and two.asked


class TestFailOver:
    def test_silent_first_server(self, maker, scripted, second, connect):
        """Below a second, each time."""
        scripted.mute = True
        namegate = maker.start(maker.settings(first=scripted, second=second))
        client = connect(namegate, "udp")
        for i in range(5):
            begin = time.monotonic()
            answer = client.ask(w.query("a%d.over.test" % i))
            assert answer.addresses == ["192.0.2.2"]
            assert time.monotonic() - begin < 1
        assert namegate.wait_log("a4.over.test")[0]["ext"]["upstream"] == "second"

    def test_closed_port(self, maker, second, connect):
        namegate = maker.start(maker.settings(first=Ports.take(), second=second))
        begin = time.monotonic()
        assert connect(namegate, "udp").ask(w.query("closed.test")).addresses == ["192.0.2.2"]
        assert time.monotonic() - begin < 1

    @pytest.mark.parametrize("how", ("servfail", "refused", "garbage", "wrongid", "udponly"))
    def test_broken_first_server(self, maker, scripted, second, connect, how):
        namegate = maker.start(maker.settings(first=scripted, second=second))
        second.zone["%s.broken.test." % how] = second.default
        answer = connect(namegate, "udp").ask(w.query(how + ".broken.test"))
        assert answer.addresses == ["192.0.2.2"]

    def test_comes_back(self, maker, scripted, second, connect):
        """The first server is asked again once it is well."""
        scripted.mute = True
        namegate = maker.start(maker.settings(first=scripted, second=second))
        client = connect(namegate, "udp")
        for i in range(4):
            client.ask(w.query("b%d.back.test" % i))
        scripted.mute = False
        deadline = time.monotonic() + 30
        first = ["192.0.2.1"]
        while client.ask(w.query("ok.t%d.back.test" % time.monotonic_ns())).addresses != first:
            assert time.monotonic() < deadline, "the first server was never asked again"
            time.sleep(0.1)


class TestCoalescing:
    """rfc5452-5: identical questions in flight are asked once."""

    @pytest.mark.threads
    def test_fifty_at_once(self, plain, scripted, connect):
        client = connect(plain, "doh")
        wire = w.query("slow-300.join.test")
        streams = [client.post(wire, flush=False) for _ in range(50)]
        client.flush()
        for response in client.wait(*streams):
            assert response.message.rcode == w.NOERROR
        assert 1 <= len(scripted.asked_for("slow-300.join.test")) <= 4

    def test_across_protocols_and_case(self, plain, scripted, connect):
        """Each gets its own id and its own case back."""
        clients = [connect(plain, protocol) for protocol in ("udp", "tcp", "dot")]
        names = ("slow-70.THREE.test", "slow-70.three.TEST", "SLOW-70.three.test")
        for i, (client, name) in enumerate(zip(clients, names)):
            client.send(w.query(name, id=100 + i))
        for i, (client, name) in enumerate(zip(clients, names)):
            answer = w.Message(client.receive())
            assert answer.id == 100 + i and answer.question_bytes == w.question(name)
        assert len(scripted.asked_for("slow-70.three.test")) == 1

    def test_other_bits_are_other_questions(self, plain, scripted, connect):
        """DO and CD change the answer: they are not joined."""
        client = connect(plain, "tcp")
        name = "slow-70.bits.test"
        client.send(
            w.query(name, id=1),
            w.query(name, id=2, edns=w.opt(flags=w.DO)),
            w.query(name, id=3, flags=w.RD | w.CD),
            w.query(name, w.AAAA, id=4),
        )
        assert {w.Message(client.receive()).id for _ in range(4)} == {1, 2, 3, 4}
        assert len(scripted.asked_for(name)) == 4

    def test_one_leaves_the_others_stay(self, plain, scripted, connect):
        first, second = connect(plain, "tcp"), connect(plain, "tcp")
        first.send(w.query("slow-300.leave.test"))
        time.sleep(0.05)
        second.send(w.query("slow-300.leave.test"))
        first.close()
        assert w.Message(second.receive()).rcode == w.NOERROR


class TestGuessing:
    """rfc5452-9.2: id, port and case."""

    @pytest.fixture
    def asked(self, plain, scripted, connect, request):
        """64 questions in flight at once, as the upstream saw them."""
        client = connect(plain, "tcp")
        zone = request.node.name.replace("_", "-") + ".guess.test"
        client.send(*(w.query("slow-400.g%d.%s" % (i, zone), id=i) for i in range(64)))
        for _ in range(64):
            client.receive()
        return [q for q in scripted.asked if q.name.endswith(".guess.test.")]

    def test_ports(self, asked):
        assert len({q.port for q in asked}) >= 16

    def test_ids(self, asked):
        ids = [q.message.id for q in asked]
        assert len(set(ids)) >= 62  # birthday: one pair among 64 happens in 1 of 33 runs
        steps = {b - a for a, b in zip(ids, ids[1:])}
        assert len(steps) > 32, "ids follow a pattern"
        assert max(ids) > 0x8000 and min(ids) < 0x8000

    def test_case(self, asked):
        """0x20: letters are upper case about every second time."""
        letters = b"".join(q.message.qname for q in asked)
        upper = sum(0x41 <= byte <= 0x5A for byte in letters)
        lower = sum(0x61 <= byte <= 0x7A for byte in letters)
        assert 0.35 < upper / (upper + lower) < 0.65

    def test_ports_change_over_time(self, plain, scripted, connect):
        """No socket is used for longer than some seconds, however little is asked."""
        client = connect(plain, "udp")
        rounds = []
        for name in "first", "second":
            for i in range(64):
                client.ask(w.query("ok.%s%d.port.test" % (name, i)))
            rounds.append({q.port for q in scripted.asked if ".%s" % name in q.name})
            if len(rounds) == 1:
                time.sleep(6.5)
        assert min(map(len, rounds)) >= 16
        assert len(rounds[0] & rounds[1]) <= 4  # the kernel may give a number twice


class TestSystemResolvers:
    """Without `upstreams`: those of resolv.conf, in a namespace with a resolv.conf of its own."""

    @pytest.fixture
    def pod(self, tmp_path):
        with Namespace(tmp_path / "pod", network=True) as pod:
            (pod.etc / "resolv.conf").unlink(missing_ok=True)
            yield pod

    def settings(self, maker, address):
        settings = maker.settings()
        del settings["upstreams"], settings["tls"]
        settings["listeners"] = [{"protocol": "dns", "address": address, "port": 53}]
        settings["admin"]["port"] = 9053
        return settings

    def test_used(self, pod, maker):
        """Our own address stands there too, and is left out."""
        (pod.etc / "resolv.conf").write_text("nameserver 127.0.0.54\nnameserver 10.88.0.2\n")
        namegate = maker.prepare(self.settings(maker, "127.0.0.54"))
        with pod.upstream(53, "10.88.0.2"), pod.namegate(namegate):
            ask = ("kdig", "@127.0.0.54", "+short", "+retry=0", "+timeout=6")
            for i in range(5):
                assert pod.run(*ask, "ok.s%d.system.test" % i).stdout.strip() == "192.0.2.1"

    def test_none_left(self, pod, maker):
        """resolv.conf names only ourselves: asking ourselves would never end. Exit 78."""
        (pod.etc / "resolv.conf").write_text("nameserver 127.0.0.1\n")
        namegate = maker.prepare(self.settings(maker, "127.0.0.1"))
        namegate.write_config()
        command = (*pod.enter, BINARY, "run", "-c", namegate.config)
        done = run(*command, check=False)
        assert done.returncode == EX_CONFIG and "resolv.conf" in done.stderr
