"""What is allowed and blocked by hand: from the command line to the very next query, on every
protocol, cached or not, along aliases, by view, over kills and restarts, until its time is over."""

import json
import re
import socket
import time

import pytest

import dns_wire as w
from config_text import inline, rule
from program import PROTOCOLS, run_command, with_rules

EDNS = w.opt()


def settings_of(maker, scripted, keep=True, **view):
    settings = maker.settings(scripted=scripted)
    settings["control_socket"] = str(maker.directory / "control.sock")
    if keep:
        settings["state_directory"] = str(maker.directory / "state")
    settings["cache"] = {"size": "16MiB"}
    lists = [inline("bad", "*.bad.test", "bad.test"), inline("target", "ok.target.test")]
    rules = [
        rule("bad", "BLOCK", "bad", block_response="NXDOMAIN"),
        rule("target", "BLOCK", "target", block_response="NXDOMAIN"),
    ]
    return with_rules(settings, lists, rules, **view)


@pytest.fixture
def begin(maker, scripted):
    def start(**how):
        return maker.prepare(settings_of(maker, scripted, **how)).start()

    return start


@pytest.fixture(scope="module")
def shared(shared_maker, scripted_session):
    """One program for tests that use names of their own."""
    settings = settings_of(shared_maker, scripted_session)
    settings["views"] = [
        {**settings["views"][0], "name": "lan", "clients": ["127.0.0.1/32"]},
        {
            **settings["views"][0],
            "name": "guest",
            "clients": ["127.0.0.2/32"],
            "default_block_response": "REFUSED",
        },
    ]
    return shared_maker.start(settings)


def say(namegate, verb, *arguments, code=0):
    done = run_command(verb, "-c", str(namegate.config), *arguments)
    assert done.returncode == code, (done.stdout, done.stderr)
    return done.stdout if code == 0 else done.stderr


def allow(namegate, *arguments, how_long="10m", **more):
    return say(namegate, "allow", *arguments, "--for", how_long, "--because", "a test", **more)


def block(namegate, *arguments, how_long="10m", **more):
    return say(namegate, "block", *arguments, "--for", how_long, "--because", "a test", **more)


def number_of(said):
    return int(re.match(r"exception (\d+) ", said).group(1))


def listed(namegate):
    return [json.loads(line) for line in say(namegate, "exceptions", "--json").splitlines()]


def rcode(client, name, qtype=w.A):
    return client.ask(w.query(name, qtype, edns=EDNS)).rcode


@pytest.mark.quick
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_very_next_query_obeys(shared, connect, protocol):
    client = connect(shared, protocol)
    name = "ok.%s.next.bad.test" % protocol
    for _ in range(5):
        assert rcode(client, name) == w.NXDOMAIN
        allowed = number_of(allow(shared, name))
        assert rcode(client, name) == w.NOERROR
        say(shared, "exceptions", "end", str(allowed))
        assert rcode(client, name) == w.NXDOMAIN
    line = shared.wait_log(name, 15)[1]
    assert line["ext"]["action"] == "ALLOW" and line["ext"]["reason"] == "exception"
    assert line["ext"]["exception"]["because"] == "a test"
    assert "firewall_rule_action" not in line


@pytest.mark.quick
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_what_is_cached_is_blocked(shared, connect, protocol):
    client = connect(shared, protocol)
    name = "ok.%s.cached.test" % protocol
    assert rcode(client, name) == rcode(client, name) == w.NOERROR
    blocked = number_of(block(shared, name))
    answer = client.ask(w.query(name, edns=EDNS))
    assert answer.rcode == w.NOERROR and not answer.answer  # NODATA is the view's default
    assert answer.ede_code == 15
    line = shared.wait_log(name, 3)[-1]
    assert line["firewall_rule_action"] == "BLOCK"
    assert line["ext"]["exception"] == {"id": blocked, "because": "a test"}
    assert line["ext"]["source"] == "rule"
    say(shared, "exceptions", "end", str(blocked))
    assert client.ask(w.query(name, edns=EDNS)).answer


