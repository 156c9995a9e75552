"""The program under test: a configuration, the process, and what it writes."""

import json
import os
import re
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

from config_text import config_text

ROOT = Path(__file__).resolve().parents[2]
BINARY = os.environ.get("NAMEGATE", str(ROOT / "build/proxy/namegate"))
WORKERS = int(os.environ.get("NAMEGATE_WORKERS", "1"))
START_S = 20  # sanitizers and a busy machine
SANITIZER_REPORT = re.compile(
    r"AddressSanitizer|LeakSanitizer|ThreadSanitizer|runtime error:|UndefinedBehaviorSanitizer"
)
EX_CONFIG = 78
PROTOCOLS = ("udp", "tcp", "dot", "doh")

running = []  # every Namegate alive; conftest looks at them after each test


class Ports:
    """Ports below the ephemeral range that nobody has, for UDP and TCP alike. Each run of the tests
    has a block of its own: it holds the block's first port."""

    FIRST, BLOCK, BLOCKS = 10000, 1500, 15
    guard = None
    next = 0

    @classmethod
    def take(cls):
        if not cls.guard:
            cls._claim_block()
        while True:
            cls.next = cls.next % (cls.BLOCK - 1) + 1
            if cls._is_free(cls.base + cls.next):
                return cls.base + cls.next

    @classmethod
    def _claim_block(cls):
        for number in range(cls.BLOCKS):
            guard = socket.socket()
            cls.base = cls.FIRST + number * cls.BLOCK
            try:
                guard.bind(("127.0.0.1", cls.base))
                cls.guard = guard
                return
            except OSError:
                guard.close()
        raise AssertionError("%d runs of the tests at once are too many" % cls.BLOCKS)

    @staticmethod
    def _is_free(port):
        try:
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                for family, address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
                    with socket.socket(family, kind) as probe:
                        if family == socket.AF_INET6:
                            probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                        probe.bind((address, port))
        except OSError:
            return False
        return True


def base_settings(directory, certificates, upstreams, ports):
    """What most tests start from: one view for loopback, all protocols, log and admin."""
    address = "127.0.0.1"
    return {
        "workers": WORKERS,
        "listeners": [
            {"protocol": "doh", "address": address, "port": ports["doh"]},
            {"protocol": "dot", "address": address, "port": ports["dot"]},
            {"protocol": "dns", "address": address, "port": ports["dns"]},
        ],
        "tls": {
            "certificate": str(certificates.certificate),
            "key": str(certificates.key),
        },
        "upstreams": [
            {"name": name, "protocol": "dns", "address": "127.0.0.1", "port": port}
            for name, port in upstreams.items()
        ],
        "domain_lists": [],
        "rule_groups": [],
        "views": [{"name": "lan", "clients": ["127.0.0.0/8", "::1/128"]}],
        "query_log": {"file": str(directory / "query.jsonl"), "format": "namegate"},
        "admin": {"address": "127.0.0.1", "port": ports["admin"]},
        "state_directory": "",
        "special_names": {"test": False},  # the scripted upstream's names end in it
    }


def with_rules(settings, lists, rules, name="rules", **view):
    """One rule group for the first view; what most firewall tests need."""
    from config_text import group

    settings["domain_lists"] = list(lists)
    settings["rule_groups"] = [group(name, *rules)]
    settings["views"][0]["associations"] = [{"rule_group": name, "priority": 101}]
    settings["views"][0].update(view)
    return settings


def run_command(*arguments, **kwargs):
    """namegate with arguments, to its end."""
    kwargs.setdefault("timeout", 30)
    return subprocess.run([BINARY, *arguments], capture_output=True, text=True, **kwargs)


