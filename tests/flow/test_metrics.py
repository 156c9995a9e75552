"""/metrics: right by promtool, every series moves, and the counters agree with the log."""

import collections
import re
import shutil
import socket
import ssl
import struct
import subprocess
import time

import pytest

import dns_wire as w
from config_text import inline, rule
from dns_client import Stream, tls_context
from h2_client import PRIORITY, RST, frame
from program import PROTOCOLS, Ports, with_rules

EDNS = w.opt()


@pytest.fixture
def namegate(maker, scripted):
    settings = maker.settings(scripted=scripted, spare=Ports.take())
    (maker.directory / "ads.hosts").write_text("0.0.0.0 ads.test\nnonsense!!\n0.0.0.0 1.2.3.4\n")
    lists = [
        inline("bad", "*.bad.test"),
        inline("odd", "*.odd.test"),
        inline("seen", "*.seen.test"),
        {"name": "ads", "file": "ads.hosts", "format": "hosts"},
    ]
    rules = [
        rule("see", "MONITOR", "seen"),
        rule("bad", "BLOCK", "bad", block_response="NODATA"),
        rule("ads", "BLOCK", "ads", block_response="REFUSED"),
        rule("odd", "ALERT", "odd"),
    ]
    with_rules(settings, lists, rules)
    settings["local_data"] = [{"name": "box.test", "type": "A", "value": "192.0.2.9"}]
    return maker.start(settings)


NAMES = (
    "ok.plain.test",
    "nxdomain.plain.test",
    "servfail.plain.test",
    "x.bad.test",
    "ads.test",
    "ok.odd.test",
    "ok.seen.test",
    "box.test",
    "tc.plain.test",
)


def ask_everything(namegate, connect):
    """Every name on every protocol, and things that go wrong."""
    for protocol in PROTOCOLS:
        client = connect(namegate, protocol)
        for name in NAMES:
            client.ask(w.query(name, edns=EDNS))
    connect(namegate, "udp").ask(w.header() + b"\xc0\x0c\0\1\0\1")
    client = connect(namegate, "doh")
    client.wait(client.get(query="dns=!!!"), client.get(path="/nowhere", query=""))


@pytest.mark.quick
def test_every_series_moves_and_agrees_with_the_log(namegate, scripted, connect):
    ask_everything(namegate, connect)
    wanted = len(NAMES) * len(PROTOCOLS)
    namegate.wait_for(lambda: len(namegate.log()) >= wanted, "all log lines")
    log, metrics = namegate.log(), namegate.metrics()
    assert len(log) == wanted

    def logged(*path, where=lambda line: True):
        """Lines counted by one of their values."""
        count = collections.Counter()
        for line in filter(where, log):
            value = line
            for step in path:
                value = value.get(step) if value else None
            if value is not None:
                count[value] += 1
        return count

    by_protocol = logged("ext", "protocol")
    for protocol in PROTOCOLS:
        asked = metrics.sum("namegate_dns_requests_total", proto=protocol, view="lan")
        assert asked == by_protocol[protocol] == len(NAMES)
    for rcode, count in logged("rcode").items():
        assert metrics.sum("namegate_dns_responses_total", rcode=rcode, view="lan") == count
    blocks = logged("ext", "rule", where=lambda line: line["ext"].get("action") == "BLOCK")
    for name, count in blocks.items():
        matches = metrics.sum("namegate_rule_matches_total", rule=name, action="BLOCK")
        assert matches == count == len(PROTOCOLS)
    assert metrics.sum("namegate_rule_matches_total", rule="see", action="MONITOR") == 4
    assert metrics.sum("namegate_rule_matches_total", rule="odd", action="ALERT") == 4
    for action in ("BLOCK", "ALERT"):
        decisions = metrics.sum("namegate_firewall_decisions_total", action=action)
        assert decisions == logged("firewall_rule_action")[action]
    upstream = logged("ext", "upstream")
    assert metrics.sum("namegate_upstream_request_duration_seconds_count") >= sum(upstream.values())
    assert metrics.sum("namegate_http_responses_total", status="200") == len(NAMES)
    assert metrics.sum("namegate_http_responses_total", status="400") == 1
    assert metrics.sum("namegate_http_responses_total", status="404") == 1
    assert metrics.sum("namegate_tls_handshakes_total", result="ok") >= 3
    assert metrics.sum("namegate_domain_list_entries", list="ads") == 1
    assert metrics.sum("namegate_domain_list_entries", list="bad") == 1
    assert metrics.sum("namegate_domain_list_rejected_lines", list="ads") == 2
    assert metrics.sum("namegate_dns_request_duration_seconds_count") == wanted + 1  # the FORMERR
    assert metrics.sum("namegate_dns_response_size_bytes_count") == wanted + 1
    assert metrics.sum("namegate_dns_responses_total", rcode="FORMERR", view="") == 1
    assert metrics.sum("namegate_dropped_total", reason="malformed") == 1
    assert metrics.sum("namegate_log_dropped_total") == 0
    assert metrics.sum("namegate_config_last_reload_successful") == 1
    assert metrics.sum("namegate_policy_revision") >= 1