def test_names_that_an_answer_leads_to(shared, connect):
    client = connect(shared, "udp")
    name = "cname.ok.target.test"
    assert rcode(client, name) == w.NXDOMAIN
    allowed = number_of(allow(shared, "ok.target.test"))
    assert rcode(client, name) == w.NOERROR
    assert rcode(client, name) == w.NOERROR  # from the cache
    line = shared.wait_log(name, 3)[-1]
    assert "action" not in line["ext"] and line["ext"]["exception"]["id"] == allowed
    say(shared, "exceptions", "end", str(allowed))
    assert rcode(client, name) == w.NXDOMAIN
    # What is allowed is trusted with all that is behind it.
    allowed = number_of(allow(shared, name))
    assert rcode(client, name) == w.NOERROR
    say(shared, "exceptions", "end", str(allowed))
    # Blocked behind an alias that no rule looks at.
    name = "cname.cname.ok.fine.test"
    assert client.ask(w.query(name)).answer
    blocked = number_of(block(shared, "ok.fine.test"))
    assert not client.ask(w.query(name)).answer
    assert shared.wait_log(name, 2)[-1]["ext"]["hop"] == 2
    assert not client.ask(w.query("ok.fine.test")).answer
    say(shared, "exceptions", "end", str(blocked))
    assert client.ask(w.query(name)).answer


def test_below_and_itself(shared, connect):
    client = connect(shared, "udp")
    itself = number_of(allow(shared, "kind.bad.test"))
    assert rcode(client, "kind.bad.test", w.MX) != w.NXDOMAIN
    assert rcode(client, "ok.kind.bad.test") == w.NXDOMAIN
    said = allow(shared, "Kind.BAD.test.", "--below")
    assert "it replaces exception %d " % itself in said
    assert rcode(client, "ok.kind.bad.test") == w.NOERROR
    said = block(shared, "kind.bad.test")
    assert "it replaces exception" in said and " BLOCK kind.bad.test., every view" in said
    assert rcode(client, "ok.kind.bad.test") == w.NXDOMAIN
    assert [row["name"] for row in listed(shared)].count("kind.bad.test.") == 1
    say(shared, "exceptions", "end", str(number_of(said)))


def test_views(shared, connect):
    lan, guest = connect(shared, "udp"), connect(shared, "udp", source="127.0.0.2")
    name = "ok.view.bad.test"
    one = number_of(allow(shared, name, "--view", "guest"))
    assert rcode(lan, name) == w.NXDOMAIN and rcode(guest, name) == w.NOERROR
    # The one that names the view counts, whatever is said for all.
    every = number_of(block(shared, name))
    assert rcode(guest, name) == w.NOERROR
    assert lan.ask(w.query(name)).rcode == w.NOERROR and not lan.ask(w.query(name)).answer
    say(shared, "exceptions", "end", str(one))
    assert rcode(guest, name) == w.REFUSED  # each view blocks as it is used to
    say(shared, "exceptions", "end", str(every))
    assert "no such view" in allow(shared, name, "--view", "none", code=1)


def test_a_view_that_waits_for_its_lists(maker, scripted, connect):
    """What is allowed and blocked by hand holds where the rules cannot be evaluated."""
    for fail_mode in ("closed", "open"):
        settings = settings_of(maker, scripted, fail_mode=fail_mode)
        settings["domain_lists"][0] = {"name": "bad", "file": "nowhere.txt", "format": "domains"}
        namegate = maker.prepare(settings).start(wait="live")
        client = connect(namegate, "udp")
        other = {"closed": w.SERVFAIL, "open": w.NOERROR}[fail_mode]
        assert rcode(client, "ok.allow.test") == other
        allow(namegate, "ok.allow.test")
        block(namegate, "ok.block.test")
        assert client.ask(w.query("ok.allow.test")).answer
        answer = client.ask(w.query("ok.block.test"))
        assert answer.rcode == w.NOERROR and not answer.answer
        assert not client.ask(w.query("cname.ok.block.test")).answer
        assert rcode(client, "ok.other.test") == other
        namegate.stop()


@pytest.mark.quick
def test_its_time_is_over(begin, connect):
    """On the next query, although the answer is in the cache; and the log says so."""
    namegate = begin()
    client = connect(namegate, "udp")
    name = "ok.soon.bad.test"
    allow(namegate, name, how_long="3s")
    begun = time.monotonic()
    while rcode(client, name) == w.NOERROR:
        assert time.monotonic() - begun < 20
        time.sleep(0.05)
    assert time.monotonic() - begun > 1.5
    assert rcode(client, name) == w.NXDOMAIN
    namegate.wait_for(lambda: "its time is over" in namegate.stderr, "the end in the log")
    assert listed(namegate) == []
    assert "no such exception" in say(namegate, "exceptions", "end", "1", code=1)
    assert namegate.metrics().sum("namegate_exceptions") == 0


