"""What stands over the rules or beside them, on the wire: schedules, groups that only observe, and
lists of networks. (Exceptions have a file of their own.)"""

import time

import pytest

import dns_wire as w
from config_text import group, inline, rule
from program import PROTOCOLS, with_rules

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@pytest.fixture(scope="module")
def scheduled(shared_maker, scripted_session):
    settings = shared_maker.settings(scripted=scripted_session)
    today = time.gmtime().tm_wday
    settings["schedules"] = [
        {"name": "always"},
        {"name": "not-today", "days": [DAYS[(today + 3) % 7]], "time_zone": "Pacific/Auckland"},
    ]
    lists = [inline("on", "*.on.test"), inline("off", "*.off.test"), inline("all", "*.off.test")]
    rules = [
        rule("on", "BLOCK", "on", block_response="NXDOMAIN", schedule="always"),
        rule("off", "ALLOW", "off", schedule="not-today"),
        rule("rest", "BLOCK", "all", block_response="REFUSED"),
    ]
    return shared_maker.start(with_rules(settings, lists, rules))


@pytest.mark.quick
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_rule_holds_while_its_schedule_is_on(scheduled, connect, protocol):
    client = connect(scheduled, protocol)
    assert client.ask(w.query("ok.%s.on.test" % protocol)).rcode == w.NXDOMAIN
    # The one that is off is as if it were not there.
    assert client.ask(w.query("ok.%s.off.test" % protocol)).rcode == w.REFUSED
    assert scheduled.wait_log("ok.%s.off.test" % protocol)[-1]["ext"]["rule"] == "rest"


@pytest.mark.quick
def test_a_reload_takes_schedules_along(maker, scripted, connect):
    """A rule comes under the schedule of the new configuration with the new policy."""
    settings = maker.settings(scripted=scripted)
    off = DAYS[(time.gmtime().tm_wday + 3) % 7]
    settings["schedules"] = [{"name": "when", "days": [off]}]
    rules = [rule("bad", "BLOCK", "bad", block_response="NXDOMAIN", schedule="when")]
    with_rules(settings, [inline("bad", "*.bad.test")], rules)
    namegate = maker.start(settings)
    client = connect(namegate, "udp")
    for days, expected in ((list(DAYS), w.NXDOMAIN), ([off], w.NOERROR), (list(DAYS), w.NXDOMAIN)):
        settings["schedules"] = [{"name": "when", "days": days}]
        assert namegate.reload(settings)
        namegate.wait_for(
            lambda: client.ask(w.query("ok.bad.test")).rcode == expected, "the new schedule"
        )


@pytest.fixture
def observed(maker, scripted):
    settings = maker.settings(scripted=scripted)
    settings["domain_lists"] = [
        inline("new", "*.new.test", "ok.end.test"),
        inline("bad", "*.bad.test"),
    ]
    settings["rule_groups"] = [
        group("candidate", rule("new", "BLOCK", "new", block_response="NXDOMAIN")),
        group("live", rule("bad", "BLOCK", "bad", block_response="NXDOMAIN")),
    ]
    settings["views"][0]["associations"] = [
        {"rule_group": "candidate", "priority": 101, "mode": "observe"},
        {"rule_group": "live", "priority": 102},
    ]
    return maker.start(settings)


@pytest.mark.quick
def test_a_group_that_only_observes(observed, connect):
    client = connect(observed, "udp")
    assert client.ask(w.query("ok.new.test")).addresses
    assert client.ask(w.query("cname.ok.end.test")).addresses
    assert client.ask(w.query("ok.bad.test")).rcode == w.NXDOMAIN
    row = {"rule_group": "candidate", "rule": "new", "action": "BLOCK", "hop": 0}
    line = observed.wait_log("ok.new.test")[-1]
    assert line["ext"]["observed"] == [row] and "action" not in line["ext"]
    assert "firewall_rule_action" not in line and "monitored" not in line["ext"]
    line = observed.wait_log("cname.ok.end.test")[-1]
    assert line["ext"]["observed"] == [{**row, "hop": 1}]
    assert "observed" not in observed.wait_log("ok.bad.test")[-1]["ext"]
    observed.wait_metric("namegate_rule_observed_matches_total", 2, rule="new", action="BLOCK")
    assert observed.metrics().sum("namegate_rule_matches_total", rule="new") == 0


@pytest.mark.quick
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_networks(networks, connect, protocol):
    """An answer may not lead there: fresh and from the cache, along aliases, hints included."""
    client = connect(networks, protocol)
    for name in ("ok.%s.plain.test" % protocol, "cname.ok.%s.plain.test" % protocol):
        for _ in range(2):
            answer = client.ask(w.query(name, edns=w.opt()))
            assert answer.rcode == w.NXDOMAIN and answer.ede_code == 15
        line = networks.wait_log(name, 2)[-1]
        assert line["ext"]["entry"] == "192.0.2.0/28"
        assert line["ext"]["matched_address"] == "192.0.2.1"
    # Its AAAA is nowhere in the list.
    assert client.ask(w.query("ok.%s.plain.test" % protocol, w.AAAA)).answer


@pytest.fixture(scope="module")
def networks(shared_maker, scripted_session):
    settings = shared_maker.settings(scripted=scripted_session)
    path = shared_maker.directory / "drop.txt"
    path.write_text("; drop\n192.0.2.0/28 ; SBL1\n198.51.100.7\n2001:db8:bad::/48\n10.0.0.1/8\n")
    lists = [{"name": "drop", "format": "networks", "file": str(path)}]
    rules = [rule("drop", "BLOCK", "drop", block_response="NXDOMAIN")]
    return shared_maker.start(with_rules(settings, lists, rules))


def test_a_network_that_is_none_is_counted(networks):
    metrics = networks.metrics()
    assert metrics.sum("namegate_domain_list_entries", list="drop") == 3
    assert metrics.sum("namegate_domain_list_rejected_lines", list="drop", reason="syntax") == 1
