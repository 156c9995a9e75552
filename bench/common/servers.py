"""The servers that are measured: each with one forwarder, a cache that holds all that is asked, the
list in its own best form, and limits out of the way. No validation, no log; TLS is the server's
default.

A function here writes a server's configuration for a site and returns the command that runs it."""

import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from place import BUILD, NAMEGATE, take_ports

from config_text import config_text, group, rule

CONVERT_S = 900  # beforehand, and not counted
CONNECTIONS = 15000  # where a number must be told; the descriptors here allow 20,000
PROTOCOLS = ("udp", "dot", "doh")


@dataclass
class Site:
    """Where a server lives, and what it is to do."""

    directory: Path
    upstream: int  # the port of plain DNS
    ports: dict = field(default_factory=lambda: take_ports(*PROTOCOLS))  # udp: TCP as well
    listed: Path = None  # the list, in the server's form
    certificate: Path = None  # without one there is only "udp"
    key: Path = None
    workers: int = 1
    binary: Path = NAMEGATE  # of namegate


LIMITS = {
    "connections": CONNECTIONS,
    "connections_per_address": CONNECTIONS,
    "queries_per_client": 10000,
    "idle_timeout": "1h",
}


def listener(protocol, port):
    return {"name": protocol, "protocol": protocol, "address": "127.0.0.1", "port": port}


def namegate_settings(port, upstream, lists=(), rules=None, views=None, **more):
    """Plain DNS alone; all lists are blocked with NXDOMAIN where no rules are given."""
    rules = rules if rules is not None else [
        rule(item["name"], "BLOCK", item["name"], block_response="NXDOMAIN") for item in lists
    ]
    views = views or [{"name": "all", "clients": ["127.0.0.0/8"]}]
    for view in views if rules else []:
        view["associations"] = [{"rule_group": "rules", "priority": 101}]
    return {
        "workers": 1,
        "listeners": [listener("dns", port)],
        "upstreams": [{"name": "up", "protocol": "dns", "address": "127.0.0.1", "port": upstream}],
        "state_directory": "",
        **more,
        "domain_lists": list(lists),
        "rule_groups": [group("rules", *rules)] if rules else [],
        "views": views,
    }


def encrypted(ports, certificate, key):
    """DoT and DoH: what the settings have more for them."""
    more = [listener(word, ports[word]) for word in ("dot", "doh")]
    return {"certificate": str(certificate), "key": str(key)}, more


def namegate_list(path, name="made-up"):
    return {"name": name, "file": str(path), "format": "wildcard"}


def namegate_everything(site):
    """Settings with all protocols and metrics. The list's image is kept and mapped, as it is after
    any installation."""
    lists = [namegate_list(site.listed)] if site.listed else []
    more = {
        "workers": site.workers,
        "state_directory": str(site.directory / "state"),
        "admin": {"address": "127.0.0.1", "port": take_ports("admin")["admin"]},
        "limits": LIMITS,
    }
    settings = namegate_settings(site.ports["udp"], site.upstream, lists, **more)
    if site.certificate:
        settings["tls"], more = encrypted(site.ports, site.certificate, site.key)
        settings["listeners"] += more
    return settings


def namegate(site):
    config = site.directory / "namegate.conf"
    config.write_text(config_text(namegate_everything(site)))
    return [site.binary, "run", "-c", config]


UNBOUND = """
server:
  directory: "%(directory)s"
  chroot: ""
  username: ""
  pidfile: ""
  use-syslog: no
  num-threads: %(workers)d
  so-reuseport: yes
  interface: 127.0.0.1@%(udp)d
  do-not-query-localhost: no
  do-ip6: no
  module-config: "iterator"
  minimal-responses: yes
  msg-cache-size: 256m
  rrset-cache-size: 256m
  outgoing-range: 4096
  num-queries-per-thread: 4096
  %(include)s
remote-control:
  control-enable: no
"""

UNBOUND_TLS = """
server:
  interface: 127.0.0.1@%(dot)d
  interface: 127.0.0.1@%(doh)d
  tls-port: %(dot)d
  https-port: %(doh)d
  tls-service-key: "%(key)s"
  tls-service-pem: "%(certificate)s"
  http-max-streams: 1000
  http-query-buffer-size: 64m
  http-response-buffer-size: 64m
  incoming-num-tcp: 4000
  tcp-idle-timeout: 1200000
"""


def words_of(site, **more):
    return {**vars(site), **site.ports, **more}


def unbound_text(site):
    include = 'include: "%s"' % site.listed if site.listed else ""
    text = UNBOUND % words_of(site, include=include)
    return text + (UNBOUND_TLS % words_of(site) if site.certificate else "")


def unbound(site):
    config = site.directory / "unbound.conf"
    forward = 'forward-zone:\n  name: "."\n  forward-addr: 127.0.0.1@%d\n' % site.upstream
    config.write_text(unbound_text(site) + forward)
    return ["unbound", "-d", "-c", config]


BIND = """
options {
  directory "%(directory)s"; pid-file none; session-keyfile "%(directory)s/key";
  managed-keys-directory "%(directory)s";
  listen-on port %(udp)d { 127.0.0.1; }; listen-on-v6 { none; };
  recursion yes; forward only; forwarders { 127.0.0.1 port %(upstream)d; };
  dnssec-validation no; minimal-responses yes; empty-zones-enable no; querylog no;
  max-cache-size 512m; recursive-clients 20000; tcp-clients %(connections)d;
  tcp-idle-timeout 1200; tcp-initial-timeout 1200;
  %(tls)s
  %(policy)s
};
controls { };
logging { channel c { stderr; severity warning; }; category default { c; }; };
%(zone)s
"""

