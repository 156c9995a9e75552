"""Real browsers, headless: Chromium, and Firefox ESR. With DNS-over-HTTPS forced by policy and a
private CA each opens a page by an allowed name through namegate, and none by a blocked name."""

import contextlib
import http.server
import json
import os
import shutil
import signal
import ssl
import struct
import subprocess
import threading
import time

import pytest

import dns_wire as w
from certificates import issue
from config_text import inline, rule
from namespace import Namespace
from program import with_rules

PAGE = "<!doctype html><title>namegate</title><p>the page is here</p>"
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--dump-dom",
]


class Page(http.server.BaseHTTPRequestHandler):
    asked = []  # names of hosts, newest last

    def do_GET(self):
        self.asked.append(self.headers["Host"].partition(":")[0])
        body = PAGE.encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def page_port():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


class Browser:
    def __init__(self, namespace, namegate, directory, method):
        self.namespace, self.directory = namespace, directory
        template = "https://127.0.0.1:%d/dns-query" % namegate.ports["doh"]
        policies = namespace.etc / "chromium/policies/managed"
        policies.mkdir(parents=True, exist_ok=True)
        policy = {
            "DnsOverHttpsMode": "secure",
            "DnsOverHttpsTemplates": template + ("{?dns}" if method == "GET" else ""),
        }
        (policies / "namegate.json").write_text(json.dumps(policy))
        self.home = directory / "home"
        database = "sql:%s/.pki/nssdb" % self.home
        (self.home / ".pki/nssdb").mkdir(parents=True)
        namespace.run("certutil", "-d", database, "-N", "--empty-password")
        trust = ["-A", "-t", "C,,", "-n", "namegate", "-i", namegate.certificates.ca]
        namespace.run("certutil", "-d", database, *trust)

    def open(self, url):
        """(the page as the browser has it, what it said about errors)"""
        done = self.namespace.run(
            "env",
            "HOME=%s" % self.home,
            "chromium",
            *FLAGS,
            "--user-data-dir=%s/profile" % self.directory,
            url,
            timeout=60,
            check=False,
        )
        return done.stdout, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.skipif(not shutil.which("chromium"), reason="no chromium")
def test_browser(maker, knot, page_port, tmp_path, method):
    settings = maker.settings(knot=knot)
    lists = [inline("bad", "*.evil.test")]
    rules = [rule("no-evil", "BLOCK", "bad", block_response="NXDOMAIN")]
    with_rules(settings, lists, rules)
    namegate = maker.start(settings)
    with Namespace(tmp_path / "namespace") as namespace:
        browser = Browser(namespace, namegate, tmp_path, method)
        page, _ = browser.open("http://web.plain.test:%d/" % page_port)
        assert "the page is here" in page
        page, errors = browser.open("http://www.evil.test:%d/" % page_port)
        assert "the page is here" not in page
        assert "ERR_NAME_NOT_RESOLVED" in page + errors  # where depends on the version
    allowed = namegate.wait_log("web.plain.test")
    assert {line["transport"] for line in allowed} == {"DOH"}
    assert any(line["rcode"] == "NOERROR" and line["answers"] for line in allowed)
    blocked = namegate.wait_log("www.evil.test")
    assert {line["firewall_rule_action"] for line in blocked} == {"BLOCK"}


