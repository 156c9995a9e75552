"""DNS over HTTPS over HTTP/1.1 (RFC 9112), over TLS and in clear text behind proxies, and as JSON.
What a request must be is the same as over HTTP/2 (test_doh.py), by the same table."""

import http.client
import json
import re
import socket
import threading
import time
from pathlib import Path

import pytest

import dns_wire as w
from dns_client import tls_context
from front_servers import Caddy, NginxHttp
from h1_client import H1
from h2_client import MEDIA_TYPE, base64url
from identity import with_views
from program import Ports, run_command
from test_doh import ASK, ENCODED, REQUESTS
from tools import run

HERE = "127.0.0.1"
STRANGER = "127.0.0.9"
DOCUMENT = Path(__file__).parents[2] / "docs" / "behind-a-proxy.md"


def start(maker, scripted, views=None, **limits):
    """With a listener without TLS, `clear`, for proxies on 127.0.0.1; both speak JSON."""
    settings = maker.settings(scripted=scripted)
    if views:
        settings = with_views(settings, views)
    maker.ports["clear"] = Ports.take()
    settings["listeners"][0]["json"] = True
    settings["listeners"].append(
        {
            "protocol": "doh",
            "address": HERE,
            "port": maker.ports["clear"],
            "tls": False,
            "forwarded_from": [HERE + "/32"],
            "json": True,
        }
    )
    settings["limits"] = limits
    return maker.start(settings)


@pytest.fixture(scope="module")
def both(shared_maker, scripted_session):
    return start(shared_maker, scripted_session)


@pytest.fixture(params=("tls", "clear"))
def over(request):
    return request.param


@pytest.fixture
def dial(both, over):
    opened = []

    def open_client(namegate=both, how=over, **more):
        port, ca = ("doh", namegate.certificates.ca) if how == "tls" else ("clear", None)
        opened.append(H1(HERE, namegate.ports[port], ca, **more))
        return opened[-1]

    yield open_client
    for client in opened:
        client.close()


def works(client):
    """The connection is as good as before."""
    return client.ask(w.query("ok.after.test")).rcode == w.NOERROR


def drops(namegate, reason):
    return namegate.metrics().sum("namegate_dropped_total", reason=reason)


# ---- what a request may be


@pytest.mark.quick
@pytest.mark.threads
@pytest.mark.parametrize("how", ("get", "post", "post_chunks"))
def test_answer(dial, how):
    """rfc8484-4.1, 4.2.1 over rfc9112"""
    client = dial()
    getattr(client, how)(ASK)
    response = client.receive()
    assert response.status == 200
    assert response.headers["content-type"] == MEDIA_TYPE
    assert response.headers["content-length"] == str(len(response.body))
    assert response.headers["cache-control"] == "private, max-age=%d" % response.max_age
    assert "connection" not in response.headers
    assert response.message.addresses == ["192.0.2.1"] and response.message.id == 0x4242
    assert works(client)


def test_head(dial):
    """rfc9110-9.3.2: the same fields, and no body."""
    client = dial()
    client.get(ASK, method="HEAD")
    response = client.receive(is_head=True)
    assert response.status == 200 and response.headers["content-type"] == MEDIA_TYPE
    assert int(response.headers["content-length"]) > 12
    assert works(client)


@pytest.mark.parametrize("row", REQUESTS)
def test_request(dial, row):
    """The same status as over HTTP/2, but that "name" is a question here."""
    request, outcome = REQUESTS[row]
    fields, method = dict(request["fields"]), request["method"]
    outcome = 200 if request["query"].startswith("name=") else outcome
    whole = fields.pop("end", True)
    client = dial()
    if method == "POST":
        client.post(request["wire"], **fields)
    else:
        client.get(query=request["query"], method=method, **fields)
    response = client.receive()
    assert response.status in (outcome if isinstance(outcome, tuple) else (outcome,))
    assert ("allow" in response.headers) == (response.status == 405)
    closes = response.headers.get("connection") == "close"
    assert closes == (not whole or response.status == 501)
    assert client.is_closed() if closes else works(client)


