"""One figure of one row and one server at a time."""

import contextlib
import itertools
import json
import subprocess
from statistics import mean

from place import BUILD, LOAD_CPU, SERVER_CPU
from process import as_batch, cpu_ns, pin, run_pinned
from report import say
from rows import RATE
from turns import TurnLoad, TurnLoadEnded

LOAD = BUILD / "bench/load/load"
CONNECTIONS = BUILD / "bench/load/connections"
IN_TURNS = ("query", "saturated")
TURNS = {"open": 5, "resume": 5, "rate": 3, "workers": 4}  # at most; of a round
WARM_S = 0.3
MOST_S = 60


def can_be_measured(row, name):
    """Null has no list, and forwards nothing."""
    return name != "null" or row.asks == "cached"


class Bench:
    """What the measurements share."""

    def __init__(self, files, seconds, connections=300, held=2000):
        self.files = files  # {what is asked: file}
        self.seconds, self.connections, self.held = seconds, connections, held
        self.fresh = itertools.count(1)

    def load_command(self, server, row, seconds=None, **more):
        """Of a server or an Instance: with `pid_of` and `ports`."""
        words = {**(row.links or {}), **more}
        words["seconds"], words["warm"] = seconds or self.seconds, WARM_S
        port = server.ports["doh" if row.protocol == "get" else row.protocol]
        command = [LOAD, row.protocol, port, self.files[row.asks]]
        for word, value in words.items():
            command += ["--" + word, str(value)]
        return [*command, "--server", server.pid_of(row.protocol)]

    def told(self, command, cpu, **manner):
        """What a program says in JSON; None with a word on its behalf when it says nothing."""
        done = run_pinned(command, cpu, capture_output=True, text=True, **manner)
        lines = done.stdout.splitlines()
        with contextlib.suppress(ValueError, IndexError):
            return json.loads(lines[-1])
        say("no figures: %s" % done.stderr.strip()[-200:])
        return None

    def ask_in_turns(self, instances, rows, turns):
        """Rows with the same load: each server and row has so many turns, one after the other, with
        connections that stay open. Yields row, server, number of the turn, and what came of it;
        None when a load gave up."""
        is_saturated = rows[0].how == "saturated"
        pids = {instance.pid_of(rows[0].protocol) for instance in instances}
        with as_batch(pids if is_saturated else ()), contextlib.ExitStack() as until:
            asking = [
                (row, instance, self.turn_load(instance, row, until))
                for instance in instances
                for row in rows
                if can_be_measured(row, instance.name)
            ]
            for turn, (row, instance, load) in itertools.product(range(turns), asking):
                yield row, instance, turn, load and self.turn(instance, row, load)

    def turn_load(self, instance, row, until):
        """Where the load shares the server's core, both take longer turns of it: neither is
        interrupted by waking the other, which would be no saturation, and cost twice as much or
        not, as the scheduler likes."""
        port = instance.ports["doh" if row.protocol == "get" else row.protocol]
        run = next(self.fresh) if row.asks == "fresh" else 0
        is_saturated = row.how == "saturated"
        with contextlib.suppress(TurnLoadEnded):
            load = TurnLoad(port, row.protocol, row.links["links"], row.links["depth"],
                            self.files[row.asks], cpu=SERVER_CPU if is_saturated else LOAD_CPU,
                            batch=is_saturated, run=run)
            until.callback(load.end)
            return load

    @staticmethod
    def turn(instance, row, load):
        """The first questions find the caches of the processor full of others' turns."""
        pid = instance.pid_of(row.protocol)
        with contextlib.suppress(TurnLoadEnded):
            load.do("ask", row.turn // 4)
            before = cpu_ns(pid)
            found = load.do("ask", row.turn)
            return {**found, "cpu_us": (cpu_ns(pid) - before) / 1000 / row.turn}

    def rate(self, server, row):
        return self.told(self.load_command(server, row, rate=RATE), LOAD_CPU)

    def connections_command(self, word, server, row, count):
        port, pid = server.ports[row.protocol], server.pid_of(row.protocol)
        return [CONNECTIONS, word, row.protocol, port, count, pid, "idle.bench"]

    def open(self, server, row):
        command = self.connections_command("open", server, row, self.connections)
        return self.told(command, LOAD_CPU)

    def resume(self, server, row):
        command = self.connections_command("resume", server, row, self.connections)
        return self.told(command, LOAD_CPU)

    def hold(self, server, row):
        """Not for ever: some servers let in a few a second."""
        command = self.connections_command("hold", server, row, self.held)
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.told(command, LOAD_CPU, timeout=MOST_S)

    def warm(self, server, protocols):
        """Asks everything that is to be cached once, over each protocol: some keep answers of one
        protocol apart from those of another."""
        for protocol in protocols:
            command = [LOAD, protocol, server.ports[protocol], self.files["once"], "--warm", "0"]
            command += ["--links", "8", "--depth", "8", "--seconds", "30"]
            run_pinned([*command, "--questions", self.files["once_count"]], LOAD_CPU,
                       stdout=subprocess.DEVNULL)


def both(bench, servers, row):
    """Loads on both cores at once, two on each: of one server each, or of the same one, so that as
    much comes from the other core in either case. Returns CPU-µs of a question, of all."""
    with as_batch({server.pid_of(row.protocol) for server in servers}):
        begun = [
            (server, begin(bench.load_command(server, row), cpu))
            for cpu in (SERVER_CPU, LOAD_CPU)
            for server in servers
        ]
        return cost_of_all([
            (server, json.loads(load.communicate(timeout=MOST_S)[0])) for server, load in begun
        ])


def begin(command, cpu):
    words, prepare = [str(word) for word in command], pin({cpu}, batch=True)
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True, preexec_fn=prepare)


def cost_of_all(told):
    """Each load has seen all that its server used."""
    answers, used = sum(found["answers"] for _, found in told), {}
    for server, found in told:
        used.setdefault(server, []).append(found["cpu_us"] * found["answers"])
    return sum(map(mean, used.values())) / answers if answers else None
