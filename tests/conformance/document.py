"""docs/conformance.md, from the rows and from what peers.json says that other servers did."""

import json
from pathlib import Path

from peers import PEERS
from rows import LEVELS, THEMES, all_rows

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "tests/conformance/peers.json"
DIFFERENCES = ROOT / "tests/conformance/differences.json"
DOCUMENT = ROOT / "docs/conformance.md"

HEAD = """\
# Conformance

What RFCs ask of a server that takes DNS over HTTPS, DNS over TLS and plain DNS and asks other
resolvers, row by row: where it is written, what must hold, and whether it does. The same checks,
over the same bytes, are run against namegate and against BIND, Unbound and dnsdist.

This page is made by `tests/conformance/compare`; a test fails when it is not what the checks and
the recorded results make of it. How the checks work:
[tests/conformance/README.md](../tests/conformance/README.md).

## How it was done

- namegate: each row is a test that must pass, under the address and undefined sanitizers, with
  every run of `tests/run`. A row marked *choice* is one where namegate does something else on
  purpose; the notes say why.
- The others: %(versions)s, as Debian 12 has them, run on
  %(date)s. Each forwards everything to the same scripted upstream, listens for all four protocols
  with a certificate of the same authority, blocks the same names (BIND and Unbound by a policy
  zone, dnsdist by a rule), and does not validate, as the upstream signs nothing; dnsdist has a
  packet cache of 10,000 entries. All else is their default; so BIND, which only forwards here,
  makes none of the empty zones that it makes as a resolver. `tests/conformance/peers.py` has the
  configurations. A server that died, or did not answer a plain question within 3 s of a check,
  failed the row and was started again.
- In the middle of an attack somebody else keeps asking over all four protocols, from another
  address: the row holds when each question was answered, half of them within 100 ms (200 ms with a
  sanitizer), or within four times what it took before the attack on that machine, and when memory
  and descriptors come back.
- A dash: not run, as the proof needs what only namegate has.

They are good servers with other aims: some of what fails here can be configured, and some of it is
what their authors want.
"""


BESIDE = """\
## Answers beside each other

`tests/conformance/difference` asks namegate, Unbound and BIND the same questions about a zone that
is made up at random (addresses, aliases, chains, DNAME, wildcards, big RRsets, unknown types, names
that are not there), over every protocol, with and without EDNS, DO and CD, and compares rcode,
flags, sections and TTLs. The last time: %(names)d names, %(asked)d questions to each server.
"""

# Why an answer of ours is not that of another server: (server, kind), as "difference" has them.
ALIASES_END = (
    "An answer of ours ends as a whole: an alias that leads to a name without data has the TTL of "
    "the SOA behind it, where others keep the alias for its own."
)
ZONE_CUT = (
    "SERVFAIL for a name without data whose NS records it has: it takes the name for a zone, to "
    "which the SOA of the answer does not belong."
)
EXPLAINED = {
    ("BIND", "ttl-shorter"): ALIASES_END,
    ("Unbound", "ttl-shorter"): ALIASES_END,
    ("BIND", "additional"): "It adds what addresses it has of an HTTPS record's name (RFC 9460 4).",
    ("BIND", "rcode"): ZONE_CUT,
    ("BIND", "answer"): "Of those with another rcode.",
    ("BIND", "authority"): "Of those with another rcode.",
}


# What is told of a server that was not well after a check, and so had to be started again.
DIED, SILENT = FATES = ("it died", "it no longer answered")


def read_results():
    empty = {"date": "", "versions": {}, "results": {}}
    return json.loads(RESULTS.read_text()) if RESULTS.exists() else empty


def write_results(found):
    RESULTS.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")


def write_differences(names, seed, asked, counts):
    rows = [[server, kind, counts[server, kind]] for server, kind in sorted(counts)]
    text = json.dumps({"names": names, "seed": seed, "asked": asked, "rows": rows}, indent=1)
    DIFFERENCES.write_text(text + "\n")


def write_document(found):
    DOCUMENT.write_text(made_of(all_rows(), found))


