"""The curves. Each takes a Field and gives what became of it as a Curve; CURVES, at the end, is
what `growth` knows by name."""

import statistics
import time
from dataclasses import dataclass, field as member

from field import (
    LOAD_CPU,
    NAMEGATE,
    Process,
    Turn,
    await_ready,
    differences,
    names,
    ratios,
    rule,
    take_turns,
)
from process import Prober
from rig import Editions

NXDOMAIN = 3
NAMES = {"dot": "DoT", "doh": "DoH"}
IDLE_MOST = 1.05
BUSY_MOST = 1.20  # of the null responder's own rise
FLAT_MOST = 1.15
LOG_MOST_US = 1.0
TEXT_MOST_S = 0.6
IMAGE_MOST_S = 0.060
SIDECAR_MOST_MIB = 6.0
LEAK_MOST = 1.03
LEAK_CONNECTIONS = 100000
SET = 20000  # names of the busy set, unless the curve is about them
CACHED = [1000, 10000, 100000, 1000000, 5000000]
FALL_LEAST = 0.95  # of that of null


@dataclass
class Point:
    x: float  # where it stands
    value: float
    measure: float  # what is held against the bound: a ratio, or the value itself
    most: float  # the bound; the first point of a flat curve has none (0)

    @property
    def holds(self):
        return not self.most or self.measure <= self.most


@dataclass
class Curve:
    name: str
    title: str
    unit: str
    along: str  # what x is
    points: list
    measure: str = "to the first"
    beside: list = member(default_factory=list)  # (x, value) of the null responder

    @property
    def holds(self):
        return all(point.holds for point in self.points)


def flat(name, title, along, xs, turns, most):
    """A curve that may not rise above `most` of its first point."""
    rises = ratios(turns, turns[0])
    points = [
        Point(x, turn.us(), rise, most if turn is not turns[0] else 0)
        for x, turn, rise in zip(xs, turns, rises)
    ]
    return Curve(name, title, "CPU-µs a question", along, points)


def beside_null(xs, turns, measure, share):
    """Points that may grow by `share` of what null's do, and null's; `turns` are ours and its."""
    (ours, null), first = turns, turns[0][0]
    points = [
        Point(x, turn.us(), grown, share * floor if turn is not first else 0)
        for x, turn, grown, floor in zip(xs, ours, measure(ours, first), measure(null, null[0]))
    ]
    return points, [(x, turn.us()) for x, turn in zip(xs, null)]


