"""What clients can take: each limit is reached, others are served meanwhile, the metric tells, and
afterwards all is as before."""

import contextlib
import resource
import socket
import ssl
import struct
import time

import pytest

import dns_wire as w
from dns_client import Stream, tls_context
from program import EX_CONFIG, run_command

DROPS = "namegate_dropped_total"
OPEN = "namegate_connections"
ATTACKER, OTHER = "127.0.0.2", "127.0.0.3"
ENOUGH = 40  # a limit of the tests is below


@pytest.fixture
def limited(maker, scripted):
    """A program with these limits and two workers, so that each sees a part of the clients only."""

    def start(**limits):
        settings = maker.settings(scripted=scripted)
        settings["workers"] = 2
        settings["limits"] = limits
        return maker.start(settings)

    return start


@contextlib.contextmanager
def crowd(namegate, count, source=ATTACKER, port="dns"):
    """Connections that say nothing. Those that are refused are among them."""
    sockets = []
    try:
        for _ in range(count):
            one = socket.socket()
            one.settimeout(5)
            one.bind((source, 0))
            one.connect(("127.0.0.1", namegate.ports[port]))
            sockets.append(one)
        yield sockets
    finally:
        for one in sockets:
            one.close()


def is_open(one, patience=0.05):
    one.settimeout(patience)
    try:
        return one.recv(1) != b""
    except TimeoutError:
        return True
    except OSError:
        return False


def count_open(sockets, patience=0.0):
    time.sleep(patience)
    return sum(is_open(one, 0.01) for one in sockets)


def wait_open(namegate, most, timeout=10):
    namegate.wait_for(
        lambda: namegate.metrics().sum(OPEN) <= most, "%s <= %d" % (OPEN, most), timeout
    )


def assert_served(namegate, connect, source=OTHER, protocols=("tcp", "dot", "doh")):
    for protocol in protocols:
        with connect(namegate, protocol, source=source) as client:
            assert client.ask(w.query("ok.%s.served.test" % protocol)).addresses


@pytest.mark.threads
class TestHowMany:
    def test_per_address_counts_all_workers(self, limited, connect):
        namegate = limited(connections_per_address=10)
        with crowd(namegate, ENOUGH) as sockets:
            namegate.wait_metric(DROPS, ENOUGH - 10, reason="per_address")
            assert count_open(sockets) == 10
            assert_served(namegate, connect)
        wait_open(namegate, 0)
        with crowd(namegate, 10) as sockets:
            namegate.wait_metric(OPEN, 10)
            assert count_open(sockets) == 10

    def test_per_prefix(self, limited, connect):
        namegate = limited(connections_per_prefix=6, prefix_v4=31)
        with crowd(namegate, 4, "127.0.0.4") as one, crowd(namegate, 4, "127.0.0.5") as two:
            namegate.wait_metric(DROPS, 2, reason="per_prefix")
            assert count_open(one) + count_open(two) == 6
            assert_served(namegate, connect, "127.0.0.6")
        wait_open(namegate, 0)
        assert_served(namegate, connect, "127.0.0.5")

    def test_handshakes_per_address(self, limited, connect):
        namegate = limited(handshakes_per_address=5)
        with crowd(namegate, 20, port="dot") as sockets:
            namegate.wait_metric(DROPS, 15, reason="handshakes_per_address")
            assert count_open(sockets) == 5
            assert_served(namegate, connect)
            assert_served(namegate, connect, ATTACKER, ("tcp",))  # where nobody shakes hands
        wait_open(namegate, 0)
        assert_served(namegate, connect, ATTACKER)

    def test_a_handshake_that_is_over_does_not_count(self, limited, connect):
        namegate = limited(handshakes_per_address=2)
        with contextlib.ExitStack() as stack:
            for number in range(10):
                client = stack.enter_context(connect(namegate, "dot"))
                assert client.ask(w.query("ok.n%d.over.test" % number)).addresses

    def test_the_limit_is_taken_by_a_reload(self, limited, connect):
        namegate = limited(connections_per_address=2)
        namegate.settings["limits"]["connections_per_address"] = 20
        namegate.reload()
        with crowd(namegate, 15) as sockets:
            namegate.wait_metric(OPEN, 15)
            assert count_open(sockets) == 15


