"""TLS: BCP 195 (RFC 9325), RFC 8996, RFC 8446. Asked by OpenSSL's own client."""

import subprocess
import time

from rows import expect, proven, row
from server import ADDRESS

PORTS = (("dot", "dot"), ("doh", "h2"))  # and what a client says by ALPN


def s_client(s, port, *arguments, text=b"", linger=0.3):
    """What `openssl s_client` says; `text` is typed once it is connected."""
    command = ["openssl", "s_client", "-connect", "%s:%d" % (ADDRESS, s.ports[port])]
    client = subprocess.Popen(
        [*command, "-CAfile", str(s.ca), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    time.sleep(linger)
    try:
        client.stdin.write(text)
        client.stdin.flush()
        time.sleep(linger)
        client.stdin.close()
    except BrokenPipeError:
        pass
    out = client.stdout.read().decode(errors="replace")
    client.wait(10)
    return out


def is_connected(out):
    return "Cipher is (NONE)" not in out and "Verify return code: 0 (ok)" in out


@row("tls-versions", "RFC 9325 3.1.1", "M", "TLS 1.2 and 1.3 are spoken, 1.0 and 1.1 are not.")
def tls_versions(s):
    for port, alpn in PORTS:
        for version in ("-tls1_2", "-tls1_3"):
            out = s_client(s, port, version, "-alpn", alpn)
            expect(is_connected(out), "%s: no %s", port, version)
        for version in ("-tls1", "-tls1_1"):
            out = s_client(s, port, version, "-cipher", "ALL:@SECLEVEL=0", "-alpn", alpn)
            expect(not is_connected(out), "%s: %s", port, version)


@row("tls-broken-suites", "RFC 9325 4.1", "M", "No suite without encryption, name or strength.")
def tls_broken_suites(s):
    for port, alpn in PORTS:
        for suites in ("eNULL", "aNULL", "RC4:3DES:DES:EXPORT:MD5"):
            out = s_client(s, port, "-tls1_2", "-cipher", suites + ":@SECLEVEL=0", "-alpn", alpn)
            expect(not is_connected(out), "%s: %s", port, suites)


@row("tls-weak-suites", "RFC 9325 4.2", "S",
     "No suite without forward secrecy, and none of CBC; on DoH RFC 9113 9.2.2 forbids them.")
def tls_weak_suites(s):
    for port, alpn in PORTS:
        for suites in (
            "AES128-SHA:AES256-SHA:AES128-GCM-SHA256",
            "ECDHE-ECDSA-AES128-SHA256:ECDHE-ECDSA-AES256-SHA",
        ):
            out = s_client(s, port, "-tls1_2", "-cipher", suites + ":@SECLEVEL=0", "-alpn", alpn)
            expect(not is_connected(out), "%s: %s", port, suites)


@row("tls-no-renegotiation", "RFC 9325 3.5", "M", "A client cannot renegotiate.")
def tls_no_renegotiation(s):
    for port, alpn in PORTS:
        out = s_client(s, port, "-tls1_2", "-alpn", alpn, text=b"R\n")
        asked = "RENEGOTIATING" in out
        expect(asked, "%s: s_client did not ask", port)
        refused = "no renegotiation" in out or "alert" in out or "error" in out
        expect(refused, "%s: it could", port)


@row("tls-no-compression", "RFC 9325 3.3", "M", "Nothing is compressed.")
def tls_no_compression(s):
    for port, alpn in PORTS:
        out = s_client(s, port, "-tls1_2", "-comp", "-alpn", alpn)
        expect("Compression: NONE" in out, "%s: it is", port)


@row("tls-no-early-data", "RFC 8446 8", "M", "No early data is taken, as it could be replayed.")
def tls_no_early_data(s):
    for port, alpn in PORTS:
        out = s_client(s, port, "-tls1_3", "-alpn", alpn, linger=0.5)
        expect("Max Early Data: 0" in out or "Max Early Data" not in out, "%s: it is", port)


@row("tls-authenticates", "RFC 8310 8.1", "M",
     "The certificate stands for the names it has, and for no others.")
def tls_authenticates(s):
    for port, alpn in PORTS:
        strict = ("-verify_return_error", "-alpn", alpn)
        out = s_client(s, port, *strict, "-verify_ip", ADDRESS)
        expect(is_connected(out), "%s: not for %s", port, ADDRESS)
        out = s_client(s, port, *strict, "-verify_hostname", "other.example")
        expect(not is_connected(out), "%s: for another name", port)


proven("tls", "tls-pair-checked", "RFC 8446 4.4", "M",
       "Key and certificate are held against each other before they are used.",
       "tests/flow/test_life.py::test_what_is_broken_replaces_nothing")
