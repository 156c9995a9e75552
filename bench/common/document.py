"""The tables and pictures of docs/performance.md, from the results of bench/compare."""

from judge import Judge, cell, line_of, marks, ratio
from place import ROOT
from rows import THEMES
from servers import SERVERS

DOCUMENT = ROOT / "docs/performance.md"
BEGIN, END = "<!-- bench/compare: begin -->\n", "<!-- bench/compare: end -->\n"


def write_document(found):
    """Replaces what stands between the two marks, and the pictures."""
    from plots import CONNECTIONS, QUERIES, draw

    judge = Judge(found)
    draw(ROOT / "docs/performance-queries.svg", judge, QUERIES, 11, 2)
    draw(ROOT / "docs/performance-connections.svg", judge, CONNECTIONS, 11, 3)
    text = DOCUMENT.read_text()
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    DOCUMENT.write_text(before + BEGIN + made_of(judge, found) + END + after)


def made_of(judge, found):
    parts = ["\n" + conditions(found), totals(judge)]
    parts += [theme_table(judge, theme) for theme in THEMES]
    if found["dropped"]:
        lines = ["- %s" % words for words in sorted(set(strip(found["dropped"])))]
        parts.append("Left out, as more than 1 % of the questions went wrong, or a minute was not\n"
                     "enough to open the idle connections:\n\n")
        parts[-1] += "\n".join(lines) + "\n"
    if found["remarks"]:
        parts.append("\n".join(wrapped("- " + words) for words in found["remarks"]) + "\n")
    return "\n".join(part for part in parts if part) + "\n"


def strip(dropped):
    """Row and server alone."""
    return [words.partition(":")[0] for words in dropped]


def label(name):
    return SERVERS[name].label if name in SERVERS else name


def conditions(found):
    versions = found["versions"]
    known = ["%s %s" % (label(name), versions[name]) for name in found["servers"]
             if name in versions]
    known += ["%s %s" % (name, versions[name]) for name in versions if name.startswith("lib")]
    options = found["options"]
    lines = [
        "- Measured on %s." % found["date"],
        "- Machine: %s." % found["machine"],
        "- Versions: %s." % ", ".join(known),
        "- Rounds: %d with %d turns, a list of %s names, %s idle connections." % (
            options["rounds"], options["turns"], "{:,}".format(options["names"]),
            "{:,}".format(options["idle"]),
        ),
    ]
    return "\n".join(wrapped(line) for line in lines) + "\n"


def wrapped(line, width=100):
    words, lines = line.split(), [""]
    for word in words:
        if len(lines[-1]) + len(word) + 1 > width:
            lines.append(" ")
        lines[-1] += (" " if lines[-1] else "") + word
    return "\n".join(lines)


def totals(judge):
    told = [marks(judge, row) for row in judge.rows]
    met, known = sum(words == "met" for words in told), sum(bool(words) for words in told)
    return "%d of %d rows reach all of their marks.\n" % (met, known)


def theme_table(judge, theme):
    rows = [row for row in judge.rows if row.theme == theme]
    if not rows:
        return ""
    head, cells = workers_table(judge, rows) if theme == "workers" else usual_table(judge, rows)
    lines = ["### " + THEMES[theme], "", unit_of(rows[0]), ""]
    lines += ["| %s |" % " | ".join(line) for line in [head, ["---"] * len(head), *cells]]
    return "\n".join(lines) + "\n"


def usual_table(judge, rows):
    null = "above the cache's (mark)" if rows[-1].above else "of null (mark)"
    head = ["", *(label(name) for name in judge.servers), "of the best (mark)", null, ""]
    return head, [line_of(judge, row, with_mark) for row in rows]


def workers_table(judge, rows):
    names = ["one worker, twice", "two workers"]
    cells = [
        [row.name, *(cell(judge, row, name) for name in names),
         with_mark(next(iter(judge.further(row)), None)), marks(judge, row)]
        for row in rows
    ]
    return ["", *names, "ratio (mark)", ""], cells


def with_mark(verdict):
    return "%s (%g)" % (ratio(verdict), verdict.mark) if verdict else "–"


def unit_of(row):
    if row.theme == "open":
        return "CPU-µs a connection."
    return {"cpu_us": "CPU-µs a query.", "p90_us": "Microseconds.", "bytes": "Bytes."}[row.figure]