@pytest.mark.threads
class TestPressure:
    def test_idle_ones_go_first(self, limited, connect):
        """BIND 9.18 with 150 idle connections serves nobody else over TCP."""
        namegate = limited(connections=100, connections_per_address=1000)
        with contextlib.ExitStack() as stack:
            worker = stack.enter_context(connect(namegate, "dot", source=OTHER))
            stack.enter_context(crowd(namegate, 100))
            for number in range(10):  # none of them leaves
                stack.enter_context(crowd(namegate, 15))
                assert worker.ask(w.query("ok.p%d.test" % number)).addresses
                assert_served(namegate, connect)
            namegate.wait_metric(DROPS, 145, reason="pressure")
            assert namegate.metrics().sum(DROPS, reason="connections_full") <= 3
            assert worker.ask(w.query("ok.still.test")).addresses
        wait_open(namegate, 0)

    def test_those_of_the_greediest_go_first(self, limited, connect):
        namegate = limited(connections=60, connections_per_address=1000, pressure="50%")
        # Who has just come in stays for a second: the greedy must not all be newer than the few.
        with crowd(namegate, 25) as many, crowd(namegate, 4, OTHER) as few:
            with crowd(namegate, 15) as more:
                namegate.wait_metric(DROPS, 14, reason="pressure")
                wait_open(namegate, 30)
                assert count_open(few) == 4
                assert count_open(many) + count_open(more) <= 26

    def test_the_greediest_go_though_others_are_idle_for_longer(self, limited):
        namegate = limited(connections=260, connections_per_address=1000, pressure="100%")
        with contextlib.ExitStack() as stack:
            few = []
            for number in range(120):
                few += stack.enter_context(crowd(namegate, 1, "127.0.1.%d" % (number + 1)))
            many = stack.enter_context(crowd(namegate, 60))
            time.sleep(1.2)  # who has just come in stays for a second
            namegate.settings["limits"]["pressure"] = "50%"
            namegate.reload()
            wait_open(namegate, 130)
            assert count_open(few) >= 110
            assert count_open(many) <= 20

    def test_who_has_a_question_under_way_stays(self, limited, connect):
        namegate = limited(connections=20, connections_per_address=1000)
        with connect(namegate, "tcp", source=OTHER) as waiting:
            waiting.send(w.query("slow-2500.stays.test"))
            with crowd(namegate, 60):
                # A worker that has nobody to end refuses who comes.
                namegate.wait_for(
                    lambda: sum(
                        namegate.metrics().sum(DROPS, reason=reason)
                        for reason in ("pressure", "connections_full")
                    ) >= 40,
                    "no room",
                )
                assert w.Message(waiting.receive()).addresses

    def test_an_end_in_good_order(self, limited, connect):
        namegate = limited(connections=20, connections_per_address=1000, pressure="10%")
        h2 = connect(namegate, "doh", source=ATTACKER)
        dot = connect(namegate, "dot", source=ATTACKER)
        with crowd(namegate, 60):  # all but two go, and those that were there before, first
            assert dot.is_closed()
            h2.wait_closed()
            assert h2.goaway is not None and h2.goaway.error == 0

    def test_keepalive_tells_less(self, limited, connect):
        """rfc7766-6.2.3, rfc7828-3.2.2: the time that is left to idle connections, in 100 ms."""
        namegate = limited(
            connections=40, connections_per_address=1000, pressure="50%", idle_timeout="30s"
        )
        ask = w.query("ok.keepalive.test", edns=w.opt(options=w.option(11)))

        def told():
            with connect(namegate, "tcp", source=OTHER) as client:
                option = client.ask(ask).option(11)
                return struct.unpack("!H", option)[0]

        assert told() == 300
        with crowd(namegate, 40):
            # Shed in the next tick, so this is asked at once.
            values = {told() for _ in range(5)}
        assert values <= {30, 300}
        wait_open(namegate, 5)
        assert told() == 300

    def test_half_open_handshakes_make_room(self, limited, connect):
        """Nobody is idle: who has not said anything for a second goes."""
        namegate = limited(connections=20, connections_per_address=1000, handshake_timeout="1m")
        with crowd(namegate, 20, port="doh"):
            namegate.wait_metric(OPEN, 20)
            time.sleep(1.2)
            assert_served(namegate, connect)

    def test_refused_when_all_are_at_work(self, limited, connect):
        namegate = limited(connections=4, connections_per_address=1000)
        with contextlib.ExitStack() as stack:
            busy = [stack.enter_context(connect(namegate, "tcp")) for _ in range(4)]
            for number, client in enumerate(busy):
                client.send(w.query("slow-2000.b%d.work.test" % number))
            namegate.wait_metric("namegate_upstream_inflight", 4)
            with crowd(namegate, 3) as refused:
                namegate.wait_metric(DROPS, 3, reason="connections_full")
                assert count_open(refused) == 0
            for client in busy:
                assert w.Message(client.receive()).addresses


class TestHandshakes:
    @pytest.mark.threads
    def test_a_hundred_at_the_same_moment(self, limited, connect):
        """More than a turn of the loop takes: they wait for theirs, and all come in."""
        namegate = limited(connections_per_address=1000)
        context = tls_context(namegate.certificates.ca, "dot")
        with crowd(namegate, 100, port="dot") as sockets:
            flights = []
            for _ in sockets:
                incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
                tls = context.wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")
                with contextlib.suppress(ssl.SSLWantReadError):
                    tls.do_handshake()
                flights.append((incoming, outgoing, tls))
            for one, (_, outgoing, _) in zip(sockets, flights):
                one.send(outgoing.read())
            for one, (incoming, outgoing, tls) in zip(sockets, flights):
                one.settimeout(20)
                while True:
                    try:
                        tls.do_handshake()
                        break
                    except ssl.SSLWantReadError:
                        incoming.write(one.recv(65536))
                one.send(outgoing.read())
            namegate.wait_metric("namegate_tls_handshakes_total", 100, result="ok")

    def test_accepted_in_turns(self, limited):
        """A hundred that are there before the loop looks: none is forgotten."""
        namegate = limited()
        with crowd(namegate, 200, source="127.0.0.9") as sockets:
            namegate.wait_metric(OPEN, 200)
            wire = w.query("ok.turns.test")
            for one in sockets:
                one.send(struct.pack("!H", len(wire)) + wire)
            for one in sockets:
                one.settimeout(10)
                assert one.recv(4096)


