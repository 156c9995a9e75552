"""Real block lists, in the formats that their sources publish: all names arrive, and are blocked.

The data is not part of the project: NAMEGATE_TEST_DATA, or ../shared/data beside the checkout."""

import gzip
import os
import random
import re
from pathlib import Path

import pytest

import dns_wire as w
from config_text import rule
from program import ROOT, with_rules

DATA = Path(os.environ.get("NAMEGATE_TEST_DATA", ROOT.parent / "shared/data"))
BLOCKED = 15
FORMATS = {"hosts": "hosts", "domains": "domains", "wildcard": "wildcard"}
SAMPLE = 40

pytestmark = pytest.mark.skipif(
    not (DATA / "blocklists").is_dir(), reason="no lists at %s (NAMEGATE_TEST_DATA)" % DATA
)


def counts_of_readme():
    """file name -> unique domains, from the table of the data's own README. A cell may name
    several files by their endings: "urlhaus.hosts, .domains"."""
    counts = {}
    for line in (DATA / "README.md").read_text().splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        number = re.match(r"([\d,]+)( each)?$", cells[2]) if len(cells) >= 3 else None
        if not number:
            continue
        stem = None
        for name in cells[0].split(", "):
            stem = stem or name.rpartition(".")[0]
            counts[name if not name.startswith(".") else stem + name] = int(
                number[1].replace(",", "")
            )
    return counts


def files():
    found = sorted((DATA / "blocklists").glob("*.gz")) if (DATA / "blocklists").is_dir() else []
    return [path for path in found if path.suffixes[-2][1:] in FORMATS]


def names_of(text, kind):
    """The names as the list's format has them, read as simply as can be."""
    for line in text.splitlines():
        line = line.partition("#")[0].strip()
        if not line:
            continue
        name = line.split()[1] if kind == "hosts" else line
        name = name.removeprefix("*.").rstrip(".").lower()
        if not re.fullmatch(r"[\d.]+", name):
            yield name


@pytest.fixture(scope="module")
def texts():
    return {path.name.removesuffix(".gz"): gzip.open(path, "rt").read() for path in files()}


@pytest.fixture(scope="module")
def namegate(shared_maker, scripted_session, texts):
    """All of them in one program, each with a rule of its own."""
    settings = shared_maker.settings(scripted=scripted_session)
    lists, rules = [], []
    for name, text in texts.items():
        (shared_maker.directory / name).write_text(text)
        kind = FORMATS[name.rpartition(".")[2]]
        lists.append({"name": name, "file": name, "format": kind})
        rules.append(rule(name, "BLOCK", name, block_response="NXDOMAIN"))
    return shared_maker.start(with_rules(settings, lists, rules))


def test_there_are_some(texts):
    assert len(texts) >= 9


@pytest.mark.parametrize("path", files(), ids=lambda path: path.name.removesuffix(".gz"))
def test_count(namegate, path):
    """As many entries as the data's README says."""
    name = path.name.removesuffix(".gz")
    entries = namegate.metrics().sum("namegate_domain_list_entries", list=name)
    assert entries == counts_of_readme()[name]


@pytest.mark.parametrize("path", files(), ids=lambda path: path.name.removesuffix(".gz"))
def test_listed_names_are_blocked(namegate, texts, scripted, connect, path):
    """A sample of each; the log names a list that has the name, and the entry in it."""
    name = path.name.removesuffix(".gz")
    kind = FORMATS[name.rpartition(".")[2]]
    listed = sorted(set(names_of(texts[name], kind)))
    sample = random.Random(name).sample(listed, SAMPLE)
    client = connect(namegate, "tcp")
    for one in sample:
        asked = "sub.of." + one if kind == "wildcard" else one
        answer = client.ask(w.query(asked, edns=True))
        assert (answer.rcode, answer.ede_code) == (w.NXDOMAIN, BLOCKED), asked
        assert not scripted.asked_for(asked)
    for one in sample:
        asked = "sub.of." + one if kind == "wildcard" else one
        ext = namegate.wait_log(asked)[-1]["ext"]
        assert ext["list"] in texts and ext["rule"] == ext["list"]
        entry = ext["entry"].rstrip(".").removeprefix("*.")
        assert asked == entry or asked.endswith("." + entry)
        assert entry in texts[ext["list"]].lower()


def test_names_below_exact_ones_pass(namegate, texts, connect):
    """`domains` and `hosts` list a name, and not what is below it."""
    wild = set()
    for name, text in texts.items():
        if name.endswith(".wildcard"):
            wild.update(names_of(text, "wildcard"))
    listed = sorted(names_of(texts["blp-ransomware.hosts"], "hosts"))[:SAMPLE]
    client = connect(namegate, "tcp")
    for one in listed:
        labels = one.split(".")
        if not wild & {".".join(labels[i:]) for i in range(len(labels))}:
            answer = client.ask(w.query("ok.below." + one, edns=True))
            assert answer.rcode == w.NOERROR and answer.ede is None, one
