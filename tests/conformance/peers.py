"""BIND, Unbound and dnsdist as servers of checks: they forward everything to the same upstream,
speak all four protocols and block the same names. What is not written here is their default."""

import re
import shutil
import subprocess
import time

import certificates as certs
from server import ADDRESS, BLOCKED, BLOCKED_ADDRESS, Server
from tools import run
from upstream_servers import named_has_lock_file

BIND = """\
options {
    directory "%(dir)s";
    pid-file none;
    session-keyfile none;
    managed-keys-directory "%(dir)s";
    %(lock)s
    listen-on port %(dns)d { 127.0.0.1; };
    listen-on port %(dot)d tls own { 127.0.0.1; };
    listen-on port %(doh)d tls own http own { 127.0.0.1; };
    listen-on-v6 { none; };
    recursion yes;
    forward only;
    forwarders { 127.0.0.1 port %(upstream)d; };
    dnssec-validation no; // the upstream signs nothing
    response-policy { zone "policy"; };
};
controls { };
tls own { key-file "%(key)s"; cert-file "%(certificate)s"; };
http own { endpoints { "/dns-query"; }; };
zone "localhost" { type primary; file "/etc/bind/db.local"; }; // Debian's default zones
zone "127.in-addr.arpa" { type primary; file "/etc/bind/db.127"; };
zone "policy" { type primary; file "%(dir)s/policy.zone"; };
"""

POLICY = """\
$TTL 60
@ SOA localhost. root.localhost. 1 3600 600 86400 60
  NS localhost.
%(blocked)s CNAME .
*.%(blocked)s CNAME .
32.%(address)s.rpz-ip CNAME .
"""

UNBOUND = """\
server:
    directory: "%(dir)s"
    username: ""
    chroot: ""
    pidfile: ""
    use-syslog: no
    do-daemonize: no
    interface: 127.0.0.1@%(dns)d
    interface: 127.0.0.1@%(dot)d
    interface: 127.0.0.1@%(doh)d
    tls-port: %(dot)d
    https-port: %(doh)d
    tls-service-key: "%(key)s"
    tls-service-pem: "%(certificate)s"
    do-not-query-localhost: no
    module-config: "respip validator iterator"
rpz:
    name: "policy"
    zonefile: "%(dir)s/policy.zone"
forward-zone:
    name: "."
    forward-addr: 127.0.0.1@%(upstream)d
"""

DNSDIST = """\
setSecurityPollSuffix("")
setLocal("127.0.0.1:%(dns)d")
addTLSLocal("127.0.0.1:%(dot)d", "%(certificate)s", "%(key)s")
addDOHLocal("127.0.0.1:%(doh)d", "%(certificate)s", "%(key)s", "/dns-query")
newServer({ address = "127.0.0.1:%(upstream)d", healthCheckMode = "up" })
getPool(""):setCache(newPacketCache(10000))
addAction({ "%(blocked)s." }, RCodeAction(DNSRCode.NXDOMAIN))
"""


class Peer(Server):
    program = template = None

    def __init__(self, directory, certificates, upstream, ports):
        super().__init__(directory, certificates, upstream, ports)
        self.process = None
        self.config = directory / "config"
        reverse = ".".join(reversed(BLOCKED_ADDRESS.split(".")))
        policy = self.policy() % {"blocked": BLOCKED, "address": reverse}
        (directory / "policy.zone").write_text(policy)
        self.config.write_text(
            self.template
            % {
                **ports,
                "dir": directory,
                "upstream": upstream.port,
                "certificate": certificates.certificate,
                "key": certificates.key,
                "blocked": BLOCKED,
                "lock": "lock-file none;" if named_has_lock_file() else "",
            }
        )
        # Where AppArmor confines it by its path it could read none of this.
        self.copy = directory / self.program
        shutil.copy(shutil.which(self.program, path="/usr/sbin:/usr/bin"), self.copy)

    def policy(self):
        return POLICY

    def arguments(self):
        raise NotImplementedError

    @property
    def pid(self):
        return self.process.pid

    def start(self):
        with open(self.directory / "log", "ab") as log:
            self.process = subprocess.Popen(
                [str(word) for word in (self.copy, *self.arguments())],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.directory,
            )
        deadline = time.monotonic() + 15
        while not self.is_well(1):
            assert self.is_alive(), self.log
            assert time.monotonic() < deadline, "%s does not answer: %s" % (self.name, self.log)
            time.sleep(0.05)
        return self

    @property
    def log(self):
        return (self.directory / "log").read_text(errors="replace")

    def is_alive(self):
        return self.process.poll() is None

    def stop(self):
        if self.process and self.is_alive():
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class Bind(Peer):
    name, program, template = "BIND", "named", BIND
    has = frozenset(("addresses",))

    def arguments(self):
        return "-g", "-c", self.config

    @property
    def version(self):
        return re.search(r"BIND ([0-9.]+)", run(self.copy, "-v").stdout)[1]


class Unbound(Peer):
    name, program, template = "Unbound", "unbound", UNBOUND
    has = frozenset(("addresses",))

    def policy(self):
        return "$ORIGIN policy.\n" + POLICY

    def arguments(self):
        return "-d", "-c", self.config

    @property
    def version(self):
        return run(self.copy, "-V", check=False).stdout.split()[1]


class Dnsdist(Peer):
    name, program, template = "dnsdist", "dnsdist", DNSDIST

    def arguments(self):
        return "--supervised", "--disable-syslog", "-C", self.config

    @property
    def version(self):
        return run(self.copy, "--version").stdout.split()[1]


PEERS = {peer.name: peer for peer in (Bind, Unbound, Dnsdist)}


def make_peer(name, directory, authority, upstream, ports):
    """A peer with a certificate of its own, not started yet."""
    issued = certs.issue(authority, directory / "certificates", certs.HOST, ADDRESS)
    return PEERS[name](directory, issued, upstream, ports)
