"""Reload, drain and stop: nothing that goes wrong may replace what works."""

import copy
import os
import select
import shutil
import signal
import socket
import threading
import time

import pytest

import certificates as certs
import dns_wire as w
from config_text import inline, rule
from dns_client import tls_context
from program import PROTOCOLS, run_command, with_rules

BLOCKED = 15
EDNS = w.opt()


@pytest.fixture
def namegate(maker, scripted, certificates):
    """A program with a list file, an inline list, and certificates of its own."""
    settings = maker.settings(scripted=scripted)
    directory = maker.directory
    for path in (certificates.ca, certificates.certificate, certificates.key):
        shutil.copy(path, directory)
    settings["tls"] = {"certificate": "server.pem", "key": "server.key"}  # beside the configuration
    (directory / "bad.domains").write_text("*.listed.test\n")
    lists = [
        inline("inline", "*.inline.test"),
        {"name": "file", "file": "bad.domains", "format": "domains"},
    ]
    rules = [
        rule("inline", "BLOCK", "inline", block_response="NXDOMAIN"),
        rule("file", "BLOCK", "file", block_response="NXDOMAIN"),
    ]
    return maker.start(with_rules(settings, lists, rules))


def is_blocked(client, name):
    return client.ask(w.query(name, edns=EDNS)).ede_code == BLOCKED


def changed(settings, **lists):
    """The settings with other domains in an inline list."""
    settings = copy.deepcopy(settings)
    for one in settings["domain_lists"]:
        if one["name"] in lists:
            one["domains"] = lists[one["name"]]
    return settings


@pytest.mark.quick
@pytest.mark.threads
class TestReload:
    def test_acts_on_the_next_query(self, namegate, connect):
        """And connections that were there before stay."""
        clients = [connect(namegate, protocol) for protocol in ("udp", "tcp", "dot", "doh")]
        for client in clients:
            assert not is_blocked(client, "ok.later.test")
        revision = namegate.metrics().sum("namegate_policy_revision")
        assert namegate.reload(changed(namegate.settings, inline=["*.later.test"]))
        for client in clients:
            assert is_blocked(client, "ok.later.test")
            assert not is_blocked(client, "ok.inline.test")
        assert namegate.metrics().sum("namegate_policy_revision") > revision
        assert namegate.wait_log("ok.later.test", 8)[-1]["ext"]["revision"] > revision

    def test_list_file(self, namegate, connect):
        client = connect(namegate, "udp")
        (namegate.directory / "bad.domains").write_text("*.other.test\nthird.test\n")
        assert namegate.hup()
        assert is_blocked(client, "ok.other.test") and not is_blocked(client, "ok.listed.test")
        assert namegate.metrics().sum("namegate_domain_list_entries", list="file") == 2

    def test_bad_line_does_not_stop_it(self, namegate, connect):
        (namegate.directory / "bad.domains").write_text("*.listed.test\n!! what\n*.more.test\n")
        assert namegate.hup()
        client = connect(namegate, "udp")
        assert is_blocked(client, "a.listed.test") and is_blocked(client, "a.more.test")
        assert namegate.metrics().sum("namegate_domain_list_rejected_lines", list="file") == 1
        assert "bad.domains:2" in namegate.stderr

    def test_new_certificate(self, namegate, connect, tmp_path):
        """New connections get it, old ones go on, and sessions are still resumed."""
        context = tls_context(namegate.certificates.ca, "dot")
        old = connect(namegate, "dot", context=context)
        old.ask(w.query("ok.cert.test"))
        before = old.socket.getpeercert(True)
        fresh = certs.make(tmp_path / "fresh")
        shutil.copy(fresh.certificate, namegate.directory / "server.pem")
        shutil.copy(fresh.key, namegate.directory / "server.key")
        assert namegate.hup()
        assert old.ask(w.query("ok.cert.test")).rcode == w.NOERROR
        new = connect(namegate, "dot", context=tls_context(fresh.ca, "dot"))
        assert new.socket.getpeercert(True) != before
        resumed = connect(namegate, "dot", context=context, session=old.socket.session)
        assert resumed.socket.session_reused

    def test_in_flight_query_is_answered(self, namegate, connect):
        client = connect(namegate, "dot")
        client.send(w.query("slow-500.flight.test"))
        time.sleep(0.1)
        assert namegate.hup()
        assert w.Message(client.receive()).addresses


