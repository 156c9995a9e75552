"""Programs that run pinned to cores, and what they cost."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

from place import LOAD_CPU, SERVER_CPU

import dns_wire

START_S = 300  # a server that needs longer is left out, with a word
PROC_WORDS = ("RssAnon", "RssFile", "VmRSS", "VmHWM", "Pss")


def pin(cpus, real_time=False, batch=False):
    """What a program does before it begins. Others on this machine, if there are any, count for
    less (sched(7), autogroup): between what is measured and what measures nothing is changed. With
    `batch` it waits, when it is woken, until whoever has the core has nothing more to do."""

    def prepare():
        os.sched_setaffinity(0, cpus)
        with contextlib.suppress(OSError):
            Path("/proc/self/autogroup").write_text("-20")
        if batch:
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
        with contextlib.suppress(PermissionError):
            if real_time:
                os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))

    return prepare


def cpu_ns(pid):
    """CPU time of all threads of a process, those that have ended too, as the scheduler counts it:
    the clock of clock_getcpuclockid(3)."""
    return time.clock_gettime_ns((~pid << 3) | 2)


class Process:
    """A program pinned to one core or to several, in a session of its own."""

    running = []

    def __init__(self, directory, command, cpu=SERVER_CPU, stdout=None, **manner):
        cpus = {cpu} if isinstance(cpu, int) else set(cpu)
        self.log = directory / "stderr"
        self.started = time.monotonic()
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [str(word) for word in command],
                stdin=subprocess.DEVNULL,
                stdout=stdout or log,
                stderr=log,
                cwd=directory,
                start_new_session=True,
                preexec_fn=pin(cpus, **manner),
            )
        Process.running.append(self)

    @property
    def pid(self):
        return self.process.pid

    def age_s(self):
        return time.monotonic() - self.started

    def is_alive(self):
        return self.process.poll() is None

    def cpu_s(self):
        return cpu_ns(self.pid) / 1e9

    def memory(self):
        """{"RssAnon": bytes, ...}: what PROC_WORDS names."""
        found = {}
        for file in ("status", "smaps_rollup"):
            for line in Path("/proc/%d/%s" % (self.pid, file)).read_text().splitlines():
                word, _, rest = line.partition(":")
                if word in PROC_WORDS:
                    found[word] = int(rest.split()[0]) * 1024
        return found

    def busiest_thread(self):
        """The thread id of the worker, once it has answered something and nothing is loaded; the
        main thread has other duties."""
        def used(thread):
            fields = (thread / "stat").read_text().rpartition(") ")[2].split()
            return int(fields[11]) + int(fields[12])

        threads = Path("/proc/%d/task" % self.pid).iterdir()
        return int(max((one for one in threads if one.name != str(self.pid)), key=used).name)

    def stop(self):
        if self in Process.running:
            Process.running.remove(self)
        if self.is_alive():
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def run_pinned(command, cpu=LOAD_CPU, batch=False, **more):
    """A command to its end, on one core."""
    words = [str(word) for word in command]
    return subprocess.run(words, preexec_fn=pin({cpu}, batch=batch), start_new_session=True, **more)


@contextlib.contextmanager
def as_batch(pids):
    """Meanwhile all threads of these processes wait, when they are woken, as `batch` of pin()
    does."""
    def schedule(policy):
        for pid in pids:
            for thread in os.listdir("/proc/%d/task" % pid):
                with contextlib.suppress(ProcessLookupError):
                    os.sched_setscheduler(int(thread), policy, os.sched_param(0))

    schedule(os.SCHED_BATCH)
    try:
        yield
    finally:
        schedule(os.SCHED_OTHER)


class Prober:
    """Asks one server over UDP, from Python: for the moment when something becomes true."""

    def __init__(self, port):
        self.port = port

    def rcode(self, name, patience_s=0.005):
        """The rcode, or None when none came in time."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.connect(("127.0.0.1", self.port))
            asking.settimeout(patience_s)
            try:
                asking.send(dns_wire.query(name))
                return asking.recv(4096)[3] & 15
            except OSError:
                return None

    def await_rcode(self, process, name, rcode, most_s=START_S):
        """Seconds since the process began, when a name is first answered so; None: never."""
        while process.age_s() < most_s and process.is_alive():
            if self.rcode(name) == rcode:
                return process.age_s()
            time.sleep(0.002)
        return None


def await_port(process, port, most_s=START_S):
    """Whether somebody listens there before the process is so old, or ends."""
    while process.age_s() < most_s and process.is_alive():
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return True
        time.sleep(0.02)
    return False
