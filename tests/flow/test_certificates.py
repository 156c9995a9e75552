"""Several certificates by name, and what is stapled to them, as clients see it."""

import datetime
import re
import shutil
import subprocess

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509 import ocsp

import certificates as certs
from certificates import HOST
from identity import Asker, with_views
from tls_client import s_client


def subject_names(out):
    """The subjectAltNames of the leaf that s_client was shown."""
    pem = re.search(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", out, re.S)
    leaf = x509.load_pem_x509_certificate(pem.group().encode())
    return leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value


def names_shown(namegate, *arguments):
    return subject_names(s_client(namegate, *arguments)).get_values_for_type(x509.DNSName)


def pair(certificates, **more):
    return {"certificate": str(certificates.certificate), "key": str(certificates.key), **more}


@pytest.fixture
def issue(tmp_path, certificates):
    def issue(*names):
        number = len(list(tmp_path.glob("leaf-*")))
        return certs.issue(certificates, tmp_path / ("leaf-%d" % number), *names)

    return issue


@pytest.fixture
def start(maker, scripted):
    def start(*certificates, **first):
        settings = maker.settings(scripted=scripted)
        settings["tls"].update(first)
        if certificates:
            settings["tls"]["certificates"] = [pair(each) for each in certificates]
        return maker.start(settings)

    return start


@pytest.mark.threads
def test_a_client_gets_the_certificate_for_its_name(start, issue):
    namegate = start(issue("exact.test"), issue("*.wild.test"), issue("one.wild.test"))
    rows = (
        (["-servername", "exact.test"], "exact.test"),
        (["-servername", "EXACT.Test"], "exact.test"),
        (["-servername", "any.wild.test"], "*.wild.test"),
        (["-servername", "one.wild.test"], "one.wild.test"),  # the exact one goes first
        (["-servername", "a.b.wild.test"], HOST),  # an asterisk is one label
        (["-servername", "wild.test"], HOST),
        (["-servername", "unknown.test"], HOST),
        (["-noservername"], HOST),
    )
    for version in ("-tls1_2", "-tls1_3"):
        for arguments, name in rows:
            assert name in names_shown(namegate, version, *arguments), (version, arguments)


def test_a_name_that_two_have_is_told_and_the_first_goes_out(start, issue):
    first, second = issue("twice.test", "only.first.test"), issue("twice.test", "only.second.test")
    namegate = start(first, second)
    assert "only.first.test" in names_shown(namegate, "-servername", "twice.test")
    assert "only.second.test" in names_shown(namegate, "-servername", "only.second.test")
    told = [line for line in namegate.stderr.splitlines() if "the name twice.test is in" in line]
    assert len(told) == 1
    assert str(second.certificate) in told[0] and str(first.certificate) in told[0]


def as_rsa(certificates):
    """The same leaf for another key, of the same authority."""
    ca_key = certificates.directory / "ca.key"
    by = serialization.load_pem_private_key(ca_key.read_bytes(), None)
    issuer = x509.load_pem_x509_certificate(certificates.ca.read_bytes())
    leaf = x509.load_pem_x509_certificate(certificates.certificate.read_bytes())
    key = rsa.generate_private_key(65537, 2048)
    builder = x509.CertificateBuilder(
        issuer.subject,
        leaf.subject,
        key.public_key(),
        x509.random_serial_number(),
        leaf.not_valid_before,
        leaf.not_valid_after,
        [e for e in leaf.extensions if e.oid == x509.oid.ExtensionOID.SUBJECT_ALTERNATIVE_NAME],
    )
    pem = serialization.Encoding.PEM
    certificates.certificate.write_bytes(builder.sign(by, hashes.SHA256()).public_bytes(pem))
    certificates.key.write_bytes(
        key.private_bytes(
            pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return certificates


@pytest.mark.parametrize("version", ("-tls1_2", "-tls1_3"))
def test_rsa_beside_ecdsa(start, issue, version):
    """One name, two kinds of key: each client gets the one that it can use."""
    namegate = start(issue("both.test"), as_rsa(issue("both.test")))
    name = ("-servername", "both.test")
    only_rsa = ("-sigalgs", "rsa_pss_rsae_sha256")
    # OpenSSL 3.0 says "ECDSA" and "RSA-PSS", 3.5 the whole names of the schemes.
    said = s_client(namegate, version, *name)
    assert re.search("Peer signature type: ecdsa", said, re.I)
    said = s_client(namegate, version, *only_rsa, *name)
    assert re.search("Peer signature type: rsa.pss", said, re.I)
    assert "the name both.test" not in namegate.stderr


def test_a_view_by_name_still_counts(maker, scripted, issue, connect):
    """The name is the client's word, whatever certificate goes out for it."""
    kids = {"name": "kids", "tls_names": ["kids.test"]}
    views = [kids, {"name": "rest", "clients": ["0.0.0.0/0"]}]
    settings = with_views(maker.settings(scripted=scripted), views)
    settings["allow_open_resolver"] = True
    settings["tls"]["certificates"] = [pair(issue("kids.test"))]
    namegate = maker.start(settings)
    ask = Asker(namegate)
    assert ask("dot", server_name="kids.test") == "kids"
    assert ask("dot", server_name=HOST) == "rest"
    assert names_shown(namegate, "-servername", "kids.test") == ["kids.test"]


# --- OCSP ---


def respond(certificates, to, days=(-1, 1), status=ocsp.OCSPCertStatus.GOOD, about=None, by=None):
    """What an authority would answer of this leaf."""
    authority = by or certificates
    key = serialization.load_pem_private_key(
        (authority.directory / "ca.key").read_bytes(), None
    )
    issuer = x509.load_pem_x509_certificate(authority.ca.read_bytes())
    leaf = x509.load_pem_x509_certificate((about or certificates).certificate.read_bytes())
    now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None, microsecond=0)
    revoked = status == ocsp.OCSPCertStatus.REVOKED
    builder = ocsp.OCSPResponseBuilder().add_response(
        leaf,
        issuer,
        hashes.SHA1(),  # of names: what RFC 5019 asks for
        status,
        now + datetime.timedelta(days=days[0]),
        now + datetime.timedelta(days=days[1]),
        now if revoked else None,
        None,
    )
    response = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, issuer).sign(
        key, hashes.SHA256()
    )
    to.write_bytes(response.public_bytes(serialization.Encoding.DER))
    return to


@pytest.fixture
def mine(issue):
    return issue(HOST, "127.0.0.1")


def stapling(start, mine, file):
    return start(**pair(mine, ocsp_response=str(file)))


STAPLED, NOT_STAPLED = "OCSP Response Status: successful", "OCSP response: no response sent"


@pytest.mark.threads
@pytest.mark.parametrize("version", ("-tls1_2", "-tls1_3"))
def test_a_response_is_stapled_for_who_asks(start, mine, tmp_path, version):
    namegate = stapling(start, mine, respond(mine, tmp_path / "ocsp.der"))
    assert STAPLED in s_client(namegate, version, "-status")
    assert "OCSP" not in s_client(namegate, version)
    assert "ocsp" not in namegate.stderr


@pytest.mark.skipif(not shutil.which("curl"), reason="no curl")
def test_curl_is_content(start, mine, tmp_path):
    namegate = stapling(start, mine, respond(mine, tmp_path / "ocsp.der"))
    url = "https://%s:%d/" % (HOST, namegate.ports["doh"])
    command = ["curl", "-sS", "--cert-status", "--cacert", str(mine.ca), "-o", "/dev/null"]
    command += ["--resolve", "%s:%d:127.0.0.1" % (HOST, namegate.ports["doh"]), url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    assert done.returncode == 0, done.stderr


def write(content):
    return lambda mine, issue, to: to.write_bytes(content)


def other_leaf(mine, issue, to):
    return respond(mine, to, about=issue("other.test"))


@pytest.mark.parametrize(
    "make, says",
    (
        (lambda mine, issue, to: to, "No such file or directory"),
        (write(b"0\3\n\1\0x"), "not an OCSP response in DER"),
        (write(b"0\3\n\1\3"), "has not answered but said: trylater"),
        (other_leaf, "is about another certificate"),
        (lambda mine, issue, to: respond(mine, to, days=(-9, -2)), "has ended on 20"),
        (lambda mine, issue, to: respond(mine, to, days=(2, 9)), "begins only on 20"),
        (
            lambda mine, issue, to: respond(mine, to, status=ocsp.OCSPCertStatus.REVOKED),
            "says of the certificate: revoked",
        ),
    ),
    ids=("missing", "broken", "later", "of-another", "ended", "to-come", "revoked"),
)
def test_what_clients_would_not_believe_is_not_stapled(start, mine, issue, tmp_path, make, says):
    """It is told, and does not keep the certificate from its work."""
    file = tmp_path / "ocsp.der"
    make(mine, issue, file)
    namegate = stapling(start, mine, file)
    assert NOT_STAPLED in s_client(namegate, "-status")
    assert says in namegate.stderr and "nothing is stapled" in namegate.stderr
    ends = "namegate_certificate_ocsp_next_update_timestamp_seconds"
    assert [value for _, value in namegate.metrics().find(ends)] == [0]


def test_a_forged_response(start, mine, issue, tmp_path):
    stranger = certs.make(tmp_path / "stranger", HOST)
    namegate = stapling(start, mine, respond(mine, tmp_path / "ocsp.der", by=stranger))
    assert NOT_STAPLED in s_client(namegate, "-status")


def test_a_new_response_is_taken_and_a_broken_one_is_not(start, mine, tmp_path):
    file = tmp_path / "ocsp.der"
    namegate = stapling(start, mine, respond(mine, file, days=(-2, 2)))
    metrics, ends = namegate.metrics, "namegate_certificate_ocsp_next_update_timestamp_seconds"
    before = metrics().sum(ends)
    respond(mine, file, days=(-1, 3))
    namegate.wait_for(lambda: metrics().sum(ends) > before, "the new response", 20)
    now = metrics().sum(ends)
    file.write_bytes(file.read_bytes()[:100])
    namegate.wait_for(lambda: metrics().sum("namegate_certificate_problems"), "the problem", 20)
    assert metrics().sum(ends) == now
    assert STAPLED in s_client(namegate, "-status")
    assert "the one before is stapled" in namegate.stderr


def test_must_staple_without_a_response_is_told(start, issue):
    """rfc7633"""
    leaf = issue(HOST)
    key = serialization.load_pem_private_key((leaf.directory / "ca.key").read_bytes(), None)
    old = x509.load_pem_x509_certificate(leaf.certificate.read_bytes())
    builder = x509.CertificateBuilder(
        old.issuer,
        old.subject,
        old.public_key(),
        old.serial_number,
        old.not_valid_before,
        old.not_valid_after,
        list(old.extensions),
    )
    must = x509.TLSFeature([x509.TLSFeatureType.status_request])
    made = builder.add_extension(must, critical=False).sign(key, hashes.SHA256())
    leaf.certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    namegate = start(**pair(leaf))
    assert "is good only with an OCSP response stapled to it" in namegate.stderr
