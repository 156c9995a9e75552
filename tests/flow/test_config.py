"""Keys of the configuration that say who is asked and what is kept: what `check` says of mistakes,
what the start says of things that may be meant, and what a reload takes. What the keys then do is
in the tests of the things themselves."""

import re

import pytest

import dns_wire as w
from config_text import config_text, inline, rule
from program import EX_CONFIG, run_command, with_rules

HEALTH = "builtin:client-health"
DOT = {"name": "dot", "protocol": "dot", "address": "192.0.2.1", "tls_name": "dns.example.net"}
DOH = {"name": "doh", "protocol": "doh", "host": "dns.example.net", "bootstrap": "scripted"}
PIN = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="


@pytest.fixture
def check(maker):
    """check(change) runs `check` on a good configuration that was changed."""
    settings = maker.settings(scripted=5300)
    settings["views"].append({"name": "guests", "clients": ["10.9.0.0/16"]})

    def run(change):
        change(settings)
        path = maker.directory / "namegate.conf"
        path.write_text(config_text(settings))
        return run_command("check", "-c", str(path))

    return run


def upstreams(*more):
    """Adds upstreams to the one that is there."""
    return lambda settings: settings["upstreams"].extend(dict(one) for one in more)


def root(**keys):
    return lambda settings: settings.update(keys)


def view(**keys):
    return lambda settings: settings["views"][0].update(keys)


def groups(*members, **more):
    return root(upstream_groups=[{"name": "all", "upstreams": list(members), **more}])


def route(*domains, **more):
    return root(routes=[{"domains": list(domains), "upstream_group": "default", **more}])


# What is fine, and what is wrong: the path of the setting, and the word or hint that helps.
FINE = {
    "dot": upstreams(DOT),
    "dot-by-address": upstreams({**DOT, "addresses": ["192.0.2.1", "192.0.2.2"], "address": None}),
    "doh-by-host": upstreams(DOH),
    "doh-with-everything": upstreams({**DOH, "path": "/p", "method": "GET", "tls_pins": [PIN]}),
    "group": groups("scripted", policy="parallel"),
    "route": route("corp.example", "10.0.0.0/8", "fd00::/8", views=["guests"]),
    "special-names": root(special_names={"local": False, "canary": True}),
    "ddr": root(ddr=True),
    "cache": root(cache={"size": "1MiB", "file": "cache.bin", "stale": "0s", "prefetch": False}),
    "no-cache": root(cache={"size": "0B"}),
    "rebinding": root(rebinding_exceptions=["plex.direct"]),
    "rebinding-in-a-view": view(rebinding_protection=True),
    "group-of-a-view": view(upstream_group="default"),
    "health-group": view(associations=[{"rule_group": HEALTH, "priority": 1}]),
}