def broken_config(namegate):
    namegate.config.write_text(namegate.config.read_text() + "\nno_such_setting = 1;\n")
    return "no_such_setting"


def unreadable_config(namegate):
    namegate.config.write_text("this is not { a configuration")
    return "namegate.conf:1"


def missing_config(namegate):
    namegate.config.unlink()
    return "namegate.conf"


def missing_certificate(namegate):
    (namegate.directory / "server.pem").unlink()
    return "server.pem"


def half_written_key(namegate):
    key = namegate.directory / "server.key"
    key.write_bytes(key.read_bytes()[:80])
    return "server.key"


def empty_certificate(namegate):
    (namegate.directory / "server.pem").write_bytes(b"")
    return "server.pem"


def key_of_another(namegate):
    fresh = certs.make(namegate.directory / "another")
    shutil.copy(fresh.key, namegate.directory / "server.key")
    return "server.key"


def missing_list(namegate):
    (namegate.directory / "bad.domains").unlink()
    return "bad.domains"


def list_is_a_directory(namegate):
    (namegate.directory / "bad.domains").unlink()
    (namegate.directory / "bad.domains").mkdir()
    return "bad.domains"


BREAKAGES = (
    broken_config,
    unreadable_config,
    missing_config,
    missing_certificate,
    half_written_key,
    empty_certificate,
    key_of_another,
)