class Firefox:
    """Its policy as an enterprise writes it: resolver and authority are given, and locked."""

    PREFERENCES = {
        "network.trr.allow-rfc1918": True,  # the pages here are on loopback
        "network.trr.useGET": False,
        "network.captive-portal-service.enabled": False,
        "network.connectivity-service.enabled": False,
        "browser.safebrowsing.malware.enabled": False,
        "browser.safebrowsing.phishing.enabled": False,
    }

    def __init__(self, namespace, namegate, directory, method):
        self.namespace, self.directory = namespace, directory
        preferences = dict(self.PREFERENCES, **{"network.trr.useGET": method == "GET"})
        policy = {
            "DNSOverHTTPS": {
                "Enabled": True,
                "ProviderURL": "https://127.0.0.1:%d/dns-query" % namegate.ports["doh"],
                "Fallback": False,
                "Locked": True,
            },
            "Certificates": {"Install": [str(namegate.certificates.ca)]},
            "Preferences": {
                key: {"Value": value, "Status": "locked"} for key, value in preferences.items()
            },
            "DisableTelemetry": True,
            "DisableAppUpdate": True,
            "OverrideFirstRunPage": "",
        }
        policies = namespace.etc / "firefox/policies"
        policies.mkdir(parents=True, exist_ok=True)
        (policies / "policies.json").write_text(json.dumps({"policies": policy}))
        (directory / "home").mkdir()

    @contextlib.contextmanager
    def opening(self, url):
        """While this lasts it opens a page; it is ended by us."""
        browser = self.namespace.popen(
            *("env", "HOME=%s" % (self.directory / "home"), "MOZ_HEADLESS=1"),
            *("firefox-esr", "--no-remote", "--profile", self.directory / "profile", url),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            yield
        finally:
            os.killpg(browser.pid, signal.SIGKILL)
            browser.wait()


@pytest.mark.slow
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.skipif(not shutil.which("firefox-esr"), reason="no firefox-esr")
def test_firefox(maker, knot, page_port, tmp_path, method):
    settings = maker.settings(knot=knot)
    lists = [inline("bad", "*.evil.test")]
    rules = [rule("no-evil", "BLOCK", "bad", block_response="NXDOMAIN")]
    with_rules(settings, lists, rules)
    namegate = maker.start(settings)
    Page.asked.clear()
    with Namespace(tmp_path / "namespace") as namespace:
        (tmp_path / "profile").mkdir()
        browser = Firefox(namespace, namegate, tmp_path, method)
        with browser.opening("http://web.plain.test:%d/" % page_port):
            allowed = namegate.wait_log("web.plain.test", timeout=60)
            namegate.wait_for(lambda: "web.plain.test" in Page.asked, "the page", 30)
        with browser.opening("http://www.evil.test:%d/" % page_port):
            blocked = namegate.wait_log("www.evil.test", timeout=60)
            time.sleep(1)
    assert {line["transport"] for line in allowed} == {"DOH"}
    assert {line["firewall_rule_action"] for line in blocked} == {"BLOCK"}
    assert "www.evil.test" not in Page.asked
    answered = namegate.metrics().sum("namegate_http_responses_total", method=method, status="200")
    assert answered > 0


@pytest.mark.slow
@pytest.mark.parametrize("word", ["pass", "strip"])
@pytest.mark.skipif(not shutil.which("chromium"), reason="no chromium")
def test_https_records(maker, scripted, page_port, tmp_path, word):
    """A browser goes by an HTTPS record (RFC 9460 9.5): it asks for the page over TLS, which nobody
    speaks there. In a view without such records it opens the page as it was told."""
    service = "_%d._https.web.strip.test" % page_port
    scripted.zone["web.strip.test."] = lambda s: w.reply(
        s.wire, [w.a(s.qname, "127.0.0.1")] if s.qtype == w.A else []
    )
    scripted.zone[service + "."] = lambda s: w.reply(
        s.wire, [w.record(s.qname, w.HTTPS, b"\0\1\0\0\1\0\3\2h2")] if s.qtype == w.HTTPS else []
    )
    settings = maker.settings(scripted=scripted)
    settings["views"][0]["https_records"] = word
    namegate = maker.start(settings)
    with Namespace(tmp_path / "namespace") as namespace:
        page, _ = Browser(namespace, namegate, tmp_path, "POST").open(
            "http://web.strip.test:%d/" % page_port
        )
    assert ("the page is here" in page) == (word == "strip")
    told = [line for line in namegate.wait_log(service) if line["query_type"] == "HTTPS"]
    assert told and all(bool(line["answers"]) == (word == "pass") for line in told)


def ech_config():
    """An ECHConfigList (RFC 9849 4) with a key that no server here has."""
    suites, public_name = struct.pack("!HHH", 4, 1, 1), b"other.ech.test"
    key = bytes([9]) + bytes(31)  # the base point of X25519
    contents = struct.pack("!BHH", 7, 0x20, len(key)) + key + suites
    contents += struct.pack("!BB", 0, len(public_name)) + public_name + b"\0\0"
    config = struct.pack("!HH", 0xFE0D, len(contents)) + contents
    return struct.pack("!H", len(config)) + config


@pytest.fixture
def tls_page_port(certificates, tmp_path):
    leaf = issue(certificates, tmp_path / "page", "web.ech.test")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(leaf.certificate, leaf.key)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


@pytest.mark.slow
@pytest.mark.parametrize("word", ["pass", "strip_ech"])
@pytest.mark.skipif(not shutil.which("chromium"), reason="no chromium")
def test_ech(maker, scripted, tls_page_port, tmp_path, word):
    """Where an HTTPS record has "ech" a browser encrypts the site's name, and does not go on with a
    server that cannot read it; in a view without "ech" it connects as ever, by the same record."""
    service = "_%d._https.web.ech.test" % tls_page_port
    ech = ech_config()
    params = b"\0\1\0\x09\x08http/1.1" + struct.pack("!HH", 5, len(ech)) + ech
    scripted.zone["web.ech.test."] = lambda s: w.reply(
        s.wire, [w.a(s.qname, "127.0.0.1")] if s.qtype == w.A else []
    )
    target = w.name("web.ech.test")
    record = b"\0\1" + target + params
    scripted.zone[service + "."] = lambda s: w.reply(
        s.wire, [w.record(s.qname, w.HTTPS, record)] if s.qtype == w.HTTPS else []
    )
    settings = maker.settings(scripted=scripted)
    settings["views"][0]["https_records"] = word
    namegate = maker.start(settings)
    with Namespace(tmp_path / "namespace") as namespace:
        page, errors = Browser(namespace, namegate, tmp_path, "POST").open(
            "https://web.ech.test:%d/" % tls_page_port
        )
    assert ("the page is here" in page) == (word == "strip_ech"), errors
    told = [line for line in namegate.wait_log(service) if line["query_type"] == "HTTPS"]
    assert told and all(len(line["answers"]) == 1 for line in told)
    sizes = {len(line["answers"][0]["Rdata"]) for line in told}
    assert all((size > 100) == (word == "pass") for size in sizes)
