#!/usr/bin/python3
"""Prints each line of the sources that is over 100 columns wide (a tab counts 8), and fails.

Not judged: data of tests; rows of C that clang-format is told to leave alone; tables, examples and
words without a blank in Markdown.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(sys.argv[1] if len(sys.argv) > 1 else __file__).resolve()
ROOT = ROOT if ROOT.is_dir() else ROOT.parent.parent

WIDTH = 100
DATA = ("tests/vectors", "tests/fuzz/corpus")
MADE = ("build", "run")  # where there is no git to ask what is ours

C = (".c", ".h", ".def")
MARKDOWN = (".md",)
SCRIPTS = (".py", ".sh", ".cmake")
INTERPRETER = re.compile(rb"#!.*\b(sh|bash|python3?)\b")


def names():
    """All files of the tree, as paths from its root."""
    if (ROOT / ".git").exists():
        words = ("ls-files", "-z", "--cached", "--others", "--exclude-standard")
        try:
            done = subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True)
        except FileNotFoundError:
            done = None
        if done and done.returncode == 0:
            return sorted(set(os.fsdecode(done.stdout).split("\0")) - {""})
    return sorted(walked())


def walked():
    for folder, below, files in os.walk(ROOT):
        here = Path(folder).relative_to(ROOT)
        below[:] = [one for one in below if one != ".git" and (here / one).as_posix() not in MADE]
        for name in files:
            yield (here / name).as_posix()


def reader_of(path):
    """The generator of the lines that count, for a file that is judged."""
    if path.suffix in C:
        return lines_of_c
    if path.suffix in MARKDOWN:
        return lines_of_markdown
    if path.suffix in SCRIPTS or path.name == "CMakeLists.txt":
        return enumerate_lines
    if not path.suffix:
        with open(path, "rb") as file:
            if INTERPRETER.match(file.readline(200)):
                return enumerate_lines
    return None


def enumerate_lines(text):
    return enumerate(text.split("\n"), 1)


def lines_of_c(text):
    formatted = True
    for number, line in enumerate_lines(text):
        switch = re.search(r"(?:/\*|//) clang-format (on|off)\b", line)
        formatted = switch[1] == "on" if switch else formatted
        if formatted:
            yield number, line


def lines_of_markdown(text):
    fence = None
    for number, line in enumerate_lines(text):
        begin = re.match(r"\s*(`{3,}|~{3,})", line)
        if fence:
            if begin and begin[1].startswith(fence) and line.strip() == begin[1]:
                fence = None
        elif begin:
            fence = begin[1]
        elif not re.match(r"\s*\|", line) and can_be_broken(line):
            yield number, line


def can_be_broken(line):
    return " " in re.sub(r"^\s*([-*+>#]+|\d+[.)])?\s+", "", line.rstrip())


def main():
    checked = faults = 0
    for name in names():
        path = ROOT / name
        if name.startswith(tuple(one + "/" for one in DATA)) or not path.is_file():
            continue
        reader = reader_of(path)
        if not reader:
            continue
        checked += 1
        for number, line in reader(path.read_text(encoding="utf-8", errors="replace")):
            width = len(line.expandtabs(8))
            if width > WIDTH:
                faults += 1
                print("%s:%d: %d columns: %s" % (name, number, width, line.strip()))
    assert checked > 20, "no sources found below %s" % ROOT
    print("%d files, %d lines that are too long" % (checked, faults))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
