#!/usr/bin/python3
"""Compares "What is bounded, and by what" in docs/config.md with the sources: each constant that
the table names must be there, with the number that its row tells. Keys and metrics must
exist, too."""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
UNITS = {"KiB": 1024, "MiB": 1024 * 1024}
SOURCES = ("base", "dns", "rules", "tls", "proxy")
ELSEWHERE = {"RLIMIT_NOFILE"}


def rows():
    text = (ROOT / "docs/config.md").read_text()
    section = text.split("### What is bounded, and by what\n", 1)[1].split("\n#", 1)[0]
    table = [line for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table[1:]]


def constants():
    """All values of each name: some files have constants of the same name."""
    found = {}
    for top in SOURCES:
        for path in (ROOT / top).rglob("*.[ch]"):
            for name, value in re.findall(
                r"\b([A-Z][A-Z0-9_]+) = ([0-9]+(?: \* [0-9]+)*)\b", path.read_text()
            ):
                product = 1
                for factor in value.split("*"):
                    product *= int(factor)
                found.setdefault(name, set()).add(product)
    return found


def numbers(cell):
    for digits, unit in re.findall(r"\b(\d[\d,]*)(?: (KiB|MiB|s\b))?", cell):
        number = int(digits.replace(",", ""))
        yield number * (1000 if unit == "s" else UNITS.get(unit, 1))


def faults():
    known = constants()
    schema = (ROOT / "proxy/config/schema.c").read_text()
    metrics = (ROOT / "proxy/watch/metrics.def").read_text()
    for what, limit, level, _ in rows():
        told = set(numbers(limit))
        for name in re.findall(r"`([A-Z][A-Z0-9_]+)`", limit):
            if name not in known:
                yield "%s: there is no %s" % (what, name)
            elif name != "RATE_LIMIT_ROWS" and not known[name] & told:
                yield "%s: %s is %s" % (what, name, sorted(known[name]))
        for key in re.findall(r"`([a-z_]+\.[a-z_]+)`", limit):
            if '"%s"' % key not in schema:
                yield "%s: there is no key %s" % (what, key)
        for name in re.findall(r"`([a-z_]+)(?:\{[^`]*)?`", level):
            if not re.search(r"[ (]%s," % name, metrics):
                yield "%s: there is no metric %s" % (what, name)


if __name__ == "__main__":
    count, found = len(rows()), list(faults())
    for fault in found:
        print("docs/config.md:", fault)
    print("%d rows, %d faults" % (count, len(found)))
    sys.exit(bool(found) or count < 30)
