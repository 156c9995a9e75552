"""Expectations: what check says, what start and reload refuse, and that a list which would break
one waits, while what was in force stays."""

import copy
import time
from pathlib import Path

import pytest

import dns_wire as w
from config_text import config_text, inline, rule
from program import EX_CONFIG, SANITIZER_REPORT, run_command, with_rules

BLOCK = rule("no-bad", "BLOCK", "bad", block_response="NXDOMAIN")
PATIENT_S = 30

OWN_IS_FINE = {"view": "lan", "name": "www.own.example", "verdict": "ALLOW"}
BAD_IS_BLOCKED = {
    "view": "lan",
    "name": "www.bad.example",
    "verdict": "BLOCK",
    "rule": "rules/no-bad",
}


def put(path, *names):
    """As a careful program does it: nobody sees half of it."""
    aside = path.with_name("." + path.name + ".aside")
    aside.write_text("".join("%s\n" % name for name in names))
    aside.rename(path)


def is_blocked(client, name):
    return client.ask(w.query(name)).rcode == w.NXDOMAIN


def wait_for(condition, what, timeout=PATIENT_S):
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "waited in vain for " + what
        time.sleep(0.1)


def refusals(namegate):
    return namegate.metrics().sum(
        "namegate_domain_list_failures_total", list="bad", reason="expectation"
    )


@pytest.fixture
def settings(maker, knot):
    """One list "bad", of which all is blocked, from a file; a state directory."""

    def make(expect, **more):
        made = maker.settings(knot=knot)
        made["list_rebuild_interval"] = "0s"
        made["state_directory"] = str(maker.directory / "state")
        made["control_socket"] = str(maker.directory / "control.sock")
        made["expect"] = list(expect)
        made.update(more)
        file = maker.directory / "bad.txt"
        put(file, "bad.example")
        listed = {"name": "bad", "format": "wildcard", "file": str(file)}
        return with_rules(made, [listed], [BLOCK])

    return make


def check(maker, settings):
    file = Path(maker.directory) / "check.conf"
    file.write_text(config_text(settings))
    done = run_command("check", "-c", str(file))
    assert not SANITIZER_REPORT.search(done.stderr), done.stderr
    return file, done


@pytest.mark.quick
class TestCheck:
    def test_all_that_fail_are_told(self, maker, settings):
        file, done = check(
            maker,
            settings(
                [
                    BAD_IS_BLOCKED,
                    {**BAD_IS_BLOCKED, "title": "the bad are good", "verdict": "ALLOW"},
                    {
                        "client": "127.0.0.1",
                        "name": "www.example",
                        "verdict": "ALLOW",
                        "answer": ["CNAME a.bad.example.", "A 192.0.2.1"],
                    },
                    OWN_IS_FINE,
                ]
            ),
        )
        assert done.returncode == EX_CONFIG
        told = [line for line in done.stderr.splitlines() if ": expect[" in line]
        lines = file.read_text().split("expect = (")[0].count("\n")
        assert [line.split(": ", 2)[2] for line in told] == [
            '"the bad are good": www.bad.example. A in view "lan": expected ALLOW by rule '
            '"rules/no-bad", came BLOCK NXDOMAIN by rule "rules/no-bad" (list "bad", entry '
            '"bad.example.")',
            'www.example. A from 127.0.0.1: expected ALLOW, came BLOCK NXDOMAIN by rule '
            '"rules/no-bad" (list "bad", entry "bad.example."), at a.bad.example. of the answer',
        ]
        assert [line.split(": ")[1] for line in told] == ["expect[1]", "expect[2]"]
        assert int(told[0].split(":")[1]) > lines
        assert done.stderr.splitlines()[-1].endswith(": 2 errors")

    def test_how_many_hold(self, maker, settings):
        file, done = check(maker, settings([BAD_IS_BLOCKED, OWN_IS_FINE]))
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines()[-1] == "%s: 2 expectations hold" % file

    def test_a_slip_in_a_record_is_told(self, maker, settings):
        """Hints that nobody reads would hold whatever the rules say."""
        slip = {
            **OWN_IS_FINE,
            "type": "HTTPS",
            "answer": ["HTTPS 1 . alpn=h2 ipv4hnt=192.0.2.1"],
        }
        _, done = check(maker, settings([slip]))
        assert done.returncode == EX_CONFIG and "ipv4hnt" in done.stderr
        slip["answer"] = ["HTTPS 1 . alpn=h2 ipv4hint=192.0.2.1"]
        _, done = check(maker, settings([slip]))
        assert done.returncode == 0, done.stderr

    def test_check_asks_for_the_newest_lists(self, maker, settings):
        """What runs would go on with the edition before; whoever checks wants to know."""
        made = settings([OWN_IS_FINE])
        namegate = maker.prepare(made)
        namegate.start()
        put(Path(made["domain_lists"][0]["file"]), "own.example")
        wait_for(lambda: refusals(namegate) > 0, "the refusal")
        _, done = check(maker, made)
        assert done.returncode == EX_CONFIG and "www.own.example" in done.stderr

    def test_explain_does_not_mind(self, maker, settings):
        """It is what one asks when an expectation fails."""
        made = settings([{**BAD_IS_BLOCKED, "verdict": "ALERT"}])
        file, done = check(maker, made)
        assert done.returncode == EX_CONFIG
        told = run_command("explain", "-c", str(file), "www.bad.example")
        assert told.returncode == 0 and "no-bad" in told.stdout


