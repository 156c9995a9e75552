"""A policy zone with every action, read by namegate as a list and by BIND as what it was made for:
the same questions get the same answers. Where they do not, the difference stands here with its
reason."""

import shutil
import subprocess
import time

import pytest

import dns_wire as w
from config_text import rule
from dns_client import Stream, Udp
from program import Ports, with_rules
from upstream_servers import named_has_lock_file

ZONE = """\
$TTL 60
$ORIGIN rpz.local.
@ SOA localhost. root.localhost. 1 3600 600 86400 60
  NS localhost.
; names
ok.exact.test           CNAME .
ok.target.test          CNAME .
*.nx.test               CNAME .
both.test               CNAME .
*.both.test             CNAME *.
*.empty.test            CNAME *.
ok.pass.nx.test         CNAME rpz-passthru.
*.fine.nx.test          CNAME rpz-passthru.
ok.self.nx.test         CNAME ok.self.nx.test.
*.drop.test             CNAME rpz-drop.
*.tcp.test              CNAME rpz-tcp-only.
cname.ok.exact.test     CNAME rpz-passthru.
; answers
*.page.test         77  CNAME ok.landing.test.
*.garden.test           CNAME *.walled.test.
*.own.test              CNAME ok.own.test.
data.test               A     192.0.2.77
                        AAAA  2001:db8::77
                        TXT   "two" "words; and \\"more\\""
*.data.test             A     192.0.2.80
other.test              MX    10 mail.test.
                        SRV   1 2 443 ( www.test. ) ; in parentheses
                        CAA   0 issue "ca.example"
                        TYPE65534 \\# 3 abcdef
data.test               A     192.0.2.78
; addresses
24.0.0.1.10.rpz-ip      CNAME .
32.5.0.1.10.rpz-ip      CNAME rpz-passthru.
16.0.0.2.10.rpz-ip      A     192.0.2.90
"""

NAMED = """\
options {
    directory "%(dir)s";
    pid-file none;
    session-keyfile none;
    %(lock)s
    listen-on port %(port)d { 127.0.0.1; };
    listen-on-v6 { none; };
    forwarders { 127.0.0.1 port %(upstream)d; };
    forward only;
    empty-zones-enable no;
    dnssec-validation no;
    qname-minimization off;
    notify no;
    minimal-responses yes;
    max-cache-ttl 0;
    response-policy { zone "rpz.local" max-policy-ttl 3600; } qname-wait-recurse no;
};
controls { };
zone "rpz.local" { type primary; file "%(dir)s/rpz.zone"; };
"""