SPOILED = {
    "tls-on-plain": (
        upstreams({"name": "p", "address": "192.0.2.1", "tls_name": "a"}),
        "upstreams[1].tls_name",
        "dot and doh",
    ),
    "path-on-dot": (upstreams({**DOT, "path": "/p"}), "upstreams[1].path", "only doh"),
    "method-on-dot": (upstreams({**DOT, "method": "GET"}), "upstreams[1].method", "only doh"),
    "two-targets": (
        upstreams({**DOT, "host": "a", "bootstrap": "scripted"}),
        "upstreams[1].host",
        "address",
    ),
    "no-target": (upstreams({"name": "n", "protocol": "dot"}), "upstreams[1]", "needs address"),
    "two-plain-addresses": (
        upstreams({"name": "n", "addresses": ["192.0.2.1", "192.0.2.2"]}),
        "upstreams[1].addresses",
        "for each",
    ),
    "host-without-bootstrap": (
        upstreams({**DOH, "bootstrap": None}),
        "upstreams[1].host",
        "bootstrap",
    ),
    "unknown-bootstrap": (
        upstreams({**DOH, "bootstrap": "scriptet"}),
        "upstreams[1].bootstrap",
        '"scripted"',
    ),
    "own-bootstrap": (upstreams({**DOH, "bootstrap": "doh"}), "upstreams[1].bootstrap", "its own"),
    "chain-of-bootstraps": (
        upstreams(DOH, {**DOH, "name": "b", "host": "b", "bootstrap": "doh"}),
        "upstreams[2].bootstrap",
        "line",
    ),
    "url-as-host": (upstreams({**DOH, "host": "https://a/dns-query"}), "upstreams[1].host", "URL"),
    "address-as-tls-name": (
        upstreams({**DOT, "tls_name": "9.9.9.9"}),
        "upstreams[1].tls_name",
        "address",
    ),
    "host-as-address": (
        upstreams({**DOT, "address": "dns.quad9.net"}),
        "upstreams[1].address",
        "bootstrap",
    ),
    "pin": (
        upstreams({**DOT, "tls_pins": ["sha256//" + PIN]}),
        "upstreams[1].tls_pins[0]",
        "base64",
    ),
    "twice": (upstreams(DOT, {**DOT, "name": "again"}), "upstreams[2].address", '"dot"'),
    "weight": (upstreams({**DOT, "weight": 0}), "upstreams[1].weight", "1 to 1000"),
    "unknown-member": (groups("scriptet"), "upstream_groups[0].upstreams[0]", '"scripted"'),
    "member-twice": (groups("scripted", "scripted"), "upstream_groups[0].upstreams[1]", "already"),
    "policy": (
        groups("scripted", policy="random"),
        "upstream_groups[0].policy",
        "ordered, fastest",
    ),
    "group-of-view": (view(upstream_group="defautl"), "views[0].upstream_group", '"default"'),
    "asterisk": (route("*.corp.example"), "routes[0].domains[0]", '"corp.example"'),
    "network-between-zones": (route("172.16.0.0/12"), "routes[0].domains[0]", '"172.31.0.0/16"'),
    "bits-behind-prefix": (route("10.0.0.1/8"), "routes[0].domains[0]", '"10.0.0.0/8"'),
    "domain-twice": (route("a.example", "A.example"), "routes[0].domains[1]", "already"),
    "unknown-view": (route("a.example", views=["guest"]), "routes[0].views[0]", '"guests"'),
    "routes-at-odds": (
        root(routes=[{"domains": ["a.example"], "upstream_group": "default"}] * 2),
        "routes[1].domains[0]",
        "line",
    ),
    "special-name": (
        root(special_names={"homearpa": True}),
        "special_names.homearpa",
        '"home_arpa"',
    ),
    "cache-too-small": (root(cache={"size": "1KiB"}), "cache.size", "1MiB"),
    "cache-size-without-unit": (root(cache={"size": 1048576}), "cache.size", '"1MiB"'),
    "file-of-no-cache": (root(cache={"size": "0B", "file": "f"}), "cache.file", "0B"),
    "ttls": (root(cache={"min_ttl": "1h", "max_ttl": "1s"}), "cache.min_ttl", "max_ttl"),
    "negative-ttl": (root(cache={"negative_max_ttl": "1d"}), "cache.negative_max_ttl", "3h"),
    "ddr": (root(ddr="yes"), "ddr", "true or false"),
    "exception": (root(rebinding_exceptions=["10.0.0.0/8"]), "rebinding_exceptions[0]", "network"),
    "misspelled-health": (
        view(associations=[{"rule_group": "builtin:client-helth", "priority": 1}]),
        "views[0].associations[0].rule_group",
        '"%s"' % HEALTH,
    ),
}


def without_none(settings):
    for upstream in settings["upstreams"]:
        for key in [key for key, value in upstream.items() if value is None]:
            del upstream[key]


@pytest.mark.quick
@pytest.mark.parametrize("row", FINE)
def test_fine(check, row):
    done = check(lambda s: (FINE[row](s), without_none(s)))
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


@pytest.mark.quick
@pytest.mark.parametrize("row", SPOILED)
def test_spoiled(check, row):
    """One error, at its line and path, with what helps."""
    change, path, hint = SPOILED[row]
    done = check(lambda s: (change(s), without_none(s)))
    assert done.returncode == EX_CONFIG
    first = done.stderr.splitlines()[0]
    assert re.search(r"namegate\.conf:\d+: %s: " % re.escape(path), first), done.stderr
    assert hint in first