def amount(field, questions, rounds):
    """How much is asked, and how often."""
    return (questions // 4, 5) if field.quick else (questions, rounds)


# --- connections ---


def idle(field, protocol):
    """32 connections that ask, beside others that have asked once and are quiet."""
    xs = [10, 100, 1000] if field.quick else [10, 100, 1000, 10000]
    asked = field.questions(SET)
    turns = []
    for count in xs:
        server = field.start()
        field.load(server, protocol, count, 1, asked, cpu=LOAD_CPU)
        turns.append(Turn(server, field.load(server, protocol, 32, 1, asked)))
        turns[-1].load.ask(SET)
    take_turns(turns, *amount(field, 4000, 61))  # 5 % are to be told from nothing
    title = "%s, beside idle connections" % NAMES[protocol]
    return flat("idle-" + protocol, title, "idle connections", xs, turns, IDLE_MOST)


def busy(field, protocol):
    """All of them ask, one question at a time each; held against the null responder's own rise."""
    xs = [10, 100, 1000] if field.quick else [10, 100, 1000, 10000]
    asked = field.questions(SET)
    ours, null = field.start(), field.start_null(protocol)
    field.load(ours, "udp", 16, 4, asked).ask(SET)
    turns = [
        [Turn(server, field.load(server, protocol, count, 1, asked)) for count in xs]
        for server in (ours, null)
    ]
    take_turns(turns[0] + turns[1], *amount(field, 20000, 7))
    points, beside = beside_null(xs, turns, ratios, BUSY_MOST)
    title = "%s, all connections ask" % NAMES[protocol]
    return Curve(
        "busy-" + protocol, title, "CPU-µs a question", "connections", points, beside=beside
    )


def streams(field, protocol):
    """Questions under way on each of eight connections. What falls is what a wake-up, a record and
    a write cost: in µs it has to fall by as much as null's does."""
    xs = [1, 4, 16, 100]
    asked = field.questions(SET)
    ours, null = field.start(), field.start_null(protocol)
    field.load(ours, "udp", 16, 4, asked).ask(SET)
    turns = [
        [Turn(server, field.load(server, protocol, 8, count, asked)) for count in xs]
        for server in (ours, null)
    ]
    take_turns(turns[0] + turns[1], *amount(field, 20000, 7))
    points, beside = beside_null(xs, turns, differences, FALL_LEAST)
    title = "%s, questions under way on a connection" % NAMES[protocol]
    return Curve(
        "streams-" + protocol,
        title,
        "CPU-µs a question",
        "under way on each",
        points,
        measure="µs to the first",
        beside=beside,
    )


# --- the policy ---


def domain_list(path, name):
    return {"name": name, "file": str(path), "format": "wildcard"}


def over_udp(field, servers, asked, count, rounds, addresses=1, warm=SET, rest_s=0):
    turns = [
        Turn(server, field.load(server, "udp", 32, 4, asked, addresses=addresses))
        for server in servers
    ]
    for turn in turns:
        turn.rest_s = rest_s
        turn.load.ask(warm)
    take_turns(turns, *amount(field, count, rounds))
    return turns


def list_size(field):
    """Names that no list has, over UDP; the images are compiled beforehand."""
    xs = [1, 100000, 1000000] if field.quick else [1, 100000, 1000000, 10000000]
    servers = []
    for size in xs:
        lists = [domain_list(field.list(size), "made-up")]
        image = field.image("size-%d" % size, lists=lists)
        servers.append(field.start(lists=lists, lists_image=str(image)))
    turns = over_udp(field, servers, field.questions(SET), 20000, 11)
    return flat("names", "Names of a list", "names", xs, turns, FLAT_MOST)


def rules_and_lists(field, xs, count, rules_of):
    """`count` names in x lists, and rules over them; the names asked are in the last list alone."""
    servers = []
    for x in xs:
        each = count // min(x, 200)
        lists = [
            domain_list(field.list(each, number * each), "l%d" % number)
            for number in range(min(x, 200))
        ]
        servers.append(field.start(lists=lists, rules=rules_of(x)))
    return servers


def block(name, listed, **more):
    return rule(name, "BLOCK", listed, block_response="NXDOMAIN", **more)


def rules(field, listed):
    """Rules over one list each, up to 200 lists; beyond that of other types than are asked for."""
    xs = [1, 10, 100, 1000]
    count = 200000

    def rules_of(x):
        kept = min(x, 200)
        others = [
            block("other%d" % i, "l%d" % (i % kept), query_type="TYPE%d" % (300 + i))
            for i in range(x - kept)
        ]
        return others + [block("r%d" % i, "l%d" % i) for i in range(kept)]

    servers = rules_and_lists(field, xs, count, rules_of)
    asked = field.questions(900, count - 900) if listed else field.questions(SET)
    turns = over_udp(field, servers, asked, 20000, 11)
    what = "the last one decides" if listed else "none decides"
    name = "rules-last" if listed else "rules"
    return flat(name, "Rules, of which %s" % what, "rules", xs, turns, FLAT_MOST)


def lists(field):
    """200,000 names in so many lists; questions for names that none of them has."""
    xs = [1, 10, 50, 200]
    servers = rules_and_lists(
        field, xs, 200000, lambda x: [block("r%d" % i, "l%d" % i) for i in range(x)]
    )
    turns = over_udp(field, servers, field.questions(SET), 20000, 11)
    return flat("lists", "Lists", "lists", xs, turns, FLAT_MOST)


def views(field):
    """Views by the addresses of their clients; 200 clients ask, each of another view at the end."""
    xs = [1, 10, 50, 200]

    def views_of(count):
        each = 200 // count
        return [
            {
                "name": "v%d" % n,
                "clients": ["127.1.0.%d" % (n * each + i) for i in range(each)],
            }
            for n in range(count)
        ]

    servers = [field.start(views=views_of(count)) for count in xs]
    asked = field.questions(2000)
    turns = [
        Turn(server, field.load(server, "udp", 200, 1, asked, addresses=200)) for server in servers
    ]
    for turn in turns:
        turn.load.ask(SET)
    take_turns(turns, *amount(field, 20000, 11))
    return flat("views", "Views", "views", xs, turns, FLAT_MOST)


# --- the cache ---


def cache(field):
    """Names that the cache holds, all of them asked for equally often: the worst for the
    processor's own caches."""
    xs = CACHED[:3] if field.quick else CACHED
    settings = {"size": "2GiB", "min_ttl": "1h", "prefetch": False}
    servers = [field.start(cache=settings) for _ in xs]
    turns = []
    for x, server in zip(xs, servers):
        turns.append(Turn(server, field.load(server, "udp", 32, 4, field.questions(x))))
        turns[-1].load.ask(x)
    take_turns(turns, *amount(field, 20000, 11))
    return flat("cache", "Names in the cache", "names", xs, turns, FLAT_MOST)


# --- what is told, and what is tried ---


def query_log(field):
    """The log to a file beside none: one program each, in turns. What it writes 50 ms later counts
    too."""
    asked = field.questions(2000)
    servers = [
        field.start(),
        field.start(query_log={"file": str(field.directory / "query.jsonl")}),
    ]
    turns = over_udp(field, servers, asked, 10000, 81, rest_s=0.06)
    (field.directory / "query.jsonl").unlink()
    dearer = differences(turns, turns[0])
    points = [
        Point(x, turn.us(), more, LOG_MOST_US if x else 0)
        for x, turn, more in zip((0, 1), turns, dearer)
    ]
    return Curve(
        "query-log",
        "A query log to a file (1) beside none (0)",
        "CPU-µs a question",
        "logs",
        points,
        measure="µs more",
    )


def shadow(field):
    """A candidate that judges everybody, with the lists in force and with an image of its own. It
    has two evaluations at most to make do with what one has: a question's worth of FLAT_MOST."""
    asked, listed = field.questions(2000), [domain_list(field.list(200000), "made-up")]
    other = [domain_list(field.list(199000), "made-up")]
    servers = []
    for candidate in (None, listed, other):
        server = field.start(lists=listed, control_socket=str(field.free_path("sock")))
        if candidate:
            # A setting that decides nothing: the same file would be the policy in force.
            home, _ = field.prepare(lists=candidate, ports=server.ports, revisions=19)
            field.command(server, "shadow", "start", home / "namegate.conf", "--share", "100%")
        servers.append(server)
    turns = over_udp(field, servers, asked, 20000, 11)
    title = "A shadow: none (0), one (1), one with an image of its own (2)"
    return flat("shadow", title, "shadow", (0, 1, 2), turns, FLAT_MOST)


# --- starts and memory ---


def start_of(field, awaited, **settings):
    home, ports = field.prepare(**settings)
    process = Process(home, [NAMEGATE, "run", "-c", home / "namegate.conf"])
    ready_s = await_ready(process, ports)
    assert Prober(ports["udp"]).rcode(awaited, 1) == NXDOMAIN
    process.stop()
    return ready_s


def start_times(field, ways, awaited, lists):
    times = {way: [] for way, _, _ in ways}
    for _ in range(3 if field.quick else 7):
        for way, more, _ in ways:
            times[way].append(start_of(field, awaited, lists=lists, **more))
    return [statistics.median(times[way]) for way, _, _ in ways]


def start(field):
    """From the start of the process until /readyz says 200, a million names, text and image."""
    size = 100000 if field.quick else 1000000
    lists = [domain_list(field.list(size), "made-up")]
    image = str(field.image("size-%d" % size, lists=lists))
    ways = [("text", {}, TEXT_MOST_S), ("image", {"lists_image": image}, IMAGE_MOST_S)]
    times = start_times(field, ways, names(size - 1, 1)[0], lists)
    return Curve(
        "start",
        "From start to ready, %d names: text (0), image (1)" % size,
        "s",
        "way",
        [Point(x, s, s, most) for x, (s, (_, _, most)) in enumerate(zip(times, ways))],
        measure="s",
    )


def sidecar(field):
    """Beside one program: one worker, ten thousand names, a small cache with nothing in it."""
    lists = [domain_list(field.list(10000), "made-up")]
    server = field.start(lists=lists)
    time.sleep(1)
    mib = server.resident("RssAnon") / 2**20
    return Curve(
        "sidecar",
        "Memory of its own as a sidecar, 10,000 names",
        "MiB of RssAnon",
        "names",
        [Point(10000, mib, mib, SIDECAR_MOST_MIB)],
        measure="MiB",
    )


def leak(field):
    """Memory after ten loads of a list that changes and 100,000 connections, beside one of each."""
    editions = Editions(field.directory / "editions", 100000)
    state = field.directory / "leak-state"
    state.mkdir(exist_ok=True)
    server = field.start(
        lists=[domain_list(editions.path, "made-up")],
        list_rebuild_interval="0s",
        state_directory=str(state),
        cache={"size": "0B"},
    )
    prober, asked = Prober(server.ports["udp"]), field.questions(2000)
    loads = [
        field.load(server, protocol, 100, 1, asked, cpu=LOAD_CPU) for protocol in ("dot", "doh")
    ]
    total = 2000 if field.quick else LEAK_CONNECTIONS
    points, base = [], 0
    for reloads, connections in ((1, 1000), (10, total)):
        for _ in range(reloads if reloads == 1 else reloads - 1):
            editions.replace(server.process, prober)
        for load in loads:
            load.do("renew", connections // 2)
        time.sleep(2)
        mib = server.resident() / 2**20
        base = base or mib
        points.append(Point(connections, mib, mib / base, LEAK_MOST if base != mib else 0))
    return Curve(
        "leak",
        "Memory after 10 reloads and %d connections" % total,
        "MiB resident",
        "connections",
        points,
    )


CURVES = {
    "idle-dot": lambda field: idle(field, "dot"),
    "idle-doh": lambda field: idle(field, "doh"),
    "busy-dot": lambda field: busy(field, "dot"),
    "busy-doh": lambda field: busy(field, "doh"),
    "streams-dot": lambda field: streams(field, "dot"),
    "streams-doh": lambda field: streams(field, "doh"),
    "names": list_size,
    "rules": lambda field: rules(field, False),
    "rules-last": lambda field: rules(field, True),
    "lists": lists,
    "views": views,
    "cache": cache,
    "query-log": query_log,
    "shadow": shadow,
    "start": start,
    "sidecar": sidecar,
    "leak": leak,
}
