"""namegate lint -c: what it says about a policy, word for word, and how it exits. That it finds a
rule dead exactly when the rule decides nothing is proven in tests/unit/policy_lint_test.c."""

import json

import pytest

from config_text import config_text, group, inline, rule
from program import EX_CONFIG, SANITIZER_REPORT, run_command

BASE = {
    "listeners": [{"protocol": "dns", "address": "127.0.0.1", "port": 5300}],
    "upstreams": [{"name": "u", "protocol": "dns", "address": "127.0.0.1", "port": 5399}],
    "state_directory": "",
}


def block(name, domain_list, **more):
    return rule(name, "BLOCK", domain_list, block_response="NXDOMAIN", **more)


def view(name="lan", groups=("rules",), **more):
    associations = [
        {"rule_group": name, "priority": 101 + i} for i, name in enumerate(groups)
    ]
    return {"name": name, "clients": ["127.0.0.0/8"], "associations": associations, **more}


@pytest.fixture
def lint(tmp_path):
    path = tmp_path / "n.conf"

    def lint(lists, groups, views=None, *arguments, **settings):
        text = {**BASE, "domain_lists": lists, "rule_groups": groups}
        text.update({"views": views or [view()], **settings})
        path.write_text(config_text(text))
        done = run_command("lint", "-c", str(path), *arguments)
        assert not SANITIZER_REPORT.search(done.stderr), done.stderr
        return done

    lint.path = path
    return lint


def said(lint, done):
    """The findings without their place, and that the place is a line of the file."""
    *lines, summary = done.stdout.splitlines()
    count = len(lint.path.read_text().splitlines())
    found = []
    for line in lines:
        place, _, text = line.partition(": ")
        name, number = place.rsplit(":", 1)
        assert name == str(lint.path) and 1 <= int(number) <= count, line
        found.append(text)
    assert summary.startswith("%s: " % lint.path)
    return found


def line_of(lint, needle, nth=0):
    lines = lint.path.read_text().splitlines()
    return [i + 1 for i, line in enumerate(lines) if needle in line][nth]