@pytest.mark.quick
def test_a_restart_finds_them(begin, connect):
    """Killed in the middle: those in force are there again, with their numbers; those whose time
    went by meanwhile are not."""
    namegate = begin()
    allow(namegate, "ok.long.bad.test", how_long="1h")
    block(namegate, "short.test", "--below", "--view", "lan", how_long="2s")
    block(namegate, "ok.ended.test", how_long="1h")
    say(namegate, "exceptions", "end", "3")
    namegate.process.kill()
    namegate.process.wait()
    namegate.stop()
    time.sleep(2.1)
    namegate.start()
    client = connect(namegate, "udp")
    assert rcode(client, "ok.long.bad.test") == w.NOERROR
    assert client.ask(w.query("ok.short.test")).answer
    assert client.ask(w.query("ok.ended.test")).answer
    assert [row["id"] for row in listed(namegate)] == [1]
    assert "exception 1 (ALLOW ok.long.bad.test., every view): is still in force" in (
        namegate.stderr
    )
    assert "exception 2 (BLOCK short.test. and below, view lan): its time was over" in (
        namegate.stderr
    )
    # A number is never used again.
    assert number_of(allow(namegate, "x.bad.test")) == 4
    # It is an overlay: a reload leaves it alone.
    assert namegate.reload()
    assert rcode(client, "ok.long.bad.test") == w.NOERROR


def test_a_damaged_file_is_told(begin, connect):
    namegate = begin()
    allow(namegate, "ok.one.bad.test")
    allow(namegate, "ok.two.bad.test")
    namegate.stop()
    kept = namegate.directory / "state" / "exceptions"
    text = kept.read_text()
    kept.write_text(text.replace("name ok.one.bad.test.", "name ok..bad.test."))
    namegate.start()
    client = connect(namegate, "udp")
    assert rcode(client, "ok.one.bad.test") == w.NXDOMAIN
    assert rcode(client, "ok.two.bad.test") == w.NOERROR
    assert "1 in %s are not understood" % kept.parent in namegate.stderr
    namegate.stop()
    kept.write_text("nonsense\n")
    namegate.start()
    assert rcode(connect(namegate, "udp"), "ok.two.bad.test") == w.NXDOMAIN
    assert "is damaged" in namegate.stderr


def test_without_a_state_directory(begin, connect):
    namegate = begin(keep=False)
    said = allow(namegate, "ok.brief.bad.test")
    assert "it will not outlive a restart: there is no state_directory" in said
    assert rcode(connect(namegate, "udp"), "ok.brief.bad.test") == w.NOERROR
    namegate.stop()
    namegate.start()
    assert rcode(connect(namegate, "udp"), "ok.brief.bad.test") == w.NXDOMAIN


def test_what_is_told(begin, connect):
    namegate = begin()
    quiet = namegate.metrics()
    assert quiet.find("namegate_exceptions_info")[0][0] == {"hash": ""}
    client = connect(namegate, "udp")
    because = "ticket 12: \"Bücher\" \\ 100%"
    said = say(
        namegate, "allow", "bücher.bad.test", "--below", "--for", "2h", "--because", because
    )
    assert re.match(
        r"exception 1 ALLOW xn--bcher-kva\.bad\.test\. and below, every view, for 2 h, "
        r"until \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\n$",
        said,
    )
    row = listed(namegate)[0]
    assert row["because"] == because and row["below"] is True and row["action"] == "ALLOW"
    assert 7100 < row["left_s"] <= 7200 and row["until_s"] - row["made_s"] == 7200
    assert row["by"] and "last_used_s" not in row
    text = say(namegate, "exceptions")
    assert "not used; made by %s" % row["by"] in text and because in text
    for _ in range(3):
        assert rcode(client, "ok.xn--bcher-kva.bad.test") == w.NOERROR
    namegate.wait_for(lambda: "used for the first time" in namegate.stderr, "the first use")
    namegate.wait_for(lambda: "last_used_s" in listed(namegate)[0], "the last use")
    time.sleep(1.5)
    rcode(client, "ok.xn--bcher-kva.bad.test")
    time.sleep(1.5)
    assert namegate.stderr.count("): is used") == 1  # once a minute at most
    metrics = namegate.metrics()
    assert metrics.sum("namegate_exceptions") == 1
    assert metrics.sum("namegate_exception_decisions_total", view="lan") == 4
    hashed = metrics.find("namegate_exceptions_info")[0][0]["hash"]
    assert re.fullmatch("[0-9a-f]{32}", hashed)
    # Made again, later, by another command: it says the same.
    allow(namegate, "bücher.bad.test", "--below", how_long="1h")
    assert namegate.metrics().find("namegate_exceptions_info")[0][0]["hash"] == hashed
    block(namegate, "other.test")
    assert namegate.metrics().find("namegate_exceptions_info")[0][0]["hash"] != hashed
    explained = say(namegate, "explain", "ok.xn--bcher-kva.bad.test", "--running")
    assert "exception 2" in explained


