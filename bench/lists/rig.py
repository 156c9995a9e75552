"""What the recipes here have in common: made-up lists, servers that run pinned to a core, what they
cost, and questions to them. Everything is on loopback, below one directory, and ends with it."""

import contextlib
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/flow"))

import certificates  # noqa: E402
import dns_wire  # noqa: E402
from config_text import config_text, group, rule  # noqa: E402
from program import Metrics, Ports  # noqa: E402

BUILD = Path(os.environ.get("BUILD", ROOT / "build/release"))
NAMEGATE = BUILD / "proxy/namegate"
SERVER_CPU = int(os.environ.get("SERVER_CPU", 0))
LOAD_CPU = int(os.environ.get("LOAD_CPU", 1))
START_S = 300  # a server that needs longer is left out, with a word
NXDOMAIN = 3
CONVERT_S = 900  # beforehand, and not counted
TICKS = os.sysconf("SC_CLK_TCK")
ABSENT = 20000  # names that no list has, and every cache holds
NAMES_LAST = 1 << 29  # numbers of list_names that no list here reaches


@contextlib.contextmanager
def workplace():
    """A directory for all that is made; everything started is ended with it."""
    directory = Path(tempfile.mkdtemp(prefix="namegate-lists-", dir=os.environ.get("TMPDIR")))
    try:
        yield directory
    finally:
        for process in list(Process.running):
            process.stop()
        shutil.rmtree(directory)


def write_list(path, form, first, count):
    """A list of `count` names; it is there at once or not at all."""
    aside = path.with_suffix(".new")
    with open(aside, "wb") as file:
        command = [BUILD / "bench/lists/list_names", form, str(first), str(count)]
        subprocess.run(command, stdout=file, check=True)
    aside.replace(path)
    return path


def names(first, count):
    command = [BUILD / "bench/lists/list_names", "plain", str(first), str(count)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


def absent_names():
    return names(NAMES_LAST, ABSENT)


class Process:
    """A program pinned to one core, and what it costs. Others on this machine, if there are any,
    count for less (sched(7), autogroup): between its own threads nothing is changed."""

    running = []

    def __init__(self, directory, command, cpu=SERVER_CPU, real_time=False, stdout=None):
        def prepare():
            os.sched_setaffinity(0, {cpu})
            with contextlib.suppress(OSError):
                Path("/proc/self/autogroup").write_text("-20")
            with contextlib.suppress(PermissionError):
                if real_time:
                    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))

        self.log = directory / "stderr"
        self.started = time.monotonic()
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [str(word) for word in command],
                stdin=subprocess.DEVNULL,
                stdout=stdout or log,
                stderr=log,
                start_new_session=True,
                preexec_fn=prepare,
            )
        Process.running.append(self)

    @property
    def pid(self):
        return self.process.pid

    def age_s(self):
        return time.monotonic() - self.started

    def cpu_s(self):
        """User and system time of all its threads."""
        fields = Path("/proc/%d/stat" % self.pid).read_text().rpartition(") ")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def memory(self):
        """RssAnon, RssFile, VmHWM and Pss in bytes."""
        found = {}
        for file in ("status", "smaps_rollup"):
            for line in Path("/proc/%d/%s" % (self.pid, file)).read_text().splitlines():
                word, _, rest = line.partition(":")
                if word in ("RssAnon", "RssFile", "VmHWM", "Pss"):
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
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


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
        while process.age_s() < most_s and process.process.poll() is None:
            if self.rcode(name) == rcode:
                return process.age_s()
            time.sleep(0.002)
        return None


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


# The servers. Each row makes a configuration for a list (None: none) and gives the command.


def namegate_settings(port, upstream, lists=(), **more):
    """Blocks all lists with NXDOMAIN."""
    rules = [rule(item["name"], "BLOCK", item["name"], block_response="NXDOMAIN") for item in lists]
    settings = {
        "workers": 1,
        "listeners": [{"name": "dns", "protocol": "dns", "address": "127.0.0.1", "port": port}],
        "upstreams": [{"name": "up", "protocol": "dns", "address": "127.0.0.1", "port": upstream}],
        "state_directory": "",
        **more,
        "domain_lists": list(lists),
        "rule_groups": [group("block", *rules)] if rules else [],
        "views": [{"name": "all", "clients": ["127.0.0.0/8"]}],
    }
    if rules:
        settings["views"][0]["associations"] = [{"rule_group": "block", "priority": 101}]
    return settings


def namegate_list(path, name="made-up"):
    return {"name": name, "file": str(path), "format": "wildcard"}


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


UNBOUND = """
server:
  directory: "%(directory)s"
  chroot: ""
  username: ""
  pidfile: ""
  use-syslog: no
  num-threads: 1
  interface: 127.0.0.1@%(port)d
  do-not-query-localhost: no
  module-config: "iterator"
  minimal-responses: yes
  msg-cache-size: 64m
  rrset-cache-size: 64m
  %(include)s
remote-control:
  control-enable: no
"""