@pytest.mark.parametrize(
    "version, connection, stays",
    (
        ("1.1", None, True),
        ("1.1", "close", False),
        ("1.1", "x, CLOSE", False),
        ("1.0", None, False),
        ("1.0", "keep-alive", True),
    ),
)
def test_keep_alive(dial, version, connection, stays):
    """rfc9112-9.3"""
    client = dial()
    client.get(ASK, version=version, connection=connection)
    response = client.receive()
    assert response.status == 200
    assert (response.headers.get("connection") == "close") == (not stays)
    assert works(client) if stays else client.is_closed()


def test_tls_without_alpn(both):
    """Who knows nothing of ALPN speaks HTTP/1.1."""
    with H1(HERE, both.ports["doh"], both.certificates.ca, alpn=None) as client:
        assert works(client)


def test_upgrade_is_ignored(dial):
    """rfc9110-7.8: an offer that we do not take."""
    client = dial()
    client.get(ASK, connection="Upgrade, HTTP2-Settings", upgrade="h2c", http2_settings="AAMAAABk")
    assert client.receive().status == 200
    assert works(client)


def test_large_message_is_taken(dial):
    """rfc8484-6: the limit is that of DNS, 65,535 bytes."""
    edns = w.opt(options=w.option(65001, b"x" * 40000))
    assert dial().ask(w.query("ok.large.test", edns=edns)).rcode in (w.NOERROR, w.FORMERR)


@pytest.mark.parametrize("chunked", (False, True))
def test_body_too_large(dial, chunked):
    """rfc9110-15.5.14"""
    client = dial()
    client.post_chunks(*(7 * [b"x" * 10000])) if chunked else client.post(b"x" * 70000)
    assert client.receive().status == 413
    assert client.is_closed()


def test_expect(dial):
    """rfc9110-10.1.1: "100" comes before the body, and a refusal instead of it."""
    client = dial()
    fields = {"content_type": MEDIA_TYPE, "content_length": str(len(ASK))}
    client.send(client.head("POST", expect="100-continue", **fields))
    assert client.receive().status == 100
    client.send(ASK)
    assert client.receive().status == 200
    fields["content_type"] = "text/plain"
    client.send(client.head("POST", expect="100-continue", **fields))
    assert client.receive().status == 415
    assert client.is_closed()


# ---- requests that two readers take for different ones

CHUNKED = "Transfer-Encoding: chunked"
SMUGGLED = {
    # Header lines, body, status.
    "rfc9112-6.1-length-and-chunks": (["Content-Length: 5", CHUNKED], b"0\r\n\r\n", 400),
    "rfc9112-6.1-chunks-and-length": ([CHUNKED, "Content-Length: 5"], b"0\r\n\r\n", 400),
    "rfc9112-6.3-two-lengths": (["Content-Length: 5", "Content-Length: 6"], b"abcdef", 400),
    "rfc9112-6.3-the-same-twice": (["Content-Length: 5", "Content-Length: 5"], b"abcde", 400),
    "rfc9112-6.3-a-list": (["Content-Length: 5, 5"], b"abcde", 400),
    "rfc9112-6.3-signed": (["Content-Length: +5"], b"abcde", 400),
    "rfc9112-6.3-hexadecimal": (["Content-Length: 0x5"], b"abcde", 400),
    "rfc9112-6.3-blank": (["Content-Length: 1 1"], b"a", 400),
    "rfc9112-6.3-overflow": (["Content-Length: 18446744073709551621"], b"abcde", 400),
    "rfc9112-6.3-not-last": (["Transfer-Encoding: chunked, gzip"], b"0\r\n\r\n", 400),
    "rfc9112-6.1-unknown": (["Transfer-Encoding: gzip, chunked"], b"0\r\n\r\n", 501),
    "rfc9112-6.1-nearly": (["Transfer-Encoding: xchunked"], b"0\r\n\r\n", 400),
    "rfc9112-6.1-vertical-tab": (["Transfer-Encoding: \x0bchunked"], b"0\r\n\r\n", 400),
    "rfc9112-6.1-twice": ([CHUNKED, CHUNKED], b"0\r\n\r\n", 400),
    "rfc9112-6.1-identity": ([CHUNKED, "Transfer-Encoding: identity"], b"0\r\n\r\n", 400),
    "rfc9112-5.1-blank-before-colon": (["Transfer-Encoding : chunked"], b"0\r\n\r\n", 400),
    "rfc9112-5.2-folded": (["Transfer-Encoding:\r\n chunked"], b"0\r\n\r\n", 400),
    "rfc9112-5.2-folded-first": ([" X: y", CHUNKED], b"0\r\n\r\n", 400),
    "rfc9112-2.2-bare-lf": (["X: y\nTransfer-Encoding: chunked"], b"0\r\n\r\n", 400),
    "rfc9112-2.2-bare-cr": (["X: y\rTransfer-Encoding: chunked"], b"0\r\n\r\n", 400),
    "rfc9110-5.5-nul": (["X: a\0b"], b"", 400),
    "rfc9112-7.1-lf-chunk": ([CHUNKED], b"1\na\n0\n\n", 400),
    "rfc9112-7.1-blank-size": ([CHUNKED], b" 1\r\na\r\n0\r\n\r\n", 400),
    "rfc9112-7.1-huge-size": ([CHUNKED], b"100000000\r\na\r\n0\r\n\r\n", 400),
    "rfc9112-7.1-more-than-its-size": ([CHUNKED], b"1\r\nab\r\n0\r\n\r\n", 400),
    "rfc9112-7.1.1-long-extension": ([CHUNKED], b"1;%s\r\na\r\n0\r\n\r\n" % (5000 * b"x"), 431),
    "rfc9112-7.1.2-long-trailers": ([CHUNKED], b"0\r\n" + 500 * b"X: yyyyyyy\r\n" + b"\r\n", 431),
    "rfc9112-7.1.2-folded-trailer": ([CHUNKED], b"0\r\nX: y\r\n z\r\n\r\n", 400),
}


