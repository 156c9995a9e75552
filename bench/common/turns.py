"""A load that asks when it is told to, for comparisons in which many of them take turns."""

import contextlib
import json
import os
import subprocess

from place import BUILD, LOAD_CPU, SERVER_CPU
from process import pin

TURN_LOAD = BUILD / "bench/load/turn_load"


class TurnLoadEnded(SystemExit):
    """It gave up; why is on standard error."""


class TurnLoad:
    """So many connections, each with so many questions of a file under way; they are open, and
    quiet, when this is made. They come from so many addresses, 127.1.0.0 and up. With a `run` above
    0 each name is one that nobody has asked before."""

    def __init__(self, port, protocol, connections, streams, questions, addresses=1,
                 cpu=SERVER_CPU, batch=True, run=0):
        command = [TURN_LOAD, protocol, port, connections, streams, questions, addresses, run]
        self.process = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
            preexec_fn=pin({LOAD_CPU}, batch=batch),  # until its links are open: half the time
        )
        self._read()
        os.sched_setaffinity(self.process.pid, {cpu})

    def _read(self):
        said = self.process.stdout.readline()
        if not said:
            raise TurnLoadEnded("a load has ended")
        return json.loads(said)

    def do(self, verb, count):
        """What came of it: answers by rcode, what was lost or refused."""
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write("%s %d\n" % (verb, count))
            self.process.stdin.flush()
        return self._read()

    def ask(self, count):
        """So many answers, or the end: what is measured with less would be worth nothing."""
        found = self.do("ask", count)
        if found["noerror"] + found["nxdomain"] != count:
            raise SystemExit("of %d questions came: %s" % (count, found))

    def end(self):
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait()
