"""What a check gets: a server on loopback with all four protocols, which asks one scripted upstream
and blocks `BLOCKED` and everything below it, and answers with `BLOCKED_ADDRESS` where it can. Who
it is does not matter to a check."""

import itertools
import ssl
import struct

import dns_wire as w
import h2.exceptions
from dns_client import PATIENCE_S, SILENCE_S, Stream, Udp, tls_context
from h2_client import H2, RawH2

ADDRESS = "127.0.0.1"
PROTOCOLS = ("udp", "tcp", "dot", "doh")
ZONE = "rows.example"  # of all names that are asked for
BLOCKED = "blocked.example"  # it and everything below it: NXDOMAIN by the server's policy
BLOCKED_ADDRESS = "198.51.100.66"  # likewise, answers with it, for who has "addresses"

RCODES = {
    0: "NOERROR",
    1: "FORMERR",
    2: "SERVFAIL",
    3: "NXDOMAIN",
    4: "NOTIMP",
    5: "REFUSED",
    9: "NOTAUTH",
    11: "DSOTYPENI",
    16: "BADVERS",
    17: "BADKEY",
    23: "BADCOOKIE",
}
SILENCE, CLOSED, RESET = "silence", "closed", "reset"


def rcode_word(rcode):
    return RCODES.get(rcode, "rcode %d" % rcode)


def rcode_of(wire):
    """Its word. Some servers send a broken query back with an rcode: that is enough of an answer
    to it."""
    try:
        return rcode_word(w.Message(wire).rcode)
    except (w.Malformed, struct.error):
        if len(wire) < 12 or not wire[3] & 15:
            raise
        return rcode_word(wire[3] & 15)


class Server:
    """One server under test. Its files know how it is started: namegate.py, peers.py."""

    name = None  # as in the table
    numbers = itertools.count(1)

    def __init__(self, directory, certificates, upstream, ports):
        self.directory, self.certificates = directory, certificates
        self.upstream = upstream  # of upstream.py, shared by all
        self.ports = ports  # by "dns" (UDP and TCP), "dot", "doh"
        self.address, self.ca = ADDRESS, certificates.ca
        self.opened = []

    # What it can do besides answering; a check of what not every server has asks for it.
    has = frozenset()  # "addresses", "metrics", "reload", ...
    pid = None  # of the process, for what /proc tells
    version = ""

    def start(self):
        raise NotImplementedError

    def stop(self):
        raise NotImplementedError

    def is_alive(self):
        raise NotImplementedError

    def restart(self):
        self.stop()
        self.start()

    def is_well(self, times=3):
        """Alive, and answers a plain question, of which one is asked each second."""
        for _ in range(times):
            try:
                with Udp(ADDRESS, self.ports["dns"]) as client:
                    answer = client.ask(w.query(self.fresh()), 1)
            except (OSError, w.Malformed):
                return False
            if answer and answer.addresses:
                return self.is_alive()
        return False

    # Around each check.

    def begin(self):
        self.upstream.asked.clear()
        self.upstream.malformed.clear()
        self.upstream.zone.clear()
        self.upstream.mute = False

    def end(self):
        for client in self.opened:
            client.close()
        self.opened.clear()
        self.upstream.mute = False

    # For checks.

    def fresh(self, word="ok"):
        """A name that nobody has asked for yet; the word is what the upstream does about it."""
        return "%s.n%d.%s" % (word, next(self.numbers), ZONE)

    def connect(self, protocol="udp", **more):
        """A client with ask(); "raw-h2" has none and no manners. All are closed in the end."""
        try:
            return self._connect(protocol, **more)
        except ConnectionResetError:  # dnsdist, once in a while; any client tries again
            return self._connect(protocol, **more)

    def _connect(self, protocol, **more):
        if protocol == "udp":
            client = Udp(ADDRESS, self.ports["dns"], **more)
        elif protocol == "tcp":
            client = Stream(ADDRESS, self.ports["dns"], **more)
        elif protocol == "dot":
            context = more.get("context") or tls_context(self.ca, "dot")
            client = Stream(ADDRESS, self.ports["dot"], **{**more, "context": context})
        elif protocol == "raw-h2":
            client = RawH2(ADDRESS, self.ports["doh"], self.ca, **more)
        else:
            client = H2(ADDRESS, self.ports["doh"], self.ca, **more)
        self.opened.append(client)
        return client

    def ask(self, wire, protocol="udp", timeout=PATIENCE_S):
        """The Message that answers; its absence fails the row."""
        client = self.connect(protocol)
        answer = client.ask(wire) if protocol == "doh" else client.ask(wire, timeout)
        if answer is None:
            raise AssertionError("no answer over %s" % protocol)
        return answer

    def query(self, name=None, protocol="udp", **more):
        """ask() for a name, a fresh one unless it is given; more as in dns_wire.query()."""
        return self.ask(w.query(self.fresh() if name is None else name, **more), protocol)

    def outcome(self, wire, protocol="udp", timeout=PATIENCE_S):
        """What becomes of any bytes, as a word: an rcode's, "silence", "closed" (a stream is, over
        it), over DoH also "HTTP 400" and "reset"."""
        if protocol == "doh":
            return self._doh_outcome(wire)
        client = self.connect(protocol)
        try:
            client.send(wire)
            answer = client.receive(timeout)
        except TimeoutError:
            return SILENCE
        except (ConnectionError, ssl.SSLError):
            return CLOSED
        if answer is None:
            return SILENCE if protocol == "udp" else CLOSED
        return rcode_of(answer)

    def _doh_outcome(self, wire):
        client = self.connect("doh")
        try:
            response = client.wait(client.post(wire))
        except h2.exceptions.ProtocolError:
            return CLOSED
        except AssertionError as error:
            return CLOSED if "closed" in str(error) else SILENCE
        if response.reset is not None:
            return RESET
        if response.status != 200:
            return "HTTP %d" % response.status
        return rcode_of(response.body)

    def is_silent(self, wire, protocol="udp"):
        return self.outcome(wire, protocol, SILENCE_S) in (SILENCE, CLOSED)

    def asked(self, name):
        """How often the upstream was asked for a name."""
        return len(self.upstream.asked_for(name))

    def namegate(self):
        """The program of tests/flow/program.py: for what only namegate tells."""
        return None