class Bind:
    """named, which asks the same upstream, in a directory of its own (and copied: AppArmor)."""

    def __init__(self, directory, upstream):
        self.directory, self.port = directory, Ports.take()
        values = {
            "dir": directory,
            "port": self.port,
            "upstream": upstream,
            "lock": "lock-file none;" if named_has_lock_file() else "",
        }
        (directory / "rpz.zone").write_text(ZONE)
        (directory / "config").write_text(NAMED % values)
        self.copy = directory / "named"
        shutil.copy(shutil.which("named", path="/usr/sbin:/usr/bin"), self.copy)

    def __enter__(self):
        with open(self.directory / "log", "ab") as log:
            self.process = subprocess.Popen(
                [str(self.copy), "-g", "-n", "1", "-c", str(self.directory / "config")],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + 20
        while not self._is_ready():
            assert self.process.poll() is None and time.monotonic() < deadline, self.log
            time.sleep(0.1)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(10)

    def _is_ready(self):
        """The policy is in force a while after the first answer."""
        with Udp("127.0.0.1", self.port) as client:
            try:
                client.send(w.query("ok.exact.test"))
                answer = client.receive(1)
            except ConnectionError:
                return False
        return answer is not None and w.Message(answer).rcode == w.NXDOMAIN

    @property
    def log(self):
        return (self.directory / "log").read_text(errors="replace")


@pytest.fixture(scope="module")
def bind(tmp_path_factory, scripted_session):
    if not shutil.which("named", path="/usr/sbin:/usr/bin"):
        pytest.skip("there is no BIND here")
    with Bind(tmp_path_factory.mktemp("bind"), scripted_session.port) as server:
        yield server


@pytest.fixture(scope="module")
def namegate(shared_maker, scripted_session):
    settings = shared_maker.settings(scripted=scripted_session)
    path = shared_maker.directory / "rpz.zone"
    path.write_text(ZONE)
    lists = [{"name": "zone", "format": "rpz", "file": str(path)}]
    # Passthru is for all of an answer in BIND, for its first name only here, unless one asks for
    # more.
    with_rules(settings, lists, [rule("policy", "GIVEN", "zone", redirection="TRUST")])
    return shared_maker.start(settings)


TYPE65534 = 65534
SRV, CAA = 33, 257


def data_of(record):
    """RDATA that does not depend on how names in it are compressed."""
    if record.type in (w.CNAME, w.NS):
        return record.target.lower()
    if record.type == w.MX:
        return record.rdata[:2] + record.target.lower()
    return record.rdata


def is_silent(port, name):
    with Udp("127.0.0.1", port) as client:
        return client.is_silent(w.query(name, edns=w.opt()))


def ask(port, name, qtype, protocol="udp"):
    """What a client sees: rcode, TC, and the answer without its TTLs (the upstream's count
    down)."""
    wire = w.query(name, qtype, edns=w.opt())
    with (Stream if protocol == "tcp" else Udp)("127.0.0.1", port) as client:
        answer = client.ask(wire)
    assert answer, "silence"
    records = sorted((r.owner.lower(), r.type, data_of(r)) for r in answer.answer)
    return answer.rcode, bool(answer.flags & w.TC), records


def ask_both(namegate, bind, name, qtype, protocol="udp"):
    return ask(namegate.ports["dns"], name, qtype, protocol), ask(bind.port, name, qtype, protocol)


NAMES = [
    "ok.plain.test",
    "ok.exact.test",
    "below.ok.exact.test",
    "exact.test",
    "ok.nx.test",
    "Deep.Below.NX.test",
    "nx.test",
    "both.test",
    "ok.both.test",
    "ok.empty.test",
    "ok.pass.nx.test",
    "ok.fine.nx.test",
    "ok.self.nx.test",
    "cname.ok.exact.test",
    "ok.page.test",
    "page.test",
    "ok.garden.test",
    "ok.deep.garden.test",
    "a.own.test",
    "data.test",
    "ok.data.test",
    "other.test",
]
TYPES = {"A": w.A, "AAAA": w.AAAA, "TXT": w.TXT, "MX": w.MX, "CNAME": w.CNAME}


@pytest.mark.parametrize("qtype", TYPES)
@pytest.mark.parametrize("name", NAMES)
def test_same_answer(namegate, bind, name, qtype):
    ours, theirs = ask_both(namegate, bind, name, TYPES[qtype])
    assert ours == theirs


@pytest.mark.parametrize("qtype", [SRV, CAA, TYPE65534, w.NS])
def test_same_answer_of_rarer_types(namegate, bind, qtype):
    ours, theirs = ask_both(namegate, bind, "other.test", qtype)
    assert ours == theirs


def test_some_answers_are_what_they_should_be(namegate, bind):
    """So that both are not the same because neither works."""
    port = namegate.ports["dns"]
    assert ask(port, "ok.nx.test", w.A)[0] == w.NXDOMAIN
    assert ask(port, "ok.pass.nx.test", w.A)[2] == [
        (w.name("ok.pass.nx.test"), w.A, b"\xc0\0\2\1")
    ]
    assert len(ask(port, "data.test", w.A)[2]) == 2
    garden = ask(port, "ok.garden.test", w.A)[2]
    assert (w.name("ok.garden.test"), w.CNAME, w.name("ok.garden.test.walled.test")) in garden


def test_ttl_of_answers(namegate, bind):
    for port in (namegate.ports["dns"], bind.port):
        with Udp("127.0.0.1", port) as client:
            answer = client.ask(w.query("ok.page.test", w.CNAME))
            assert [r.ttl for r in answer.answer] == [77]


def test_drop(namegate, bind):
    assert is_silent(namegate.ports["dns"], "ok.drop.test")
    assert is_silent(bind.port, "ok.drop.test")


def test_tcp_only(namegate, bind):
    ours, theirs = ask_both(namegate, bind, "ok.tcp.test", w.A)
    assert ours == theirs and ours[1] and not ours[2]
    ours, theirs = ask_both(namegate, bind, "ok.tcp.test", w.A, "tcp")
    assert ours == theirs and not ours[1] and ours[2]


def test_addresses_of_answers(namegate, bind, scripted):
    """10.1.0.0/24 is NXDOMAIN, but for 10.1.0.5; 10.2.0.0/16 is another address. What is let
    through by its name is not stopped by its address."""
    zone = {
        "five.address.test": "10.1.0.5",
        "nine.address.test": "10.1.0.9",
        "page.address.test": "10.2.3.4",
        "free.address.test": "10.3.0.1",
        "nine.fine.nx.test": "10.1.0.9",
    }
    for name, address in zone.items():
        scripted.zone[name + "."] = lambda s, a=address: w.reply(s.wire, [w.a(s.qname, a)])
        ours, theirs = ask_both(namegate, bind, name, w.A)
        assert ours == theirs, name
    assert ask(namegate.ports["dns"], "five.address.test", w.A)[0] == w.NOERROR
    assert ask(namegate.ports["dns"], "nine.address.test", w.A)[0] == w.NXDOMAIN


def test_target_of_a_chain(namegate, bind):
    """Both deny what a CNAME leads to. BIND hands the CNAME on and denies the rest of the chain;
    for us a hop that is blocked blocks the answer."""
    ours, theirs = ask_both(namegate, bind, "cname.ok.target.test", w.A)
    assert ours == (w.NXDOMAIN, False, [])
    assert theirs[0] == w.NXDOMAIN and [r[1] for r in theirs[2]] == [w.CNAME]


def test_wildcard_beside_a_deeper_name(namegate, bind):
    """"pass.nx.test" has no record, but a name below it has: to a zone it is there, and hides
    *.nx.test from all that is below it (RFC 4592 2.2.2). BIND lets all of that through; we take
    the entry of the list at its word, which is below nx.test."""
    for name in ("x.pass.nx.test", "x.ok.pass.nx.test"):
        ours, theirs = ask_both(namegate, bind, name, w.A)
        assert ours[0] == w.NXDOMAIN and theirs[0] == w.NOERROR, name


def test_wildcard_that_leads_into_itself(namegate, bind):
    """For BIND the target is then let through. It never gets a CNAME to itself from us."""
    ours, theirs = ask_both(namegate, bind, "ok.own.test", w.A)
    assert ours[0] == theirs[0] == w.NOERROR
    assert not [r for r in ours[2] + theirs[2] if r[1] == w.CNAME]