BIND_TLS = """
  listen-on port %(dot)d tls bench { 127.0.0.1; };
  listen-on port %(doh)d tls bench http bench { 127.0.0.1; };
  http-listener-clients %(connections)d; http-streams-per-connection 1000;
"""

BIND_TLS_BEFORE = """
tls bench { cert-file "%(certificate)s"; key-file "%(key)s"; };
http bench { endpoints { "/dns-query"; }; listener-clients %(connections)d;
  streams-per-connection 1000; };
"""


def bind(site):
    """A response policy zone, compiled to its raw form, which loads fastest."""
    words = words_of(site, policy="", zone="", tls="", connections=CONNECTIONS)
    before = ""
    if site.certificate:
        words["tls"], before = BIND_TLS % words, BIND_TLS_BEFORE % words
    if site.listed:
        raw = site.directory / "rpz.raw"
        compile_zone = ["named-compilezone", "-q", "-k", "ignore", "-i", "none", "-F", "raw"]
        compile_zone += ["-o", str(raw), "rpz", str(site.listed)]
        subprocess.run(compile_zone, check=True, timeout=CONVERT_S)
        words["policy"] = (
            'response-policy { zone "rpz" log no; } qname-wait-recurse no break-dnssec yes;'
        )
        words["zone"] = (
            'zone "rpz" { type primary; file "%s"; masterfile-format raw; notify no;'
            " allow-query { none; }; check-names ignore; };" % raw
        )
    config = site.directory / "named.conf"
    config.write_text(before + BIND % words)
    return ["named", "-f", "-n", str(site.workers), "-c", config]


DNSDIST = """
setSecurityPollSuffix("")
setMaxTCPConnectionsPerClient(0)
setMaxTCPClientThreads(1)
setTCPRecvTimeout(1200)
setMaxTCPQueuedConnections(10000)
setRingBuffersSize(1000, 1)
addLocal("127.0.0.1:%(udp)d")
newServer({address="127.0.0.1:%(upstream)d", healthCheckMode="up"})
getPool(""):setCache(newPacketCache(400000, {maxTTL=86400, minTTL=0, numberOfShards=1}))
"""

DNSDIST_TLS = """
addTLSLocal("127.0.0.1:%(dot)d", "%(certificate)s", "%(key)s", {maxConcurrentTCPConnections=0})
addDOHLocal("127.0.0.1:%(doh)d", "%(certificate)s", "%(key)s", "/dns-query",
  {idleTimeout=1200, internalPipeBufferSize=1048576})
"""

DNSDIST_LIST = """
local list = newSuffixMatchNode()
for line in io.lines("%(listed)s") do list:add(line) end
addAction(SuffixMatchNodeRule(list, true), RCodeAction(DNSRCode.NXDOMAIN))
"""


def dnsdist(site):
    config = site.directory / "dnsdist.conf"
    text = DNSDIST + (DNSDIST_TLS if site.certificate else "")
    text += DNSDIST_LIST if site.listed else ""
    config.write_text(text % words_of(site))
    return ["dnsdist", "--supervised", "--disable-syslog", "-C", config]


KRESD = """
log_level('err')
net.ipv6 = false
net.listen('127.0.0.1', %(udp)d, {kind='dns'})
net.listen('127.0.0.1', %(dot)d, {kind='tls'})
net.listen('127.0.0.1', %(doh)d, {kind='doh2'})
net.tls('%(certificate)s', '%(key)s')
modules.unload('ta_update')
modules.unload('ta_signal_query')
modules.unload('detect_time_skew')
modules.unload('priming')
trust_anchors.remove('.')
modules.load('policy')
net.tcp_pipeline(1000)
net.tls_padding(false)
cache.size = 512 * MB
%(policy)s
policy.add(policy.all(policy.FORWARD('127.0.0.1@%(upstream)d')))
"""


def kresd(site):
    """Knot Resolver; its policy zone is read from the text, and not watched. It would pad answers
    to 468 bytes for clients that do not."""
    policy = "policy.add(policy.rpz(policy.DENY, '%s', false))" % site.listed
    words = words_of(site, policy=policy if site.listed else "")
    config = site.directory / "kresd.conf"
    config.write_text(KRESD % words)
    return ["kresd", "-n", "-c", config, str(site.directory)]


@dataclass
class Server:
    label: str
    form: str  # of list_names
    program: str  # what must be installed
    make: object  # site -> command
    package: str = ""
    version: tuple = ()  # arguments that make it tell its version
    is_openssl: bool = True
    is_nghttp2: bool = True


SERVERS = {
    "namegate": Server("namegate", "plain", str(NAMEGATE), namegate, version=("version",)),
    "unbound": Server("Unbound", "unbound", "unbound", unbound, "unbound", ("-V",)),
    "bind": Server("BIND", "rpz", "named", bind, "bind9", ("-v",)),
    "dnsdist": Server(
        "dnsdist", "plain", "dnsdist", dnsdist, "dnsdist", ("--version",), is_nghttp2=False
    ),
    "kresd": Server(
        "Knot Resolver", "rpz", "kresd", kresd, "knot-resolver", ("-V",), is_openssl=False
    ),
}


def is_installed(server):
    return bool(shutil.which(server.program))


def version_of(program, server):
    """The first number with a dot that a server tells."""
    told = subprocess.run([str(program), *server.version], capture_output=True, text=True)
    found = re.search(r"\d+\.\d+[\w.+~-]*", told.stdout + told.stderr)
    return found[0] if found else "unknown"


def null_command(site, protocol):
    """The responder that does no DNS work: a program for each protocol."""
    command = [BUILD / "bench/null/null", protocol, site.ports[protocol]]
    return command if protocol == "udp" else [*command, site.certificate, site.key]
