"""Somebody who has nothing to do with an attack, and must not notice it: a process of its own with
a connection of each protocol, from another address, that keeps asking."""

import contextlib
import itertools
import multiprocessing
import os
import statistics
import time
from pathlib import Path

import dns_wire as w
from rows import expect
from server import PROTOCOLS

ADDRESS = "127.0.0.2"
WAIT_S = 0.1  # what others may wait in the middle; twice that with the address sanitizer
PAUSE_S = 0.02
CALM_ROUNDS = 10  # before an attack: what answers take on this machine
PATIENCE_S = 20
MEMORY_MAX = 48 << 20
SANITIZED = 6  # times as much memory: the quarantine of freed blocks
DESCRIPTORS_MAX = 16  # sockets to upstreams come and go
SETTLE_S = 12  # until what an attack left is gone


def is_sanitized(s):
    """Built with a sanitizer: it is slower, and keeps for a while what was freed."""
    maps = Path("/proc/%d/maps" % s.pid).read_text()
    return "libasan" in maps or "libtsan" in maps


def resident_bytes(s):
    pages = Path("/proc/%d/statm" % s.pid).read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def descriptors(s):
    return len(os.listdir("/proc/%d/fd" % s.pid))


def cpu_seconds(s):
    fields = Path("/proc/%d/stat" % s.pid).read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def ask_once(s, clients, protocol, wire):
    """Seconds until the answer. A connection that was closed while idle is made anew."""
    begin = time.monotonic()
    try:
        answer = clients[protocol].ask(wire)
        if answer is None and protocol != "udp":
            raise ConnectionError("closed")
    except (OSError, AssertionError, KeyError):
        clients[protocol] = s.connect(protocol, source=ADDRESS)
        begin = time.monotonic()
        answer = clients[protocol].ask(wire)
    if answer is None and protocol == "udp":
        answer = clients[protocol].ask(wire)  # datagrams get lost where many are sent
    assert answer is not None and answer.addresses, "%s: %r" % (protocol, answer)
    return time.monotonic() - begin


def keep_asking(s, wire, over, pipe):
    clients, waits, faults = {}, {protocol: [] for protocol in PROTOCOLS}, []
    for round_ in itertools.count():
        if over.is_set():
            break
        if round_ == CALM_ROUNDS:
            pipe.send("calm")
        for protocol in PROTOCOLS:
            try:
                waits[protocol].append((time.monotonic(), ask_once(s, clients, protocol, wire)))
            except Exception as error:  # noqa: BLE001: whatever it is, somebody was not served
                faults.append("%s: %r" % (protocol, error))
                clients.pop(protocol, None)
        time.sleep(PAUSE_S)
    pipe.send((waits, faults))


@contextlib.contextmanager
def unnoticed(s, memory=MEMORY_MAX):
    """What is inside is the attack. Somebody else is answered meanwhile and afterwards, over each
    protocol and half of the time within the limit, and memory and descriptors come back. It is the
    median that counts, and where the machine is busy four times that of before the attack: answers
    wait for others than the server, too."""
    wire = w.query(s.fresh())
    s.ask(wire)  # in the cache: what is asked upstream meanwhile is another matter
    memory_before, descriptors_before = resident_bytes(s), descriptors(s)
    fork = multiprocessing.get_context("fork")
    over, (near, far) = fork.Event(), fork.Pipe()
    process = fork.Process(target=keep_asking, args=(s, wire, over, far), daemon=True)
    process.start()
    try:
        expect(near.poll(PATIENCE_S) and near.recv() == "calm", "nobody is served")
        begin = time.monotonic()
        yield
        time.sleep(0.3)
    finally:
        over.set()
        answered = near.poll(PATIENCE_S)
        waits, faults = near.recv() if answered else ({}, ["no answer for %d s" % PATIENCE_S])
        process.kill()
        process.join()
    expect(not faults, "somebody else: %s", faults[:1])
    limit = 2 * WAIT_S if is_sanitized(s) else WAIT_S
    for protocol, found in waits.items():
        calm = [wait for at, wait in found if at < begin]
        under = [wait for at, wait in found if at >= begin]
        expect(calm and under, "%s: nobody else was served", protocol)
        median = statistics.median(under)
        usual = max(limit, 4 * statistics.median(calm))
        expect(median < usual, "%s: others waited %.0f ms", protocol, median * 1000)
    for client in s.opened:
        client.close()
    memory *= SANITIZED if is_sanitized(s) else 1
    settle(s, memory_before + memory, descriptors_before + DESCRIPTORS_MAX)


def settle(s, memory_max, descriptors_max):
    deadline = time.monotonic() + SETTLE_S
    while descriptors(s) > descriptors_max or resident_bytes(s) > memory_max:
        now = descriptors(s)
        left = deadline - time.monotonic()
        expect(left > 0 or now <= descriptors_max, "%d descriptors are left", now)
        expect(left > 0, "memory: %d MiB over", (resident_bytes(s) - memory_max) >> 20)
        time.sleep(0.1)
