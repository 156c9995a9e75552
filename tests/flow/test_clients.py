"""Clients that we did not write: kdig, dig, curl, dnspython."""

import subprocess

import dns.message
import dns.query
import dns.rcode
import pytest

from config_text import inline, rule
from program import with_rules
from tools import dig, kdig, run

EVERY = ("udp", "tcp", "dot", "doh", "doh-get")


@pytest.fixture(scope="module")
def namegate(shared_maker, knot):
    """An ordinary upstream, one blocked tree."""
    settings = shared_maker.settings(knot=knot)
    lists = [inline("evil", "*.evil.test", "*.evil.plain.test")]
    rules = [rule("no-evil", "BLOCK", "evil", block_response="NXDOMAIN")]
    return shared_maker.start(with_rules(settings, lists, rules))


@pytest.mark.quick
@pytest.mark.threads
@pytest.mark.parametrize("protocol", EVERY)
@pytest.mark.parametrize("tool", (kdig, dig))
class TestBothTools:
    def test_answer(self, namegate, tool, protocol):
        out = tool(namegate, "+dnssec", "www.plain.test", "AAAA", protocol=protocol)
        assert "2001:db8::10" in out and "NOERROR" in out
        assert "qr rd ra" in out

    def test_nxdomain(self, namegate, tool, protocol):
        out = tool(namegate, "no.plain.test", protocol=protocol)
        assert "NXDOMAIN" in out and "SOA" in out

    def test_blocked(self, namegate, tool, protocol):
        out = tool(namegate, "+edns", "x.evil.test", protocol=protocol)
        assert "NXDOMAIN" in out
        assert "EDE: 15" in out or "Blocked" in out

    def test_blocked_behind_a_cname(self, namegate, tool, protocol):
        out = tool(namegate, "+edns", "ads.plain.test", protocol=protocol)
        assert "NXDOMAIN" in out and "192.0.2.66" not in out

    @pytest.mark.parametrize(
        "name, qtype, text",
        [
            ("txt.plain.test", "TXT", '"knot says hello"'),
            ("mail.plain.test", "MX", "10 www.plain.test."),
            ("srv.plain.test", "SRV", "1 2 443 www.plain.test."),
            ("svc.plain.test", "HTTPS", "1 . alpn="),
            ("alias.plain.test", "A", "192.0.2.10"),
            ("x.wild.plain.test", "A", "192.0.2.20"),
            ("plain.test", "SOA", "ns.plain.test. host.plain.test. 1"),
        ],
    )
    def test_types(self, namegate, tool, protocol, name, qtype, text):
        assert text in tool(namegate, name, qtype, protocol=protocol)


class TestDig:
    """The questions of ISC's compliance tester (RFC 8906 8)."""

    ROWS = {
        "plain": (["+noedns", "+noad", "+norec"], "NOERROR"),
        "edns0": (["+edns=0"], "NOERROR"),
        "edns1": (["+edns=1", "+noednsneg"], "BADVERS"),
        "option": (["+ednsopt=100"], "NOERROR"),
        "option-nsid": (["+nsid"], "NOERROR"),
        "option-cookie": (["+cookie=0123456789abcdef"], "NOERROR"),
        "subnet": (["+subnet=192.0.2.0/24"], "NOERROR"),
        "flag": (["+ednsflags=0x40"], "NOERROR"),
        "edns1-option": (["+edns=1", "+noednsneg", "+ednsopt=100"], "BADVERS"),
        "do": (["+dnssec"], "NOERROR"),
        "bufsize-512": (["+bufsize=512", "+dnssec"], "NOERROR"),
        "z-bit": (["+zflag"], "NOERROR"),
        "opcode-15": (["+opcode=15"], "NOTIMP"),
        "padding": (["+padding=128"], "NOERROR"),
        "keepopen-keepalive": (["+keepalive", "+tcp"], "NOERROR"),
        "unknown-type": (["-t", "TYPE1000"], "NOERROR"),
        "unknown-class": (["-c", "CLASS500"], ("NOERROR", "REFUSED", "NOTIMP", "NXDOMAIN")),
        "header-only": (["+header-only", "+nocookie"], "FORMERR"),
        "cookie-alone": (["+header-only", "+cookie"], "NOERROR"),
    }

    @pytest.mark.parametrize("row", ROWS)
    def test_compliance(self, namegate, row):
        arguments, outcome = self.ROWS[row]
        out = dig(namegate, "+qr", "www.plain.test", *arguments)
        statuses = [
            line.split("status: ")[1].split(",")[0]
            for line in out.splitlines()
            if "status: " in line
        ]
        assert statuses[-1] in (outcome if isinstance(outcome, tuple) else (outcome,)), out
        if row in ("edns0", "option", "do"):
            assert "EDNS: version: 0" in out
        assert "Warning: query response not set" not in out


