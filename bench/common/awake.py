"""Cores that do not sleep while something is measured.

On a virtual machine an idle core is handed back, and comes again when the host likes: within
microseconds or after five milliseconds. What is measured would mostly be that."""

import contextlib
import os
import subprocess
import sys

from place import LOAD_CPU, SERVER_CPU

SPIN = "import os; of = os.getppid()\nwhile os.getppid() == of: pass"


def _idle(cpu):
    """Runs only when nobody else wants the core (sched(7): SCHED_IDLE, and of the least weight
    among the sessions)."""

    def prepare():
        os.sched_setaffinity(0, {cpu})
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
        with contextlib.suppress(OSError), open("/proc/self/autogroup", "w") as group:
            group.write("19")

    return prepare


@contextlib.contextmanager
def awake_cores():
    command = [sys.executable, "-c", SPIN]
    spinners = [
        subprocess.Popen(command, start_new_session=True, preexec_fn=_idle(cpu))
        for cpu in (SERVER_CPU, LOAD_CPU)
    ]
    try:
        yield
    finally:
        for spinner in spinners:
            spinner.kill()
            spinner.wait()