@pytest.mark.quick
def test_traffic_is_as_expected(maker, settings, connect):
    """The same words for an expectation, and for what a client gets."""
    made = settings([BAD_IS_BLOCKED, OWN_IS_FINE, {**OWN_IS_FINE, "name": "bad.example.org"}])
    namegate = maker.prepare(made)
    namegate.start()
    client = connect(namegate, "udp")
    for expectation in made["expect"]:
        assert is_blocked(client, expectation["name"]) == (expectation["verdict"] == "BLOCK")


@pytest.mark.quick
def test_start_is_refused(maker, settings):
    namegate = maker.prepare(settings([{**BAD_IS_BLOCKED, "verdict": "ALLOW"}]))
    namegate.write_config()
    done = run_command("run", "-c", str(namegate.config))
    assert done.returncode == EX_CONFIG
    assert "expect[0]: www.bad.example. A in view" in done.stderr


@pytest.mark.threads
def test_a_reload_is_refused(maker, settings, connect):
    good = settings([BAD_IS_BLOCKED, OWN_IS_FINE])
    namegate = maker.prepare(good)
    namegate.start()
    client = connect(namegate, "udp")
    before = namegate.metrics().find("namegate_policy_info")[0][0]["hash"]
    # The rule is turned round, which is what the expectation is there for.
    bad = copy.deepcopy(good)
    bad["rule_groups"][0]["rules"][0] = {
        "name": "no-bad",
        "priority": 1,
        "action": "ALERT",
        "domain_list": "bad",
    }
    assert not namegate.reload(bad)
    assert 'expected BLOCK by rule "rules/no-bad", came ALERT' in namegate.stderr
    assert namegate.metrics().find("namegate_policy_info")[0][0]["hash"] == before
    assert is_blocked(client, "www.bad.example")
    # With what it is meant to be now, it comes in.
    bad["expect"][0]["verdict"] = "ALERT"
    assert namegate.reload(bad)
    assert not is_blocked(client, "www.bad.example")