class TestUnreadReplies:
    STREAMS = 40  # of 60,000 bytes each

    def greedy(self, namegate, connect):
        """Asks for much and gives no window to take it (RFC 9113 6.5.2)."""
        client = connect(namegate, "raw-h2", settings=struct.pack("!HI", 4, 0))
        for number in range(self.STREAMS):
            client.send(client.request(2 * number + 1, w.query("huge.%d.unread.test" % number)))
        return client

    def test_who_owes_most_is_closed(self, limited, connect):
        namegate = limited(queued_bytes="1MiB")  # each worker has half of it
        greedy = self.greedy(namegate, connect)
        namegate.wait_metric(DROPS, 1, timeout=20, reason="queued_full")
        assert greedy.is_closed()
        assert_served(namegate, connect)
        used = namegate.metrics().sum("namegate_table_used", table="queued_bytes")
        assert used <= 1 << 20


class TestDescriptors:
    def settings(self, maker, scripted, **limits):
        settings = maker.settings(scripted=scripted)
        settings["limits"] = limits
        return settings

    def test_what_cannot_fit_is_refused(self, maker, scripted):
        namegate = maker.prepare(self.settings(maker, scripted, connections=1000))
        namegate.command_prefix = ["prlimit", "--nofile=500:1000"]
        namegate.start(wait=None)
        assert namegate.process.wait(20) == EX_CONFIG
        assert "limits.connections = 1000 needs" in namegate.stderr
        assert "the limit is 1000: raise it (LimitNOFILE, ulimit -n), or set" in namegate.stderr

    def test_check_warns(self, maker, scripted):
        namegate = maker.prepare(self.settings(maker, scripted, connections=1000000))
        namegate.write_config()
        done = run_command("check", "-c", namegate.config)
        assert done.returncode == 0
        assert "warning: limits.connections = 1000000 needs" in done.stderr

    def test_as_many_as_fit_unless_told(self, maker, scripted, connect):
        namegate = maker.prepare(self.settings(maker, scripted))
        namegate.command_prefix = ["prlimit", "--nofile=100:600"]
        namegate.start()
        assert resource.prlimit(namegate.pid, resource.RLIMIT_NOFILE) == (600, 600)
        with connect(namegate, "tcp") as client:
            assert client.ask(w.query("ok.fits.test")).addresses

    def test_the_soft_limit_is_raised_as_far_as_needed(self, maker, scripted):
        namegate = maker.prepare(self.settings(maker, scripted, connections=1000))
        namegate.command_prefix = ["prlimit", "--nofile=100:20000"]
        namegate.start()
        soft, hard = resource.prlimit(namegate.pid, resource.RLIMIT_NOFILE)
        assert hard == 20000 and 1100 < soft < 2000

    def test_the_last_ones_are_kept(self, maker, scripted, connect):
        """Nine tenths are taken: idle ones make room; upstreams, log and reload have theirs."""
        namegate = maker.start(self.settings(maker, scripted, connections_per_address=10000))
        hard = resource.prlimit(namegate.pid, resource.RLIMIT_NOFILE)[1]
        resource.prlimit(namegate.pid, resource.RLIMIT_NOFILE, (200, hard))
        time.sleep(0.3)  # so that it is seen
        with crowd(namegate, 300):
            namegate.wait_metric(DROPS, 50, reason="pressure")
            assert_served(namegate, connect)
            assert namegate.metrics().sum("process_open_fds") <= 190
            namegate.reload()
        wait_open(namegate, 0)
        assert_served(namegate, connect)

    def test_none_left_at_all(self, maker, scripted, connect):
        """EMFILE does not make the loop spin, and it ends with the lack."""
        settings = self.settings(maker, scripted, pressure="100%", connections_per_address=10000)
        namegate = maker.start(settings)
        hard = resource.prlimit(namegate.pid, resource.RLIMIT_NOFILE)[1]
        with connect(namegate, "tcp", source=OTHER) as inside:
            assert inside.ask(w.query("ok.in.test")).addresses
            taken = namegate.metrics().sum("process_open_fds")
            resource.prlimit(namegate.pid, resource.RLIMIT_NOFILE, (int(taken) + 1, hard))
            with crowd(namegate, 100):
                before = cpu_seconds(namegate.pid)
                time.sleep(1)
                assert cpu_seconds(namegate.pid) - before < 0.8
                assert inside.ask(w.query("nxdomain.in.test")).rcode in (w.NXDOMAIN, w.SERVFAIL)
            resource.prlimit(namegate.pid, resource.RLIMIT_NOFILE, (hard, hard))
        time.sleep(0.3)
        assert_served(namegate, connect)


def cpu_seconds(pid):
    with open("/proc/%d/stat" % pid) as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100