class Namegate:
    def __init__(self, directory, settings, ports, certificates):
        self.directory = Path(directory)
        self.settings = settings
        self.ports = ports
        self.certificates = certificates
        self.config = self.directory / "namegate.conf"
        self.stderr_file = self.directory / "stderr"
        self.log_file = self.directory / "query.jsonl"
        self.process = None
        self.command_prefix = []
        self.pass_fds = ()
        self.stdout = subprocess.DEVNULL

    def write_config(self):
        self.config.write_text(config_text(self.settings))

    def start(self, wait="ready"):
        """`wait`: "ready" (200 of /readyz), "live" (200 of /livez) or None."""
        self.write_config()
        with open(self.stderr_file, "ab") as stderr:
            self.process = subprocess.Popen(
                [*self.command_prefix, BINARY, "run", "-c", str(self.config)],
                stdin=subprocess.DEVNULL,
                stdout=self.stdout,
                stderr=stderr,
                pass_fds=self.pass_fds,
            )
        running.append(self)
        if wait:
            self.wait_for(lambda: self.admin("/%sz" % wait)[0] == 200, "/%sz" % wait, START_S)
        return self

    @property
    def pid(self):
        return self.process.pid

    @property
    def stderr(self):
        return self.stderr_file.read_text(errors="replace")

    def wait_for(self, condition, what, timeout=5):
        deadline = time.monotonic() + timeout
        while True:
            try:
                if condition():
                    return
            except OSError:
                pass
            if self.process.poll() is not None:
                raise AssertionError("namegate ended: %s" % self.stderr)
            if time.monotonic() > deadline:
                raise AssertionError("waited in vain for %s; stderr:\n%s" % (what, self.stderr))
            time.sleep(0.02)

    def admin(self, path):
        """(status, text) of a GET on the admin listener."""
        url = "http://127.0.0.1:%d%s" % (self.ports["admin"], path)
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def metrics(self):
        return Metrics(self.admin("/metrics")[1])

    def wait_metric(self, name, value, timeout=5, **labels):
        """Waits until a metric has at least this value."""
        self.wait_for(
            lambda: self.metrics().sum(name, **labels) >= value,
            "%s %s >= %s" % (name, labels, value),
            timeout,
        )

    def log(self):
        """The query log so far; every line must be strict JSON."""
        text = self.log_file.read_bytes()
        lines = text.split(b"\n")
        assert lines.pop() == b"" or self.process.poll() is None, "the log ends within a line"
        return [strict_json(line) for line in lines]

    def wait_log(self, name, count=1, timeout=5):
        """The log lines about a name (text, any case), once there are `count` of them."""
        wanted = name.rstrip(".").lower() + "."

        def found():
            return [line for line in self.log() if line["query_name"].lower() == wanted]

        self.wait_for(lambda: len(found()) >= count, "%d log lines for %s" % (count, name), timeout)
        return found()

    def signal(self, number):
        self.process.send_signal(number)

    def reload(self, settings=None):
        """HUP, and waits until the program says that it has done it, well or badly."""
        if settings is not None:
            self.settings = settings
        self.write_config()
        return self.hup()

    def hup(self):
        before = self.reloads()
        self.signal(signal.SIGHUP)
        self.wait_for(lambda: self.reloads() > before, "the end of a reload", 20)
        return self.metrics().sum("namegate_config_last_reload_successful") == 1

    def reloads(self):
        return self.metrics().sum("namegate_config_reloads_total")

    def stop(self, timeout=15):
        """TERM; returns the exit code."""
        if self in running:
            running.remove(self)
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
            try:
                self.process.wait(timeout)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise AssertionError("did not stop within %d s of TERM" % timeout)
        self.check_stderr()
        return self.process.returncode

    def check_alive(self):
        assert self.process.poll() is None, "namegate died with %s:\n%s" % (
            self.process.returncode,
            self.stderr,
        )
        self.check_stderr()

    def check_stderr(self):
        assert not SANITIZER_REPORT.search(self.stderr), self.stderr

    def children(self):
        """Processes, zombies too."""
        return Path("/proc/%d/task/%d/children" % (self.pid, self.pid)).read_text().split()

    def resident_bytes(self):
        pages = Path("/proc/%d/statm" % self.pid).read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")


def strict_json(line):
    """JSON as RFC 8259 has it: UTF-8, no NaN, no name twice."""

    def no_twice(pairs):
        names = [name for name, _ in pairs]
        assert len(names) == len(set(names)), "a name twice in %r" % line
        return dict(pairs)

    def no_constant(word):
        raise AssertionError("%s in %r" % (word, line))

    return json.loads(line.decode("utf-8"), object_pairs_hook=no_twice, parse_constant=no_constant)


class Metrics:
    """Prometheus text, parsed: (name, labels) -> value."""

    LINE = re.compile(r"^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$")
    LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')

    def __init__(self, text):
        self.text = text
        self.types = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.M))
        self.samples = []
        for line in text.splitlines():
            if line.startswith("#") or not line:
                continue
            match = self.LINE.match(line)
            assert match, "not a sample: %r" % line
            labels = dict(self.LABEL.findall(match[2] or ""))
            self.samples.append((match[1], labels, float(match[3])))

    def find(self, name, **labels):
        return [
            (found, value)
            for sample, found, value in self.samples
            if sample == name and all(found.get(k) == v for k, v in labels.items())
        ]

    def sum(self, name, **labels):
        return sum(value for _, value in self.find(name, **labels))

    def names(self):
        return {name for name, _, _ in self.samples}
