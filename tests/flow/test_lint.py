"""namegate lint: what it says about a list, word for word, and how it exits."""

import gzip
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from program import ROOT, SANITIZER_REPORT, run_command
from test_real_lists import counts_of_readme

DATA = Path(os.environ.get("NAMEGATE_TEST_DATA", ROOT.parent / "shared/data")) / "blocklists"

HOSTS = """# a list
127.0.0.1 localhost
0.0.0.0 ads.example
0.0.0.0 ads.example tracker.example
0.0.0.0
0.0.0.0 192.0.2.1
0.0.0.0 not..a..name
0.0.0.0 captive.apple.com
"""


def lint(*arguments, **kwargs):
    done = run_command("lint", *map(str, arguments), **kwargs)
    assert not SANITIZER_REPORT.search(done.stderr), done.stderr
    return done


@pytest.fixture
def make(tmp_path):
    def make(text, name="list"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return make


@pytest.mark.quick
class TestWhatItSays:
    def test_text(self, make):
        path = make(HOSTS)
        done = lint(path, "--format", "hosts")
        assert done.returncode == 1 and done.stderr == ""
        assert done.stdout == (
            "{0}:4: duplicate: ads.example. stood before, in line 3\n"
            "{0}:5: rejected: no name behind an address: 0.0.0.0\n"
            "{0}:6: rejected: an IP address where a name belongs: 192.0.2.1\n"
            "{0}:7: rejected: not a domain name: not..a..name\n"
            "{0}:8: health: captive.apple.com. covers captive.apple.com (iOS, macOS), "
            "by which clients test their resolver or network\n"
            "{0}: format hosts, 8 lines, 3 entries; "
            "3 rejected (1 not_a_name, 1 address, 1 no_name), "
            "0 suffix, 1 health, 1 duplicate, 0 covered\n"
        ).format(path)

    def test_json(self, make):
        """One object a line; the summary is the last."""
        path = make(HOSTS)
        done = lint(path, "--format", "hosts", "--json")
        *findings, summary = [json.loads(line) for line in done.stdout.splitlines()]
        assert done.returncode == 1
        assert findings[0] == {
            "kind": "duplicate",
            "line": 4,
            "entry": "ads.example.",
            "first_line": 3,
        }
        assert findings[2] == {
            "kind": "rejected",
            "line": 6,
            "reason": "address",
            "text": "192.0.2.1",
        }
        assert summary == {
            "kind": "summary",
            "file": str(path),
            "format": "hosts",
            "lines": 8,
            "entries": 3,
            "findings": {"rejected": 3, "suffix": 0, "health": 1, "duplicate": 1, "covered": 0},
            "rejected": {"not_a_name": 1, "address": 1, "no_name": 1},
        }

    def test_suffixes_and_covered(self, make):
        path = make("*.co.uk\nshop.co.uk\ngithub.io\nwww.example.net\n*.example.net\n")
        done = lint(path, "--format", "domains")
        assert done.stdout.splitlines()[:-1] == [
            "%s:1: suffix: *.co.uk. covers all names below a public suffix (ICANN section)" % path,
            "%s:2: covered: shop.co.uk. is covered by *.co.uk. in line 1" % path,
            "%s:3: suffix: github.io. is a public suffix (private section); "
            "names below it are not meant" % path,
            "%s:4: covered: www.example.net. is covered by *.example.net. in line 5" % path,
        ]

    def test_max(self, make):
        """The first ones by line; the rest is counted."""
        path = make("a..b\n" * 7)
        done = lint(path, "--format", "domains", "--max", "2")
        first, second, more, summary = done.stdout.splitlines()
        assert first.startswith("%s:1: " % path) and second.startswith("%s:2: " % path)
        assert more == "%s: 5 more findings" % path and "7 rejected (7 not_a_name)" in summary
        assert len(lint(path, "--format", "domains", "--max", "0").stdout.splitlines()) == 2

    def test_bytes_of_a_stranger_do_not_reach_the_terminal(self, make):
        path = make(b"\x1b]0;evil\x07.example\nx\x9b2J.example\n\xff\xfe\n")
        done = lint(path, "--format", "domains")
        assert done.returncode == 1 and len(done.stdout.splitlines()) == 4
        assert all(character.isprintable() or character == "\n" for character in done.stdout)


@pytest.mark.quick
class TestExit:
    ROWS = {
        "clean": ("a.example\n*.b.example\n", 0, 0),
        "empty": ("", 0, 0),
        "rejected": ("a..b\n", 1, 1),
        "suffix": ("*.com\n", 1, 1),
        "health": ("detectportal.firefox.com\n", 1, 1),
        "duplicate": ("a.example\na.example\n", 0, 1),
        "covered": ("*.b.example\na.b.example\n", 0, 1),
    }

    @pytest.mark.parametrize("row", ROWS)
    def test_code(self, make, row):
        """Notes are no failure, unless asked for."""
        text, code, strict = self.ROWS[row]
        path = make(text)
        assert lint(path, "--format", "domains").returncode == code
        assert lint(path, "--format", "domains", "--strict").returncode == strict

    @pytest.mark.parametrize(
        "arguments, word",
        (
            ((), "one LIST"),
            (("a", "b"), "one LIST"),
            (("a", "--format", "no-such"), "no-such"),
            (("a", "--max", "many"), "many"),
            (("a", "--max", "-1"), "-1"),
            (("a", "--no-such"), "--no-such"),
        ),
    )
    def test_usage(self, arguments, word):
        done = lint(*arguments)
        assert done.returncode == 2 and word in done.stderr and done.stdout == ""

    def test_no_such_file(self, tmp_path):
        done = lint(tmp_path / "none", "--format", "domains")
        assert done.returncode == 1 and "none: " in done.stderr and done.stdout == ""

    def test_directory(self, tmp_path):
        assert lint(tmp_path, "--format", "domains").returncode == 1


@pytest.mark.quick
class TestWhatItReads:
    def test_format_is_recognised(self, make):
        done = lint(make("0.0.0.0 a.example\n0.0.0.0 b.example\n"))
        assert done.returncode == 0 and "format hosts" in done.stdout

    def test_plain_names_need_a_format(self, make):
        done = lint(make("a.example\nb.example\n"))
        assert done.returncode == 2 and "--format" in done.stderr

    @pytest.mark.parametrize("packer", ("gzip", "zstd"))
    def test_packed(self, make, packer):
        path = make(HOSTS)
        if not shutil.which(packer):
            pytest.skip("no %s here" % packer)
        done = subprocess.run([packer, "-c", path], capture_output=True, check=True)
        packed = make(done.stdout, "p")
        plain = lint(path, "--format", "hosts").stdout
        assert lint(packed, "--format", "hosts").stdout == plain.replace(str(path), str(packed))

    def test_damaged(self, make):
        packed = gzip.compress(HOSTS.encode() * 100)
        done = lint(make(packed[: len(packed) // 2]), "--format", "hosts")
        assert done.returncode == 1 and "damaged" in done.stderr and done.stdout == ""


PLAIN = ("hosts", "domains", "wildcard")
UNRECOGNISED = ("domains", "wildcard", "dnscrypt")


def real_lists(*kinds):
    found = sorted(DATA.glob("*.gz")) if DATA.is_dir() else []
    return [path for path in found if not kinds or path.name.split(".")[1] in kinds]


def lint_json(path):
    kind = path.name.split(".")[1]
    how = ("--format", kind) if kind in UNRECOGNISED else ()
    done = lint(path, "--json", *how, timeout=300)
    *findings, summary = [json.loads(line) for line in done.stdout.splitlines()]
    lines = [finding["line"] for finding in findings]
    assert lines == sorted(lines)
    return findings, summary


def of_kind(findings, kind):
    return [finding for finding in findings if finding["kind"] == kind]


def read_simply(path):
    """First line of each name, and lines that repeat one, by a reader that knows only blanks."""
    first, repeated = {}, {}
    for number, line in enumerate(gzip.open(path, "rt"), 1):
        words = line.partition("#")[0].split()
        name = words[-1].lower().removeprefix("*.").rstrip(".") if words else ""
        if not name or name.rpartition(".")[2].isdigit() or name == "localhost":
            continue
        if name in first:
            repeated[number] = first[name]
        first.setdefault(name, number)
    return first, repeated


real = pytest.mark.skipif(
    not DATA.is_dir(), reason="no lists at %s (NAMEGATE_TEST_DATA)" % DATA
)


@real
@pytest.mark.parametrize("path", real_lists(), ids=lambda path: path.name)
def test_every_name_of_a_real_list_is_accounted_for(path):
    """What is left and what is covered is as many as the data's README says."""
    findings, summary = lint_json(path)
    covered = len(of_kind(findings, "covered"))
    assert summary["entries"] + covered == counts_of_readme()[path.name.removesuffix(".gz")]


@real
@pytest.mark.parametrize("path", real_lists(*PLAIN), ids=lambda path: path.name)
def test_lines_of_a_real_list(path):
    first, repeated = read_simply(path)
    findings, summary = lint_json(path)
    duplicates, covered = of_kind(findings, "duplicate"), of_kind(findings, "covered")
    assert {one["line"]: one["first_line"] for one in duplicates} == repeated
    assert summary["entries"] == len(first) - len(covered)
    for finding in covered:
        entry, by = finding["entry"].rstrip("."), finding["by"].removeprefix("*.").rstrip(".")
        assert entry.endswith("." + by)
        assert (first[entry], first[by]) == (finding["line"], finding["by_line"])


@real
def test_a_real_list_that_breaks_phones():
    findings, _ = lint_json(DATA / "blp-tracking.adguard.gz")
    assert [(one["entry"], one["name"]) for one in of_kind(findings, "health")] == [
        ("metric.gstatic.com.", "a-dnsotls-ds.metric.gstatic.com")
    ]