MISTAKES = [
    (["a.test", "--for", "10m"], 2, "needs"),
    (["a.test", "--because", "x"], 2, "needs"),
    (["--for", "10m", "--because", "x"], 2, "needs"),
    (["a.test", "b.test", "--for", "10m", "--because", "x"], 2, "one NAME"),
    (["a..test", "--for", "10m", "--because", "x"], 2, "not a domain name"),
    (["a.test", "--for", "10", "--because", "x"], 2, "not a duration"),
    (["a.test", "--for", "0m", "--because", "x"], 2, "not a duration"),
    (["a.test", "--for", "-1m", "--because", "x"], 2, "not a duration"),
    (["a.test", "--for", "31d", "--because", "x"], 1, "30 days"),
    (["a.test", "--for", "99999999d", "--because", "x"], 2, "not a duration"),
    (["a.test", "--for", "10m", "--because", ""], 2, "reason"),
    (["a.test", "--for", "10m", "--because", "   "], 1, "reason"),
    (["a.test", "--for", "10m", "--because", "two\nlines"], 1, "reason"),
    (["a.test", "--for", "10m", "--because", "x" * 201], 1, "reason"),
    (["a.test", "--for", "10m", "--because", "x", "--view", "x" * 70], 1, "no such view"),
    (["a.test", "--for", "10m", "--because", "x", "--what"], 2, "does not know"),
]


@pytest.mark.parametrize("arguments,code,said", MISTAKES)
def test_mistakes(shared, arguments, code, said):
    before = listed(shared)
    assert said in say(shared, "allow", *arguments, code=code)
    assert listed(shared) == before or len(listed(shared)) == len(before)


def test_there_is_a_most(begin, connect):
    namegate = begin()
    path = namegate.settings["control_socket"]

    def line(text):
        with socket.socket(socket.AF_UNIX) as control:
            control.connect(path)
            control.sendall(text.encode() + b"\n")
            return b"".join(iter(lambda: control.recv(65536), b"")).decode()

    for i in range(256):
        said = line("exceptions add ALLOW exact n%d.%s.test 600 %s" % (i, "x" * 60, "y" * 200))
        assert said.endswith("ok\n"), said
    assert "there are 256" in line("exceptions add BLOCK exact one.more.test 600 why")
    assert "replaces" in line("exceptions add BLOCK exact n7.%s.test 600 why" % ("x" * 60))
    rows = listed(namegate)  # more than one answer has room for
    assert len(rows) == 256 and len({row["id"] for row in rows}) == 256
    assert len(say(namegate, "exceptions").splitlines()) == 512
    for said in (
        "exceptions",
        "exceptions what",
        "exceptions end x",
        "exceptions end 99999999999",
        "exceptions add MONITOR exact a.test 60 why",
        "exceptions add ALLOW below a.test 60 why",
        "exceptions add ALLOW exact a..test 60 why",
        "exceptions add ALLOW exact a.test 0 why",
        "exceptions add ALLOW exact a.test 2592001 why",
        "exceptions add ALLOW exact a.test 60 \\010",
        "exceptions add ALLOW exact a.test 60 \\255\\254",
        "exceptions add ALLOW exact a.test 60",
        "exceptions add ALLOW exact a.test 60 why lan more",
        "exceptions text x",
    ):
        assert line(said).startswith("error: "), said


def test_a_view_that_is_gone(begin):
    """It does nothing any more, and whoever looks is told."""
    namegate = begin()
    allow(namegate, "www.bad.test", "--view", "lan")
    allow(namegate, "other.bad.test")
    assert "no such view" not in say(namegate, "exceptions")
    views = [{**namegate.settings["views"][0], "name": "office"}]
    assert namegate.reload({**namegate.settings, "views": views})
    said = [line for line in say(namegate, "exceptions").splitlines() if "bad.test" in line]
    assert [line.endswith("(there is no such view now)") for line in said] == [True, False]