@pytest.mark.quick
class TestPolicy:
    def test_nothing(self, lint):
        done = lint([inline("ads", "ads.test")], [group("rules", block("ads", "ads"))])
        assert done.returncode == 0 and done.stderr == ""
        assert done.stdout == "%s: 0 warnings, 0 notes\n" % lint.path

    def test_shadowed(self, lint):
        lists = [inline("good", "*.test", "test"), inline("ads", "ads.test", "x.ads.test")]
        rules = [rule("good", "ALERT", "good"), block("ads", "ads")]
        done = lint(lists, [group("rules", *rules)])
        assert done.returncode == 1
        assert said(lint, done) == [
            "shadowed: rule rules/ads never decides: all that it matches is decided before, "
            "by ALERT of rule rules/good"
        ]

    def test_the_place_is_that_of_the_rule(self, lint):
        # written last, and first by its priority
        rules = [block("b", "ads", priority=20), block("a", "ads", priority=10)]
        done = lint([inline("ads", "ads.test")], [group("rules", *rules)])
        place = "%s:%d: shadowed: rule rules/b " % (lint.path, line_of(lint, '"b"') - 1)
        assert done.stdout.startswith(place), done.stdout

    def test_one_view_of_two(self, lint):
        lists = [inline("ads", "ads.test")]
        groups = [group("rules", block("ads", "ads")), group("first", rule("all", "ALLOW", "ads"))]
        views = [view(), view("guests", ("first", "rules"), clients=["127.0.9.0/24"])]
        done = lint(lists, groups, views)
        assert done.returncode == 0  # elsewhere it is of use
        assert said(lint, done) == [
            'shadowed: rule rules/ads never decides in view "guests" (1 of the 2 that use it): '
            "all that it matches is decided before, by ALLOW of rule first/all"
        ]
        assert lint(lists, groups, views, "--strict").returncode == 1

    def test_what_nothing_refers_to(self, lint):
        lists = [inline("ads", "ads.test"), inline("idle", "a.test")]
        groups = [group("rules", block("ads", "ads")), group("other", block("ads", "ads"))]
        tokens = [{"name": "t", "sha256": "00" * 32}]
        done = lint(lists, groups, schedules=[{"name": "noon"}], tokens=tokens)
        assert done.returncode == 0
        assert said(lint, done) == [
            'unused_group: rule_group "other" is associated with no view',
            'unused_list: domain_list "idle" is used by no rule',
            'unused_schedule: schedule "noon" is used by no rule',
            'unused_token: token "t" is taken by no view',
        ]

    def test_rules_that_cannot_match(self, lint):
        (lint.path.parent / "empty").write_text("# nothing\n")
        lists = [
            {"name": "empty", "format": "domains", "file": "empty"},
            {"name": "v6", "format": "adblock", "domains": ["||ads.test^$dnstype=AAAA"]},
        ]
        rules = [block("none", "empty"), block("v4", "v6", query_type="A")]
        done = lint(lists, [group("rules", *rules)])
        assert said(lint, done) == [
            'empty: rule rules/none never matches: domain_list "empty" is empty',
            "never_matches: rule rules/v4 never matches: no entry of domain_list \"v6\" counts "
            "for BLOCK and questions of type A",
        ]

    def test_views(self, lint):
        lists, groups = [inline("ads", "ads.test")], [group("rules", block("ads", "ads"))]
        halves = [view("a", clients=["127.0.0.0/9"]), view("b", clients=["127.128.0.0/9"])]
        done = lint(lists, groups, [view(), *halves])
        assert done.returncode == 1
        assert said(lint, done) == [
            'unreachable: view "lan" is nobody\'s: other views claim all its clients with more '
            "right"
        ]

    def test_observed(self, lint):
        association = {"rule_group": "rules", "priority": 101, "mode": "observe"}
        done = lint(
            [inline("ads", "ads.test")],
            [group("rules", block("ads", "ads"))],
            [view(associations=[association])],
        )
        assert said(lint, done) == ['observed: view "lan" only observes rule_group "rules"']

    def test_entries(self, lint):
        lists = [
            inline("good", "*.com", "*.co.uk", "fine.example"),
            inline("bad", "*.ads.example", "*.b.example", "b.example", "captive.apple.com"),
        ]
        rules = [block("bad", "bad"), rule("good", "ALLOW", "good")]
        done = lint(lists, [group("rules", *rules)])
        assert done.returncode == 1
        found = said(lint, done)
        assert found[:2] == [
            'apex: *.co.uk. and 1 more of domain_list "good" cover what is below, not '
            "the name itself",
            'apex: *.ads.example. of domain_list "bad" covers what is below, not the name itself',
        ]
        assert found[2] == (
            "suffix: rule rules/good lets through *.co.uk. and 1 more of domain_list "
            '"good": all names below a public suffix (ICANN section)'
        )
        assert found[3] == (
            'health: view "lan" blocks captive.apple.com (iOS, macOS), by which clients test '
            "their resolver or network, by rule rules/bad"
        )


@pytest.mark.quick
class TestForPrograms:
    def test_json(self, lint):
        lists = [inline("ads", "ads.test"), inline("idle", "*.a.test")]
        rules = [rule("good", "ALERT", "ads"), block("ads", "ads")]
        done = lint(lists, [group("rules", *rules)], None, "--json")
        shadowed, idle, apex, summary = map(json.loads, done.stdout.splitlines())
        assert (shadowed["kind"], shadowed["level"]) == ("shadowed", "warning")
        assert shadowed["file"] == str(lint.path)
        assert shadowed["line"] == line_of(lint, '"BLOCK"') - 3
        assert (shadowed["rule"], shadowed["by"]) == ("rules/ads", "rules/good")
        assert (shadowed["view"], shadowed["views"], shadowed["views_of"]) == ("lan", 1, 1)
        assert (idle["kind"], idle["level"], idle["domain_list"]) == ("unused_list", "note", "idle")
        assert (apex["entry"], apex["entries"]) == ("*.a.test.", 1)
        assert (summary["warnings"], summary["notes"]) == (1, 2)

    def test_max(self, lint):
        lists = [inline("ads", "ads.test")] + [inline("idle%d" % i, "a.test") for i in range(3)]
        done = lint(lists, [group("rules", block("ads", "ads"))], None, "--max", "1")
        assert len(done.stdout.splitlines()) == 3
        assert "2 more findings" in done.stdout

    def test_a_configuration_that_is_wrong(self, lint):
        done = lint([], [group("rules", block("ads", "nothing"))])
        assert done.returncode == EX_CONFIG and "nothing" in done.stderr

    def test_usage(self, lint):
        assert run_command("lint", "-c", "x", "y").returncode == 2
        assert run_command("lint").returncode == 2
