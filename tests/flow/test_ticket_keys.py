"""Ticket keys of a file, shared by servers (RFC 5077 5.5, RFC 9325 3.4)."""

import os

import pytest

from program import run_command
from tls_client import s_client

VERSIONS = ("-tls1_2", "-tls1_3")
KEY = 80


@pytest.fixture
def fleet(maker, scripted, tmp_path):
    """Programs with the same certificate and the same file of keys."""
    keys = tmp_path / "tickets.key"
    keys.write_bytes(os.urandom(KEY))

    def start():
        settings = maker.settings(scripted=scripted)
        settings["tls"]["ticket_key_file"] = str(keys)
        return maker.start(settings)

    return keys, start


def session_of(namegate, version, file):
    out = s_client(namegate, version, "-sess_out", str(file))
    assert file.exists(), out
    return file


def resumes(namegate, version, session):
    out = s_client(namegate, version, "-sess_in", str(session))
    assert ("Reused, TLS" in out) != ("New, TLS" in out), out
    return "Reused, TLS" in out


def rotate(namegate, keys, count, most=3):
    """A new key in front of the others; waits until it has been read."""
    old = keys.read_bytes()
    aside = keys.with_name("aside")
    aside.write_bytes((os.urandom(KEY) + old)[: most * KEY])
    os.replace(aside, keys)
    namegate.wait_for(
        lambda: namegate.stderr.count("tickets.key\" was read again") == count, "a rotation", 20
    )


@pytest.mark.threads
@pytest.mark.parametrize("version", VERSIONS)
def test_two_programs_take_each_others_tickets(fleet, tmp_path, version):
    _, start = fleet
    one, other = start(), start()
    session = session_of(one, version, tmp_path / "session")
    assert resumes(other, version, session)
    assert resumes(one, version, session_of(other, version, tmp_path / "another"))


@pytest.mark.parametrize("version", VERSIONS)
def test_a_restart_takes_them(fleet, tmp_path, version):
    _, start = fleet
    one = start()
    session = session_of(one, version, tmp_path / "session")
    assert one.stop() == 0
    assert resumes(start(), version, session)


@pytest.mark.parametrize("version", VERSIONS)
def test_without_a_file_they_are_strangers(maker, scripted, tmp_path, version):
    one, other = (maker.start(maker.settings(scripted=scripted)) for _ in range(2))
    session = session_of(one, version, tmp_path / "session")
    assert resumes(one, version, session)
    assert not resumes(other, version, session)


def test_rotations(fleet, tmp_path):
    """A ticket is good while its key is in the file, and not any longer."""
    keys, start = fleet
    namegate = start()
    sessions = [session_of(namegate, v, tmp_path / v) for v in VERSIONS]
    rotate(namegate, keys, 1, most=2)
    for version, session in zip(VERSIONS, sessions):
        assert resumes(namegate, version, session)
    rotate(namegate, keys, 2, most=2)
    for version, session in zip(VERSIONS, sessions):  # the workers follow the log in a moment
        namegate.wait_for(lambda: not resumes(namegate, version, session), "a refusal", 20)


def test_a_truncated_file_changes_nothing(fleet, tmp_path):
    keys, start = fleet
    namegate = start()
    session = session_of(namegate, "-tls1_3", tmp_path / "session")
    keys.write_bytes(os.urandom(KEY // 2))
    problems = "namegate_certificate_problems"
    namegate.wait_for(lambda: namegate.metrics().sum(problems) == 1, "the problem", 20)
    assert "40 bytes; keys of 80 bytes each are wanted" in namegate.stderr
    assert resumes(namegate, "-tls1_3", session)


@pytest.mark.parametrize(
    "content, says",
    (
        (b"", "the file is empty"),
        (os.urandom(48), "a key of 48 bytes (AES-128); it has to have 80"),
        (os.urandom(81), "81 bytes; keys of 80 bytes each are wanted"),
        (bytes(80), "a key in it is one byte over and over, not random"),
        (os.urandom(17 * 80), "17 keys, 16 at most"),
    ),
    ids=("empty", "short", "odd", "zeros", "many"),
)
def test_what_is_no_key_is_refused_at_the_start(maker, scripted, tmp_path, content, says):
    keys = tmp_path / "tickets.key"
    keys.write_bytes(content)
    settings = maker.settings(scripted=scripted)
    settings["tls"]["ticket_key_file"] = str(keys)
    namegate = maker.prepare(settings)
    namegate.write_config()
    done = run_command("check", "-c", str(namegate.config))
    assert done.returncode == 78 and says in done.stderr
    assert 'ticket_key_file "%s"' % keys in done.stderr


def test_early_data_is_never_offered(fleet, tmp_path):
    """rfc8446-8: a ticket that allows none."""
    _, start = fleet
    out = s_client(start(), "-tls1_3", "-sess_out", str(tmp_path / "session"))
    assert "Max Early Data: 0" in out
    assert out.count("Post-Handshake New Session Ticket arrived") == 1
