"""A private CA and leaf certificates, made by the project's own scripts."""

import base64
import datetime
import hashlib
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID as OID

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


@dataclass
class ClientCertificate:
    certificate: Path  # with what is above it, if there is anything
    key: Path
    sha256: str


class ClientAuthority:
    """An authority for certificates of clients. What it signs may be as wrong as a test wants."""

    def __init__(self, directory, name="clients"):
        directory.mkdir(parents=True, exist_ok=True)
        self.directory, self.name = directory, name
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = self._sign(self.key, name, self.key, name, is_ca=True)
        self.file = directory / "ca.pem"
        self.file.write_bytes(_pem(self.certificate))

    def issue(self, file, name="anna", alt=(), start=-3600, end=3600, use=OID.CLIENT_AUTH):
        """A leaf in `file`.pem and .key. `alt` are ("uri", "...") and the like; times in seconds
        from now."""
        key = ec.generate_private_key(ec.SECP256R1())
        made = self._sign(key, name, self.key, self.name, alt, start, end, use)
        return self._write(file, made, key)

    def self_signed(self, file, name="anna", alt=()):
        key = ec.generate_private_key(ec.SECP256R1())
        return self._write(file, self._sign(key, name, key, name, alt, use=OID.CLIENT_AUTH), key)

    def _sign(
        self, key, name, by, by_name, alt=(), start=-3600, end=86400, use=None, is_ca=False
    ):
        now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
        kinds = {"uri": x509.UniformResourceIdentifier, "dns": x509.DNSName}
        kinds["email"] = x509.RFC822Name
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]))
            .issuer_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, by_name)]))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + datetime.timedelta(seconds=start))
            .not_valid_after(now + datetime.timedelta(seconds=end))
            .add_extension(x509.BasicConstraints(is_ca, None), critical=True)
        )
        if use:
            builder = builder.add_extension(x509.ExtendedKeyUsage([use]), critical=False)
        if alt:
            names = x509.SubjectAlternativeName([kinds[kind](text) for kind, text in alt])
            builder = builder.add_extension(names, critical=False)
        return builder.sign(by, hashes.SHA256())

    def _write(self, file, certificate, key):
        made = ClientCertificate(
            self.directory / (file + ".pem"),
            self.directory / (file + ".key"),
            certificate.fingerprint(hashes.SHA256()).hex(),
        )
        made.certificate.write_bytes(_pem(certificate))
        made.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return made


def _pem(certificate):
    return certificate.public_bytes(serialization.Encoding.PEM)