class TestClientHealth:
    """Names by which clients test their resolver: with one blocked the network looks dead."""

    NAMES = ("captive.apple.com", "www.gstatic.com")

    def settings(self, maker, upstream, *associations):
        settings = maker.settings(scripted=upstream)
        lists = [inline("ads", *self.NAMES, "ads.test")]
        with_rules(settings, lists, [rule("no-ads", "BLOCK", "ads", block_response="NXDOMAIN")])
        settings["views"][0]["associations"] += [
            {"rule_group": group, "priority": priority} for group, priority in associations
        ]
        return settings

    def check(self, maker, *associations):
        settings = self.settings(maker, 5300, *associations)
        path = maker.directory / "namegate.conf"
        path.write_text(config_text(settings))
        done = run_command("check", "-c", str(path))
        assert done.returncode == 0
        return path, done.stderr.splitlines()

    @pytest.mark.quick
    def test_check_warns(self, maker):
        _, said = self.check(maker)
        assert len(said) == 1
        for word in ("warning", '"lan"', "www.gstatic.com", "1 more", "rules/no-ads", HEALTH):
            assert word in said[0]

    def test_too_late_is_warned_of_as_well(self, maker):
        assert len(self.check(maker, (HEALTH, 999))[1]) == 1

    @pytest.mark.quick
    def test_associated_it_is_well(self, maker):
        path, said = self.check(maker, (HEALTH, 1))
        assert said == []
        done = run_command("explain", "-c", str(path), "captive.apple.com")
        assert "%s/client-health" % HEALTH in done.stdout and "verdict ALLOW" in done.stdout
        done = run_command("explain", "-c", str(path), "ads.test")
        assert "verdict BLOCK" in done.stdout

    def test_start_and_reload_warn(self, maker, scripted):
        settings = self.settings(maker, scripted, (HEALTH, 1))
        namegate = maker.start(settings)
        assert "www.gstatic.com" not in namegate.stderr
        del settings["views"][0]["associations"][1]
        namegate.reload()
        assert "www.gstatic.com" in namegate.stderr

    def test_log_and_metrics_have_its_name(self, maker, scripted, connect):
        name = "captive.apple.com"
        scripted.zone[name + "."] = lambda s: w.reply(s.wire, [w.a(name, "192.0.2.7")])
        namegate = maker.start(self.settings(maker, scripted, (HEALTH, 1)))
        assert connect(namegate, "udp").ask(w.query(name)).addresses == ["192.0.2.7"]
        line = namegate.wait_log(name)[0]
        ext = line["ext"]
        assert ext["action"] == "ALLOW"
        assert (ext["rule_group"], ext["rule"], ext["list"]) == (HEALTH, "client-health", HEALTH)
        namegate.wait_metric(
            "namegate_rule_matches_total",
            1,
            rule_group=HEALTH,
            rule="client-health",
            action="ALLOW",
        )


def test_an_upstream_that_is_never_asked_is_told(maker, scripted):
    """In no group, and nobody's bootstrap: most likely forgotten, and so told, but no error."""
    settings = maker.settings(scripted=scripted, spare=5300)
    settings["upstream_groups"] = [{"name": "all", "upstreams": ["scripted"]}]
    namegate = maker.start(settings)
    said = [line for line in namegate.stderr.splitlines() if '"spare"' in line]
    assert len(said) == 1 and "warning" in said[0]


RELOADS = {
    "cache.size": ({"cache": {"size": "2MiB"}}, "cache.size"),
    "cache.file": ({"cache": {"size": "1MiB", "file": "other.bin"}}, "cache.file"),
    "cache-rest": ({"cache": {"size": "1MiB", "max_ttl": "1m", "prefetch": False}}, None),
    "routes": ({"routes": [{"domains": ["a.test"], "upstream_group": "default"}]}, None),
    "special_names": ({"special_names": {"test": False}}, None),
    "ddr": ({"ddr": False}, None),
    "rebinding_exceptions": ({"rebinding_exceptions": ["a.test"]}, None),
}


@pytest.mark.parametrize("row", RELOADS)
def test_what_a_reload_takes(maker, scripted, row):
    change, refused = RELOADS[row]
    settings = maker.settings(scripted=scripted)
    settings["cache"] = {"size": "1MiB"}
    namegate = maker.start(settings)
    assert namegate.reload({**settings, **change}) == (refused is None)
    if refused:
        said = [line for line in namegate.stderr.splitlines() if "restart" in line]
        assert any(refused in line for line in said), said
