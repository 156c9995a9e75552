"""Certificates that change under a running program: taken by themselves, pair by pair, and never
half of one."""

import hashlib
import os
import shutil
import socket
import ssl

import pytest

import certificates as certs
import dns_wire as w

NAMES = (certs.HOST, "127.0.0.1")
SERVED = dict(timeout=20)  # a change is read a second after the last write


def served(namegate, name=None, port="dot"):
    """The SHA-256 of the certificate that a client gets."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["dot" if port == "dot" else "h2"])
    with socket.create_connection(("127.0.0.1", namegate.ports[port]), timeout=10) as plain:
        with context.wrap_socket(plain, server_hostname=name) as secure:
            return hashlib.sha256(secure.getpeercert(binary_form=True)).hexdigest()


def leaf(certificates):
    pem = certificates.certificate.read_text().split("-----END CERTIFICATE-----")[0]
    der = ssl.PEM_cert_to_DER_cert(pem + "-----END CERTIFICATE-----\n")
    return hashlib.sha256(der).hexdigest()


def wait_served(namegate, certificates, **how):
    namegate.wait_for(lambda: served(namegate, **how) == leaf(certificates), "new leaf", **SERVED)


def wait_problems(namegate, count):
    problems = "namegate_certificate_problems"
    namegate.wait_for(
        lambda: namegate.metrics().sum(problems) == count, "%d problems" % count, **SERVED
    )


@pytest.fixture
def mine(tmp_path, certificates):
    """A pair of its own for a test that will replace it."""
    return certs.issue(certificates, tmp_path / "mine", *NAMES)


@pytest.fixture
def renewed(tmp_path, certificates):
    return certs.issue(certificates, tmp_path / "renewed", *NAMES)


@pytest.fixture
def start(maker, scripted):
    def start(pair, **tls):
        settings = maker.settings(scripted=scripted)
        settings["tls"] = {
            "certificate": str(pair.certificate),
            "key": str(pair.key),
            **tls,
        }
        return maker.start(settings)

    return start


def in_place(first, second):
    def write(old, new):
        for word in (first, second):
            path = getattr(old, word)
            path.write_bytes(getattr(new, word).read_bytes())

    return write


def by_renaming(old, new):
    for word in ("key", "certificate"):
        aside = old.directory / "aside"
        shutil.copy(getattr(new, word), aside)
        os.replace(aside, getattr(old, word))


@pytest.mark.threads
@pytest.mark.parametrize(
    "write",
    (in_place("key", "certificate"), in_place("certificate", "key"), by_renaming),
    ids=("key-first", "certificate-first", "renamed"),
)
def test_a_new_pair_is_taken_by_itself(start, connect, mine, renewed, write):
    namegate = start(mine)
    before, hash_before = served(namegate), namegate.metrics().find("namegate_policy_info")
    open_since_before = connect(namegate, "dot")
    assert open_since_before.ask(w.query("ok.a.test")).rcode == w.NOERROR
    write(mine, renewed)
    wait_served(namegate, mine)
    assert served(namegate) != before and served(namegate, port="doh") == leaf(renewed)
    assert open_since_before.ask(w.query("ok.b.test")).rcode == w.NOERROR
    metrics = namegate.metrics()
    assert metrics.sum("namegate_config_reloads_total") == 0
    assert metrics.find("namegate_policy_info") == hash_before
    assert metrics.sum("namegate_certificate_problems") == 0
    assert "good until" in namegate.stderr


def test_links_that_lead_elsewhere(start, tmp_path, mine, renewed):
    """As Kubernetes ("..data") and certbot ("live") do it, within one directory: which others may
    be read is settled at the start."""
    mount = tmp_path / "mount"
    mount.mkdir()
    shutil.copytree(mine.directory, mount / "..1")
    (mount / "..data").symlink_to("..1")
    for word in ("server.pem", "server.key"):
        (mount / word).symlink_to("..data/" + word)
    namegate = start(certs.Certificates(mount))
    shutil.copytree(renewed.directory, mount / "..2")
    (mount / "..next").symlink_to("..2")
    os.replace(mount / "..next", mount / "..data")
    wait_served(namegate, renewed)
    again = certs.issue(mine, tmp_path / "again", *NAMES)
    by_renaming(certs.Certificates(mount / "..2"), again)  # behind the link that is in force now
    wait_served(namegate, again)


def damaged(old, new):
    pem = new.certificate.read_bytes()
    old.certificate.write_bytes(pem[: len(pem) // 3])


def emptied(old, new):
    old.certificate.write_bytes(b"")


def removed(old, new):
    old.key.unlink()


def half(old, new):
    old.certificate.write_bytes(new.certificate.read_bytes())


def expired(old, new):
    certs.expire(new)
    in_place("key", "certificate")(old, new)


@pytest.mark.parametrize(
    "write, says",
    (
        (half, "does not match certificate"),
        (damaged, "is damaged"),
        (emptied, "the file is empty"),
        (removed, "No such file or directory"),
        (expired, "has expired, and the one in force is good"),
    ),
    ids=("half", "damaged", "emptied", "removed", "expired"),
)
def test_what_cannot_be_used_is_told_once_and_the_old_pair_stays(
    start, connect, tmp_path, mine, renewed, write, says
):
    namegate = start(mine)
    before = served(namegate)
    write(mine, renewed)
    wait_problems(namegate, 1)
    assert served(namegate) == before
    assert connect(namegate, "dot").ask(w.query("ok.a.test")).rcode == w.NOERROR
    status, body = namegate.admin("/readyz")
    assert status == 200 and body.startswith("ok, but\n") and says in body
    mine.directory.joinpath("unrelated").write_text("not ours")  # nothing to read again for
    assert namegate.stderr.count(says) == 1
    assert namegate.metrics().sum("namegate_certificate_reload_failures_total") == 1
    good = certs.issue(mine, tmp_path / "good", *NAMES)
    in_place("key", "certificate")(mine, good)
    wait_served(namegate, good)
    wait_problems(namegate, 0)
    assert namegate.admin("/readyz") == (200, "ok\n")
    assert "can be used again" in namegate.stderr


def test_an_expired_pair_is_refused_by_hup_too(start, mine, renewed):
    namegate = start(mine)
    before = served(namegate)
    expired(mine, renewed)
    assert not namegate.hup()
    assert "has expired, and the one in force is good" in namegate.stderr
    assert served(namegate) == before


def test_names_that_were_lost_are_told(start, tmp_path, certificates):
    old = certs.issue(certificates, tmp_path / "old", certs.HOST, "lost.namegate.test")
    new = certs.issue(certificates, tmp_path / "new", certs.HOST)
    namegate = start(old)
    in_place("key", "certificate")(old, new)
    wait_served(namegate, new)
    namegate.wait_for(
        lambda: "has not the name lost.namegate.test any more" in namegate.stderr, "a warning"
    )


def test_one_broken_pair_does_not_hold_up_another(start, tmp_path, certificates, mine, renewed):
    other = certs.issue(certificates, tmp_path / "other", "other.namegate.test")
    third = certs.issue(certificates, tmp_path / "third", "other.namegate.test")
    more = [{"certificate": str(other.certificate), "key": str(other.key)}]
    namegate = start(mine, certificates=more)
    before = served(namegate)
    half(mine, renewed)
    in_place("key", "certificate")(other, third)
    wait_served(namegate, third, name="other.namegate.test")
    assert served(namegate) == before
    wait_problems(namegate, 1)


def test_it_tells_when_they_end(start, mine):
    namegate = start(mine)
    ends = namegate.metrics().find("namegate_certificate_not_after_timestamp_seconds")
    assert [labels["file"] for labels, _ in ends] == [str(mine.certificate)]