def made_of(rows, found):
    """The whole page."""
    versions = ", ".join("%s %s" % (name, found["versions"].get(name, "-")) for name in PEERS)
    values = {"date": found["date"] or "-", "versions": versions}
    parts = [HEAD % values, _totals(rows, found)]
    for theme, title in THEMES.items():
        of_theme = [row for row in rows if row.theme == theme]
        if of_theme:
            parts.append(_theme(title, of_theme, found))
    return "\n".join(parts + _differences())


def _differences():
    if not DIFFERENCES.exists():
        return []
    found = json.loads(DIFFERENCES.read_text())
    lines = [BESIDE % found, "| server | what differs | answers | why |", "|---|---|---|---|"]
    for server, kind, count in found["rows"]:
        why = EXPLAINED.get((server, kind), "?")
        lines.append("| %s | %s | %d | %s |" % (server, kind, count, why))
    if not found["rows"]:
        lines.append("| | nothing | 0 | |")
    return ["\n".join(lines) + "\n"]


def _totals(rows, found):
    lines = ["## Totals", ""]
    lines += ["| level | rows | namegate | %s |" % " | ".join(PEERS)]
    lines += ["|---|---|---|%s" % ("---|" * len(PEERS))]
    for level, meaning in LEVELS.items():
        lines.append(_total(rows, found, "%s: %s" % (level, meaning), level))
    lines.append(_total(rows, found, "all", None))
    restarts = [_restarts(rows, name, found) for name in PEERS]
    lines.append("| had to be started again | | 0 | %d | %d | %d |" % tuple(restarts))
    lines += [
        "",
        "`17 of 19` means: of 19 rows that were run and that apply, 17 held. A row that does not",
        "apply is one about something that the server does not do, and may leave undone.",
        "",
    ]
    return "\n".join(lines)


def _restarts(rows, name, found):
    """Checks after which the server was gone, in the words of "compare"."""
    told = [_result(row, name, found)[1] for row in rows]
    return sum(any(words.endswith(fate) for fate in FATES) for words in told)


def _total(rows, found, title, level):
    mine = [row for row in rows if level in (None, row.level)]
    cells = ["%d of %d" % (sum(not row.choice for row in mine), len(mine))]
    for name in PEERS:
        results = [_result(row, name, found)[0] for row in mine]
        good, bad = results.count("pass"), results.count("fail")
        cells.append("%d of %d" % (good, good + bad))
    return "| %s | %d | %s |" % (title, len(mine), " | ".join(cells))


def _theme(title, rows, found):
    lines = ["## " + title, ""]
    lines += ["| row | source | | what must hold | namegate | %s |" % " | ".join(PEERS)]
    lines += ["|---|---|---|---|---|%s" % ("---|" * len(PEERS))]
    notes = []
    for row in rows:
        cells = [_peer_cell(row, name, found, notes) for name in PEERS]
        if row.choice:
            notes.append("| `%s` | namegate | %s |" % (row.id, row.choice))
        id = "`%s`" % row.id
        ours = "choice" if row.choice else "pass"
        lines.append("| %s |" % " | ".join([id, row.source, row.level, row.holds, ours, *cells]))
    proofs = ["| `%s` | `%s` |" % (r.id, r.proven_by) for r in rows if r.proven_by]
    if proofs:
        lines += ["", "| row | is proven by |", "|---|---|", *proofs]
    if notes:
        head = ["| row | server | what was there instead, or why |", "|---|---|---|"]
        lines += ["", *head, *notes]
    return "\n".join(lines) + "\n"


def _peer_cell(row, name, found, notes):
    result, words = _result(row, name, found)
    if words:
        notes.append("| `%s` | %s | %s |" % (row.id, name, _plain(words)))
    return "**fail**" if result == "fail" else result


def _result(row, name, found):
    """What stands in the file: "pass", "fail: words", "n/a: words"."""
    result, _, words = found["results"].get(name, {}).get(row.id, "–").partition(": ")
    return result, words


def _plain(words):
    """Words of a server as Markdown that means nothing else."""
    for letter in "\\`*_|<[":
        words = words.replace(letter, "\\" + letter)
    return words
