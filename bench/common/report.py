"""Figures for people: medians, tables, and what they were measured on."""

import json
import os
import statistics
import sys
from pathlib import Path


def say(words):
    """Beside the results, while they are made."""
    print(words, file=sys.stderr, flush=True)


def median(values):
    return statistics.median(values)


def quantile(values, share):
    """The smallest value that this share of them does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, int(len(ordered) * share + 0.999999) - 1)]


def table(head, rows):
    """Text in columns, in Markdown."""
    lines = [[str(cell) for cell in row] for row in [head, *rows]]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join(
        "| %s |" % " | ".join(cell.ljust(width) for cell, width in zip(line, widths))
        for line in lines
    )


def keep(path, **found):
    """The figures as JSON; None keeps nothing."""
    if path:
        with open(path, "w") as file:
            json.dump({"machine": machine(), **found}, file, indent=1)


def machine():
    """What it ran on, for whoever reads the figures."""
    model = "unknown processor"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    load = " ".join(Path("/proc/loadavg").read_text().split()[:3])
    return "%s, %d CPUs, Linux %s, load %s" % (model, os.cpu_count(), os.uname().release, load)
