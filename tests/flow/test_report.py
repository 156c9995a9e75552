"""namegate report: lists beside each other, against plain set arithmetic, and what they did in the
log of a real program, against a brute force in Python."""

import gzip
import json
import os
from pathlib import Path

import pytest

import dns_wire as w
from config_text import config_text, group, inline, rule
from program import EX_CONFIG, ROOT, SANITIZER_REPORT, run_command, with_rules

DATA = Path(os.environ.get("NAMEGATE_TEST_DATA", ROOT.parent / "shared/data")) / "blocklists"
BASE = {
    "listeners": [{"protocol": "dns", "address": "127.0.0.1", "port": 5300}],
    "upstreams": [{"name": "u", "protocol": "dns", "address": "127.0.0.1", "port": 5399}],
    "state_directory": "",
}


def report(config, *arguments, code=0):
    done = run_command("report", "-c", str(config), *map(str, arguments), timeout=120)
    assert not SANITIZER_REPORT.search(done.stderr), done.stderr
    assert done.returncode == code, done.stderr
    return done


def rows(done):
    """List by name, and the whole."""
    *lists, whole = map(json.loads, done.stdout.splitlines())
    return {row["list"]: row for row in lists}, whole


def overlap(row):
    return {other["list"]: other["entries"] for other in row["overlap"]}


def block(name):
    return rule(name, "BLOCK", name, block_response="NXDOMAIN")


def write(path, lists, rules, **settings):
    view = {"name": "lan", "clients": ["127.0.0.0/8"]}
    view["associations"] = [{"rule_group": "rules", "priority": 101}]
    text = {**BASE, "domain_lists": lists, "rule_groups": [group("rules", *rules)], "views": [view]}
    path.write_text(config_text({**text, **settings}))
    return path


