"""What the recipes here have in common: editions of a list that replace each other, and the servers
with plain DNS alone. Everything is on loopback, below one directory, and ends with it."""

import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "common"))

from place import BUILD, LOAD_CPU, NAMEGATE, SERVER_CPU, Ports, workplace  # noqa: E402, F401
from process import START_S, Process, Prober, run_pinned  # noqa: E402, F401
from questions import NAMES_LAST, names, write_list  # noqa: E402
from report import keep, machine, median, quantile, table  # noqa: E402, F401
from servers import Site, bind, dnsdist, namegate_list, namegate_settings, unbound  # noqa: E402
from upstream import start_upstream  # noqa: E402, F401

import certificates  # noqa: E402, F401
import dns_wire  # noqa: E402, F401
from config_text import config_text  # noqa: E402
from program import Metrics  # noqa: E402, F401

NXDOMAIN = 3
ABSENT = 20000  # names that no list has, and every cache holds


def absent_names():
    return names(NAMES_LAST, ABSENT)


class Editions:
    """One list file of which a new edition replaces the last one again and again: so many names at
    its beginning have gone, as many have come at its end."""

    def __init__(self, path, size):
        self.path, self.size, self.step, self.first = path, size, size // 1000, 0
        write_list(path, "plain", 0, size)

    def lasting(self, count):
        """Names that are in all editions, of which there may be 400."""
        return names(self.size // 2, count)

    def write_next(self):
        """Replaces the file by the next edition; returns a name that only it has."""
        self.first += self.step
        write_list(self.path, "plain", self.first, self.size)
        return names(self.first + self.size - 10, 10)[-1]

    def write_beside(self):
        """The same work for the disk, and nothing for the server."""
        write_list(self.path.with_suffix(".beside"), "plain", self.first, self.size)

    def replace(self, process, prober, most_s=60):
        """The next edition; returns how long until it is in force."""
        name = self.write_next()
        start = time.monotonic()
        while prober.rcode(name, 0.05) != NXDOMAIN:
            if time.monotonic() - start > most_s or process.process.poll() is not None:
                raise SystemExit("an edition never came into force: %s" % process.log.read_text())
            time.sleep(0.05)
        return time.monotonic() - start


def namegate(directory, port, upstream, path, **more):
    """The text; where nothing may be written the image stays in memory."""
    config = directory / "namegate.conf"
    lists = [namegate_list(path)] if path else []
    config.write_text(config_text(namegate_settings(port, upstream, lists, **more)))
    return [NAMEGATE, "run", "-c", config]


def namegate_first(directory, port, upstream, path):
    """The text, where there is no image yet: one is left in the state directory and mapped."""
    return namegate(directory, port, upstream, path, state_directory=str(directory / "state"))


def namegate_again(directory, port, upstream, path):
    """The same started again: what has not changed comes from the state directory."""
    command = namegate_first(directory, port, upstream, path)
    process = Process(directory, command)
    name, rcode = (path.read_text().split()[0], NXDOMAIN) if path else ("a.example", 0)
    Prober(port).await_rcode(process, name, rcode)
    process.stop()
    return command


def namegate_image(directory, port, upstream, path):
    """The list compiled beforehand, as the other servers' lists are converted beforehand."""
    more = {}
    if path:
        namegate(directory, port, upstream, path)
        image = directory / "lists.image"
        command = [NAMEGATE, "compile", "-c", directory / "namegate.conf", "-o", image]
        said = subprocess.run(command, check=True, capture_output=True, text=True)
        (directory / "compiled").write_text(said.stdout + said.stderr)
        more["lists_image"] = str(image)
    return namegate(directory, port, upstream, path, **more)


def plain(make):
    """Another server with nothing but plain DNS."""

    def command(directory, port, upstream, path):
        return make(Site(directory, upstream, {"udp": port}, path))

    return command


# Name, the form in which it takes a list, and a function that makes a configuration for a list
# (None: none) and gives the command.
SERVERS = {
    "namegate": ("plain", namegate_first),
    "namegate-again": ("plain", namegate_again),
    "namegate-image": ("plain", namegate_image),
    "namegate-memory": ("plain", namegate),
    "unbound": ("unbound", plain(unbound)),
    "bind": ("rpz", plain(bind)),
    "dnsdist": ("plain", plain(dnsdist)),
}
