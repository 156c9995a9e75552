"""What compiler and linker were to do against mistakes (hardening.cmake) is in the programs.

Reads ELF files as readelf prints them, and prints what is missing. Usage: hardening_test.py
BUILD_DIRECTORY, of a release build. Exit code 77: there is no readelf."""

import json
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

PROGRAMS = ("proxy/namegate", "proxy/namegate-fetch")
X86 = platform.machine() in ("x86_64", "amd64")


def readelf(word, path):
    return subprocess.run(
        ["readelf", "--wide", word, str(path)], capture_output=True, text=True, check=True
    ).stdout


def headers_of(path):
    """Program headers: name -> flags."""
    rows = re.findall(r"^ +([A-Z_]+) +(?:0x\S+ +){5}([RWE ]{3})", readelf("--segments", path), re.M)
    return dict(rows)


def missing_in(path):
    """Words for what the program lacks."""
    headers = headers_of(path)
    dynamic = readelf("--dynamic", path)
    symbols = readelf("--dyn-syms", path)
    checks = {
        "an address of its own at each start (PIE)": re.search(
            r"Type:\s+DYN", readelf("--file-header", path)
        ),
        "read-only tables (RELRO)": "GNU_RELRO" in headers,
        "tables filled at the start (BIND_NOW)": re.search(r"\bBIND_NOW\b|\bNOW\b", dynamic),
        "a stack that is not run": "GNU_STACK" in headers and "E" not in headers["GNU_STACK"],
        "no segment that is written and run": not [
            row
            for row in re.findall(
                r"^ +LOAD +(?:0x\S+ +){5}([RWE ]{3})", readelf("--segments", path), re.M
            )
            if "W" in row and "E" in row
        ],
        "a guard on the stack": "__stack_chk_fail" in symbols,
        "calls that know sizes (_FORTIFY_SOURCE)": re.search(r"__\w+_chk\b", symbols),
        "no path of its own to libraries": not re.search(r"\bR(UN)?PATH\b", dynamic),
    }
    return [what for what, good in checks.items() if not good]


def missing_in_commands(build):
    """What leaves no trace in the program is read off the compiler's command lines."""
    commands = json.loads((build / "compile_commands.json").read_text())
    ours = [row for row in commands if "/proxy/" in row["file"]]
    words = ["-fstack-protector-strong", "-fstack-clash-protection", "-D_FORTIFY_SOURCE="]
    if X86:
        # A program is marked only where libc is, and Debian's is not.
        words.append("-fcf-protection")
    gcc = subprocess.run(
        [ours[0]["command"].split()[0], "--version"], capture_output=True, text=True
    ).stdout
    if re.search(r"\b1[2-9]\.\d+\.\d+", gcc) and "clang" not in gcc:
        words += ["-ftrivial-auto-var-init=zero", "-D_FORTIFY_SOURCE=3"]
    return [
        "%s of %s" % (word, Path(row["file"]).name)
        for row in ours
        for word in words
        if word not in row["command"]
    ]


def main():
    if not shutil.which("readelf"):
        print("no readelf")
        return 77
    build = Path(sys.argv[1])
    programs = [build / name for name in PROGRAMS if (build / name).exists()]
    assert programs, "no programs in %s" % build
    bad = ["%s: %s" % (path.name, what) for path in programs for what in missing_in(path)]
    bad += missing_in_commands(build)
    for line in bad:
        print("missing: " + line)
    print("%d programs, %d protections missing" % (len(programs), len(bad)))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
