"""The rows of the comparison: what is asked how, which figure counts, and what it is to reach."""

from dataclasses import dataclass

# Many clients with one question each, or few with many: answers wake the server one by one, or
# come in batches.
UDP = {"links": 32, "depth": 2}
ONE = {"links": 32, "depth": 1}
SIXTEEN = {"links": 8, "depth": 16}
SATURATED = {"links": 128, "depth": 1}
BUSY = {"links": 16, "depth": 16}  # more than one worker can do at once
HUNDRED = {"links": 100, "depth": 16}  # by a timetable; depth is only how many may wait


@dataclass
class Row:
    name: str
    theme: str
    how: str  # a function of measure.py
    protocol: str  # udp, dot, doh (POST) or get
    peer_mark: float = None  # at most so much of the best peer
    null_mark: float = None  # at most so much of null
    links: dict = None
    asks: str = "cached"
    figure: str = "cpu_us"
    among: str = ""  # the best peer is one of those with this property
    against: tuple = ()  # ((server, mark), ...): further marks
    above: str = ""  # at most so much more than this row of ours: ABOVE

    @property
    def turn(self):
        """Questions of a turn: about a twentieth of a second."""
        return MANY if self.protocol == "udp" or self.links["depth"] > 1 else FEW

    @property
    def load(self):
        """Rows with the same load are measured together."""
        return self.how, self.protocol, self.links, self.asks == "fresh"


FEW, MANY = 1000, 4000
ABOVE_US = 0.3
STEP_MS = 15
RATE = 5000  # questions a second, by a timetable

THEMES = {
    "cached": "Answers from the cache",
    "blocked": "Names on the list",
    "forward": "Names never asked before, from the upstream",
    "sat": "The load on the server's own core: no waking",
    "open": "Connect, shake hands, ask, close",
    "rate": "p90 at 5,000 questions a second",
    "idle": "Memory of an idle connection",
    "workers": "Two workers, both busy",
}

UNITS = {"cpu_us": "CPU-µs", "p90_us": "µs", "bytes": "bytes"}


def _cached_and_blocked(protocol, number, peer, null, links):
    """One right after the other: they take turns with each other."""
    cached = Row(protocol + number + "/cached", "cached", "query", protocol, peer, null, links)
    yield cached
    if protocol != "get":
        yield Row(protocol + number + "/blocked", "blocked", "query", protocol, 0.70,
                  links=links, asks="blocked", above=cached.name)


def _queries():
    yield Row("udp/cached", "cached", "query", "udp", 0.85, 1.25, UDP)
    yield Row("udp/blocked", "blocked", "query", "udp", 0.60, None, UDP, "blocked")
    for protocol, peer, null in (("dot", 0.70, 1.2), ("doh", 0.80, 1.25), ("get", 0.80, 1.25)):
        yield from _cached_and_blocked(protocol, "1", peer, null, ONE)
    for protocol, peer, null in (("dot", 0.30, 2.0), ("doh", 0.60, 1.6), ("get", 0.60, 1.6)):
        yield from _cached_and_blocked(protocol, "16", peer, null, SIXTEEN)
    yield Row("udp/forward", "forward", "query", "udp", 1.0, None, UDP, "fresh",
              against=(("unbound", 0.35),))
    for number, links, mark in (("1", ONE, 0.90), ("16", SIXTEEN, 0.85)):
        for protocol in ("dot", "doh"):
            name = protocol + number + "/forward"
            yield Row(name, "forward", "query", protocol, mark, None, links, "fresh")


def _saturated():
    for protocol in ("udp", "dot", "doh", "get"):
        cached = Row("sat-%s/cached" % protocol, "sat", "saturated", protocol, 0.70, 1.3, SATURATED)
        yield cached
        if protocol != "get":
            yield Row("sat-%s/blocked" % protocol, "sat", "saturated", protocol, 0.70,
                      links=SATURATED, asks="blocked")


def _others():
    for protocol in ("dot", "doh"):
        for word in ("open", "resume"):
            name = "%s-%s" % (word, protocol)
            yield Row(name, "open", word, protocol, 1.0, 1.05, among="is_openssl")
    for protocol in ("udp", "dot", "doh"):
        yield Row("rate-" + protocol, "rate", "rate", protocol, 1.1, 1.2, HUNDRED,
                  figure="p90_us")
    yield Row("idle-dot", "idle", "hold", "dot", 0.95, 1.1, figure="bytes")
    yield Row("idle-doh", "idle", "hold", "doh", 0.65, 0.7, figure="bytes",
              among="is_nghttp2", against=(("dnsdist", 1.1),))
    for protocol in ("udp", "dot", "doh"):
        yield Row("workers-" + protocol, "workers", "workers", protocol, links=BUSY)


ROWS = [*_queries(), *_saturated(), *_others()]
EXPECTED = {"cached": "noerror", "fresh": "noerror", "blocked": "nxdomain"}
ERRORS_MOST = 0.01
WORKERS_MARK = 1.05


def errors(row, found):
    """The share of questions that were not answered as a server that works answers them."""
    if "http_errors" not in found:
        return 1 - found["answers"] / found["asked"] if found["asked"] else 1
    wrong = found["answers"] - found[EXPECTED[row.asks]]
    wrong += found["empty"] if EXPECTED[row.asks] == "noerror" else 0
    bad = found["lost"] + found["http_errors"] + wrong
    all_of_them = found["answers"] + found["lost"] + found["http_errors"]
    return bad / all_of_them if all_of_them else 1
