"""TLS (RFC 9325, RFC 8446), looked at with OpenSSL's own client."""

import socket
import ssl

import pytest

import dns_wire as w
from dns_client import tls_context
from tls_client import s_client


def connected(out):
    return "Cipher is (NONE)" not in out and "Verify return code: 0 (ok)" in out


@pytest.mark.parametrize("port, alpn", (("dot", "dot"), ("doh", "h2")))
class TestVersions:
    """rfc9325-3.1, rfc8996"""

    @pytest.mark.parametrize("version, name", (("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")))
    def test_taken(self, plain, port, alpn, version, name):
        out = s_client(plain, version, "-alpn", alpn, port=port)
        assert connected(out) and "New, %s" % name in out.replace("TLSv1/SSLv3", "TLSv1.2")
        assert "ALPN protocol: %s" % alpn in out

    @pytest.mark.parametrize("version", ("-tls1", "-tls1_1"))
    def test_refused(self, plain, port, alpn, version):
        out = s_client(plain, version, "-cipher", "ALL:@SECLEVEL=0", "-alpn", alpn, port=port)
        assert not connected(out)


@pytest.mark.parametrize(
    "ciphers",
    (
        "eNULL:@SECLEVEL=0",
        "aNULL:@SECLEVEL=0",
        "AES128-SHA:AES256-SHA:AES128-GCM-SHA256:@SECLEVEL=0",  # no forward secrecy
        "ECDHE-ECDSA-AES128-SHA256:ECDHE-ECDSA-AES256-SHA:@SECLEVEL=0",  # CBC
        "DHE:@SECLEVEL=0",
    ),
)
@pytest.mark.parametrize("port", ("dot", "doh"))
def test_weak_suites_are_refused(plain, ciphers, port):
    """rfc9325-4.1, 4.2: ECDHE with AEAD and nothing else."""
    alpn = "h2" if port == "doh" else "dot"
    out = s_client(plain, "-tls1_2", "-cipher", ciphers, "-alpn", alpn, port=port)
    assert not connected(out)


def test_no_renegotiation(plain):
    """rfc9325-3.5, rfc9113-9.2.1"""
    out = s_client(plain, "-tls1_2", text=b"R\n")
    assert "RENEGOTIATING" in out
    assert "no renegotiation" in out or "alert" in out or "error" in out


def test_no_compression(plain):
    assert "Compression: NONE" in s_client(plain, "-tls1_2", "-comp")


def test_no_early_data(plain):
    """rfc8446-8: a query could be replayed."""
    out = s_client(plain, "-tls1_3", "-msg", linger=0.5)
    assert "Max Early Data: 0" in out or "Max Early Data" not in out


def test_resumption_with_tickets(plain):
    """rfc5077: five times by OpenSSL's client."""
    out = s_client(plain, "-tls1_2", "-reconnect", linger=0.6)
    assert out.count("Reused, TLSv1.2") == 5


@pytest.mark.parametrize("version", (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3))
def test_resumption(plain, connect, version):
    """rfc7858-3.4, and with TLS 1.3, where the ticket comes behind the handshake."""
    context = tls_context(plain.certificates.ca, "dot", version)
    first = connect(plain, "dot", context=context)
    assert first.ask(w.query("ok.tls.test")).rcode == w.NOERROR
    assert not first.socket.session_reused
    second = connect(plain, "dot", context=context, session=first.socket.session)
    assert second.ask(w.query("ok.tls.test")).rcode == w.NOERROR
    assert second.socket.session_reused


def test_chain_and_names(plain):
    """The leaf stands for its names and both loopbacks, and is no CA."""
    out = s_client(plain, "-verify_return_error", "-verify_ip", "127.0.0.1")
    assert connected(out)
    assert not connected(s_client(plain, "-verify_return_error", "-verify_ip", "127.0.0.2"))
    assert "prime256v1" in out or "ECDSA" in out


def test_big_client_hello(plain):
    """A ClientHello that does not fit one segment (post-quantum key shares are like that): the
    server name and many ALPN words make it large."""
    words = ",".join("filler-%03d" % i for i in range(200)) + ",dot"
    out = s_client(plain, "-tls1_3", "-alpn", words)
    assert connected(out) and "ALPN protocol: dot" in out


def test_handshake_byte_by_byte(plain):
    """A client that is slow but honest."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = tls_context(plain.certificates.ca, "dot")
    tls = context.wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")
    raw = socket.create_connection(("127.0.0.1", plain.ports["dot"]), 5)
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while True:
        try:
            tls.do_handshake()
            break
        except ssl.SSLWantReadError:
            for byte in outgoing.read():
                raw.sendall(bytes([byte]))
            incoming.write(raw.recv(65536))
    assert tls.version() == "TLSv1.3"
    raw.close()
