"""Clocks that jump: the wall clock by a day, forth and back; the machine that sleeps; a process
that stood still. What is kept, who is served and what is asked does not depend on the time of the
day, and nothing is done a thousand times because much time went by at once."""

import os
import shutil
import signal
import time

import pytest

import dns_wire as w
import program
from dns_client import Udp
from faults import Faults
from visitor import check_answers, fresh_name, visit

DAY_S = 86400
QUIET_LINES = 8  # of standard error after a jump
BUSY_S = 0.6  # processor time of a second after a jump; sanitizers are slow
ASKED_MAX = 40  # questions to the upstream beside those of clients


@pytest.fixture(scope="module")
def faults(tmp_path_factory):
    if not shutil.which("cc"):
        pytest.skip("no C compiler")
    with Faults(tmp_path_factory.mktemp("clocks"), program.BINARY) as faults:
        yield faults


@pytest.fixture
def namegate(maker, scripted, faults):
    """Its clocks stay as a test left them, as no monotonic clock goes back."""
    settings = maker.settings(scripted=scripted)
    settings["control_socket"] = "control.sock"
    faults.shift_clocks()
    made = faults.load(maker.prepare(settings)).start()
    visit(made, patience=6)
    return made


def busy_s(namegate):
    fields = open("/proc/%d/stat" % namegate.pid).read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def check_calm(namegate, scripted, told_before):
    """In the second after a jump little is done and said, and everybody is served."""
    asked, busy = len(scripted.asked), busy_s(namegate)
    time.sleep(1)
    assert busy_s(namegate) - busy < BUSY_S
    assert len(scripted.asked) - asked <= ASKED_MAX
    check_answers(namegate)
    lines = namegate.stderr[told_before:].splitlines()
    assert len(lines) <= QUIET_LINES, lines


def is_kept(namegate, scripted, name):
    """Answered without asking the upstream; the TTL that the client gets."""
    before = sum(asked.name.startswith(name) for asked in scripted.asked)
    with Udp("127.0.0.1", namegate.ports["dns"]) as client:
        answer = client.ask(w.query(name))
    assert answer.addresses
    after = sum(asked.name.startswith(name) for asked in scripted.asked)
    return after == before, answer.answer[0].ttl


@pytest.mark.parametrize("jump_s", (DAY_S, -DAY_S), ids=("forth", "back"))
def test_wall_clock(namegate, scripted, faults, jump_s):
    """What is kept neither ends at once nor lives a day longer, and nobody waits."""
    name = fresh_name()
    is_kept(namegate, scripted, name)
    told = len(namegate.stderr)
    faults.shift_clocks(realtime_s=jump_s)
    check_calm(namegate, scripted, told)
    kept, ttl = is_kept(namegate, scripted, name)
    assert kept and 0 < ttl <= 60
    stamp = namegate.wait_log(name, 2)[-1]["query_timestamp"]
    assert stamp[:10] == time.strftime("%Y-%m-%d", time.gmtime(time.time() + jump_s))
    faults.shift_clocks()
    check_calm(namegate, scripted, told)
    assert is_kept(namegate, scripted, name)[0]
    assert namegate.hup()


def test_wall_clock_jumps_often(namegate, scripted, faults):
    told = len(namegate.stderr)
    for _ in range(10):
        for jump_s in (DAY_S, 0, -DAY_S, 0):
            faults.shift_clocks(realtime_s=jump_s)
            time.sleep(0.02)
    check_calm(namegate, scripted, told)


def test_sleep_of_the_machine(namegate, scripted, faults):
    """CLOCK_BOOTTIME counts it and CLOCK_MONOTONIC does not: what was kept has aged."""
    name = fresh_name()
    is_kept(namegate, scripted, name)
    told = len(namegate.stderr)
    faults.shift_clocks(realtime_s=600, boottime_s=600)
    time.sleep(0.3)  # a tick
    check_calm(namegate, scripted, told)
    assert not is_kept(namegate, scripted, name)[0]


@pytest.mark.parametrize("jump_s", (30, DAY_S))
def test_much_time_at_once(namegate, scripted, faults, connect, jump_s):
    """A machine that was moved, or debugged: all deadlines have passed. Who waited is told so, who
    was idle is let go, and timers fire once."""
    idle = [connect(namegate, protocol) for protocol in ("tcp", "dot")]
    waiting = connect(namegate, "udp")
    waiting.send(w.query("silent.jump.test"))
    time.sleep(0.1)
    told = len(namegate.stderr)
    faults.shift_clocks(realtime_s=jump_s, boottime_s=jump_s, monotonic_s=jump_s)
    answer = w.Message(waiting.receive())
    assert answer.rcode == w.SERVFAIL
    for client in idle:
        assert client.is_closed()
    check_calm(namegate, scripted, told)


def test_process_that_stood_still(namegate, scripted, connect):
    """Stopped for six seconds, with a question under way."""
    waiting = connect(namegate, "udp")
    waiting.send(w.query("slow-300.still.test"))
    time.sleep(0.1)
    told = len(namegate.stderr)
    namegate.signal(signal.SIGSTOP)
    time.sleep(6)
    namegate.signal(signal.SIGCONT)
    assert waiting.receive() is not None
    check_calm(namegate, scripted, told)