@pytest.mark.parametrize("breakage", BREAKAGES, ids=lambda function: function.__name__)
def test_what_is_broken_replaces_nothing(namegate, connect, breakage):
    """The old state serves on; log and metric say what is wrong; mending it mends it."""
    saved = namegate.directory.parent / "saved"
    shutil.copytree(namegate.directory, saved, ignore=shutil.ignore_patterns("*.jsonl", "stderr"))
    old = connect(namegate, "dot")
    assert is_blocked(old, "a.inline.test")
    word = breakage(namegate)
    assert not namegate.hup()
    assert word in namegate.stderr
    assert namegate.metrics().sum("namegate_config_last_reload_successful") == 0
    new = connect(namegate, "dot")
    for client in (old, new):
        assert is_blocked(client, "a.inline.test") and is_blocked(client, "a.listed.test")
        assert not is_blocked(client, "ok.fine.test")
    assert namegate.admin("/readyz")[0] == 200
    for path in namegate.directory.glob("bad.domains"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    shutil.copytree(saved, namegate.directory, dirs_exist_ok=True)
    assert namegate.hup()


@pytest.mark.parametrize(
    "breakage", (missing_list, list_is_a_directory), ids=lambda function: function.__name__
)
def test_a_list_that_is_gone_goes_on_protecting(namegate, connect, breakage):
    """It does not keep the rest of a configuration from coming in either."""
    saved = (namegate.directory / "bad.domains").read_bytes()
    word = breakage(namegate)
    assert namegate.hup()
    assert word in namegate.stderr
    found = namegate.metrics().find("namegate_domain_list_failures_total", reason="unreadable")
    assert found and found[0][1] > 0
    client = connect(namegate, "dot")
    assert is_blocked(client, "a.inline.test") and is_blocked(client, "a.listed.test")
    assert not is_blocked(client, "ok.fine.test")
    assert namegate.admin("/readyz")[0] == 200
    for path in namegate.directory.glob("bad.domains"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    (namegate.directory / "bad.domains").write_bytes(saved)
    assert namegate.hup()
    assert is_blocked(client, "a.listed.test")


def test_what_needs_a_restart_is_said(namegate, connect):
    """Another port can not be had by HUP: refused, with the reason."""
    settings = copy.deepcopy(namegate.settings)
    settings["listeners"][2]["port"] += 1
    assert not namegate.reload(settings)
    assert "restart" in namegate.stderr
    assert connect(namegate, "udp").ask(w.query("ok.port.test")).addresses


@pytest.mark.threads
def test_storm_of_reloads_under_load(namegate, connect):
    """HUP as fast as it goes while others ask: no answer is lost or slow, none is wrong."""
    stop = threading.Event()
    failures, slowest = [], [0.0]

    def ask(number):
        client = connect(namegate, PROTOCOLS[number % len(PROTOCOLS)])
        at = 0
        while not stop.is_set():
            at += 1
            begin = time.monotonic()
            try:
                if not is_blocked(client, "a%d.inline.test" % at):
                    failures.append("not blocked")
                if not client.ask(w.query("ok.c%d.n%d.test" % (number, at))).addresses:
                    failures.append("no address")
            except Exception as error:  # noqa: BLE001: whatever it is, it is a failure
                failures.append(repr(error))
                return
            slowest[0] = max(slowest[0], time.monotonic() - begin)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for at in range(100):
        (namegate.directory / "bad.domains").write_text("*.listed.test\n*.r%d.test\n" % at)
        namegate.signal(signal.SIGHUP)
        time.sleep(0.05)
    stop.set()
    for thread in threads:
        thread.join()
    assert not failures and slowest[0] < 2
    assert namegate.hup()
    assert is_blocked(connect(namegate, "udp"), "x.r99.test")


class TestStop:
    @pytest.mark.quick
    @pytest.mark.threads
    @pytest.mark.parametrize("number", (signal.SIGTERM, signal.SIGINT))
    def test_drain(self, namegate, connect, number):
        """What is in flight is answered, HTTP/2 is told GOAWAY, exit 0 within 5 s."""
        dot, doh, udp = (connect(namegate, protocol) for protocol in ("dot", "doh", "udp"))
        doh.ask(w.query("ok.first.test"))
        dot.send(w.query("slow-900.drain.test", id=1))
        udp.send(w.query("slow-900.u.drain.test", id=3))
        stream = doh.post(w.query("slow-900.drain.test", id=2))
        time.sleep(0.2)
        begin = time.monotonic()
        namegate.signal(number)
        assert w.Message(dot.receive()).addresses
        assert w.Message(udp.receive()).addresses
        response = doh.wait(stream)
        assert response.status == 200 and response.message.addresses
        assert doh.goaway and doh.goaway.error == 0 and doh.goaway.last_stream >= stream
        assert dot.is_closed() and doh.wait_closed()
        assert namegate.process.wait(10) == 0
        assert time.monotonic() - begin < 5
        assert namegate.stop() == 0

    @pytest.mark.parametrize("number", (signal.SIGTERM, signal.SIGINT))
    def test_takes_what_is_on_its_way(self, namegate, connect, number):
        """Two GOAWAYs (RFC 9113 6.8): what a client sends before it has read the first is served,
        and the second comes when it has."""
        doh = connect(namegate, "doh")
        doh.ask(w.query("ok.first.test"))
        namegate.signal(number)
        assert select.select([doh.socket], [], [], 5)[0]
        stream = doh.post(w.query("ok.way.test"))
        assert doh.goaway is None
        doh.pump(5)
        assert doh.goaway.last_stream == 2**31 - 1 and doh.goaway.error == 0
        assert doh.wait(stream).message.addresses
        assert doh.wait_closed()
        assert doh.goaway.last_stream == stream and doh.goaway.error == 0
        assert namegate.process.wait(10) == 0

    def test_no_longer_than_five_seconds(self, namegate, connect, scripted):
        """A query that nobody answers does not hold it up."""
        client = connect(namegate, "tcp")
        client.send(w.query("silent.drain.test"))
        time.sleep(0.1)
        begin = time.monotonic()
        assert namegate.stop() == 0
        assert time.monotonic() - begin < 6

    @pytest.mark.slow
    @pytest.mark.parametrize("protocol", ("udp", "dot"))
    def test_blocked_to_the_last(self, maker, scripted, connect, protocol):
        """A question that turns out to be blocked just before the end, when what it is to get
        instead has still to be looked up."""
        over = {"block_response": "OVERRIDE", "override_domain": "silent.over.test"}
        settings = with_rules(
            maker.settings(scripted=scripted),
            [inline("bad", "bad.drain.test")],
            [rule("over", "BLOCK", "bad", **over)],
        )
        namegate = maker.start(settings)
        scripted.zone["slow-4000.drain.test."] = lambda s: w.reply(
            s.wire, [w.record(s.qname, w.CNAME, w.name("bad.drain.test"))]
        )
        client = connect(namegate, protocol)
        client.send(w.query("slow-4000.drain.test"))
        time.sleep(0.2)
        namegate.signal(signal.SIGTERM)
        answer = w.Message(client.receive(10))
        assert answer.answer[0].target == w.name("silent.over.test")
        assert namegate.process.wait(10) == 0

    def test_accepts_nothing_new(self, namegate, connect):
        client = connect(namegate, "tcp")
        client.send(w.query("slow-1500.new.test"))
        time.sleep(0.1)
        namegate.signal(signal.SIGTERM)
        time.sleep(0.3)
        with pytest.raises(OSError):
            late = connect(namegate, "tcp")
            if late.ask(w.query("ok.new.test")) is None:
                raise ConnectionResetError
        assert w.Message(client.receive()).addresses
        assert namegate.process.wait(10) == 0

    def test_not_ready_while_draining(self, namegate, connect):
        client = connect(namegate, "tcp")
        client.send(w.query("slow-1500.ready.test"))
        time.sleep(0.1)
        namegate.signal(signal.SIGTERM)
        time.sleep(0.3)
        try:
            assert namegate.admin("/readyz")[0] == 503
        except OSError:
            pass  # the door may be shut already
        assert namegate.process.wait(10) == 0

    def test_again_means_now(self, namegate, connect):
        """A second TERM does not wait for anybody."""
        client = connect(namegate, "tcp")
        client.send(w.query("silent.now.test"))
        time.sleep(0.1)
        namegate.signal(signal.SIGTERM)
        time.sleep(0.3)
        begin = time.monotonic()
        namegate.stop()
        assert time.monotonic() - begin < 1

    def test_idle_clients_do_not_hold_it_up(self, namegate, connect):
        clients = [connect(namegate, protocol) for protocol in ("tcp", "dot", "doh") * 5]
        begin = time.monotonic()
        assert namegate.stop() == 0
        assert time.monotonic() - begin < 3
        del clients

    def test_term_during_a_reload(self, namegate):
        for _ in range(5):
            namegate.signal(signal.SIGHUP)
        assert namegate.stop() == 0


def test_no_descriptor_is_lost(namegate, connect):
    """A hundred connections and ten reloads later as many are open as before."""

    def descriptors():
        return len(os.listdir("/proc/%d/fd" % namegate.pid))

    def visit():
        for protocol in ("tcp", "dot", "doh"):
            client = connect(namegate, protocol)
            client.ask(w.query("ok.fd.test"))
            client.close()

    visit()
    namegate.hup()
    time.sleep(0.3)
    before = descriptors()
    for _ in range(10):
        for _ in range(3):
            visit()
        namegate.hup()
    namegate.wait_for(lambda: descriptors() <= before + 2, "descriptors to be closed")


def test_port_taken(maker, scripted):
    """Somebody else listens there: exit 1 and which one it was."""
    with socket.socket() as taken:
        settings = maker.settings(scripted=scripted)
        taken.bind(("127.0.0.1", maker.ports["dot"]))
        taken.listen()
        other = maker.prepare(settings)
        other.write_config()
        done = run_command("run", "-c", str(other.config))
    assert done.returncode == 1
    assert str(maker.ports["dot"]) in done.stderr