class TestKdig:
    def test_padding(self, namegate):
        out = kdig(namegate, "+padding", "www.plain.test", protocol="dot")
        assert "PADDING" in out and "Received 468 B" in out

    def test_keepopen(self, namegate):
        """Several questions on one connection."""
        for protocol in ("tcp", "dot", "doh"):
            out = kdig(
                namegate, "+keepopen", "www.plain.test", "txt.plain.test", "TXT", protocol=protocol
            )
            assert "192.0.2.10" in out and "knot says hello" in out

    def test_certificate_is_checked(self, namegate, tmp_path):
        """The test itself: with another CA nothing is said."""
        run(
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-subj", "/CN=other", "-keyout", tmp_path / "k", "-out", tmp_path / "ca"),
        )
        port = namegate.ports["dot"]
        out = run(
            *("kdig", "@127.0.0.1", "-p", port, "+tls", "+tls-ca=%s" % (tmp_path / "ca")),
            *("+tls-host=127.0.0.1", "+retry=0", "+timeout=3", "www.plain.test"),
            check=False,
        )
        assert "192.0.2.10" not in out.stdout


@pytest.fixture
def web(namegate):
    """Something that answers HTTP at the address of web.plain.test."""
    import http.server
    import threading

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"here")

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


@pytest.mark.quick
class TestCurl:
    """curl --doh-url asks for A and AAAA by POST over HTTP/2."""

    def curl(self, namegate, url):
        doh = "https://127.0.0.1:%d/dns-query" % namegate.ports["doh"]
        return subprocess.run(
            ["curl", "-sS", "--cacert", str(namegate.certificates.ca), "--noproxy", "*"]
            + ["--doh-url", doh, url],
            capture_output=True,
            text=True,
            timeout=30,
        )

    def test_allowed(self, namegate, web):
        done = self.curl(namegate, "http://web.plain.test:%d/" % web)
        assert done.stdout == "here", done.stderr
        line = namegate.wait_log("web.plain.test")[0]
        assert line["transport"] == "DOH" and line["ext"]["protocol"] == "doh"

    def test_blocked(self, namegate, web):
        done = self.curl(namegate, "http://www.evil.test:%d/" % web)
        assert done.returncode == 6 and not done.stdout  # could not resolve host

    def test_status_and_headers(self, namegate):
        done = subprocess.run(
            ["curl", "-sS", "--cacert", str(namegate.certificates.ca), "--http2", "-D", "-", "-o"]
            + ["/dev/null", "https://127.0.0.1:%d/nowhere" % namegate.ports["doh"]],
            capture_output=True,
            text=True,
            timeout=30,
        )
        assert done.stdout.startswith("HTTP/2 404")


class TestDnspython:
    def ask(self, namegate, name, protocol, qtype="A"):
        import ssl

        message = dns.message.make_query(name, qtype, use_edns=0)
        where, timeout = "127.0.0.1", 6
        if protocol == "udp":
            return dns.query.udp(message, where, timeout, namegate.ports["dns"])
        if protocol == "tcp":
            return dns.query.tcp(message, where, timeout, namegate.ports["dns"])
        if protocol == "dot":
            context = ssl.create_default_context(cafile=namegate.certificates.ca)
            return dns.query.tls(
                message, where, timeout, namegate.ports["dot"], ssl_context=context,
                server_hostname="127.0.0.1",
            )
        url = "https://127.0.0.1:%d/dns-query" % namegate.ports["doh"]
        return dns.query.https(
            message, url, timeout, post=protocol == "doh", verify=str(namegate.certificates.ca)
        )

    @pytest.mark.parametrize("protocol", EVERY)
    def test_answer(self, namegate, protocol):
        if protocol.startswith("doh"):
            pytest.importorskip("httpx", reason="dnspython's DoH over HTTP/2 wants python3-httpx")
        answer = self.ask(namegate, "www.plain.test", protocol)
        assert answer.answer[0][0].address == "192.0.2.10"

    @pytest.mark.parametrize("protocol", EVERY)
    def test_blocked(self, namegate, protocol):
        if protocol.startswith("doh"):
            pytest.importorskip("httpx", reason="dnspython's DoH over HTTP/2 wants python3-httpx")
        answer = self.ask(namegate, "a.evil.test", protocol)
        assert answer.rcode() == dns.rcode.NXDOMAIN
        assert answer.options and int(answer.options[0].code) == 15
