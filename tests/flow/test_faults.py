"""System calls that fail: accept without descriptors, sends without buffers, files that cannot be
opened, renamed or written. While they do, namegate may refuse; once they do not any more, all four
protocols answer at once, and nothing was lost: no descriptor, no memory, no listener."""

import shutil
import time

import pytest

import program
from config_text import inline, rule
from faults import Faults
from program import with_rules
from visitor import FAILURES, check_answers, descriptors, visit

LINES_MAX = 60  # of standard error, for all that went wrong in one test


@pytest.fixture(scope="module")
def faults(tmp_path_factory):
    if not shutil.which("cc"):
        pytest.skip("no C compiler")
    with Faults(tmp_path_factory.mktemp("faults"), program.BINARY) as faults:
        yield faults


@pytest.fixture(scope="module")
def namegate(shared_maker, scripted_session, faults):
    settings = shared_maker.settings(scripted=scripted_session)
    directory = shared_maker.directory
    (directory / "bad.domains").write_text("*.listed.test\n")
    settings["state_directory"] = "state"
    settings["control_socket"] = "control.sock"
    settings["limits"] = {"idle_timeout": "2s"}
    lists = [
        inline("inline", "*.inline.test"),
        {"name": "file", "file": "bad.domains", "format": "domains"},
    ]
    rules = [
        rule("inline", "BLOCK", "inline", block_response="NXDOMAIN"),
        rule("file", "BLOCK", "file", block_response="NXDOMAIN"),
    ]
    made = faults.load(shared_maker.prepare(with_rules(settings, lists, rules)))
    (directory / "state").mkdir()
    made.start()
    visit(made, patience=6)
    yield made
    faults.end()


# What the manual pages say that they may fail with, where it matters.
CALLS = {
    "accept": "EMFILE ENFILE ENOMEM ENOBUFS ECONNABORTED EINTR EAGAIN EPROTO",
    "socket": "EMFILE ENFILE ENOMEM ENOBUFS EACCES",
    "connect": "ENETUNREACH EHOSTUNREACH EAGAIN EADDRNOTAVAIL ENOBUFS EPERM",
    "bind": "EADDRINUSE ENOMEM",
    "receive": "EINTR EAGAIN ENOMEM ENOBUFS ECONNRESET ECONNREFUSED EIO",
    "send": "EINTR EAGAIN ENOMEM ENOBUFS EPIPE ECONNREFUSED ENETUNREACH EPERM",
    "write": "ENOSPC EIO EINTR EDQUOT",
    "getrandom": "EINTR",
}
RELOAD_CALLS = {
    "open": "EMFILE ENFILE EACCES EIO ENOMEM",
    "read": "EIO EINTR",
    "write": "ENOSPC EIO",
    "sync": "EIO",
    "rename": "ENOSPC EIO EXDEV",
    "mmap": "ENOMEM ENODEV",
    "eventfd": "EMFILE ENOMEM",
    "pipe": "EMFILE",
    "fork": "EAGAIN ENOMEM",
    "malloc": "ENOMEM",
}


def rows(calls):
    return [(call, error) for call, errors in calls.items() for error in errors.split()]


def settle(namegate, before):
    """Connections that were given up are closed."""
    namegate.wait_for(lambda: descriptors(namegate) <= before, "descriptors to be closed", 20)


def check_quiet(namegate, before):
    lines = namegate.stderr[before:].splitlines()
    assert len(lines) <= LINES_MAX, "%d lines: %s" % (len(lines), lines[:20])


@pytest.mark.parametrize("call, error", rows(CALLS))
def test_while_serving(namegate, faults, call, error):
    """Each call, or for what clients do each third: then much is begun and not finished."""
    every = 3 if call in ("accept", "receive", "send") else 1
    check_answers(namegate)
    time.sleep(0.05)
    open_before, told_before = descriptors(namegate), len(namegate.stderr)
    if error in ("EINTR", "EAGAIN"):
        every = 2  # a call that is made again for ever is no system's fault
    faults.begin(call, error, every=every)
    for _ in range(2 if every > 1 else 1):
        visit(namegate, patience=0.15)
    failed = faults.end()
    check_answers(namegate)
    settle(namegate, open_before + 2)
    check_quiet(namegate, told_before)
    if call in ("accept", "receive", "send"):
        assert failed > 0


@pytest.mark.parametrize("call, error", rows(RELOAD_CALLS))
def test_while_loading(namegate, faults, call, error):
    """The old state stays, or the new one comes in; the next load works."""
    check_answers(namegate)
    open_before, told_before = descriptors(namegate), len(namegate.stderr)
    every = {"malloc": 97, "read": 2, "open": 2}.get(call, 1)
    for first in (1, 4):
        loads = namegate.reloads()
        faults.begin(call, error, first=first, every=every)
        (namegate.directory / "bad.domains").write_text("*.listed.test\n*.r%d.test\n" % first)
        namegate.signal(1)
        visit(namegate, patience=0.3)
        faults.end()
        namegate.wait_for(lambda: namegate.reloads() > loads, "the end of a load")
    check_answers(namegate)
    assert namegate.hup(), namegate.stderr[told_before:]
    settle(namegate, open_before + 2)
    check_quiet(namegate, told_before)


@pytest.mark.parametrize("seed", (1, 2, 3))
def test_allocations_by_chance(namegate, faults, seed):
    """One of fifty allocations fails, of clients, of upstreams and of OpenSSL alike."""
    check_answers(namegate)
    open_before, told_before = descriptors(namegate), len(namegate.stderr)
    faults.begin("malloc", chance=20, seed=seed)
    for _ in range(6):
        visit(namegate, patience=0.15)
    assert faults.end() > 0
    check_answers(namegate)
    settle(namegate, open_before + 2)
    check_quiet(namegate, told_before)


def test_allocations_all(namegate, faults):
    """None succeeds for a second."""
    open_before = descriptors(namegate)
    faults.begin("malloc")
    for _ in range(2):
        visit(namegate, patience=0.15)
    assert faults.end() > 0
    check_answers(namegate)
    settle(namegate, open_before + 2)


def test_drops_are_counted(namegate, faults):
    """Who could not be let in for want of memory is counted, and let in later."""
    before = namegate.metrics().sum("namegate_dropped_total")
    faults.begin("send", "ENOBUFS")
    visit(namegate, patience=0.15)
    faults.end()
    assert namegate.metrics().sum("namegate_dropped_total") > before
    check_answers(namegate)