class TestSmuggling:
    @pytest.mark.parametrize("row", SMUGGLED)
    def test_body(self, dial, row):
        """Refused, and what stands behind it is not read as a request."""
        lines, body, status = SMUGGLED[row]
        client = dial()
        head = ["POST /dns-query HTTP/1.1", "Host: x", "Content-Type: " + MEDIA_TYPE, *lines]
        hidden = client.head("GET", "/dns-query?dns=" + ENCODED)
        client.send("\r\n".join((*head, "", "")).encode() + body + hidden)
        response = client.receive()
        assert (response.status, response.body) == (status, b"")
        assert response.headers["connection"] == "close"
        assert client.is_closed()

    @pytest.mark.parametrize(
        "request_, status",
        (
            (b"GET %s HTTP/1.1\r\n\r\n", 400),
            (b"GET %s HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400),
            (b"GET http://u@x%s HTTP/1.1\r\nHost: x\r\n\r\n", 400),
            (b"GET ftp://x%s HTTP/1.1\r\nHost: x\r\n\r\n", 400),
            (b"GET  %s HTTP/1.1\r\nHost: x\r\n\r\n", 400),
            (b"GET %s HTTP/1.1 \r\nHost: x\r\n\r\n", 400),
            (b"GET\t%s\tHTTP/1.1\r\nHost: x\r\n\r\n", 400),
            (b"GET %s HTTP/1.1\nHost: x\n\n", 400),
            (b"\r\n\r\nGET %s HTTP/1.1\r\nHost: x\r\n\r\n", 400),
            (b"GET %s\r\n\r\n", 400),
            (b"GET %s HTTP/1.2\r\nHost: x\r\n\r\n", 505),
            (b"GET %s HTTP/2.0\r\nHost: x\r\n\r\n", 505),
            (b"get %s HTTP/1.1\r\nHost: x\r\n\r\n", 501),
            (b"GET %s HTTP/1.1\r\nHost: x\r\n: y\r\n\r\n", 400),
            (b"GET %s HTTP/1.1\r\nHost: x\r\nX\r\n\r\n", 400),
        ),
    )
    def test_head(self, dial, request_, status):
        """rfc9112-3, 5: one way to write it."""
        client = dial()
        target = b"/dns-query?dns=" + ENCODED.encode()
        client.send(request_ % target + client.head("GET", target.decode()))
        assert client.receive().status == status
        assert client.is_closed()

    @pytest.mark.parametrize(
        "request_",
        (
            b"GET http://x%s HTTP/1.1\r\nHost: x\r\n\r\n",
            b"\r\nGET %s HTTP/1.1\r\nHost: x\r\n\r\n",
        ),
    )
    def test_forms(self, dial, request_):
        """rfc9112-3.2.2, 2.2: the absolute form, and one empty line before a request."""
        client = dial()
        target = b"/dns-query?dns=" + ENCODED.encode()
        for _ in range(2):
            client.send(request_ % target)
            assert client.receive().status == 200

    def test_prior_knowledge_after_alpn(self, both):
        """rfc9113-3.2: who agreed on HTTP/1.1 cannot go on in HTTP/2."""
        with H1(HERE, both.ports["doh"], both.certificates.ca) as client:
            client.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0")
            assert client.receive().status == 505
            assert client.is_closed()


# ---- many at once


class TestPipelining:
    def test_answers_come_in_order(self, dial):
        """rfc9112-9.3.2: the slow one first, as it was asked first."""
        client = dial()
        names = ["slow-400", "ok", "servfail", "ok", "slow-100", "nxdomain", "ok"]
        wires = [w.query("%s.n%d.test" % (name, i), id=i + 1) for i, name in enumerate(names)]
        client.send(
            b"".join(client.head("GET", "/dns-query?dns=" + base64url(wire)) for wire in wires)
        )
        found = [client.receive().message for _ in names]
        assert [message.id for message in found] == list(range(1, len(names) + 1))
        assert [message.rcode for message in found] == [0, 0, 2, 0, 0, 3, 0]

    def test_hundreds(self, dial):
        """More than are read ahead: the rest waits its turn."""
        client = dial()
        count, ahead = 1000, 300
        wires = [w.query("ok.many%d.test" % (i % 50), id=i) for i in range(count)]
        requests = [client.head("GET", "/dns-query?dns=" + base64url(wire)) for wire in wires]
        client.send(b"".join(requests[:ahead]))
        for i in range(count):
            client.send(b"".join(requests[i + ahead : i + ahead + 1]))
            assert client.receive().message.id == i
        assert works(client)

    def test_slow_names_do_not_pile_up(self, maker, scripted, dial):
        """limits.queries_per_connection bounds what is read ahead; nothing is refused."""
        namegate = start(maker, scripted, queries_per_connection=5)
        client = dial(namegate)
        wires = [w.query("slow-100.ahead%d.test" % i, id=i) for i in range(30)]
        client.send(
            b"".join(client.head("GET", "/dns-query?dns=" + base64url(wire)) for wire in wires)
        )
        for i in range(30):
            message = client.receive().message
            assert (message.id, message.rcode) == (i, w.NOERROR)
        assert drops(namegate, "per_connection") == 0

    def test_an_error_ends_it_in_its_turn(self, dial):
        client = dial()
        good = client.head("GET", "/dns-query?dns=" + base64url(w.query("slow-200.turn.test")))
        client.send(good + b"GARBAGE\r\n\r\n" + good)
        assert client.receive().status == 200
        assert client.receive().status == 400
        assert client.is_closed()

    def test_half_closed(self, dial, over):
        """Who says that it is done gets its answers."""
        if over == "tls":
            pytest.skip("TLS has its own goodbye")
        client = dial()
        client.get(w.query("slow-200.half.test"))
        client.get(w.query("ok.half.test"))
        client.socket.shutdown(socket.SHUT_WR)
        assert client.receive().status == 200 and client.receive().status == 200
        assert client.is_closed()


# ---- slow ones, and those that want too much


class TestAbuse:
    @pytest.fixture(scope="class")
    def strict(self, shared_maker, scripted_session):
        return start(shared_maker, scripted_session, request_timeout="1s", idle_timeout="1s")

    def test_headers_without_end(self, both, dial):
        """requirements: the sum of the fields is 16 kB at most: 431, and the end."""
        for field in (b"X-%d: y\r\n", b"X%d: " + 500 * b"y" + b"\r\n"):
            client = dial()
            client.send(client.head("GET", "/dns-query?dns=" + ENCODED)[:-2])
            client.send(b"".join(field % i for i in range(3000))[:40000])
            assert client.receive().status == 431
            assert client.is_closed()

    def test_line_without_end(self, dial):
        client = dial()
        client.send(b"GET /dns-query?" + 60000 * b"x")
        assert client.receive().status == 431
        assert client.is_closed()

    @pytest.mark.parametrize("part", ("head", "body", "chunk"))
    def test_drip(self, strict, dial, part):
        """The deadline of a request is absolute: bytes do not restart it, nor do other requests."""
        client = dial(strict)
        before = drops(strict, "deadline")
        fields = {"content_type": MEDIA_TYPE, "content_length": "1000"}
        if part == "chunk":
            fields = {"content_type": MEDIA_TYPE, "transfer_encoding": "chunked"}
        begin = client.head("POST", **fields)
        client.get(ASK)
        assert client.receive().status == 200
        client.send({"head": b"POST ", "body": begin, "chunk": begin + b"1000\r\n"}[part])
        began, closed = time.monotonic(), False
        client.socket.settimeout(0.05)
        while not closed and time.monotonic() - began < 20:
            try:
                client.socket.sendall(b"x")
                closed = client.socket.recv(1) == b""
            except TimeoutError:
                pass
            except OSError:
                closed = True
        assert closed and 0.8 < time.monotonic() - began < 15
        strict.wait_for(lambda: drops(strict, "deadline") == before + 1, "a drop")

    def test_idle(self, strict, dial):
        client = dial(strict)
        client.get(ASK)
        assert client.receive().status == 200
        assert client.is_closed(15)

    def test_who_does_not_read(self, both, dial):
        """It is not read from either, and others are served."""
        greedy, other = dial(), dial()
        wire = base64url(w.query("huge.greedy.test"))
        greedy.socket.settimeout(0.5)
        try:
            for _ in range(4000):
                greedy.socket.sendall(20 * greedy.head("GET", "/dns-query?dns=" + wire))
        except OSError:
            pass
        else:
            pytest.fail("all was taken")
        assert works(other)

    def test_goodbye(self, maker, scripted, dial):
        """What was begun is finished, and said to be the last."""
        namegate = start(maker, scripted)
        client, idle = dial(namegate), dial(namegate)
        assert works(idle)
        client.get(w.query("slow-500.goodbye.test"))
        namegate.wait_for(lambda: any("goodbye" in a.name for a in scripted.asked), "a question")
        stop = threading.Thread(target=namegate.stop)
        stop.start()
        response = client.receive()
        assert response.status == 200 and response.headers["connection"] == "close"
        assert client.is_closed() and idle.is_closed()
        stop.join()


# ---- without TLS


class TestClear:
    def test_strangers_are_closed(self, both):
        """Before they are read from, and counted."""
        before = drops(both, "peer")
        for _ in range(3):
            try:
                with H1(HERE, both.ports["clear"], source=STRANGER) as client:
                    client.get(ASK)
                    assert client.is_closed()
            except ConnectionError:
                pass
        both.wait_for(lambda: drops(both, "peer") == before + 3, "three drops")

    def test_it_is_no_tls(self, both):
        with pytest.raises(OSError):
            H1(HERE, both.ports["clear"], both.certificates.ca)

    def test_prior_knowledge(self, both):
        """rfc9113-3.3"""
        out = run(
            *("curl", "-sS", "--http2-prior-knowledge", "-o", "/dev/null"),
            *("-w", "%{http_version} %{http_code}"),
            "http://%s:%d/dns-query?dns=%s" % (HERE, both.ports["clear"], ENCODED),
        )
        assert out.stdout == "2 200"

    def test_nearly_a_preface(self, dial, over):
        """It is HTTP/1.1, and nothing of it is lost."""
        client = dial()
        client.send(b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n")
        assert client.receive().status == 505
        client = dial()
        client.send(b"P")
        time.sleep(0.05)
        client.send(client.head("POST", content_type=MEDIA_TYPE, content_length=len(ASK))[1:] + ASK)
        assert client.receive().message.addresses == ["192.0.2.1"]

    def test_forwarded(self, maker, scripted):
        """The client is whom the proxy names, and views are found by that."""
        views = [
            {"name": "loopback", "clients": ["127.0.0.0/8"]},
            {"name": "far", "clients": ["192.0.2.0/24"]},
        ]
        namegate = start(maker, scripted, views)
        ask = w.query("who.test")
        with H1(HERE, namegate.ports["clear"]) as client:
            for said, address in (
                ({}, "192.0.2.0"),
                ({"x_forwarded_for": "192.0.2.9"}, "192.0.2.1"),
                ({"Forwarded": "for=192.0.2.9"}, "192.0.2.1"),
                ({"X-FORWARDED-FOR": ["198.51.100.1", "192.0.2.9"]}, "192.0.2.1"),
            ):
                client.get(ask, **said)
                assert client.receive().message.addresses == [address]
            client.get(ask, x_forwarded_for="198.51.100.1")
            assert client.receive().message.rcode == w.REFUSED
            client.get(ask, x_forwarded_for="unknown")
            assert client.receive().status == 400
            assert client.ask(ask).addresses == ["192.0.2.0"]

    @pytest.mark.parametrize(
        "change, word",
        (
            ({"forwarded_from": None}, "forwarded_from"),
            ({"port": None}, "port"),
            ({"protocol": "dot", "forwarded_from": None}, "only a doh listener"),
        ),
    )
    def test_configuration(self, maker, scripted, change, word):
        settings = maker.settings(scripted=scripted)
        listener = {"protocol": "doh", "address": HERE, "port": 1, "tls": False}
        listener = {**listener, "forwarded_from": [HERE + "/32"], **change}
        settings["listeners"] = [{k: v for k, v in listener.items() if v is not None}]
        namegate = maker.prepare(settings)
        namegate.write_config()
        out = run_command("check", "-c", str(namegate.config))
        assert out.returncode != 0 and word in out.stderr


def example(language_of):
    """The block of the documentation that holds this word."""
    blocks = re.findall(r"```\n(.*?)```", DOCUMENT.read_text(), re.S)
    (found,) = [block for block in blocks if language_of in block]
    return found


class TestRealProxies:
    """As the documentation has them. Clients come from STRANGER, and are known by that."""

    VIEWS = [
        {"name": "loopback", "clients": ["127.0.0.1/32"]},
        {"name": "nine", "clients": [STRANGER + "/32"]},
    ]

    @pytest.fixture(scope="class")
    def behind(self, shared_maker, scripted_session):
        return start(shared_maker, scripted_session, self.VIEWS)

    def is_whose(self, front, ca, source=None):
        with H1(HERE, front.ports["http"], ca, source=source) as client:
            fields = {"x_forwarded_for": "192.0.2.7", "forwarded": "for=192.0.2.7"}
            client.get(w.query("who.test"), host=HERE, **fields)
            response = client.receive()
            assert response.status == 200
            return response.message.addresses

    @pytest.mark.parametrize("kind, block", ((NginxHttp, "proxy_pass"), (Caddy, "reverse_proxy")))
    def test_proxy(self, behind, tmp_path, kind, block):
        ports = {"clear": behind.ports["clear"], "example": example(block)}
        front = kind(tmp_path / "front", ports, behind.certificates).start()
        ca = behind.certificates.ca
        try:
            front.wait(lambda: self.is_whose(front, ca))
            assert self.is_whose(front, ca) == ["192.0.2.0"]
            assert self.is_whose(front, ca, STRANGER) == ["192.0.2.1"]
        finally:
            front.stop()


# ---- clients that we did not write


@pytest.mark.parametrize("version", ("--http1.1", "--http2"))
def test_curl(both, version, tmp_path):
    (tmp_path / "question").write_bytes(ASK)
    base = "https://%s:%d/dns-query" % (HERE, both.ports["doh"])
    post = ("-H", "content-type: " + MEDIA_TYPE, "--data-binary", "@%s" % (tmp_path / "question"))
    for more in (
        (base + "?dns=" + ENCODED,),
        (*post, base),
        (*post, "-H", "expect: 100-continue", base),
        (*post, "-H", "transfer-encoding: chunked", base) if version == "--http1.1" else (base,),
    ):
        out = run(
            *("curl", "-sS", version, "--cacert", both.certificates.ca, "-o", tmp_path / "answer"),
            *("-w", "%{http_version} %{http_code}", *more),
        )
        assert out.stdout in ("1.1 200", "2 200") or more == (base,)


def test_http_client(both):
    """Python's, which sends head and body apart, and keeps its connection."""
    for connection in (
        http.client.HTTPSConnection(
            HERE, both.ports["doh"], timeout=10, context=tls_context(both.certificates.ca)
        ),
        http.client.HTTPConnection(HERE, both.ports["clear"], timeout=10),
    ):
        for body in (ASK, iter((ASK[:5], ASK[5:]))):
            chunked = not isinstance(body, bytes)
            headers = {"content-type": MEDIA_TYPE}
            headers.update({"transfer-encoding": "chunked"} if chunked else {})
            connection.request("POST", "/dns-query", body, headers, encode_chunked=chunked)
            response = connection.getresponse()
            assert response.status == 200
            assert w.Message(response.read()).addresses == ["192.0.2.1"]
        connection.close()


def test_dig(both):
    for flag, port in (("+https", "doh"), ("+http-plain", "clear"), ("+http-plain-get", "clear")):
        out = run("dig", "@" + HERE, "-p", both.ports[port], flag, "+short", "ok.dig.test")
        assert out.stdout == "192.0.2.1\n"


# ---- JSON


class TestJson:
    @pytest.mark.parametrize("version", ("--http1.1", "--http2"))
    def test_answer(self, both, version):
        out = run(
            *("curl", "-sS", version, "--cacert", both.certificates.ca),
            *("-w", "\n%{content_type}"),
            "https://%s:%d/dns-query?name=ok.json.test&type=A" % (HERE, both.ports["doh"]),
        )
        text, kind = out.stdout.splitlines()
        assert kind == "application/dns-json"
        found = json.loads(text)
        assert 55 <= found["Answer"][0].pop("TTL") <= 60
        assert found == {
            "Status": 0,
            "RD": True,
            "RA": True,
            "AD": False,
            "CD": False,
            "TC": False,
            "Question": [{"name": "ok.json.test.", "type": 1}],
            "Answer": [{"name": "ok.json.test.", "type": 1, "data": "192.0.2.1"}],
        }

    @pytest.mark.parametrize(
        "query, status",
        (
            ("name=ok.json.test&type=AAAA&cd=1&do=1", 200),
            ("name=nxdomain.json.test&type=TYPE65&ct=x", 200),
            ("name=many.json.test&type=A", 200),
            ("name=a..b", 400),
            ("name=", 400),
            ("name=a&type=NOSUCH", 400),
            ("name=a&cd=maybe", 400),
            ("type=A", 400),
        ),
    )
    def test_question(self, dial, query, status):
        client = dial()
        client.get(query=query)
        response = client.receive()
        assert response.status == status
        if status == 200:
            found = json.loads(response.body)
            assert found["Question"][0]["name"] in query + "." or found["Question"]
            assert response.headers["content-type"] == "application/dns-json"
        assert works(client)

    def test_by_accept(self, dial):
        client = dial()
        client.get(ASK, accept="application/dns-json")
        assert json.loads(client.receive().body)["Answer"][0]["data"] == "192.0.2.1"
        client.get(ASK, accept="application/dns-json, application/dns-message")
        assert client.receive().message.addresses == ["192.0.2.1"]

    def test_only_where_asked_for(self, maker, scripted):
        namegate = maker.start(maker.settings(scripted=scripted))
        with H1(HERE, namegate.ports["doh"], namegate.certificates.ca) as client:
            client.get(query="name=ok.json.test")
            assert client.receive().status == 400
            client.get(ASK, accept="application/dns-json")
            assert client.receive().headers["content-type"] == MEDIA_TYPE

    def test_blocked(self, maker, scripted):
        """The same verdicts, and the reason in words."""
        namegate = start(maker, scripted, [{"name": "all", "clients": ["127.0.0.0/8"]}])
        with H1(HERE, namegate.ports["clear"]) as client:
            client.get(query="name=who.test")
            found = json.loads(client.receive().body)
        assert found["Answer"][0]["data"] == "192.0.2.0"
        assert found["Comment"].startswith("EDE 15")