def unbound(directory, port, upstream, path):
    config = directory / "unbound.conf"
    include = 'include: "%s"' % path if path else ""
    words = {"directory": directory, "port": port, "include": include}
    forward = 'forward-zone:\n  name: "."\n  forward-addr: 127.0.0.1@%d\n' % upstream
    config.write_text(UNBOUND % words + forward)
    return ["unbound", "-d", "-c", config]


def answerer(directory, port):
    """Every name has the same address: what all of them forward to."""
    config = directory / "answerer.conf"
    words = {"directory": directory, "port": port, "include": 'local-zone: "." redirect'}
    data = 'server:\n  local-data: ". 86400 A 192.0.2.10"\n'
    config.write_text(UNBOUND % words + data)
    return ["unbound", "-d", "-c", config]


BIND = """
options {
  directory "%(directory)s"; pid-file none; session-keyfile "%(directory)s/key";
  managed-keys-directory "%(directory)s";
  listen-on port %(port)d { 127.0.0.1; }; listen-on-v6 { none; };
  recursion yes; forward only; forwarders { 127.0.0.1 port %(upstream)d; };
  dnssec-validation no; minimal-responses yes; empty-zones-enable no; max-cache-size 128m;
  %(policy)s
};
controls { };
logging { channel c { stderr; severity warning; }; category default { c; }; };
%(zone)s
"""


def bind(directory, port, upstream, path):
    """A response policy zone, compiled to its raw form, which loads fastest."""
    words = {"directory": directory, "port": port, "upstream": upstream, "policy": "", "zone": ""}
    if path:
        raw = directory / "rpz.raw"
        compile_zone = ["named-compilezone", "-q", "-k", "ignore", "-i", "none", "-F", "raw"]
        compile_zone += ["-o", str(raw), "rpz", str(path)]
        subprocess.run(compile_zone, check=True, timeout=CONVERT_S)
        words["policy"] = (
            'response-policy { zone "rpz" log no; } qname-wait-recurse no break-dnssec yes;'
        )
        words["zone"] = (
            'zone "rpz" { type primary; file "%s"; masterfile-format raw; notify no;'
            " allow-query { none; }; check-names ignore; };" % raw
        )
    config = directory / "named.conf"
    config.write_text(BIND % words)
    return ["named", "-f", "-n", "1", "-c", config]


DNSDIST = """
setSecurityPollSuffix("")
addLocal("127.0.0.1:%(port)d")
newServer({address="127.0.0.1:%(upstream)d", healthCheckMode="up"})
getPool(""):setCache(newPacketCache(100000, {maxTTL=86400, minTTL=0, numberOfShards=1}))
setRingBuffersSize(1000, 1)
"""

DNSDIST_LIST = """
local list = newSuffixMatchNode()
for line in io.lines("%s") do list:add(line) end
addAction(SuffixMatchNodeRule(list, true), RCodeAction(DNSRCode.NXDOMAIN))
"""


def dnsdist(directory, port, upstream, path):
    config = directory / "dnsdist.conf"
    text = DNSDIST % {"port": port, "upstream": upstream}
    config.write_text(text + (DNSDIST_LIST % path if path else ""))
    return ["dnsdist", "--supervised", "--disable-syslog", "-C", config]


# Name, the form in which it takes a list, and the function above.
SERVERS = {
    "namegate": ("plain", namegate_first),
    "namegate-again": ("plain", namegate_again),
    "namegate-image": ("plain", namegate_image),
    "namegate-memory": ("plain", namegate),
    "unbound": ("unbound", unbound),
    "bind": ("rpz", bind),
    "dnsdist": ("plain", dnsdist),
}


def start_answerer(directory):
    """The upstream; it runs on the core of the load."""
    home = directory / "answerer"
    home.mkdir()
    port = Ports.take()
    process = Process(home, answerer(home, port), cpu=LOAD_CPU)
    if Prober(port).await_rcode(process, "a.example", 0, 20) is None:
        raise SystemExit("the upstream does not start: %s" % process.log.read_text())
    return port


def median(values):
    return statistics.median(values)


def quantile(values, share):
    """The smallest value that this share of them does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, int(len(ordered) * share + 0.999999) - 1)]


def table(head, rows):
    """Text in columns, in Markdown."""
    lines = [[str(cell) for cell in row] for row in [head, *rows]]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join(
        "| %s |" % " | ".join(cell.ljust(width) for cell, width in zip(line, widths))
        for line in lines
    )


def keep(path, **found):
    """The figures as JSON, for plot; None keeps nothing."""
    if path:
        with open(path, "w") as file:
            json.dump({"machine": machine(), **found}, file, indent=1)


def machine():
    """What it ran on, for whoever reads the figures."""
    model = "unknown processor"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    load = " ".join(Path("/proc/loadavg").read_text().split()[:3])
    return "%s, %d CPUs, Linux %s, load %s" % (model, os.cpu_count(), os.uname().release, load)
