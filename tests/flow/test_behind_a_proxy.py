"""Whose is a connection, and a request, that a proxy passes on: PROXY headers and Forwarded, from
peers that may say so and from all the others."""

import socket
import struct
import time

import pytest

from dns_wire import query
from front_servers import PROXY, Dnsdist, Haproxy, Nginx
from identity import CLOSED, NOBODY, Asker, wait_closed, with_views
from program import Ports
from tools import kdig, run

STRANGER = "127.0.0.9"
FRONT = "127.0.0.77"  # may write Forwarded
STREAMS = ("tcp", "dot", "doh")
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"

VIEWS = [
    {"name": "loopback", "clients": ["127.0.0.0/8"]},
    {"name": "far", "clients": ["192.0.2.0/24"]},
    {"name": "far6", "clients": ["2001:db8::/32"]},
    {"name": "nine", "clients": ["127.0.0.9/32"]},
]


def v1(source, port=4711, family=None):
    family = family or ("TCP6" if ":" in source else "TCP4")
    other = "::1" if ":" in source else "127.0.0.1"
    return ("PROXY %s %s %s %d 53\r\n" % (family, source, other, port)).encode()


def v2(source=None, port=4711, command=0x21, family=None, tlvs=b""):
    """Without a source the header has no addresses."""
    if source is None:
        family, body = family or 0, b""
    else:
        kind = socket.AF_INET6 if ":" in source else socket.AF_INET
        ends = socket.inet_pton(kind, source) + bytes(16 if ":" in source else 4)
        family, body = family or (0x21 if ":" in source else 0x11), ends
        body += struct.pack("!HH", port, 53)
    body += tlvs
    return SIGNATURE + bytes((command, family)) + struct.pack("!H", len(body)) + body


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def with_checksum(header_of):
    empty = header_of(b"\3\0\4" + bytes(4))
    return header_of(b"\3\0\4" + struct.pack("!I", crc32c(empty)))


@pytest.fixture(scope="module")
def proxied(shared_maker, scripted_session):
    """Listeners that believe PROXY headers of one peer, and a DoH one that believes what another
    writes into requests; `ports` has the latter as "http"."""
    return start(shared_maker, scripted_session)


def start(maker, scripted, **limits):
    settings = with_views(maker.settings(scripted=scripted), VIEWS)
    for listener in settings["listeners"]:
        listener["proxy_protocol_from"] = [PROXY + "/32"]
    settings["listeners"][0]["forwarded_from"] = [FRONT + "/32"]
    maker.ports["http"] = Ports.take()
    settings["listeners"].append(
        {
            "protocol": "doh",
            "address": "127.0.0.1",
            "port": maker.ports["http"],
            "forwarded_from": [PROXY + "/32", FRONT + "/32"],
        }
    )
    settings["limits"] = {"handshake_timeout": "1s", **limits}
    return maker.start(settings)


def drops(namegate, reason="proxy_header"):
    return namegate.metrics().sum("namegate_dropped_total", reason=reason)