@pytest.mark.quick
class TestLists:
    def test_text(self, tmp_path):
        lists = [
            inline("big", *["n%d.test" % i for i in range(200)]),
            inline("small", "n1.test", "n2.test"),
            inline("own", "own.test"),
            inline("idle", "idle.test"),
        ]
        path = write(tmp_path / "n.conf", lists, [block(name) for name in ("big", "small", "own")])
        text = report(path).stdout
        assert text.splitlines()[1].split()[:5] == ["1", "big", "200", "198", "99"]
        assert "of the entries of each list, percent that are in the list of that number" in text
        assert "  2 small                    100   -   .   .\n" in text
        assert text.endswith(
            "\nsmall: may be dropped: all of its entries are in others, most of them in big\n"
            "idle: no rule uses it\n"
        )

    def test_two_lists_that_have_each_others_names(self, tmp_path):
        """Only one of them may go."""
        lists = [inline("a", "x.test", "y.test"), inline("b", "y.test", "x.test")]
        path = write(tmp_path / "n.conf", lists, [block("a"), block("b")])
        found, _ = rows(report(path, "--json"))
        assert sorted(row["advice"] for row in found.values()) == ["drop", "keep"]

    def test_allowed_is_not_blocked(self, tmp_path):
        """That a block list has it does not make an allow list needless."""
        lists = [inline("good", "x.test"), inline("ads", "x.test", "y.test")]
        rules = [rule("good", "ALLOW", "good"), block("ads")]
        found, _ = rows(report(write(tmp_path / "n.conf", lists, rules), "--json"))
        assert overlap(found["good"]) == {"ads": 1} and found["good"]["advice"] == "keep"

    def test_many_lists(self, tmp_path):
        lists = [inline("l%d" % i, "n.test", "n%d.test" % (i // 2)) for i in range(30)]
        rules = [block(each["name"]) for each in lists]
        text = report(write(tmp_path / "n.conf", lists, rules)).stdout
        assert "  1 l0                        100 % in l1  50 % in l2  50 % in l3\n" in text
        assert max(map(len, text.splitlines())) <= 130

    def test_wrong(self, tmp_path):
        path = write(tmp_path / "n.conf", [], [block("nothing")])
        assert "nothing" in report(path, code=EX_CONFIG).stderr
        assert run_command("report").returncode == 2
        assert run_command("report", "-c", "x", "--what").returncode == 2

    def test_a_log_that_is_not_there(self, tmp_path):
        path = write(tmp_path / "n.conf", [inline("a", "x.test")], [block("a")])
        assert "missing" in report(path, tmp_path / "missing", code=1).stderr


def names_of(path, name_format):
    """The names of a list of plain names, as sets are made of them."""
    names = set()
    for line in gzip.open(path, "rt", errors="replace"):
        words = line.split("#")[0].split()
        if name_format == "hosts":
            words = words[1:]
        for word in words:
            word = word.rstrip(".").lower()
            is_name = word.isascii() and all(c.isalnum() or c in "-_." for c in word)
            if is_name and not word.rsplit(".", 1)[-1].isdigit():
                names.add(word)
    return names


@pytest.mark.parametrize("name_format", ["domains", "hosts"])
def test_real_lists(tmp_path, name_format):
    files = sorted(DATA.glob("*.%s.gz" % name_format))
    if len(files) < 2:
        pytest.skip("there are no lists in %s" % DATA)
    how = {"format": name_format, "max_rejected": "100%"}
    lists = [{"name": f.name.split(".")[0], "file": str(f), **how} for f in files]
    path = write(tmp_path / "n.conf", lists, [block(each["name"]) for each in lists])
    found, whole = rows(report(path, "--json"))
    sets = {f.name.split(".")[0]: names_of(f, name_format) for f in files}
    everything = set().union(*sets.values())
    slack = max(20, len(everything) // 10000)  # names that Python takes for good and we do not
    assert abs(whole["names"] - len(everything)) <= slack
    for name, names in sets.items():
        row, others = found[name], set().union(*(sets[o] for o in sets if o != name))
        assert abs(row["entries"] - len(names)) <= slack
        assert abs(row["unique"] - len(names - others)) <= slack
        for other in sets:
            if other != name:
                assert abs(overlap(row).get(other, 0) - len(names & sets[other])) <= slack
    shares = sum(row["bytes"] for row in found.values())
    assert 0.8 * whole["image_bytes"] <= shares <= 1.1 * whole["image_bytes"]


# Question, and for each list of LISTS whether it has a name of the answer's chain.
LISTS = [
    inline("good", "ok.good.test", "ok.both.test"),
    inline("ads", "ok.ads.test", "ok.both.test", "ok.shared.test", "ok.cdn.test"),
    inline("more", "ok.shared.test", "ok.more.test"),
    inline("same", "ok.shared.test"),
    inline("never", "ok.never.test", "ok.shared.test"),
    inline("quiet", "ok.quiet.test"),
]
RULES = [
    rule("good", "ALLOW", "good"),
    block("ads"),
    block("more"),
    block("same"),
    block("never"),
    block("quiet"),
]
ASKED = {
    "ok.good.test": 3,
    "ok.both.test": 2,
    "ok.ads.test": 4,
    "ok.shared.test": 5,
    "ok.more.test": 1,
    "cname.ok.cdn.test": 2,
    "ok.nobody.test": 6,
}


def expected():
    """By list: hits, blocks, only, changes; and blocks in all."""
    sets = {each["name"]: set(each["domains"]) for each in LISTS}
    chains = {name: [name] + ([name[6:]] if name.startswith("cname.") else []) for name in ASKED}

    def judge(chain, left_out=None):
        for name in chain:
            for each in LISTS:
                if each["name"] != left_out and name in sets[each["name"]]:
                    if each["name"] == "good":
                        break
                    return each["name"]
        return None

    result, blocks = {}, 0
    for name, count in ASKED.items():
        blocks += count * (judge(chains[name]) is not None)
    for each in (row["name"] for row in LISTS):
        sums = [0, 0, 0, 0]
        for name, count in ASKED.items():
            hit = bool(sets[each] & set(chains[name]))
            by, without = judge(chains[name]), judge(chains[name], each)
            sums[0] += count * hit
            sums[1] += count * (by == each)
            sums[2] += count * (by == each and without is None)
            sums[3] += count * ((by is None) != (without is None))
        result[each] = sums
    return result, blocks


@pytest.mark.quick
def test_log(maker, scripted, connect):
    settings = with_rules(maker.settings(scripted=scripted), LISTS, RULES)
    namegate = maker.start(settings)
    for number, (name, count) in enumerate(ASKED.items()):
        client = connect(namegate, ("udp", "tcp")[number % 2])
        for _ in range(count):
            client.ask(w.query(name))
        namegate.wait_log(name, count)
    namegate.stop()
    log = [json.loads(line) for line in namegate.log_file.read_text().splitlines()]
    found, whole = rows(report(namegate.config, "--json", namegate.log_file))
    deeds, blocks = expected()
    for name, row in found.items():
        got = [row[word] for word in ("hits", "blocks", "only", "changes")]
        assert got == deeds[name], name
    recorded = sum(line["ext"].get("action") == "BLOCK" for line in log)
    assert whole["lines"] == whole["judged"] == len(log) == sum(ASKED.values())
    assert whole["blocked"] == whole["blocked_then"] == recorded == blocks
    assert sum(row["blocks"] for row in found.values()) == whole["blocked_by_lists"] == blocks
    advice = {name: row["advice"] for name, row in found.items()}
    # "same" has nothing of its own; "never" is hit, and has; "quiet" was never asked for
    assert advice["same"] == "drop" and advice["quiet"] == "never_hit"
    assert advice["ads"] == advice["more"] == advice["never"] == "keep"
    text = report(namegate.config, namegate.log_file).stdout
    assert "same: may be dropped: all of its entries are in others" in text
    assert "quiet: never hit in these logs; 1 of its entries" in text
    assert "23 lines, 23 of views: 12 blocked, 12 by lists and 0 otherwise" in text


@pytest.mark.quick
def test_packed_and_broken_logs(tmp_path):
    path = write(tmp_path / "n.conf", [inline("a", "x.test")], [block("a")])
    line = {
        "version": "1.100000",
        "query_timestamp": "2026-11-22T04:00:00Z",
        "query_name": "x.test.",
        "query_type": "A",
        "query_class": "IN",
        "rcode": "NXDOMAIN",
        "answers": [],
        "srcaddr": "127.0.0.1",
        "vpc_id": "lan",
        "transport": "UDP",
        "firewall_rule_action": "BLOCK",
    }
    log = tmp_path / "log.gz"
    log.write_bytes(gzip.compress((json.dumps(line) + "\n").encode() * 3 + b"what?\n"))
    done = report(path, "--json", log, log)
    found, whole = rows(done)
    assert found["a"]["blocks"] == found["a"]["only"] == 6
    assert (whole["lines"], whole["bad_lines"], whole["blocked_then"]) == (6, 2, 6)
    assert "not a line of a query log" in done.stderr
