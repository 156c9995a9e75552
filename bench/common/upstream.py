"""What all servers forward to: knot with the root as its one zone, which has every name but
those below "server", on the load's core."""

from place import LOAD_CPU, take_ports
from process import Process, Prober

ZONE = """\
$TTL 86400
@ SOA ns.server. host.server. 1 3600 600 86400 3600
@ NS ns.server.
ns.server. A 127.0.0.1
* A 192.0.2.10
* AAAA 2001:db8::10
* HTTPS 1 . alpn=h2
"""

KNOT = """\
server:
    rundir: "%(directory)s"
    listen: 127.0.0.1@%(port)d
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
database:
    storage: "%(directory)s"
log:
  - target: stderr
    any: warning
zone:
  - domain: .
    file: "%(directory)s/zone"
    zonefile-sync: -1
    journal-content: none
    semantic-checks: off
"""


def start_upstream(place):
    """Returns its port."""
    directory = place / "upstream"
    directory.mkdir()
    port = take_ports("dns")["dns"]
    (directory / "zone").write_text(ZONE)
    (directory / "knot.conf").write_text(KNOT % {"directory": directory, "port": port})
    command = ["knotd", "-c", directory / "knot.conf"]
    process = Process(directory, command, cpu=LOAD_CPU)
    if Prober(port).await_rcode(process, "a.example", 0, 20) is None:
        raise SystemExit("the upstream does not start: %s" % process.log.read_text())
    return port
