#!/usr/bin/python3
"""Arrows point down: prints each include line that breaks the floor plan, and fails.

base <- dns <- rules, tls <- proxy; rules and tls do not know each other, dns and rules do not know
that a network exists. Headers of libraries appear only where LIBRARIES says, and in as few of our
headers as possible, so that a core that can be called from a test stays one.
"""

import re
import sys
from pathlib import Path

ROOT = Path(sys.argv[1] if len(sys.argv) > 1 else __file__).resolve()
ROOT = ROOT if ROOT.is_dir() else ROOT.parent.parent

# folder -> the folders it may know
MAY_KNOW = {
    "base": {"base"},
    "dns": {"base", "dns"},
    "rules": {"base", "dns", "rules"},
    "tls": {"base", "tls"},
    "proxy": {"base", "dns", "rules", "tls", "proxy"},
}

VERSIONS = "proxy/versions.c"  # tells the versions of all libraries

# A header by its name; the sources, then the headers of ours that may include it.
LIBRARIES = [
    (r"uv\.h", ("proxy/",), ("proxy/",)),
    (r"openssl/.*", ("tls/",), ("tls/private.h",)),
    (r"nghttp2/.*", ("proxy/framing/", VERSIONS), ("proxy/framing/h2.h",)),
    (r"ares.*\.h", ("proxy/upstream/",), ()),
    (r"libconfig\.h", ("proxy/config",), ()),
    (r"(http_parser|llhttp)\.h", ("proxy/framing/", VERSIONS), ()),
    (r"curl/.*", ("proxy/fetch/",), ()),
    (r"cmocka\.h", (), ()),
    # The network is of the rim; base/address.h knows what an address looks like.
    (r"sys/socket\.h|netdb\.h|sys/epoll\.h|poll\.h", ("base/", "proxy/"), ("base/", "proxy/")),
    # dns/ and rules/ do not know the time.
    (r"time\.h|sys/time\.h", ("base/", "tls/", "proxy/"), ("base/", "tls/", "proxy/")),
    (r"pthread\.h|threads\.h", ("base/", "tls/", "proxy/"), ("base/", "tls/", "proxy/")),
]

INCLUDE = re.compile(r'^\s*#\s*include\s+(?:"([^"]+)"|<([^>]+)>)')


def sources():
    for folder in MAY_KNOW:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in (".c", ".h", ".def"):
                yield folder, path


def faults_of(folder, path, line):
    """What is wrong with one line, if anything."""
    match = INCLUDE.match(line)
    if not match:
        return []
    ours, library = match.groups()
    return fault_of_ours(folder, ours) if ours else fault_of_library(path, library)


def fault_of_ours(folder, header):
    target = header.partition("/")[0]
    if "/" not in header or ".." in header:
        return ["name it from the root"]
    if target not in MAY_KNOW:
        return ["%s/ is no part of the program" % target]
    if target not in MAY_KNOW[folder]:
        return ["%s/ does not know %s/" % (folder, target)]
    return []


def fault_of_library(path, header):
    name = path.relative_to(ROOT).as_posix()
    for pattern, in_sources, in_headers in LIBRARIES:
        places = in_headers if path.suffix == ".h" else in_sources
        if re.fullmatch(pattern, header) and not name.startswith(places):
            return ["belongs into %s" % (", ".join(in_sources) or "tests/")]
    return []


def main():
    checked = faults = 0
    for folder, path in sources():
        checked += 1
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
            for fault in faults_of(folder, path, line):
                faults += 1
                print("%s:%d: %s: %s" % (path.relative_to(ROOT), number, fault, line.strip()))
    assert checked > 20, "no sources found below %s" % ROOT
    print("%d files, %d includes that point the wrong way" % (checked, faults))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