@pytest.mark.threads
def test_a_list_that_breaks_one_waits(maker, settings, connect):
    made = settings([BAD_IS_BLOCKED, OWN_IS_FINE])
    listed = Path(made["domain_lists"][0]["file"])
    namegate = maker.prepare(made)
    namegate.start()
    client = connect(namegate, "udp")
    before = namegate.metrics().find("namegate_policy_info")[0][0]["hash"]
    for edition in (["bad.example", "own.example"], ["other.example"]):
        seen = refusals(namegate)
        put(listed, *edition)
        wait_for(lambda: refusals(namegate) > seen, "the refusal of %s" % edition)
        assert namegate.metrics().find("namegate_policy_info")[0][0]["hash"] == before
        assert is_blocked(client, "www.bad.example")
        assert not is_blocked(client, "www.own.example")
        assert not is_blocked(client, "www.other.example")
    told = run_command("lists", "-c", str(namegate.config)).stdout
    assert "expectation" in told and "expect[0]" in told
    # A reload of the same configuration does not mind the list either.
    assert namegate.hup()
    assert is_blocked(client, "www.bad.example")
    # Nobody accepts it by hand: the expectation is the operator's own word.
    done = run_command("lists", "accept", "bad", "-c", str(namegate.config))
    assert done.returncode == 1 and "cannot be accepted" in done.stderr
    assert is_blocked(client, "www.bad.example")
    # The next good edition comes in.
    put(listed, "bad.example", "more.example")
    wait_for(lambda: is_blocked(client, "www.more.example"), "the good edition")


def test_a_restart_goes_on_with_the_good_edition(maker, settings, connect):
    made = settings([BAD_IS_BLOCKED, OWN_IS_FINE])
    listed = Path(made["domain_lists"][0]["file"])
    namegate = maker.prepare(made)
    namegate.start()
    put(listed, "own.example")
    wait_for(lambda: refusals(namegate) > 0, "the refusal")
    assert namegate.stop() == 0
    namegate.start()
    client = connect(namegate, "udp")
    assert is_blocked(client, "www.bad.example")
    assert not is_blocked(client, "www.own.example")
    assert "expect[0]" in namegate.stderr


def test_only_the_list_that_is_new_waits(maker, settings, connect):
    made = settings([OWN_IS_FINE])
    other = Path(maker.directory) / "other.txt"
    put(other, "other.example")
    made["domain_lists"].append({"name": "other", "format": "wildcard", "file": str(other)})
    made["rule_groups"][0]["rules"].append(
        {**BLOCK, "name": "no-other", "domain_list": "other", "priority": 99}
    )
    namegate = maker.prepare(made)
    namegate.start()
    client = connect(namegate, "udp")
    put(Path(made["domain_lists"][0]["file"]), "own.example", "bad.example")
    wait_for(lambda: refusals(namegate) > 0, "the refusal")
    put(Path(made["domain_lists"][0]["file"]), "bad.example")
    put(other, "second.example")
    wait_for(lambda: is_blocked(client, "www.second.example"), "the other list")
    assert is_blocked(client, "www.bad.example")
    assert not is_blocked(client, "www.own.example")


def test_schedules_and_moments(maker, settings):
    """The same rule, at the times that the expectations name."""
    made = settings([])
    made["schedules"] = [{"name": "work", "days": ["mon-fri"], "hours": ["08:00-17:00"]}]
    made["domain_lists"] = [inline("bad", "bad.example")]
    made["rule_groups"][0]["rules"][0]["schedule"] = "work"
    at_work = {"view": "lan", "name": "bad.example", "at": "2026-11-23T08:00:00Z"}
    after = {**at_work, "at": "2026-11-23T17:00:00Z"}
    sunday = {**at_work, "at": "2026-11-22T10:00:00Z"}
    made["expect"] = [
        {**at_work, "verdict": "BLOCK"},
        {**after, "verdict": "ALLOW", "rule": "none"},
        {**sunday, "verdict": "ALLOW"},
    ]
    _, done = check(maker, made)
    assert done.returncode == 0, done.stderr
    made["rule_groups"][0]["rules"][0].pop("schedule")
    _, done = check(maker, made)
    assert done.returncode == EX_CONFIG
    assert "expect[1]" in done.stderr and "expect[2]" in done.stderr
    assert "expect[0]" not in done.stderr
