"""namegate-fetch, the program that fetches a list: what it takes from a server that misbehaves,
what it refuses, what it may do, and the verb that runs it by hand."""

import gzip
import os
import subprocess
import time
from dataclasses import dataclass
from ipaddress import IPv6Address
from pathlib import Path

import pytest

import certificates as certs
import dns_wire as w
from config_text import config_text
from list_server import DATE, HOST, HTML, LIST, ListServer, etag_of
from program import BINARY, EX_CONFIG, SANITIZER_REPORT, Ports, run_command

FETCH = Path(BINARY).parent / "namegate-fetch"
NOBODY = 65534
KEY = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3"  # minisign's own example
PATIENT_S = 60

pytestmark = pytest.mark.skipif(not FETCH.exists(), reason="namegate-fetch was not built")


@dataclass
class Fetched:
    report: dict
    body: bytes
    signature: bytes
    stderr: str
    took_s: float

    def __getattr__(self, word):
        return self.report[word.replace("_", "-")]


def zone_of(*addresses, v6=()):
    """A host's addresses, for ScriptedDns.zone."""

    def reply(s):
        records = {
            w.A: [w.a(s.qname, address) for address in addresses],
            w.AAAA: [w.record(s.qname, w.AAAA, address) for address in v6],
        }
        return w.reply(s.wire, records.get(s.qtype, []))

    return reply


@pytest.fixture(scope="module")
def own(certificates, tmp_path_factory):
    return certs.issue(certificates, tmp_path_factory.mktemp("lists") / "own", HOST, "127.0.0.1")


@pytest.fixture(scope="module")
def server_session(own):
    with ListServer(own, Ports.take()) as server:
        yield server


@pytest.fixture
def server(server_session, scripted):
    """The server, found under its name."""
    server_session.asked.clear()
    server_session.content.clear()
    scripted.zone[HOST + "."] = zone_of("127.0.0.1")
    return server_session


@pytest.fixture
def configure(maker, scripted, certificates):
    """configure(url, **keys of the list) gives a configuration file."""

    def write(url, **more):
        settings = maker.settings(scripted=scripted)
        settings["state_directory"] = str(maker.directory)
        settings.update(more.pop("settings", {}))
        keys = {
            "name": "bad",
            "source": url,
            "format": "domains",
            "tls_ca": str(certificates.ca),
            "allow_private_addresses": True,
            "timeout": "30s",
            **more,
        }
        settings["domain_lists"] = [{k: v for k, v in keys.items() if v is not None}]
        path = maker.directory / "namegate.conf"
        path.write_text(config_text(settings))
        return path

    return write


