"""What our TLS listeners take, in the order in which they choose, as a text that is committed
(tls_policy.txt): whoever changes it, or a library that does, changes a line that is read. OpenSSL's
client offers all that it has, then the same without what was chosen, until nothing is.

    NAMEGATE=... /usr/bin/python3 -m pytest tests/flow/test_tls_policy.py --write-policy
"""

import re
import subprocess
from pathlib import Path

import pytest

import certificates as certs
from test_certificates import as_rsa

POLICY = Path(__file__).with_name("tls_policy.txt")
VERSIONS = ("ssl3", "tls1", "tls1_1", "tls1_2", "tls1_3")
GROUPS = """X25519MLKEM768 X25519 P-256 P-384 P-521 X448 secp256k1 brainpoolP256r1 brainpoolP384r1
    brainpoolP512r1 ffdhe2048 ffdhe3072 ffdhe4096 ffdhe6144 ffdhe8192""".split()
SIGNATURES = """ecdsa_secp256r1_sha256 ecdsa_secp384r1_sha384 ecdsa_secp521r1_sha512 ed25519 ed448
    rsa_pss_rsae_sha256 rsa_pss_rsae_sha384 rsa_pss_rsae_sha512 rsa_pss_pss_sha256
    RSA+SHA256 RSA+SHA384 RSA+SHA512 RSA+SHA224 RSA+SHA1 ECDSA+SHA224 ECDSA+SHA1""".split()
SUITES = """TLS_AES_128_GCM_SHA256 TLS_CHACHA20_POLY1305_SHA256 TLS_AES_256_GCM_SHA384
    TLS_AES_128_CCM_SHA256 TLS_AES_128_CCM_8_SHA256""".split()


def openssl(*arguments):
    command = ["openssl", *arguments]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=30)
    return done.stdout.decode(errors="replace") + done.stderr.decode(errors="replace")


class Client:
    def __init__(self, namegate, port):
        self.to = ["s_client", "-connect", "127.0.0.1:%d" % namegate.ports[port]]
        self.to += ["-alpn", {"dot": "dot", "doh": "h2"}[port]]

    def met(self, *arguments):
        """What was agreed on; "" when nothing was, None when our OpenSSL knows no such thing."""
        out = openssl(*self.to, *arguments)
        if not re.search(r"^(CONNECTED|Connecting)", out, re.M):
            return None
        return "" if "Cipher is (NONE)" in out else out

    def accepted(self, all_of_them, offer, chosen):
        """In order of choice: all are offered, then all but those that were chosen."""
        left, taken = list(all_of_them), []
        while left:
            out = self.met(*offer(left))
            found = chosen(out, left) if out else None
            if found is None:
                return taken
            taken.append(found)
            left.remove(found)
        return taken

    def each(self, all_of_them, offer):
        """Without an order: those that do when they are alone."""
        return [word for word in all_of_them if self.met(*offer(word))]


def cipher_chosen(out, left):
    found = re.search(r"Cipher is (\S+)", out).group(1)
    return found if found in left else None


def known_ciphers():
    out = openssl("ciphers", "-tls1_2", "-s", "-stdname", "ALL:COMPLEMENTOFALL:@SECLEVEL=0")
    names = [line.split()[2] for line in out.splitlines() if " - " in line]
    return [name for name in names if not name.startswith("TLS_")]


def suites_of(client):
    weakest = ("-cipher", "ALL:@SECLEVEL=0")
    versions = client.each(VERSIONS, lambda word: ("-" + word, *weakest))
    lines = ["versions: %s" % " ".join(versions)]
    of_1_2 = client.accepted(
        known_ciphers(),
        lambda left: ("-tls1_2", "-cipher", ":".join(left) + ":@SECLEVEL=0"),
        cipher_chosen,
    )
    of_1_3 = client.accepted(
        SUITES, lambda left: ("-tls1_3", "-ciphersuites", ":".join(left)), cipher_chosen
    )
    lines += ["suite of tls1_2: %s" % name for name in of_1_2]
    return lines + ["suite of tls1_3: %s" % name for name in of_1_3]


def keys_of(client):
    lines = []
    for version in ("tls1_2", "tls1_3"):
        groups = client.each(GROUPS, lambda word: ("-" + version, "-groups", word))
        lines.append("groups of %s: %s" % (version, " ".join(groups)))
        signatures = client.each(SIGNATURES, lambda word: sigalgs(version, word))
        lines += ["signature of %s: %s" % (version, name) for name in signatures]
    return lines


def sigalgs(version, word):
    return ("-" + version, "-sigalgs", word, "-cipher", "ALL:@SECLEVEL=0")


def without_what_is_new(lines):
    """ML-KEM is there from OpenSSL 3.5 on, on both sides."""
    return [line.replace("X25519MLKEM768 ", "") for line in lines]


@pytest.fixture
def both_kinds(maker, scripted, tmp_path, certificates):
    """A server with every kind of key that goes: ECDSA, and RSA for the same name."""
    names = (certs.HOST, "127.0.0.1", "::1")
    other = as_rsa(certs.issue(certificates, tmp_path / "rsa", *names))
    settings = maker.settings(scripted=scripted)
    settings["tls"]["certificates"] = [
        {"certificate": str(other.certificate), "key": str(other.key)}
    ]
    return maker.start(settings)


def test_it_takes_what_the_policy_says_and_nothing_else(both_kinds, request):
    """rfc9325-3.1, 4.1, 4.2, rfc9113-9.2: a change of this is a change of a committed file."""
    dot, doh = Client(both_kinds, "dot"), Client(both_kinds, "doh")
    suites = suites_of(dot)
    lines = suites + keys_of(dot)
    text = "".join(line + "\n" for line in without_what_is_new(lines))
    if request.config.getoption("--write-policy"):
        POLICY.write_text(text)
    assert text == POLICY.read_text()
    assert suites_of(doh) == suites
