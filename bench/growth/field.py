"""Where the curves grow: servers that are all alive at once, loads that ask when they are told to,
and rounds in which each point of a curve has its turn, so that the machine's weather meets all."""

import contextlib
import os
import random
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

BENCH = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(BENCH / "common"), str(BENCH / "lists")]

from place import BUILD, LOAD_CPU, NAMEGATE, SERVER_CPU, take_ports  # noqa: E402, F401
from process import START_S, Process, cpu_ns  # noqa: E402
from questions import NAMES_LAST, names, write_list  # noqa: E402
from servers import LIMITS, encrypted, namegate_settings  # noqa: E402
from turns import TurnLoad  # noqa: E402
from upstream import start_upstream  # noqa: E402

import certificates  # noqa: E402
from config_text import config_text, rule  # noqa: E402, F401

NULL = BUILD / "bench/null/null"


class Server:
    """A process pinned to the server's core, and what it has cost."""

    def __init__(self, process, ports, home=None):
        self.process, self.ports, self.home = process, ports, home

    def cpu_ns(self):
        return cpu_ns(self.process.pid)

    def resident(self, *parts):
        memory = self.process.memory()
        return sum(memory[part] for part in parts or ("RssAnon", "RssFile"))


class Load(TurnLoad):
    """One that ends with its field."""

    def __init__(self, field, port, protocol, connections, streams, names, addresses=1,
                 cpu=SERVER_CPU):
        super().__init__(port, protocol, connections, streams, names, addresses, cpu)
        field.loads.append(self)


class Field:
    """A directory, an upstream that answers everything, and all that runs for one curve."""

    def __init__(self, directory, kept, quick):
        self.directory, self.quick = directory, quick
        self.kept = kept  # lists, questions and images: as good the next time
        self.loads, self.servers, self.paths = [], 0, 0
        (directory / "certificates").mkdir()
        self.made = certificates.make(directory / "certificates")
        self.upstream = start_upstream(directory)

    def questions(self, count, first=NAMES_LAST):
        """A file of questions; by default for names that no list has. It is kept for others."""
        path = self.kept / ("questions-%d-%d" % (first, count))
        if not path.exists():
            lines = ["%s A\n" % name for name in names(first, count)]
            random.Random(7).shuffle(lines)
            path.write_text("".join(lines))
        return path

    def list(self, count, first=0):
        """A list of made-up names in one file; it is kept for others."""
        path = self.kept / ("list-%d-%d" % (first, count))
        return path if path.exists() else write_list(path, "plain", first, count)

    def settings(self, ports, lists=(), rules=None, views=None, **more):
        """All three protocols."""
        tls, listeners = encrypted(ports, self.made.certificate, self.made.key)
        settings = namegate_settings(ports["udp"], self.upstream, lists, rules, views, **{
            "tls": tls,
            "admin": {"address": "127.0.0.1", "port": ports["admin"]},
            "cache": {"size": "64MiB", "min_ttl": "1h", "prefetch": False},
            "limits": LIMITS,
            **more,
        })
        settings["listeners"] += listeners
        return settings

    def free_path(self, suffix):
        self.paths += 1
        return self.directory / ("%d-%d.%s" % (os.getpid(), self.paths, suffix))

    def prepare(self, ports=None, **settings):
        """A directory with a configuration and ports, free ones by default; nothing runs."""
        self.servers += 1
        home = self.directory / ("server-%d-%d" % (os.getpid(), self.servers))
        home.mkdir()
        ports = ports or take_ports("udp", "dot", "doh", "admin")
        (home / "namegate.conf").write_text(config_text(self.settings(ports, **settings)))
        return home, ports

    def image(self, name, **settings):
        """All lists of these settings, compiled; it is kept for others."""
        path = self.kept / ("%s.image" % name)
        if not path.exists():
            home, _ = self.prepare(**settings)
            command = [NAMEGATE, "compile", "-c", home / "namegate.conf", "-o", path]
            subprocess.run(command, check=True, capture_output=True)
        return path

    def start(self, **settings):
        """A namegate that is ready."""
        home, ports = self.prepare(**settings)
        process = Process(home, [NAMEGATE, "run", "-c", home / "namegate.conf"], batch=True)
        await_ready(process, ports)
        return Server(process, ports, home)

    def command(self, server, verb, *words):
        command = [NAMEGATE, verb, "-c", server.home / "namegate.conf", *words]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

    def start_null(self, protocol):
        """The responder that does no DNS work."""
        port = take_ports(protocol)[protocol]
        words = [str(self.made.certificate), str(self.made.key)] if protocol != "udp" else []
        process = Process(self.directory, [NULL, protocol, str(port), *words], batch=True)
        deadline = time.monotonic() + 5
        while protocol != "udp" and not is_open(port):
            if time.monotonic() > deadline:
                raise SystemExit("the null responder does not start")
            time.sleep(0.01)
        return Server(process, {protocol: port})

    def load(self, server, protocol, connections, streams, names, **more):
        return Load(self, server.ports[protocol], protocol, connections, streams, names, **more)

    def clear(self):
        for load in self.loads:
            load.process.kill()
            load.process.wait()
        self.loads = []
        for process in list(Process.running)[1:]:
            process.stop()


def is_open(port):
    with socket.socket() as asking:
        return asking.connect_ex(("127.0.0.1", port)) == 0


def await_ready(process, ports, most_s=START_S):
    """Seconds since it began until /readyz says so, looked at every millisecond."""
    while process.age_s() < most_s and process.process.poll() is None:
        with contextlib.suppress(OSError):
            if is_open(ports["admin"]):
                url = "http://127.0.0.1:%d/readyz" % ports["admin"]
                with urllib.request.urlopen(url, timeout=5) as answer:
                    if answer.status == 200:
                        return process.age_s()
        time.sleep(0.001)
    raise SystemExit("namegate is not ready: %s" % process.log.read_text()[-2000:])


class Turn:
    """What one point of a curve does in a round, and what it cost the server; with `rest_s`, what
    it did in the time after that as well."""

    def __init__(self, server, load):
        self.server, self.load, self.costs, self.rest_s = server, load, [], 0

    def take(self, count):
        before = self.server.cpu_ns()
        self.load.ask(count)
        time.sleep(self.rest_s)
        self.costs.append((self.server.cpu_ns() - before) / count / 1000)

    def us(self):
        return statistics.median(self.costs)


def take_turns(turns, count, rounds):
    """CPU-µs of a question for each turn. The first round warms up; every other goes backwards."""
    for number in range(rounds + 1):
        for turn in turns if number % 2 else turns[::-1]:
            turn.take(count)
        if number == 0:
            for turn in turns:
                turn.costs = []


def ratios(turns, base):
    """Medians of the rounds' ratios to one of the turns: neighbours in time are compared."""
    return [
        statistics.median(mine / first for mine, first in zip(turn.costs, base.costs))
        for turn in turns
    ]


def differences(turns, base):
    return [
        statistics.median(mine - first for mine, first in zip(turn.costs, base.costs))
        for turn in turns
    ]
