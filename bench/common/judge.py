"""Medians, ratios and whether a row has reached its mark."""

from dataclasses import dataclass

from report import median, table
from rows import ABOVE_US, ROWS, STEP_MS, WORKERS_MARK
from servers import SERVERS


@dataclass
class Verdict:
    """Of one mark of one row."""

    against: str
    ratio: float  # or a time or difference in `unit`
    mark: float
    unit: str = ""

    @property
    def is_met(self):
        return round(self.ratio, 2) <= self.mark


class Judge:
    def __init__(self, found):
        values = {}
        figures = {row.name: row.figure for row in ROWS}
        for one in found["figures"]:
            key = one["row"], one["server"]
            values.setdefault(key, {})[one["turn"]] = one[figures[one["row"]]]
        self.values = values  # {(row, server): {turn: figure}}
        self.medians = {key: median(list(of.values())) for key, of in values.items()}
        self.rows = [row for row in ROWS if any(key[0] == row.name for key in values)]
        self.peers = [name for name in found["servers"] if name in SERVERS and name != "namegate"]
        self.servers = found["servers"]

    def figure(self, row, server):
        return self.medians.get((row.name, server))

    def best(self, row):
        """The cheapest peer that this row counts; None without any."""
        known = [name for name in self.peers if self.figure(row, name)]
        if row.among:
            known = [name for name in known if getattr(SERVERS[name], row.among)]
        return min(known, key=lambda name: self.figure(row, name), default=None)

    def against_best(self, row):
        best = self.best(row)
        return self._verdict(row, best, row.peer_mark) if best else None

    def against_null(self, row):
        if row.above:
            return self._above(row)
        return self._verdict(row, "null", row.null_mark)

    def further(self, row):
        verdicts = [self._verdict(row, server, mark) for server, mark in row.against]
        if row.how == "workers":
            verdicts.append(self._workers(row))
        if row.how == "rate":
            verdicts.append(self._step(row))
        return [one for one in verdicts if one]

    def _pairs(self, one, other):
        """The figures of two that had the same turn, one soon after the other."""
        first, second = self.values.get(one, {}), self.values.get(other, {})
        return [(first[turn], second[turn]) for turn in first if turn in second]

    def between(self, row, one, other):
        """The median of the turns' ratios; None without any."""
        pairs = self._pairs((row.name, one), (row.name, other))
        return median([first / second for first, second in pairs]) if pairs else None

    def _verdict(self, row, server, mark):
        found = self.between(row, "namegate", server)
        return Verdict(server, found, mark) if found and mark else None

    def _above(self, row):
        """Against what the same costs when it is in the cache."""
        pairs = self._pairs((row.name, "namegate"), (row.above, "namegate"))
        if not pairs:
            return None
        return Verdict(row.above, median([ours - other for ours, other in pairs]), ABOVE_US, " µs")

    def _step(self, row):
        """An answer that waits for a delayed acknowledgement is 20 or 40 ms late: in no run may one
        of ten be."""
        ours = self.values.get((row.name, "namegate"))
        return Verdict("step", max(ours.values()) / 1000, STEP_MS, " ms") if ours else None

    def _workers(self, row):
        found = self.between(row, "two workers", "one worker, twice")
        return Verdict("one worker", found, WORKERS_MARK) if found else None


def cell(judge, row, server):
    value = judge.figure(row, server)
    if value is None:
        return "–"
    words = "{:,.0f}".format(value) if value >= 100 else "%.1f" % value
    return "*" + words if server == judge.best(row) else words


def ratio(verdict):
    if not verdict:
        return "–"
    words = "%+.1f µs" if verdict.unit == " µs" else "%.2f" + verdict.unit
    return words % verdict.ratio


def marks(judge, row):
    """"met", or what was missed."""
    usual = judge.against_best(row), judge.against_null(row)
    verdicts = [one for one in usual if one] + judge.further(row)
    if not verdicts:
        return ""
    missed = [one for one in verdicts if not one.is_met]
    if not missed:
        return "met"
    return "missed: " + ", ".join(
        "%s %s > %g%s%s" % (one.against, ratio(one), one.mark, one.unit, floor(judge, row, one))
        for one in missed
    )


def floor(judge, row, verdict):
    """What null itself would have, of a mark that is held against a peer."""
    of_null = judge.between(row, "null", verdict.against)
    return "" if verdict.against not in SERVERS or of_null is None else " (null %.2f)" % of_null


def line_of(judge, row, tell):
    """A row with all servers; `tell` says what a verdict came to."""
    cells = [cell(judge, row, server) for server in judge.servers]
    ratios = [tell(judge.against_best(row)), tell(judge.against_null(row))]
    return [row.name, *cells, *ratios, marks(judge, row)]


def summary(found):
    judge = Judge(found)
    plain = [row for row in judge.rows if row.how != "workers"]
    head = ["", *judge.servers, "ours/best", "ours/null", "mark"]
    rows = [line_of(judge, row, ratio) for row in plain]
    parts = [found["machine"], table(head, rows)] if rows else [found["machine"]]
    workers = [row for row in judge.rows if row.how == "workers"]
    if workers:
        names = ("one worker, twice", "two workers")
        cells = [[row.name, *(cell(judge, row, name) for name in names), marks(judge, row)]
                 for row in workers]
        parts.append(table(["", *names, "mark"], cells))
    return "\n\n".join(parts + found["dropped"] + found.get("remarks", []))
