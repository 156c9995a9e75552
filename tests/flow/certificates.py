"""A private CA and leaf certificates, made by the project's own scripts."""

import base64
import hashlib
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from program import ROOT

HOST = "dns.namegate.test"


@dataclass
class Certificates:
    directory: Path

    @property
    def ca(self):
        return self.directory / "ca.pem"

    @property
    def certificate(self):
        return self.directory / "server.pem"

    @property
    def key(self):
        return self.directory / "server.key"


def make(directory, *names):
    """A CA and a leaf for the names and addresses, the host and both loopbacks at least."""
    names = names or (HOST, "127.0.0.1", "::1")
    _script("make-ca", str(directory), "--name", "namegate flow tests")
    _script("make-leaf", str(directory), *names)
    return Certificates(Path(directory))


def issue(authority, directory, *names):
    """Another leaf of the same authority, in a directory of its own."""
    directory.mkdir(parents=True, exist_ok=True)
    for word in ("ca.pem", "ca.key"):
        shutil.copy(authority.directory / word, directory)
    _script("make-leaf", str(directory), *names)
    return Certificates(Path(directory))


def expire(certificates):
    """The same leaf, signed anew by its authority with dates that are over."""
    ca_key = certificates.directory / "ca.key"
    keep = ("-copy_extensions", "copyall")
    request = _openssl(
        *("x509", "-x509toreq", "-in", certificates.certificate, "-signkey", certificates.key),
        *keep,
    )
    sign = ("x509", "-req", "-CA", certificates.ca, "-CAkey", ca_key, *keep)
    try:  # from 3.4 on
        over = ("-not_before", "20200101000000Z", "-not_after", "20200102000000Z")
        signed = _openssl(*sign, *over, input=request)
    except AssertionError:
        signed = _openssl(*sign, "-days", "-1", input=request)
    certificates.certificate.write_bytes(signed + certificates.ca.read_bytes())
    return certificates


def pin(certificate):
    """RFC 7469 2.4: base64 of the SHA-256 of a certificate's public key."""
    key = _openssl("x509", "-in", certificate, "-noout", "-pubkey")
    der = _openssl("pkey", "-pubin", "-outform", "der", input=key)
    return base64.b64encode(hashlib.sha256(der).digest()).decode()


def _openssl(*words, input=b""):
    done = subprocess.run(
        ["openssl", *(str(word) for word in words)], input=input, capture_output=True, timeout=60
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def _script(name, *arguments):
    done = subprocess.run(
        [str(ROOT / "certs" / name), *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, "certs/%s: %s%s" % (name, done.stdout, done.stderr)
