"""Encrypted upstreams that we did not write: unbound, BIND and dnsdist, each with the zone of
knot.py, a certificate of its own, and nothing to ask outside.

Programs are copied before they are started: where AppArmor confines them by their path they could
read neither our configuration nor our certificates.
"""

import shutil
import subprocess
import time

import certificates as certs
from knot import VALUES, ZONE
from tools import run

HOST = "up.namegate.test"

UNBOUND = """\
server:
    directory: "%(dir)s"
    username: ""
    chroot: ""
    pidfile: ""
    use-syslog: no
    do-daemonize: no
    num-threads: 1
    interface: 127.0.0.1@%(dot)d
    tls-port: %(dot)d
    tls-service-key: "%(key)s"
    tls-service-pem: "%(certificate)s"
    access-control: 127.0.0.0/8 allow
    module-config: "iterator"
    do-ip6: no
    do-not-query-localhost: no
    incoming-num-tcp: 100
    tcp-idle-timeout: %(idle_ms)d
    edns-tcp-keepalive: no
    extended-statistics: yes
    local-zone: "test." nodefault
remote-control:
    control-enable: yes
    control-interface: "%(dir)s/control"
    control-use-cert: no
auth-zone:
    name: "plain.test"
    zonefile: "%(zone)s"
    for-downstream: yes
    for-upstream: no
auth-zone: # never loaded
    name: "broken.test"
    primary: "127.0.0.1@%(nobody)d"
    for-downstream: yes
    for-upstream: no
    fallback-enabled: no
forward-zone: # what else there is: nobody
    name: "."
    forward-addr: 127.0.0.1@%(nobody)d
"""

NAMED = """\
options {
    directory "%(dir)s";
    pid-file none;
    session-keyfile none;
    %(lock)s
    listen-on port %(dot)d tls own { 127.0.0.1; };
    listen-on port %(doh)d tls own http own { 127.0.0.1; };
    listen-on-v6 { none; };
    recursion no;
    empty-zones-enable no;
    dnssec-validation no;
    notify no;
    tcp-idle-timeout %(idle_ds)d;
};
controls { };
tls own { key-file "%(key)s"; cert-file "%(certificate)s"; };
http own { endpoints { "/dns-query"; }; };
zone "plain.test" { type primary; file "%(zone)s"; };
zone "broken.test" { type primary; file "%(dir)s/missing.zone"; };
"""

DNSDIST = """\
setLocal("127.0.0.1:%(plain)d")
setSecurityPollSuffix("")
setACL("127.0.0.0/8")
addTLSLocal("127.0.0.1:%(dot)d", "%(certificate)s", "%(key)s", { tcpListenQueueSize = 100 })
addDOHLocal("127.0.0.1:%(doh)d", "%(certificate)s", "%(key)s", "/dns-query",
    { idleTimeout = %(idle_s)d })
setTCPRecvTimeout(%(idle_s)d)
newServer({ address = "127.0.0.1:%(backend)d", healthCheckMode = "up",
    mustResolve = false }):setUp()
"""


def named_has_lock_file():
    """It had one until 9.20, in a directory that we do not have."""
    said = subprocess.run(["/usr/sbin/named", "-v"], capture_output=True, text=True).stdout
    return " 9.18." in said


class Server:
    """A program in a directory of its own; `with Server(...)`. stop() and start() may be called
    in between: it comes back on the same ports."""

    program = None  # its name
    template = None
    protocols = ()

    def __init__(
        self, directory, authority, ports, names=(HOST, "127.0.0.1"), idle_s=10, backend=0
    ):
        self.directory, self.process = directory, None
        self.certificates = certs.issue(authority, directory / "own", *names)
        self.ports = {word: ports.take() for word in ("dot", "doh", "plain", "nobody")}
        (directory / "plain.zone").write_text(ZONE % VALUES)
        self.config = directory / "config"
        values = {
            **self.ports,
            "dir": directory,
            "zone": directory / "plain.zone",
            "certificate": self.certificates.certificate,
            "key": self.certificates.key,
            "backend": backend,
            "idle_s": idle_s,
            "idle_ds": idle_s * 10,
            "idle_ms": idle_s * 1000,
            "lock": "lock-file none;" if named_has_lock_file() else "",
        }
        self.config.write_text(self.template % values)
        self.copy = directory / self.program
        shutil.copy(shutil.which(self.program, path="/usr/sbin:/usr/bin"), self.copy)

    def arguments(self):
        raise NotImplementedError

    def start(self):
        with open(self.directory / "log", "ab") as log:
            self.process = subprocess.Popen(
                [str(word) for word in (self.copy, *self.arguments())],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.directory,
            )
        for protocol in self.protocols:
            self._wait(protocol)
        return self

    def _wait(self, protocol):
        how = {"dot": "+tls", "doh": "+https"}[protocol]
        ask = ("@127.0.0.1", "-p", self.ports[protocol], how, "+retry=0", "+timeout=1", "+short")
        deadline = time.monotonic() + 15
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.log
            if "192.0.2.10" in run("kdig", *ask, "www.plain.test", check=False).stdout:
                return
            time.sleep(0.05)
        raise AssertionError("%s does not answer over %s: %s" % (self.program, protocol, self.log))

    @property
    def log(self):
        return (self.directory / "log").read_text(errors="replace")

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def restart(self):
        self.stop()
        self.start()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def upstream(self, protocol, **more):
        """It as an upstream in namegate's configuration; None takes a setting out."""
        settings = {
            "name": "%s-%s" % (self.program, protocol),
            "protocol": protocol,
            "address": "127.0.0.1",
            "port": self.ports[protocol],
            "tls_name": HOST,
            "tls_ca": str(self.certificates.ca),
            **more,
        }
        return {key: value for key, value in settings.items() if value is not None}


class Unbound(Server):
    program, template, protocols = "unbound", UNBOUND, ("dot",)

    def arguments(self):
        return "-d", "-c", self.config

    def statistics(self):
        """What it counted: "num.query.tls", "num.query.tls.resume" ..."""
        text = run("unbound-control", "-c", self.config, "stats_noreset").stdout
        pairs = (line.partition("=") for line in text.splitlines())
        return {key: float(value) for key, _, value in pairs}


class Named(Server):
    program, template, protocols = "named", NAMED, ("dot", "doh")

    def arguments(self):
        return "-g", "-n", "1", "-c", self.config


class Dnsdist(Server):
    program, template, protocols = "dnsdist", DNSDIST, ("dot", "doh")

    def arguments(self):
        return "--supervised", "--disable-syslog", "-C", self.config