def start_fetch(config, *arguments, name="bad", environment=None, close_fds=True):
    """Descriptors 3 and 4 are files beside the configuration."""
    return subprocess.Popen(
        ["sh", "-c", 'exec "$0" "$@" 3>body 4>signature', FETCH]
        + ["-c", str(config), "--list", name, *arguments],
        cwd=config.parent,
        env={**os.environ, **(environment or {})},
        close_fds=close_fds,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def fetch(config, *arguments, **how):
    begin = time.monotonic()
    process = start_fetch(config, *arguments, **how)
    out, err = process.communicate(timeout=PATIENT_S)
    took_s = time.monotonic() - begin
    assert not SANITIZER_REPORT.search(err), err
    assert process.returncode == 0, (process.returncode, err)
    report = dict(line.split(" ", 1) for line in out.splitlines())
    body = (config.parent / "body").read_bytes()
    signature = (config.parent / "signature").read_bytes()
    assert int(report["body-len"]) == len(body)
    return Fetched(report, body, signature, err, took_s)


# --- what is fetched ---


@pytest.mark.quick
class TestGood:
    def test_whole(self, server, configure):
        got = fetch(configure(server.url("/good/list.txt")))
        assert (got.fault, got.why, got.not_modified) == ("none", "", "no")
        assert got.body == LIST
        assert got.etag == etag_of(LIST) and got.last_modified == DATE
        assert got.content_type == "text/plain"

    def test_what_is_asked(self, server, configure):
        fetch(configure(server.url("/good/list.txt?a=b")))
        (request,) = server.asked
        assert (request.method, request.path) == ("GET", "/good/list.txt?a=b")
        agent, *_ = request.headers["user-agent"].split("/")
        assert agent == "namegate"
        assert request.headers["accept-encoding"] == "gzip"
        unwanted = {"cookie", "authorization", "referer", "if-none-match", "if-modified-since"}
        assert not unwanted & set(request.headers)

    def test_chunks(self, server, configure):
        assert fetch(configure(server.url("/chunks"))).body == LIST

    def test_http2(self, configure, own, scripted):
        scripted.zone[HOST + "."] = zone_of("127.0.0.1")
        with ListServer(own, Ports.take(), h2=True) as server:
            got = fetch(configure(server.url("/good")))
            assert got.body == LIST and got.etag == etag_of(LIST)
            assert server.asked[0].version == "HTTP/2"
            got = fetch(configure(server.url("/good?reset")))
            assert got.fault == "truncated", got.why

    def test_packed_stays_packed(self, server, configure):
        got = fetch(configure(server.url("/packed")))
        assert got.fault == "none" and gzip.decompress(got.body) == LIST

    def test_what_guards_judge(self, server, configure):
        """Not its business: it says what came."""
        got = fetch(configure(server.url("/empty")))
        assert got.fault == "none" and got.body == b""
        got = fetch(configure(server.url("/html")))
        assert got.fault == "none" and got.body == HTML
        assert got.content_type == "text/html; charset=utf-8"

    def test_by_address(self, server, configure):
        """No name, no question."""
        got = fetch(configure(server.url("/good", host="127.0.0.1")))
        assert got.fault == "none" and got.body == LIST

    def test_exactly_as_large_as_allowed(self, server, configure):
        url = server.url("/good")
        assert fetch(configure(url, max_size="%dB" % len(LIST))).body == LIST
        assert fetch(configure(url, max_size="%dB" % (len(LIST) - 1))).fault == "too_large"

    def test_tags_that_nobody_should_repeat(self, server, configure):
        got = fetch(configure(server.url("/tags")))
        assert got.fault == "none" and got.etag == "" and got.last_modified == ""
        assert got.content_type == "text/?[31mplain"


@pytest.mark.quick
class TestConditional:
    def test_by_tag(self, server, configure):
        got = fetch(configure(server.url("/good")), "--etag", etag_of(LIST))
        assert (got.fault, got.not_modified, got.body) == ("none", "yes", b"")
        assert got.etag == etag_of(LIST)

    def test_by_date(self, server, configure):
        got = fetch(configure(server.url("/good")), "--last-modified", DATE)
        assert (got.fault, got.not_modified) == ("none", "yes")
        assert got.last_modified == DATE

    def test_changed(self, server, configure):
        got = fetch(configure(server.url("/good")), "--etag", '"old"', "--last-modified", DATE)
        assert (got.fault, got.not_modified, got.body) == ("none", "no", LIST)

    def test_unmodified_since_never(self, server, configure):
        got = fetch(configure(server.url("/status-304")))
        assert got.fault == "http" and "304" in got.why

    def test_no_lines_can_be_smuggled(self, server, configure):
        process = start_fetch(configure(server.url("/good")), "--etag", '"a"\r\nX-Evil: 1')
        process.communicate(timeout=PATIENT_S)
        assert process.returncode == 2 and not server.asked


# --- what is not ---

REFUSED = {
    "half": ("/half", "truncated"),
    "chunks-without-end": ("/chunkcut", "truncated"),
    "chunks-of-garbage": ("/chunkgarbage", "truncated"),
    "end-without-close-notify": ("/cut", "truncated"),
    "end-that-could-be-anybodys": ("/closed", "truncated"),
    "reset-at-once": ("/resetearly", "unreachable"),
    "nothing": ("/nothing", "unreachable"),
    "404": ("/status-404", "http"),
    "500": ("/status-500", "http"),
    "204": ("/status-204", "http"),
    "a-part": ("/partial", "http"),
    "a-coding-nobody-asked-for": ("/brotli", "http"),
    "http-0.9": ("/ancient", "http"),
    "garbage": ("/garbage", "http"),
    "endless": ("/endless", "too_large"),
    "large": ("/large", "too_large"),
    "bomb": ("/bomb", "too_large"),
    "headers-without-end": ("/headers", "too_large"),
    "hints-without-end": ("/interim", "too_large"),
    "redirect-nowhere": ("/nowhere", "http"),
    "redirect-loop": ("/loop", "redirect"),
}


class TestRefused:
    @pytest.mark.parametrize("path, fault", REFUSED.values(), ids=REFUSED)
    def test_fault(self, server, configure, path, fault):
        got = fetch(configure(server.url(path), max_size="1MiB"))
        assert got.fault == fault, got.why
        assert got.why and got.not_modified == "no"
        assert len(got.body) <= 1 << 20
        assert got.took_s < 25, "it waited for its deadline"

    def test_reset_in_the_middle(self, server, configure):
        """A reset may overtake what was sent before."""
        got = fetch(configure(server.url("/reset")))
        assert got.fault in ("truncated", "unreachable"), got.why

    def test_header_without_end(self, server, configure):
        """The library ends this one."""
        got = fetch(configure(server.url("/longheader")))
        assert got.fault in ("too_large", "internal", "http"), got.why

    @pytest.mark.parametrize("page", ["silent", "drip", "headdrip"])
    def test_slow(self, server, configure, page):
        got = fetch(configure(server.url("/" + page), timeout="1s"))
        assert got.fault == "timeout", got.why

    def test_sentence_has_no_secrets(self, server, configure):
        got = fetch(configure(server.url("/status-403?token=secret")))
        assert got.fault == "http" and "403" in got.why and "secret" not in got.why
        got = fetch(configure(server.url("/to-302?https://elsewhere.test/?token=secret")))
        assert got.fault == "redirect" and "elsewhere.test" in got.why
        assert "secret" not in got.why

    def test_nobody_listens(self, server, configure):
        url = "https://%s:%d/" % (HOST, Ports.take())
        got = fetch(configure(url))
        assert got.fault == "unreachable", got.why


class TestRedirects:
    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_within_the_host(self, server, configure, status):
        got = fetch(configure(server.url("/to-%d?/good" % status)))
        assert got.fault == "none" and got.body == LIST
        assert [request.path for request in server.asked] == ["/to-%d?/good" % status, "/good"]

    def test_five_and_no_more(self, server, configure):
        assert fetch(configure(server.url("/hops-5"))).body == LIST
        got = fetch(configure(server.url("/hops-6")))
        assert got.fault == "redirect" and len(server.asked) == 6 + 6

    def test_absolute(self, server, configure):
        target = server.url("/good", host=HOST.upper())
        assert fetch(configure(server.url("/to-302?" + target))).body == LIST

    @pytest.mark.parametrize(
        "target",
        [
            "https://other.test:%d/good",
            "https://127.0.0.1:%d/good",
            "https://[::1]:%d/good",
            "https://lists.test.:%d/good",
            "http://lists.test:%d/good",
            "https://user:word@lists.test:%d/good",
            "https://lists.test/good",  # another port
            "//other.test:%d/good",
            "ftp://lists.test:%d/good",
            "file:///etc/passwd",
            "gopher://lists.test:%d/",
            "https://:%d/",
        ],
    )
    def test_nowhere_else(self, server, configure, scripted, target):
        scripted.zone["other.test."] = zone_of("127.0.0.1")
        target = target % server.port if "%d" in target else target
        got = fetch(configure(server.url("/to-302?" + target)))
        assert got.fault == "redirect", got.why
        assert len(server.asked) == 1 and got.body == b""


class TestWhoItTalksTo:
    def test_not_to_private_addresses(self, server, configure):
        got = fetch(configure(server.url("/good"), allow_private_addresses=False))
        assert got.fault == "forbidden" and "127.0.0.1" in got.why
        assert not server.asked

    @pytest.mark.parametrize(
        "address",
        ["10.0.0.1", "169.254.169.254", "192.168.1.1", "100.64.0.1", "0.0.0.0", "224.0.0.1",
         "255.255.255.255", "198.18.0.1", "192.0.2.1"],
    )  # fmt: skip
    def test_nor_what_is_no_address_of_the_internet(self, configure, scripted, address):
        scripted.zone[HOST + "."] = zone_of(address)
        got = fetch(configure("https://lists.test/", allow_private_addresses=False))
        assert got.fault == "forbidden" and address in got.why

    def test_nor_disguised_ones(self, configure, scripted):
        for v6 in ("::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "fd00::1", "2002:7f00:1::"):
            scripted.zone[HOST + "."] = zone_of(v6=[IPv6Address(v6).packed])
            got = fetch(configure("https://lists.test/", allow_private_addresses=False))
            assert got.fault == "forbidden", (v6, got.why)

    def test_allowed_ones_are_tried_in_turn(self, server, configure, scripted):
        """The server is behind the second address only."""
        scripted.zone[HOST + "."] = zone_of("127.0.0.9", "127.0.0.1")
        assert fetch(configure(server.url("/good"))).body == LIST

    def test_alias(self, server, configure, scripted):
        def alias(s):
            target = w.name("real.test")
            records = [w.record(s.qname, w.CNAME, target)]
            records += [w.a(target, "127.0.0.1")] if s.qtype == w.A else []
            return w.reply(s.wire, records)

        scripted.zone[HOST + "."] = alias
        assert fetch(configure(server.url("/good"))).body == LIST

    def test_an_alias_may_not_lead_inside(self, configure, scripted):
        def alias(s):
            target = w.name("localhost")
            records = [w.record(s.qname, w.CNAME, target)]
            records += [w.a(target, "127.0.0.1")] if s.qtype == w.A else []
            return w.reply(s.wire, records)

        scripted.zone[HOST + "."] = alias
        got = fetch(configure("https://lists.test/", allow_private_addresses=False))
        assert got.fault == "forbidden"

    @pytest.mark.parametrize("word", ["nxdomain", "nodata", "servfail", "refused"])
    def test_no_address(self, configure, word):
        got = fetch(configure("https://%s.x.test/" % word))
        assert got.fault == "unreachable" and "look up" in got.why

    def test_silent_upstream(self, configure):
        got = fetch(configure("https://silent.x.test/", timeout="1s"))
        assert got.fault == "timeout" and "look up" in got.why

    def test_by_the_route_of_the_domain(self, server, configure, scripted):
        """Somebody else is asked for everything else, and would never answer."""
        nobody = {"name": "nobody", "protocol": "dns", "address": "127.0.0.1", "port": Ports.take()}
        somebody = {**nobody, "name": "somebody", "port": scripted.port}
        groups = [
            {"name": "first", "upstreams": ["nobody"]},
            {"name": "second", "upstreams": ["somebody"]},
        ]
        settings = {
            "upstreams": [nobody, somebody],
            "upstream_groups": groups,
            "routes": [{"domains": [HOST], "upstream_group": "second"}],
        }
        assert fetch(configure(server.url("/good"), settings=settings)).body == LIST
        del settings["routes"]
        assert fetch(configure(server.url("/good"), settings=settings)).fault == "unreachable"

    def test_no_proxy(self, server, configure):
        """The environment has no say."""
        proxy = "http://127.0.0.1:%d" % Ports.take()
        words = ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
        environment = {word: proxy for word in words}
        got = fetch(configure(server.url("/good")), environment=environment)
        assert got.body == LIST


class TestTls:
    def one(self, configure, scripted, certificates, **more):
        scripted.zone[HOST + "."] = zone_of("127.0.0.1")
        with ListServer(certificates, Ports.take()) as server:
            got = fetch(configure(server.url("/good"), **more))
            assert not server.asked or got.fault == "none"
            return got

    def test_another_name(self, configure, scripted, certificates, tmp_path):
        other = certs.issue(certificates, tmp_path / "other", "other.test")
        got = self.one(configure, scripted, other)
        assert got.fault == "tls", got.why

    def test_expired(self, configure, scripted, certificates, tmp_path):
        old = certs.expire(certs.issue(certificates, tmp_path / "old", HOST))
        got = self.one(configure, scripted, old)
        assert got.fault == "tls" and "expired" in got.why

    def test_unknown_authority(self, configure, scripted, tmp_path):
        (tmp_path / "strangers").mkdir()
        got = self.one(configure, scripted, certs.make(tmp_path / "strangers", HOST))
        assert got.fault == "tls", got.why

    def test_the_systems_authorities(self, configure, scripted, own):
        """Ours is none of them, and the environment cannot make it one."""
        scripted.zone[HOST + "."] = zone_of("127.0.0.1")
        environment = {word: str(own.ca) for word in ("SSL_CERT_FILE", "CURL_CA_BUNDLE")}
        with ListServer(own, Ports.take()) as server:
            got = fetch(configure(server.url("/good"), tls_ca=None), environment=environment)
        assert got.fault == "tls", got.why

    def test_no_tls(self, configure, scripted):
        """A server for plain DNS over TCP, as it happens."""
        scripted.zone[HOST + "."] = zone_of("127.0.0.1")
        got = fetch(configure("https://%s:%d/" % (HOST, scripted.port), timeout="5s"))
        assert got.fault in ("tls", "unreachable", "timeout"), got.why

    def test_authorities_that_cannot_be_read(self, configure, server):
        got = fetch(configure(server.url("/good"), tls_ca="/nonexistent/ca.pem"))
        assert got.fault == "unreadable" and "/nonexistent/ca.pem" in got.why
        got = fetch(configure(server.url("/good"), tls_ca="/etc/hostname"))
        assert got.fault == "tls", got.why


class TestSignature:
    def test_comes_along(self, server, configure):
        server.content["/list.txt"] = LIST
        server.content["/list.txt.minisig"] = b"untrusted comment: x\nabc\n"
        got = fetch(configure(server.url("/list.txt"), minisign_key=KEY))
        assert got.fault == "none" and got.body == LIST
        assert got.signature == server.content["/list.txt.minisig"]

    def test_behind_the_path(self, server, configure):
        server.content["/list.txt?v=1"] = LIST
        server.content["/list.txt.minisig?v=1"] = b"signature"
        assert fetch(configure(server.url("/list.txt?v=1"), minisign_key=KEY)).signature

    def test_is_not_there(self, server, configure):
        server.content["/list.txt"] = LIST
        got = fetch(configure(server.url("/list.txt"), minisign_key=KEY))
        assert got.fault == "http" and "signature" in got.why and "404" in got.why

    def test_is_too_large(self, server, configure):
        server.content["/list.txt"] = LIST
        server.content["/list.txt.minisig"] = b"x" * 5000
        got = fetch(configure(server.url("/list.txt"), minisign_key=KEY))
        assert got.fault == "too_large" and "signature" in got.why

    def test_only_with_a_body(self, server, configure):
        server.content["/list.txt"] = LIST
        config = configure(server.url("/list.txt"), minisign_key=KEY)
        got = fetch(config, "--etag", etag_of(LIST))
        assert got.not_modified == "yes" and len(server.asked) == 1


# --- what it may do ---


def status_of(pid):
    lines = Path("/proc/%d/status" % pid).read_text().splitlines()
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


def wait_until_asked(server):
    deadline = time.monotonic() + 20
    while not server.asked and time.monotonic() < deadline:
        time.sleep(0.02)
    assert server.asked


@pytest.fixture
def hanging(server, configure):
    """A child that waits for a server; hanging(*arguments) starts it."""
    started = []

    def start(*arguments):
        process = start_fetch(configure(server.url("/silent")), *arguments)
        started.append(process)
        wait_until_asked(server)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate(timeout=PATIENT_S)


as_root = pytest.mark.skipif(os.geteuid() != 0, reason="root has something to give up")


class TestRights:
    @as_root
    def test_nobody(self, hanging):
        status = status_of(hanging().pid)
        assert status["Uid"].split() == [str(NOBODY)] * 4
        assert status["Gid"].split() == [str(NOBODY)] * 4
        assert status["Groups"].split() == []

    @as_root
    def test_somebody(self, hanging):
        status = status_of(hanging("--user", "12345:54321").pid)
        assert status["Uid"].split() == ["12345"] * 4
        assert status["Gid"].split() == ["54321"] * 4

    def test_nothing_to_gain(self, hanging):
        status = status_of(hanging().pid)
        assert status["NoNewPrivs"] == "1"
        for word in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
            assert int(status[word], 16) == 0, word

    def test_limits(self, hanging):
        limits = Path("/proc/%d/limits" % hanging().pid).read_text().splitlines()
        soft = {line[:26].strip(): line[26:].split()[0] for line in limits[1:]}
        assert soft["Max core file size"] == "0"
        assert soft["Max file size"] == str(256 << 20)
        assert int(soft["Max open files"]) <= 64

    @as_root
    def test_keeps_no_descriptor_of_others(self, server, configure):
        secret = os.open("/etc/shadow", os.O_RDONLY)
        os.set_inheritable(secret, True)
        process = start_fetch(configure(server.url("/silent")), close_fds=False)
        try:
            wait_until_asked(server)
            links = [os.readlink(fd) for fd in Path("/proc/%d/fd" % process.pid).iterdir()]
            assert "/etc/shadow" not in links
        finally:
            os.close(secret)
            process.kill()
            process.communicate(timeout=PATIENT_S)

    def test_dies_with_its_parent(self, server, configure):
        config = configure(server.url("/silent"))
        parent = subprocess.Popen(
            ["sh", "-c", '"$0" "$@" 3>body & echo $!; wait', FETCH]
            + ["-c", str(config), "--list", "bad"],
            cwd=config.parent,
            stdout=subprocess.PIPE,
            text=True,
        )
        pid = int(parent.stdout.readline())
        wait_until_asked(server)
        assert "--list" in Path("/proc/%d/cmdline" % pid).read_text()
        parent.kill()
        parent.communicate(timeout=PATIENT_S)
        deadline = time.monotonic() + 10
        while Path("/proc/%d" % pid).exists() and time.monotonic() < deadline:
            if status_of_or_none(pid) in (None, "Z"):
                return
            time.sleep(0.05)
        assert status_of_or_none(pid) in (None, "Z")

    @as_root
    def test_files_that_only_root_can_read(self, server, configure, certificates, tmp_path):
        """Its configuration and authorities are read before root is given up."""
        secret = tmp_path / "ca.pem"
        secret.write_bytes(certificates.ca.read_bytes())
        secret.chmod(0o600)
        config = configure(server.url("/good"), tls_ca=str(secret))
        config.chmod(0o600)
        assert fetch(config).body == LIST


def status_of_or_none(pid):
    try:
        return status_of(pid)["State"].split()[0]
    except OSError:
        return None


def run_program(*arguments):
    how = {"capture_output": True, "text": True, "timeout": PATIENT_S}
    return subprocess.run([FETCH, *arguments], stdin=subprocess.DEVNULL, **how)


class TestUsage:
    @pytest.mark.parametrize(
        "arguments",
        [[], ["-c", "x"], ["--list", "bad"], ["-c", "x", "--list", "bad", "more"],
         ["-c", "x", "--list", "bad", "--user", "nobody"],
         ["-c", "x", "--list", "bad", "--user", "1:"],
         ["-c", "x", "--list", "bad", "--user", "-1:1"],
         ["-c", "x", "--list", "bad", "--user", "1:4294967295"]],
    )  # fmt: skip
    def test_usage(self, arguments):
        done = run_program(*arguments)
        assert done.returncode == 2 and "usage" in done.stderr and not done.stdout

    def test_version(self):
        done = run_program("--version")
        assert done.returncode == 0 and "libcurl/" in done.stdout

    def test_configuration(self, server, configure):
        config = configure(server.url("/good"))
        got = fetch(config, name="worse")
        assert got.fault == "internal" and "no such list" in got.why
        config.write_text("nonsense = 1;")
        got = fetch(config)
        assert got.fault == "internal" and "nonsense" in got.why

    def test_no_place_for_the_body(self, server, configure):
        config = configure(server.url("/good"))
        done = run_program("-c", config, "--list", "bad")
        assert "fault internal" in done.stdout and "descriptor 3" in done.stdout

    def test_disk_is_full(self, server, configure):
        config = configure(server.url("/good"))
        process = subprocess.run(
            ["sh", "-c", 'exec "$0" "$@" 3>/dev/full', FETCH, "-c", config, "--list", "bad"],
            capture_output=True,
            text=True,
            timeout=PATIENT_S,
        )
        assert "fault internal" in process.stdout and "No space left" in process.stdout


# --- by hand ---


@pytest.mark.quick
class TestVerb:
    def test_tells_what_came(self, server, configure):
        done = run_command("fetch", "-c", str(configure(server.url("/good"))), "bad", timeout=60)
        assert done.returncode == 0, done.stderr
        assert done.stdout == "bad: %d bytes, type text/plain, etag %s, last modified %s\n" % (
            len(LIST),
            etag_of(LIST),
            DATE,
        )

    def test_keeps_it(self, server, configure, tmp_path):
        server.content["/list.txt"] = LIST
        server.content["/list.txt.minisig"] = b"signature"
        config = configure(server.url("/list.txt"), minisign_key=KEY)
        kept = tmp_path / "kept.txt"
        done = run_command("fetch", "-c", str(config), "bad", "-o", str(kept), timeout=60)
        assert done.returncode == 0, done.stderr
        assert kept.read_bytes() == LIST
        assert (tmp_path / "kept.txt.minisig").read_bytes() == b"signature"
        assert not list(tmp_path.glob("*.part"))

    def test_failure_leaves_what_was_there(self, server, configure, tmp_path):
        kept = tmp_path / "kept.txt"
        kept.write_text("old")
        config = configure(server.url("/half"))
        done = run_command("fetch", "-c", str(config), "bad", "-o", str(kept), timeout=60)
        assert done.returncode == 1 and done.stdout == ""
        assert done.stderr.startswith("namegate: bad: truncated: ")
        assert kept.read_text() == "old" and not list(tmp_path.glob("*.part"))

    def test_cannot_be_kept(self, server, configure):
        config = configure(server.url("/good"))
        done = run_command("fetch", "-c", str(config), "bad", "-o", "/nonexistent/x", timeout=60)
        assert done.returncode == 1 and "No such file" in done.stderr

    def test_list_without_a_source(self, server, configure):
        config = configure(server.url("/good"))
        here = '{ name = "here"; domains = [ "a.example" ]; },'
        config.write_text(config.read_text().replace("lists = (", "lists = (" + here))
        done = run_command("fetch", "-c", str(config), "here")
        assert done.returncode == 1 and "no source" in done.stderr
        done = run_command("fetch", "-c", str(config), "nowhere")
        assert done.returncode == 1 and "no such list" in done.stderr

    def test_usage(self, server, configure):
        config = str(configure(server.url("/good")))
        for arguments in (["-c", config], ["bad"], ["-c", config, "bad", "worse"], ["-x"]):
            assert run_command("fetch", *arguments).returncode == 2
        Path(config).write_text("nonsense = 1;")
        assert run_command("fetch", "-c", config, "bad").returncode == EX_CONFIG