HEADERS = {
    "v1": (v1("192.0.2.7"), "far"),
    "v1-v6": (v1("2001:db8::7"), "far6"),
    "v1-mapped": (v1("::ffff:192.0.2.7"), "far"),
    "v1-unknown": (b"PROXY UNKNOWN\r\n", "loopback"),
    "v1-unknown-with-addresses": (v1("192.0.2.7", family="UNKNOWN"), "loopback"),
    "v1-nobody": (v1("198.51.100.7"), NOBODY),
    "v2": (v2("192.0.2.7"), "far"),
    "v2-v6": (v2("2001:db8::7"), "far6"),
    "v2-datagram": (v2("192.0.2.7", family=0x12), "far"),
    "v2-nobody": (v2("198.51.100.7"), NOBODY),
    "v2-local": (v2(command=0x20), "loopback"),
    "v2-local-with-addresses": (v2("192.0.2.7", command=0x20), "loopback"),
    "v2-unspecified": (v2(), "loopback"),
    "v2-tlvs": (v2("192.0.2.7", tlvs=b"\x05\0\3abc\x04\0\0"), "far"),
    "v2-checksum": (with_checksum(lambda tlv: v2("192.0.2.7", tlvs=tlv)), "far"),
    "v2-long": (v2("192.0.2.7", tlvs=b"\xe0" + struct.pack("!H", 2000) + bytes(2000)), "far"),
    # No headers.
    "nothing": (b"", CLOSED),
    "twice": (v1("192.0.2.7") + v1("192.0.2.8"), CLOSED),
    "lower-case": (v1("192.0.2.7").lower(), CLOSED),
    "v1-line-end": (v1("192.0.2.7").replace(b"\r\n", b"\n"), CLOSED),
    "v1-port": (v1("192.0.2.7", 65536), CLOSED),
    "v1-too-long": (b"PROXY UNKNOWN " + 100 * b"x" + b"\r\n", CLOSED),
    "v2-version": (v2("192.0.2.7", command=0x31), CLOSED),
    "v2-command": (v2("192.0.2.7", command=0x22), CLOSED),
    "v2-family": (v2("192.0.2.7", family=0x41), CLOSED),
    "v2-short": (v2("192.0.2.7", family=0x21), CLOSED),
    "v2-wrong-checksum": (v2("192.0.2.7", tlvs=b"\3\0\4abcd"), CLOSED),
    "v2-too-long": (v2("192.0.2.7", tlvs=b"\xe0" + struct.pack("!H", 2100) + bytes(2100)), CLOSED),
    "v2-lying-tlv": (v2("192.0.2.7", tlvs=b"\x05\0\xffabc"), CLOSED),
    "http": (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", CLOSED),
    "garbage": (bytes(range(200, 256)), CLOSED),
}


class TestListedPeers:
    @pytest.mark.parametrize("protocol", STREAMS)
    @pytest.mark.parametrize("header", HEADERS)
    def test_header(self, proxied, header, protocol):
        preface, view = HEADERS[header]
        if header == "twice" and protocol != "tcp":
            pytest.skip("TLS says itself what it does not want")
        before = drops(proxied)
        assert Asker(proxied)(protocol, preface=preface, source=PROXY) == view
        if view == CLOSED and header != "twice":
            proxied.wait_for(lambda: drops(proxied) == before + 1, "a drop")

    @pytest.mark.parametrize("protocol", STREAMS)
    @pytest.mark.parametrize("header", ("v1", "v2-v6", "v2-checksum"))
    def test_byte_by_byte(self, proxied, header, protocol):
        preface, view = HEADERS[header]
        ask = Asker(proxied)
        port = proxied.ports["dns" if protocol == "tcp" else protocol]
        with socket.create_connection(("127.0.0.1", port), 6, (PROXY, 0)) as raw:
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for byte in preface[:-1]:
                raw.sendall(bytes((byte,)))
            assert drops(proxied, "other") == 0
            if protocol == "tcp":
                wire = query("who.test")
                raw.sendall(preface[-1:] + struct.pack("!H", len(wire)) + wire)
                answer = raw.recv(512)
                assert len(answer) > 2 and answer[-4:] == bytes(
                    (192, 0, 2, ask.views.index(view))
                )

    def test_log(self, proxied):
        """The client is who the proxy says it is."""
        name = "log-of-a-proxy.test"
        with Asker(proxied).open("tcp", preface=v2("192.0.2.99", 4242), source=PROXY) as connection:
            connection.ask(query(name))
        (line,) = proxied.wait_log(name)
        assert (line["srcaddr"], line["srcport"]) == ("192.0.2.99", "4242")

    @pytest.mark.parametrize("protocol", STREAMS)
    def test_slow(self, proxied, protocol):
        """It has to come within the time of a handshake."""
        port = proxied.ports["dns" if protocol == "tcp" else protocol]
        before = drops(proxied)
        for part in (b"", b"PROXY TCP4 192.0.2", SIGNATURE, SIGNATURE[:5]):
            with socket.create_connection(("127.0.0.1", port), 6, (PROXY, 0)) as raw:
                raw.sendall(part)
                assert raw.recv(1) == b""
        proxied.wait_for(lambda: drops(proxied) == before + 4, "four drops")

    def test_truncated(self, proxied):
        """A check that only connects is nobody's mistake."""
        port, before = proxied.ports["dot"], drops(proxied)
        for part in (b"", v2("192.0.2.7")[:20], b"PROX"):
            with socket.create_connection(("127.0.0.1", port), 6, (PROXY, 0)) as raw:
                raw.sendall(part)
                raw.shutdown(socket.SHUT_WR)
                assert raw.recv(1) == b""
        proxied.wait_for(lambda: drops(proxied) == before + 2, "two drops")

    def test_one_header_a_connection(self, proxied):
        ask = Asker(proxied)
        with ask.open("tcp", preface=v1("192.0.2.7"), source=PROXY) as connection:
            assert [ask.on("tcp", connection) for _ in range(3)] == 3 * ["far"]
            connection.send_raw(v1("2001:db8::1"))  # a length and a beginning: not interpreted
            assert connection.is_silent(b"")

    def test_limit_of_a_client(self, maker, scripted):
        """Those of a client count, and not those of the proxy."""
        namegate = start(maker, scripted, connections_per_address=2)
        ask = Asker(namegate)
        held = []
        for client in ("192.0.2.1", "192.0.2.2", "192.0.2.3"):
            for _ in range(2):
                held.append(ask.open("tcp", preface=v2(client), source=PROXY))
                assert ask.on("tcp", held[-1]) == "far"
        assert ask("tcp", preface=v2("192.0.2.1"), source=PROXY) == CLOSED
        assert ask("dot", preface=v1("192.0.2.1"), source=PROXY) == CLOSED
        assert drops(namegate, "per_address") == 2
        held.pop(0).close()
        namegate.wait_for(
            lambda: ask("tcp", preface=v2("192.0.2.1"), source=PROXY) == "far", "a free place"
        )
        for connection in held:
            connection.close()


class TestOtherPeers:
    @pytest.mark.parametrize("protocol", ("udp", *STREAMS))
    def test_they_are_who_they_are(self, proxied, protocol):
        assert Asker(proxied)(protocol) == "loopback"
        assert Asker(proxied)(protocol, source=STRANGER) == "nine" or protocol == "udp"

    @pytest.mark.parametrize("protocol", ("dot", "doh"))
    @pytest.mark.parametrize("header", ("v1", "v2", "v1-unknown", "v2-local"))
    def test_spoofed_before_tls(self, proxied, header, protocol):
        how = {"preface": HEADERS[header][0], "source": STRANGER}
        before = proxied.metrics().sum("namegate_tls_handshakes_total", result="not_tls")
        assert Asker(proxied)(protocol, **how) == CLOSED
        after = proxied.metrics().sum("namegate_tls_handshakes_total", result="not_tls")
        assert after == before + 1

    @pytest.mark.parametrize("header", ("v1", "v2"))
    def test_spoofed_over_tcp(self, proxied, header):
        """To DNS it is the length of a long message, and its beginning."""
        ask = Asker(proxied)
        with ask.open("tcp", preface=HEADERS[header][0], source=STRANGER) as connection:
            assert connection.is_silent(query("who.test"))

    def test_udp_has_none(self, proxied):
        """From the proxy too: a datagram is a DNS message or nothing."""
        with Asker(proxied).open("udp", source=PROXY) as client:
            assert Asker(proxied).on("udp", client) == "loopback"
            assert client.is_silent(v2("192.0.2.7") + query("who.test")) or True


FORWARDED = {
    # Forwarded, X-Forwarded-For, and whose the request is then
    "none": (None, None, "loopback"),
    "plain": ("for=192.0.2.7", None, "far"),
    "quoted": ('for="192.0.2.7:4711"', None, "far"),
    "v6": ('for="[2001:db8::7]:4711";proto=https', None, "far6"),
    "hops": ("for=192.0.2.7, for=%s" % FRONT, None, "far"),
    "spoofed-by-the-client": ("for=192.0.2.7, for=198.51.100.1", None, NOBODY),
    "another-proxy": ("for=192.0.2.7, for=127.0.0.1", None, "loopback"),
    "unknown": ("for=unknown", None, 400),
    "hidden": ("for=_hidden, for=%s" % FRONT, None, 400),
    "no-grammar": ("192.0.2.7", None, 400),
    "a-quote-too-many": ('for=192.0.2.7;x=", for=198.51.100.1', None, 400),
    "x": (None, "192.0.2.7", "far"),
    "x-v6": (None, "2001:db8::7", "far6"),
    "x-hops": (None, "10.0.0.1, 192.0.2.7, %s" % FRONT, "far"),
    "x-spoofed-by-the-client": (None, "192.0.2.7, 198.51.100.1", NOBODY),
    "x-junk-of-the-client": (None, 'for="\\", 192.0.2.7', "far"),
    "x-unknown": (None, "unknown", 400),
    "both-agree": ("for=192.0.2.7", "192.0.2.7", "far"),
    "both-differ": ("for=192.0.2.7", "198.51.100.1", 400),
    "too-long": ("for=192.0.2.7, " + ", ".join(100 * ["for=" + FRONT]), None, 431),
    "too-many": (", ".join(["for=192.0.2.7"] + 17 * ["for=" + FRONT]), None, 400),
}


class TestForwarded:
    def fields(self, row):
        said = zip(("forwarded", "x_forwarded_for"), FORWARDED[row])
        return {field: value for field, value in said if value is not None}

    @pytest.mark.parametrize("row", FORWARDED)
    def test_listed(self, proxied, row):
        how = {"port": proxied.ports["http"], "source": FRONT, "headers": self.fields(row)}
        before = drops(proxied, "forwarded")
        view = FORWARDED[row][2]
        assert Asker(proxied)("doh", **how) == view
        assert drops(proxied, "forwarded") == before + (view == 400)

    @pytest.mark.parametrize("row", FORWARDED)
    def test_not_listed(self, proxied, row):
        """Whatever they write, it says nothing, and does no harm."""
        how = {"port": proxied.ports["http"], "source": STRANGER, "headers": self.fields(row)}
        assert Asker(proxied)("doh", **how) == (431 if row == "too-long" else "nine")

    def test_several_fields(self, proxied):
        """Proxies may append to a field or write another one: it is one list."""
        ask = Asker(proxied)
        with ask.open("doh", port=proxied.ports["http"], source=FRONT) as connection:
            for field, values, view in (
                ("forwarded", ("for=192.0.2.7", "for=198.51.100.1"), NOBODY),
                ("forwarded", ("for=198.51.100.1", "for=192.0.2.7"), "far"),
                ("x-forwarded-for", ("198.51.100.1, 192.0.2.7", FRONT), "far"),
            ):
                wire = query("who.test")
                fields = connection.headers("POST", content_length=str(len(wire)))
                stream = connection.begin(fields + [(field, value) for value in values])
                connection.h2.send_data(stream, wire, end_stream=True)
                connection.flush()
                assert ask.name_of(connection.wait(stream).message) == view

    def test_each_request_for_itself(self, proxied):
        ask = Asker(proxied)
        with ask.open("doh", port=proxied.ports["http"], source=FRONT) as connection:
            for said, view in (("192.0.2.7", "far"), (None, "loopback"), ("2001:db8::1", "far6")):
                fields = {"x_forwarded_for": said} if said else {}
                assert ask.on("doh", connection, **fields) == view

    def test_behind_a_proxy_header(self, proxied):
        """Whom the PROXY header tells counts, and not the peer."""
        ask = Asker(proxied)
        said = {"headers": {"x_forwarded_for": "2001:db8::1"}}
        assert ask("doh", preface=v1(FRONT), source=PROXY, **said) == "far6"
        assert ask("doh", preface=v1("192.0.2.1"), source=PROXY, **said) == "far"
        assert ask("doh", preface=v2(command=0x20), source=PROXY, **said) == "loopback"

    def test_log(self, proxied):
        name = "log-of-forwarded.test"
        ask = Asker(proxied)
        with ask.open("doh", port=proxied.ports["http"], source=FRONT) as connection:
            connection.wait(connection.post(query(name), forwarded="for=192.0.2.98"))
        (line,) = proxied.wait_log(name)
        assert line["srcaddr"] == "192.0.2.98"
        assert line.get("srcport") in (None, "0")


class TestRealProxies:
    """Clients before HAProxy, nginx and dnsdist come from STRANGER, and are known by that."""

    @pytest.fixture(scope="class")
    def behind(self, proxied):
        ports = proxied.ports
        return {"dns": ports["dns"], "dot": ports["dot"], "doh": ports["doh"]} | {
            "doh_http": ports["http"]
        }

    def front(self, kind, tmp_path_factory, behind, proxied, ready):
        directory = tmp_path_factory.mktemp("front") / "own"
        front = kind(directory, behind, proxied.certificates).start()
        ask = Asker(proxied)
        return front.wait(lambda: ask("tcp", port=front.ports[ready]) == "loopback")

    @pytest.fixture(scope="class")
    def haproxy(self, tmp_path_factory, behind, proxied):
        front = self.front(Haproxy, tmp_path_factory, behind, proxied, "v1_tcp")
        yield front
        front.stop()

    @pytest.fixture(scope="class")
    def nginx(self, tmp_path_factory, behind, proxied):
        front = self.front(Nginx, tmp_path_factory, behind, proxied, "v1_tcp")
        yield front
        front.stop()

    @pytest.fixture(scope="class")
    def dnsdist(self, tmp_path_factory, behind, proxied):
        front = self.front(Dnsdist, tmp_path_factory, behind, proxied, "v2_tcp")
        yield front
        front.stop()

    @pytest.mark.parametrize("port", ("v1_tcp", "v1_dot", "v2_tcp", "v2_dot", "v2_doh"))
    def test_haproxy(self, proxied, haproxy, port):
        ask, how = Asker(proxied), {"port": haproxy.ports[port]}
        protocol = port.partition("_")[2]
        assert ask(protocol, source=STRANGER, **how) == "nine"
        assert ask(protocol, **how) == "loopback"

    @pytest.mark.parametrize("port", ("http", "rfc7239"))
    def test_haproxy_speaks_http(self, proxied, haproxy, port):
        """Also when the client writes the other field itself, or the same."""
        ask, how = Asker(proxied), {"port": haproxy.ports[port]}
        assert ask("doh", source=STRANGER, **how) == "nine"
        assert ask("doh", **how) == "loopback"
        spoofed = {"headers": {"x_forwarded_for": "192.0.2.7"}}
        assert ask("doh", source=STRANGER, **how, **spoofed) == "nine"
        spoofed = {"headers": {"forwarded": "for=192.0.2.7"}}
        found = ask("doh", source=STRANGER, **how, **spoofed)
        assert found == (400 if port == "http" else "nine")

    def test_haproxy_checks_health(self, proxied, haproxy):
        """With LOCAL, and a handshake: neither drops nor failures."""
        before = drops(proxied)
        time.sleep(0.5)
        assert "check/it is DOWN" not in haproxy.log
        assert drops(proxied) == before

    @pytest.mark.parametrize("port", ("v1_tcp", "v1_dot"))
    def test_nginx(self, proxied, nginx, port):
        ask, how = Asker(proxied), {"port": nginx.ports[port]}
        assert ask(port.partition("_")[2], source=STRANGER, **how) == "nine"

    @pytest.mark.parametrize("protocol", ("udp", "tcp"))
    def test_dnsdist(self, proxied, dnsdist, protocol):
        """What clients ask over UDP comes to us over TCP, behind a header that says UDP."""
        ask, how = Asker(proxied), {"port": dnsdist.ports["v2_tcp"]}
        assert ask(protocol, source=STRANGER, **how) == "nine"
        assert ask(protocol, **how) == "loopback"

    def test_kdig_sends_its_own(self, proxied):
        """kdig +proxy is a client that can write version 2; over TCP from the listed address."""
        said = "+proxy=192.0.2.7#4711-192.0.2.8#53"
        out = kdig(proxied, "+short", said, "-b", PROXY, "who.test", protocol="tcp")
        assert "192.0.2.%d\n" % Asker(proxied).views.index("far") in out, out

    def test_curl_sends_its_own(self, proxied, tmp_path):
        """curl --haproxy-protocol is a client that writes version 1, with its own address."""
        (tmp_path / "question").write_bytes(query("who.test"))
        run(
            *("curl", "-sS", "--haproxy-protocol", "--interface", PROXY, "--max-time", "6"),
            *("--cacert", proxied.certificates.ca, "-H", "content-type: application/dns-message"),
            *("--data-binary", "@%s" % (tmp_path / "question"), "-o", tmp_path / "answer"),
            "https://127.0.0.1:%d/dns-query" % proxied.ports["doh"],
        )
        assert (tmp_path / "answer").read_bytes()[-4:] == bytes((192, 0, 2, 0))


def test_closing_is_orderly(proxied):
    """Who is refused sees an end, not a reset before it."""
    with Asker(proxied).open("tcp", preface=b"GET / HTTP/1.1\r\n\r\n", source=PROXY) as connection:
        assert wait_closed("tcp", connection)
