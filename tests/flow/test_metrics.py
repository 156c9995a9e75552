"""/metrics: right by promtool, every series moves, and the counters agree with the log."""

import collections
import shutil
import subprocess

import pytest

import dns_wire as w
from config_text import inline, rule
from program import PROTOCOLS, with_rules

EDNS = w.opt()


@pytest.fixture
def namegate(maker, scripted):
    settings = maker.settings(scripted=scripted, spare=scripted)
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
    client.wait(client.get(query="dns=!!!"), client.get(path="/nowhere"))


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
    assert metrics.sum("namegate_dns_request_duration_seconds_count") == wanted
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


def test_labels_are_a_closed_set(namegate, connect):
    """No name, no client and no nonsense of theirs becomes a label."""
    client = connect(namegate, "udp")
    before = {(n, tuple(sorted(labels.items()))) for n, labels, _ in namegate.metrics().samples}
    ask_everything(namegate, connect)
    text = namegate.metrics().text
    for qtype in range(300, 340):
        client.ask(w.query(b"\6\"},x{\"\4evil\0", qtype))
    text = namegate.metrics().text
    assert "evil" not in text and "plain.test" not in text
    after = {(n, tuple(sorted(labels.items()))) for n, labels, _ in namegate.metrics().samples}
    assert len(after) < len(before) + 400


class TestAdmin:
    """The operator's reading door: HTTP/1.1, fixed paths, nothing changes."""

    @pytest.mark.quick
    def test_probes(self, namegate):
        assert namegate.admin("/livez")[0] == 200
        assert namegate.admin("/readyz")[0] == 200
        status, text = namegate.admin("/version")
        assert status == 200 and "0.1" in text

    def test_content_type(self, namegate):
        out = self.curl(namegate, "-i", "/metrics")
        assert "text/plain" in out and "version=0.0.4" in out

    @pytest.mark.parametrize("path", ("/", "/nowhere", "/metrics/../etc/passwd", "/metrics%00"))
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
        assert "Re-using existing connection" in done.stderr

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
        import socket

        with socket.create_connection(("127.0.0.1", namegate.ports["admin"]), 5) as client:
            try:
                client.sendall(request_bytes)
                client.settimeout(1)
                client.recv(100)
            except (ConnectionError, TimeoutError):
                pass
        assert namegate.admin("/livez")[0] == 200

    def test_slow_reader_does_not_hold_up_the_next(self, namegate):
        import socket

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
