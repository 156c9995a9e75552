"""The rows of the conformance table: what must hold, where that is written, and the check of it.

A check is a function of one argument, the server that is under test (`server.py`). It returns when
the row holds, and raises what `expect()` and its like raise when it does not.
"""

import contextlib
import importlib
import signal
from dataclasses import dataclass

THEMES = {  # module below checks/ -> heading
    "dns": "DNS messages",
    "edns": "EDNS and its options",
    "cache": "Cache",
    "forward": "Forwarding and spoofing",
    "names": "Names",
    "tcp": "TCP and DNS over TLS",
    "doh": "DNS over HTTPS",
    "tls": "TLS",
    "threats": "Threats",
}
LEVELS = {
    "M": "the RFC says that it must be so",
    "S": "the RFC says that it should be so",
    "B": "our own bar, above the RFC",
    "threat": "an attack, after which others are served as before",
}
LIMIT_S = 45  # of one check; whoever hangs costs no more


class Failed(AssertionError):
    """What must hold does not; the words say what was there instead."""


class NotApplicable(Exception):
    """This server does not do what the row is about; the words say why."""


@dataclass(frozen=True)
class Row:
    id: str  # a slug, the same for ever
    source: str  # "RFC 7766 6.2.1", or whose advisory
    level: str  # of LEVELS
    holds: str  # one sentence: what must hold
    theme: str = ""
    check: object = None
    proven_by: str = ""  # a test elsewhere, where no other server can be asked the same
    restart: bool = False  # what it does to the server or to its view of upstreams stays for long
    choice: str = ""  # why namegate does something else, on purpose


ROWS = {}  # id -> Row, in the order of the files


def row(id, source, level, holds, restart=False, choice=""):
    """Registers the function below it as the check of a row."""

    def keep(check):
        theme = check.__module__.rpartition(".")[2]
        _add(Row(id, source, level, holds, theme, check, restart=restart, choice=choice))
        return check

    return keep


def proven(theme, id, source, level, holds, by):
    """A row of which tests/flow or tests/unit has the proof: "tests/flow/test_tls.py::test_x"."""
    _add(Row(id, source, level, holds, theme, proven_by=by))


def _add(row):
    assert row.id not in ROWS, "two rows are called %s" % row.id
    assert row.level in LEVELS and row.theme in THEMES, row
    ROWS[row.id] = row


def all_rows():
    """Every row, theme by theme. Files of checks that are not there are none."""
    for theme in THEMES:
        if importlib.util.find_spec("checks." + theme):
            importlib.import_module("checks." + theme)
    order = list(THEMES)
    return sorted(ROWS.values(), key=lambda row: order.index(row.theme))


def expect(holds, words, *values):
    """The words say what is wrong: "answered %s, not FORMERR"."""
    if not holds:
        raise Failed(words % values if values else words)


def not_applicable(words):
    raise NotApplicable(words)


@contextlib.contextmanager
def time_limit(seconds=LIMIT_S):
    """Ends whatever is inside with Failed; for the main thread."""

    def over(*_):
        raise Failed("not over after %d s" % seconds)

    before = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, seconds, 5)  # again, where a check takes it for its own
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
