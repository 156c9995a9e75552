"""A load that asks when it is told to, for comparisons in which many of them take turns."""

import os
import subprocess

from place import BUILD, LOAD_CPU, SERVER_CPU
from process import pin

TURN_LOAD = BUILD / "bench/growth/turn_load"


class TurnLoad:
    """So many connections, each with so many questions of a file under way; they are open, and
    quiet, when this is made. They come from so many addresses, 127.1.0.0 and up."""

    def __init__(self, port, protocol, connections, streams, questions, addresses=1,
                 cpu=SERVER_CPU):
        command = [TURN_LOAD, protocol, port, connections, streams, questions, addresses]
        self.process = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
            preexec_fn=pin({LOAD_CPU}, batch=True),  # until its links are open: half the time
        )
        self._await("ready")
        os.sched_setaffinity(self.process.pid, {cpu})

    def _await(self, word):
        said = self.process.stdout.readline().strip()
        if said != word:
            raise SystemExit("turn_load said %r for %r" % (said, word))

    def do(self, verb, count):
        self.process.stdin.write("%s %d\n" % (verb, count))
        self.process.stdin.flush()
        self._await("done")

    def ask(self, count):
        self.do("ask", count)

    def end(self):
        self.process.stdin.close()
        self.process.wait()