def test_histograms_are_histograms(namegate, connect):
    """Cumulative, from 50 µs, +Inf equal to the count."""
    ask_everything(namegate, connect)
    metrics = namegate.metrics()
    histograms = [name for name, kind in metrics.types.items() if kind == "histogram"]
    assert "namegate_dns_request_duration_seconds" in histograms
    for name in histograms:
        series = collections.defaultdict(list)
        for labels, value in metrics.find(name + "_bucket"):
            bound = labels.pop("le")
            series[tuple(sorted(labels.items()))].append((float(bound), value))
        for labels, buckets in series.items():
            bounds = [bound for bound, _ in buckets]
            counts = [count for _, count in buckets]
            assert bounds == sorted(bounds) and bounds[-1] == float("inf")
            assert counts == sorted(counts)
            assert counts[-1] == metrics.sum(name + "_count", **dict(labels))
            if name.endswith("_seconds"):
                assert bounds[0] == 0.00005


@pytest.mark.skipif(not shutil.which("promtool"), reason="no promtool")
def test_promtool(namegate, connect):
    ask_everything(namegate, connect)
    done = subprocess.run(
        ["promtool", "check", "metrics"],
        input=namegate.metrics().text,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 0 and not done.stderr.strip(), done.stderr


class TestReasons:
    """Each word of a closed set, by what it stands for."""

    @pytest.fixture(scope="class")
    def strict(self, shared_maker, scripted_session):
        settings = shared_maker.settings(scripted=scripted_session)
        settings["workers"] = 1
        settings["views"][0]["clients"] = ["127.0.0.0/30", "127.0.1.0/24"]
        settings["limits"] = {
            "queries": 20,
            "queries_per_connection": 12,
            "connections_per_address": 10,
            "handshake_timeout": "300ms",
            "request_timeout": "300ms",
            "idle_timeout": "1s",
        }
        rules = [rule("drop", "BLOCK", "drop", block_response="DROP")]
        return shared_maker.start(with_rules(settings, [inline("drop", "*.drop.test")], rules))

    def malformed(self, strict, connect):
        connect(strict, "udp").ask(w.header() + b"\xc0\x0c\0\1\0\1")

    def not_a_query(self, strict, connect):
        connect(strict, "udp").send(w.query("x.test", flags=w.QR))

    def no_view(self, strict, connect):
        connect(strict, "udp", source="127.0.0.9").ask(w.query("x.test"))

    def rule(self, strict, connect):
        connect(strict, "udp").send(w.query("x.drop.test"))

    def queries_full(self, strict, connect):
        """One client alone is refused before (`per_client`)."""
        for number in range(40):
            client = connect(strict, "udp", source="127.0.1.%d" % (number + 1))
            client.send(w.query("slow-300.q%d.full.test" % number))

    def per_client(self, strict, connect):
        client = connect(strict, "udp", source="127.0.0.3")
        for number in range(40):
            client.send(w.query("slow-300.c%d.client.test" % number))

    def per_connection(self, strict, connect):
        client = connect(strict, "tcp")
        client.send(*(w.query("slow-300.p%d.per.test" % number) for number in range(30)))

    def per_address(self, strict, connect):
        for _ in range(12):
            connect(strict, "tcp", source="127.0.0.2")

    def handshake_timeout(self, strict, connect):
        assert Stream("127.0.0.1", strict.ports["dot"]).is_closed()

    def deadline(self, strict, connect):
        client = connect(strict, "tcp")
        client.send_raw(b"\0\xff")
        assert client.is_closed()

    def idle(self, strict, connect):
        assert connect(strict, "tcp").is_closed()

    def frame_flood(self, strict, connect):
        client = connect(strict, "raw-h2")
        for _ in range(50):
            client.send(frame(PRIORITY, 0, 1, b"\0\0\0\0\x10") * 1000)

    def reset_flood(self, strict, connect):
        client = connect(strict, "raw-h2")
        for stream in range(1, 3001, 2):
            request = client.request(stream, w.query("x.drop.test"))
            client.send(request + frame(RST, 0, stream, struct.pack("!I", 8)))

    def client_gone(self, strict, connect):
        client = connect(strict, "raw-h2")
        client.send(client.request(1, w.query("slow-200.gone.test")))
        client.send(frame(RST, 0, 1, struct.pack("!I", 8)))

    DROPS = (
        "malformed",
        "not_a_query",
        "no_view",
        "rule",
        "queries_full",
        "per_client",
        "per_connection",
        "per_address",
        "handshake_timeout",
        "deadline",
        "idle",
        "frame_flood",
        "reset_flood",
        "client_gone",
    )

    @pytest.mark.parametrize("reason", DROPS)
    def test_dropped(self, strict, scripted, connect, reason):
        before = strict.metrics().sum("namegate_dropped_total", reason=reason)
        getattr(self, reason)(strict, connect)
        strict.wait_metric("namegate_dropped_total", before + 1, reason=reason)
        time.sleep(0.3)  # what it left in flight

    @pytest.mark.parametrize("name", ("timeout", "refused", "servfail", "mismatch", "malformed"))
    def test_upstream_errors(self, strict, scripted, connect, name):
        first = {"timeout": "silent", "mismatch": "wrongqname", "malformed": "cutoff"}
        connect(strict, "udp").ask(w.query("%s.errors.test" % first.get(name, name)))
        strict.wait_metric("namegate_upstream_errors_total", 1, reason=name)

    def test_upstream_network_error(self, maker, connect):
        namegate = maker.start(maker.settings(closed=Ports.take()))
        connect(namegate, "udp").ask(w.query("network.test"))
        namegate.wait_metric("namegate_upstream_errors_total", 1, reason="network")

    def handshake(self, strict, context, port="dot"):
        with socket.create_connection(("127.0.0.1", strict.ports[port]), 5) as raw:
            try:
                with context.wrap_socket(raw, server_hostname="127.0.0.1") as tls:
                    tls.recv(1)
            except (ssl.SSLError, ConnectionError):
                pass

    def hello_then_alert(self, strict, context):
        """A TLS 1.2 client that sees the server's first flight and does not like it."""
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")
        with pytest.raises(ssl.SSLWantReadError):
            tls.do_handshake()
        with socket.create_connection(("127.0.0.1", strict.ports["dot"]), 5) as raw:
            raw.sendall(outgoing.read())
            raw.recv(65536)
            raw.sendall(b"\x15\3\3\0\2\2\x28")  # handshake_failure, RFC 5246 7.2
            time.sleep(0.05)

    FIRST_BYTES = {
        "not_tls": b"this is not TLS" * 10,
        "closed": b"\x16\x03",
    }

    @pytest.mark.filterwarnings("ignore::DeprecationWarning")
    @pytest.mark.parametrize(
        "result",
        (
            "ok",
            "no_application_protocol",
            "no_shared_protocol",
            "no_shared_cipher",
            "certificate_refused",
            "peer_alert",
            "not_tls",
            "closed",
        ),
    )
    def test_handshakes(self, strict, result):
        context = tls_context(strict.certificates.ca, "dot")
        before = strict.metrics().sum("namegate_tls_handshakes_total", result=result)
        if result in self.FIRST_BYTES:
            with socket.create_connection(("127.0.0.1", strict.ports["dot"]), 5) as raw:
                raw.sendall(self.FIRST_BYTES[result])
                time.sleep(0.05)
        elif result == "peer_alert":
            self.hello_then_alert(strict, context)
        else:
            if result == "no_application_protocol":
                context.set_alpn_protocols(["smtp"])
            elif result == "no_shared_protocol":
                context.set_ciphers("ALL:@SECLEVEL=0")
                context.minimum_version = ssl.TLSVersion.TLSv1_1
                context.maximum_version = ssl.TLSVersion.TLSv1_1
            elif result == "no_shared_cipher":
                context.set_ciphers("AES128-SHA:@SECLEVEL=0")
                context.maximum_version = ssl.TLSVersion.TLSv1_2
            elif result == "certificate_refused":
                context = ssl.create_default_context()  # does not know our CA, and says so
            self.handshake(strict, context)
        strict.wait_metric("namegate_tls_handshakes_total", before + 1, result=result)


def test_labels_are_a_closed_set(namegate, connect):
    """No name, no client and no nonsense of theirs becomes a label: once every kind of thing has
    happened, others of the same kind add no series. On a busy machine a kind may be late, a failure
    that was remembered a moment longer this time; a label of theirs would come each time."""

    def series():
        return {(n, tuple(sorted(labels.items()))) for n, labels, _ in namegate.metrics().samples}

    def ask_oddly(word):
        client = connect(namegate, "udp")
        for qtype in range(word, word + 40):
            client.ask(w.query(w.labels_to_name(b'"},x{"%d' % word, b"evil"), qtype))
        connect(namegate, "udp", source="127.0.0.%d" % (word // 10)).ask(w.query("a.test"))

    ask_everything(namegate, connect)
    ask_oddly(300)
    for word in (400, 500, 600):
        before = series()
        ask_everything(namegate, connect)  # from the cache
        ask_oddly(word)
        more = series() ^ before
        if not more:
            break
    assert not more
    text = namegate.metrics().text
    assert "evil" not in text and "plain.test" not in text and "127.0.0" not in text


class TestAdmin:
    """The operator's reading door: HTTP/1.1, fixed paths, nothing changes."""

    @pytest.mark.quick
    def test_probes(self, namegate):
        assert namegate.admin("/livez")[0] == 200
        assert namegate.admin("/readyz")[0] == 200
        status, text = namegate.admin("/version")
        assert status == 200 and "0.1" in text

    def test_not_ready_when_only_a_bootstrap_answers(self, maker, scripted, connect):
        """It tells addresses, and no client anything."""
        settings = maker.settings(scripted=scripted)
        settings["upstreams"].append({"name": "enc", "protocol": "dot", "bootstrap": "scripted",
                                      "host": "nxdomain.host.test"})
        settings["upstream_groups"] = [{"name": "out", "upstreams": ["enc"]}]
        namegate = maker.start(settings)
        client = connect(namegate, "udp")

        def is_down():
            client.ask(w.query("ok.boot.test"))
            return namegate.admin("/readyz")[0] == 503

        namegate.wait_for(is_down, "503 of /readyz")
        assert "upstream" in namegate.admin("/readyz")[1]

    def test_content_type(self, namegate):
        out = self.curl(namegate, "-i", "/metrics")
        assert "text/plain" in out and "version=0.0.4" in out

    @pytest.mark.parametrize("path", ("/nowhere", "/metrics/../etc/passwd", "/metrics%00"))
    def test_other_paths(self, namegate, path):
        assert "HTTP/1.1 404" in self.curl(namegate, "-i", "--path-as-is", path)

    @pytest.mark.parametrize("method", ("POST", "PUT", "DELETE", "PATCH"))
    def test_other_methods(self, namegate, method):
        assert "HTTP/1.1 405" in self.curl(namegate, "-i", "-X", method, "/metrics")

    def test_head(self, namegate):
        out = self.curl(namegate, "-I", "/metrics")
        assert "HTTP/1.1 200" in out and "namegate_" not in out

    def test_keep_alive(self, namegate):
        base = "http://127.0.0.1:%d" % namegate.ports["admin"]
        done = subprocess.run(
            ["curl", "-sSv", base + "/livez", base + "/readyz"],
            capture_output=True,
            text=True,
            timeout=10,
        )
        assert re.search(r"Re-using existing( http:)? connection", done.stderr)

    @pytest.mark.parametrize(
        "request_bytes",
        (
            b"\0" * 100,
            b"GET /metrics HTTP/9.9\r\n\r\n",
            b"GET " + b"/x" * 20000 + b" HTTP/1.1\r\n\r\n",
            b"GET /metrics HTTP/1.1\r\n" + b"X: y\r\n" * 20000 + b"\r\n",
            b"GET /metrics HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n",
            b"GET /metrics HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nZZZ\r\n",
        ),
        ids=("zeros", "version", "long-path", "many-headers", "huge-body", "bad-chunk"),
    )
    def test_nonsense(self, namegate, request_bytes):
        with socket.create_connection(("127.0.0.1", namegate.ports["admin"]), 5) as client:
            try:
                client.sendall(request_bytes)
                client.settimeout(1)
                client.recv(100)
            except (ConnectionError, TimeoutError):
                pass
        assert namegate.admin("/livez")[0] == 200

    def test_slow_reader_does_not_hold_up_the_next(self, namegate):
        lazy = [
            socket.create_connection(("127.0.0.1", namegate.ports["admin"]), 5) for _ in range(20)
        ]
        for client in lazy:
            client.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        assert namegate.admin("/metrics")[0] == 200
        for client in lazy:
            client.close()

    def curl(self, namegate, *arguments):
        *options, path = arguments
        url = "http://127.0.0.1:%d%s" % (namegate.ports["admin"], path)
        return subprocess.run(
            ["curl", "-sS", *options, url], capture_output=True, text=True, timeout=10
        ).stdout
