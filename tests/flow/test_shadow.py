"""A candidate beside the policy in force: what clients get stays the same byte for byte, what the
candidate would have done is what it does when it is in force."""

import copy
import hashlib
import os
import signal
import threading

import pytest

import dns_wire as w
from config_text import config_text, group, inline, rule
from program import PROTOCOLS, run_command, running, strict_json

LAN, GUEST = "127.0.0.1", "127.0.0.2"
EDNS = w.opt()

# What is asked, in this order: source, name, type. The second time it comes from the cache; what
# fails has a new name each time ("%d"), as a failure is kept for a second only.
QUESTIONS = [
    (LAN, "ok.free.test", w.A),
    (LAN, "ok.free.test", w.AAAA),
    (LAN, "ok.www.bad.test", w.A),
    (LAN, "ok.www.bad.test", w.TXT),
    (LAN, "ok.ours.bad.test", w.A),
    (LAN, "cname.ok.www.bad.test", w.A),
    (LAN, "cname.ok.free.test", w.A),
    (LAN, "cname.cname.ok.watched.test", w.A),
    (LAN, "ok.watched.test", w.A),
    (LAN, "ok.sink.test", w.A),
    (LAN, "cname.ok.sink.test", w.A),
    (LAN, "alias.ok.www.bad.test", w.HTTPS),
    (LAN, "service.ok.free.test", w.HTTPS),
    (LAN, "nxdomain.free.test", w.A),
    (LAN, "nodata.free.test", w.A),
    (LAN, "servfail.fail-%d.free.test", w.A),
    (LAN, "cnameloop.fail-%d.free.test", w.A),
    (LAN, "ok.typed.test", w.AAAA),
    (LAN, "ok.typed.test", w.A),
    (LAN, "here.local-data.test", w.A),
    (LAN, "away.local-data.test", w.A),
    (LAN, "bad.local-data.test", w.A),
    (LAN, "localhost", w.A),
    (GUEST, "ok.www.bad.test", w.A),
    (GUEST, "ok.free.test", w.A),
]


def base(settings, directory):
    settings["control_socket"] = str(directory / "control.sock")
    settings["domain_lists"] = [
        inline("ours", "*.ours.bad.test"),
        inline("watched", "*.watched.test", "watched.test"),
        inline("bad", "*.bad.test", "bad.test"),
        inline("sink", "*.sink.test"),
        inline("typed", "*.typed.test"),
    ]
    settings["rule_groups"] = [
        group(
            "rules",
            rule("ours", "ALLOW", "ours"),
            rule("watched", "ALERT", "watched"),
            rule("bad", "BLOCK", "bad", block_response="NXDOMAIN"),
            rule(
                "sink",
                "BLOCK",
                "sink",
                block_response="OVERRIDE",
                override_domain="ok.target.test",
                override_ttl="60s",
            ),
            rule("typed", "BLOCK", "typed", block_response="NODATA", query_type="A"),
        ),
        group("strict", rule("all-bad", "BLOCK", "bad", block_response="REFUSED")),
    ]
    settings["views"] = [
        {
            "name": "lan",
            "clients": ["127.0.0.0/8", "::1/128"],
            "associations": [{"rule_group": "rules", "priority": 101}],
        },
        {
            "name": "guest",
            "clients": [GUEST + "/32"],
            "associations": [{"rule_group": "strict", "priority": 101}],
        },
    ]
    settings["local_data"] = [
        {"name": "here.local-data.test", "type": "A", "value": "192.0.2.77"},
        {"name": "away.local-data.test", "type": "CNAME", "value": "ok.free.test"},
        {"name": "bad.local-data.test", "type": "CNAME", "value": "ok.www.bad.test"},
    ]
    return settings


def rules_of(settings, number=0):
    return settings["rule_groups"][number]["rules"]


# ---- candidates: each differs in another way ----


def same(settings):
    pass


def rule_removed(settings):
    del rules_of(settings)[2]


def rules_reordered(settings):
    first, third = rules_of(settings)[0], rules_of(settings)[2]
    first["priority"], third["priority"] = third["priority"], first["priority"]


def rule_added(settings):
    settings["domain_lists"].append(inline("free", "*.free.test"))
    rules_of(settings).append(
        rule("free", "BLOCK", "free", 5, block_response="NXDOMAIN"),
    )


def another_response(settings):
    rules_of(settings)[2]["block_response"] = "NODATA"
    rules_of(settings)[3]["override_domain"] = "ok.elsewhere.test"


def alert_first(settings):
    rules_of(settings)[2]["action"] = "ALERT"
    del rules_of(settings)[2]["block_response"]


def list_changed(settings):
    settings["domain_lists"][2] = inline("bad", "*.other.test")


def views_swapped(settings):
    lan, guest = settings["views"]
    lan["associations"], guest["associations"] = guest["associations"], lan["associations"]


def view_removed(settings):
    del settings["views"][1]


def view_narrowed(settings):
    settings["views"][0]["clients"] = ["192.0.2.0/24"]


def walled_garden(settings):
    settings["views"][0]["default_action"] = "BLOCK"


def rebinding(settings):
    settings["views"][0]["rebinding_protection"] = True


CANDIDATES = [
    same,
    rule_removed,
    rules_reordered,
    rule_added,
    another_response,
    alert_first,
    list_changed,
    views_swapped,
    view_removed,
    view_narrowed,
    walled_garden,
    rebinding,
]


# ---- asking ----


def masked(wire):
    """TTLs of records as 0: what comes from the cache gets older."""
    if wire is None:
        return None
    message, wire = w.Message(wire), bytearray(wire)
    for record in message.answer + message.authority + message.additional:
        at = record.rdata_at - 6
        wire[at : at + 4] = bytes(4)
    return bytes(wire)


def ask_all(namegate, connect):
    """The whole sequence over every protocol, twice; gives the bytes of all answers."""
    answers = []
    for protocol in PROTOCOLS:
        lan = connect(namegate, protocol)
        guest = connect(namegate, "udp", source=GUEST)
        for _ in range(2):
            for source, name, qtype in QUESTIONS:
                name = name % len(answers) if "%d" in name else name
                client = lan if source == LAN else guest
                answer = client.ask(w.query(name, qtype, edns=EDNS))
                answer = getattr(answer, "message", answer)
                answers.append((protocol, source, name, qtype, masked(answer and answer.wire)))
    return answers


def asked_count():
    return len(PROTOCOLS) * 2 * len(QUESTIONS)


def verdicts(lines, of=lambda ext: ext):
    """What was decided about each question, in order, by who asked what over which protocol."""
    found = {}
    lines = sorted(lines, key=lambda line: (line["query_timestamp"], line["ext"]["time_us"]))
    for line in lines:
        key = (line["srcaddr"], line["transport"], line["query_name"], line["query_type"])
        found.setdefault(key, []).append(of(line["ext"]))
    return found


FIELDS = (
    "action",
    "block_response",
    "rule_group",
    "rule",
    "list",
    "entry",
    "matched_name",
    "hop",
    "reason",
    "fail_mode",
)


def decided(ext):
    """A verdict without its circumstances; a client that no view claims has no verdict."""
    if "view" not in ext and "differs" not in ext:
        return {"reason": "no_view"}
    return {field: ext[field] for field in FIELDS if field in ext}


def log_lines(namegate, count):
    namegate.wait_for(lambda: len(namegate.log()) >= count, "%d lines of the log" % count, 20)
    return namegate.log()


def shadow(namegate, *arguments):
    return run_command("shadow", "-c", str(namegate.config), *arguments, timeout=60)


def status(namegate):
    told = shadow(namegate, "status", "--json")
    assert told.returncode == 0, told.stderr
    return strict_json(told.stdout.encode())


@pytest.fixture
def begin(maker, scripted):
    """begin(change): a program in force, or with what a candidate changes."""

    def start(change=same, **more):
        settings = base(maker.settings(scripted=scripted), maker.directory)
        change(settings)
        settings.update(more)
        return maker.start(settings)

    return start


def write_candidate(namegate, change, name="candidate.conf"):
    settings = copy.deepcopy(namegate.settings)
    change(settings)
    path = namegate.directory / name
    path.write_text(config_text(settings))
    return str(path)


# ---- the proof ----


@pytest.fixture(scope="module")
def unshadowed(shared_maker, scripted_session):
    """The answers of a program without a shadow."""
    settings = base(shared_maker.settings(scripted=scripted_session), shared_maker.directory)
    return shared_maker.start(settings)


@pytest.fixture
def answers_without(unshadowed, connect, asked_once=[]):  # noqa: B006
    if not asked_once:
        asked_once.extend(ask_all(unshadowed, connect))
    return asked_once


@pytest.mark.parametrize("change", CANDIDATES)
def test_answers_are_the_same_and_verdicts_are_true(begin, connect, answers_without, change):
    """With a shadow every byte is as without one; and what the shadow said is what the candidate
    does when it is asked the same."""
    shadowed = begin()
    candidate = write_candidate(shadowed, change)
    told = shadow(shadowed, "start", candidate)
    assert told.returncode == 0, told.stderr
    assert ask_all(shadowed, connect) == answers_without
    real = begin(change)
    ask_all(real, connect)
    said = verdicts(log_lines(shadowed, asked_count()), lambda ext: ext["shadow"])
    done = verdicts(log_lines(real, asked_count()), lambda ext: ext)
    assert said.keys() == done.keys()
    judged = unknown = 0
    for key in said:
        for guess, truth in zip(said[key], done[key], strict=True):
            judged += 1
            if guess.get("answer") == "unknown":
                unknown += 1
                is_same = decided(guess) == decided(truth)
                is_later = truth.get("hop", 0) > 0 or truth.get("reason") == "rebinding"
                assert is_same or is_later, (key, guess, truth)
            else:
                assert decided(guess) == decided(truth), (key, guess, truth)
    assert judged == asked_count()
    now = status(shadowed)
    assert now["queries"] == asked_count() and now["answer_unknown"] == unknown
    check_sums(shadowed, now)
    if change is same:
        assert now["different"] == 0 and unknown == 0
    elif change is not rebinding:  # nothing here has a private address
        assert now["different"] > 0


def check_sums(namegate, now):
    """Log, metrics and status say the same."""
    lines = namegate.log()
    differing = [line for line in lines if line["ext"].get("shadow", {}).get("differs")]
    metrics = namegate.metrics()
    assert len(differing) == now["different"]
    assert metrics.sum("namegate_shadow_differences_total") == now["different"]
    assert metrics.sum("namegate_shadow_decisions_total") == now["queries"]
    assert sum(row["count"] for row in now["differences"]) == now["different"]
    assert now["differences_left_out"] == 0
    info = metrics.find("namegate_shadow_info")
    assert [labels["policy_hash"] for labels, _ in info] == [now["policy_hash"]]
    assert all(row["examples"] for row in now["differences"])


def test_what_is_told(begin, connect):
    namegate = begin()
    candidate = write_candidate(namegate, rule_removed)
    assert shadow(namegate, "start", candidate).returncode == 0
    client = connect(namegate, "udp")
    for name in ("ok.www.bad.test", "ok.www.bad.test", "ok.more.bad.test", "ok.free.test"):
        client.ask(w.query(name))
    line = namegate.wait_log("ok.www.bad.test", 2)[0]
    assert line["ext"]["action"] == "BLOCK"
    assert line["ext"]["shadow"] == {
        "differs": True,
        "answer": "unknown",
        "policy_hash": status(namegate)["policy_hash"],
    }
    assert not namegate.wait_log("ok.free.test")[0]["ext"]["shadow"]["differs"]
    now = status(namegate)
    assert now["state"] == "running" and now["candidate"] == candidate
    assert (now["queries"], now["different"], now["answer_unknown"]) == (4, 3, 3)
    assert now["differences"] == [
        {
            "count": 3,
            "view": "lan",
            "in_force": {"action": "BLOCK", "block_response": "NXDOMAIN", "by": "rules/bad"},
            "candidate": {"action": "UNKNOWN"},
            "examples": [
                {"name": "ok.www.bad.test.", "type": "A"},
                {"name": "ok.more.bad.test.", "type": "A"},
            ],
        }
    ]
    text = shadow(namegate, "status").stdout
    assert "        3  lan: BLOCK NXDOMAIN (rules/bad) -> UNKNOWN\n" in text, text
    assert "ok.www.bad.test. A, ok.more.bad.test. A\n" in text
    metrics = namegate.metrics()
    labels = {"view": "lan", "from": "BLOCK", "to": "UNKNOWN"}
    assert metrics.sum("namegate_shadow_differences_total", **labels) == 3


def test_moved_rule_is_no_difference(begin, connect):
    """The same is done, by another rule: counted, and by itself."""

    def renamed(settings):
        rules_of(settings)[2]["name"] = "worse"

    namegate = begin()
    assert shadow(namegate, "start", write_candidate(namegate, renamed)).returncode == 0
    connect(namegate, "udp").ask(w.query("ok.www.bad.test"))
    namegate.wait_log("ok.www.bad.test")
    now = status(namegate)
    assert (now["queries"], now["different"], now["by_another_rule"]) == (1, 0, 1)


@pytest.mark.parametrize("change", (rules_reordered, walled_garden))
def test_explain_says_the_same(begin, connect, change):
    """Of the candidate's file, about the same questions and live answers."""
    namegate = begin()
    candidate = write_candidate(namegate, change)
    assert shadow(namegate, "start", candidate).returncode == 0
    questions = [question for question in QUESTIONS if "%d" not in question[1]]
    clients = {source: connect(namegate, "udp", source=source) for source in (LAN, GUEST)}
    for source, name, qtype in questions:
        clients[source].ask(w.query(name, qtype))
    lines = log_lines(namegate, len(questions))
    compared = 0
    for line in lines:
        said = line["ext"]["shadow"]
        if said.get("answer") == "unknown" or "local-data" in line["query_name"]:
            continue
        words = [line["query_name"], "--type", line["query_type"], "--client", line["srcaddr"]]
        words += ["--listener", "dns-%d" % namegate.ports["dns"]]
        told = run_command("explain", "-c", candidate, *words, "--live", "--json")
        assert told.returncode == 0, told.stderr
        verdict = strict_json(told.stdout.encode())["verdict"]
        for field in ("rule_group", "rule", "list", "entry", "block_response"):
            assert said.get(field) == verdict.get(field), (field, said, verdict)
        compared += 1
    assert compared > 10


# ---- who is judged ----


def digest(token):
    return hashlib.sha256(token.encode()).hexdigest()


def with_token(token):
    option = w.option(0xFFA0, token.encode())
    return w.query("ok.www.bad.test", edns=w.opt(options=option))


def test_tokens(begin, connect):
    """Who is whom is the candidate's own decision: of a token that it does not know, and of one
    that is not known yet."""

    def staff(settings, name, token):
        settings["tokens"] = [{"name": name, "sha256": digest(token)}]
        settings["views"].append(
            {"name": "staff", "clients": ["127.0.0.0/8"], "tokens": [name], "associations": []}
        )

    namegate = begin(lambda settings: staff(settings, "old", "the old one"))
    candidate = copy.deepcopy(namegate.settings)
    candidate["views"].pop()
    staff(candidate, "new", "the new one")
    path = namegate.directory / "candidate.conf"
    path.write_text(config_text(candidate))
    told = shadow(namegate, "start", str(path))
    assert told.returncode == 0, told.stderr
    client = connect(namegate, "dot")
    rcodes = [client.ask(with_token(t)).rcode for t in ("the old one", "the new one", "no one")]
    assert rcodes == [w.NOERROR, w.REFUSED, w.REFUSED]
    lines = [line["ext"] for line in namegate.wait_log("ok.www.bad.test", 3)]
    assert [line.get("view") for line in lines] == ["staff", None, None]
    assert [line["shadow"].get("reason") for line in lines] == ["no_view", None, "no_view"]
    assert [line["shadow"].get("answer") for line in lines] == [None, "unknown", None]
    assert [line["shadow"]["differs"] for line in lines] == [True, True, False]
    metrics = namegate.metrics()
    count = metrics.sum("namegate_shadow_differences_total", view="staff", **{"to": "NO_VIEW"})
    assert count == 1
    assert metrics.find("namegate_shadow_differences_total", view="", to="UNKNOWN")
    written = namegate.stderr + namegate.log_file.read_text() + shadow(namegate, "status").stdout
    assert "the old one" not in written and "the new one" not in written


def test_views(begin, connect):
    namegate = begin()
    candidate = write_candidate(namegate, rule_removed)
    told = shadow(namegate, "start", candidate, "--view", "nobody")
    assert told.returncode == 1 and "no view of that name" in told.stderr
    assert shadow(namegate, "start", candidate, "--view", "guest").returncode == 0
    connect(namegate, "udp").ask(w.query("ok.one.test"))
    connect(namegate, "udp", source=GUEST).ask(w.query("ok.two.test"))
    assert "shadow" not in namegate.wait_log("ok.one.test")[0]["ext"]
    assert "shadow" in namegate.wait_log("ok.two.test")[0]["ext"]
    assert status(namegate)["queries"] == 1 and status(namegate)["views"] == ["guest"]


@pytest.mark.threads
def test_share(begin, connect):
    """A client is in or out, whatever it asks; and some are either."""
    namegate = begin()
    candidate = write_candidate(namegate, same)
    assert shadow(namegate, "start", candidate, "--share", "50%").returncode == 0
    sources = ["127.0.1.%d" % number for number in range(1, 101)]
    for source in sources:
        client = connect(namegate, "udp", source=source)
        for name in ("ok.one.test", "ok.two.test"):
            client.ask(w.query(name))
    log_lines(namegate, 200)
    judged = {}
    for line in namegate.log():
        judged.setdefault(line["srcaddr"], set()).add("shadow" in line["ext"])
    assert all(len(words) == 1 for words in judged.values())
    inside = sum(words == {True} for words in judged.values())
    assert 10 < inside < 90  # of 100; outside of it once in 10^16 runs
    assert status(namegate)["queries"] == 2 * inside


# ---- its life ----


def blocked(client, name):
    return client.ask(w.query(name, edns=EDNS)).rcode == w.NXDOMAIN


BROKEN = {
    "syntax": lambda text: text + "\nviews = (\n",
    "unknown setting": lambda text: text + "\nno_such_setting = 1;\n",
    "an expectation that does not hold": lambda text: text
    + 'expect = ( { view = "lan"; name = "ok.www.bad.test"; type = "A"; verdict = "ALLOW"; } );',
    "missing list": lambda text: text.replace(
        "domain_lists = (",
        'domain_lists = ( { name = "gone"; file = "not/there.txt"; format = "domains"; },',
        1,
    ),
    "list that was never fetched": lambda text: text.replace(
        "domain_lists = (",
        'domain_lists = ( { name = "far"; source = "https://lists.invalid/x"; '
        'format = "domains"; },',
        1,
    ).replace('state_directory = ""', 'state_directory = "state"'),
}


@pytest.mark.parametrize("word", BROKEN)
def test_candidate_that_does_not_load(begin, connect, word):
    namegate = begin()
    candidate = namegate.directory / "candidate.conf"
    candidate.write_text(BROKEN[word](namegate.config.read_text()))
    revision = namegate.metrics().sum("namegate_policy_revision")
    told = shadow(namegate, "start", str(candidate))
    assert told.returncode == 1 and "candidate.conf" in told.stderr, told.stderr
    assert "shadow: " in namegate.stderr
    now = status(namegate)
    assert now["state"] == "failed" and now["note"]
    assert blocked(connect(namegate, "udp"), "ok.www.bad.test")
    assert "shadow" not in namegate.wait_log("ok.www.bad.test")[0]["ext"]
    assert namegate.metrics().sum("namegate_policy_revision") == revision
    assert not namegate.metrics().find("namegate_shadow_info")


def test_candidate_that_is_not_there(begin):
    namegate = begin()
    told = shadow(namegate, "start", str(namegate.directory / "nowhere.conf"))
    assert told.returncode == 1 and "nowhere.conf" in told.stderr
    told = shadow(namegate, "promote")
    assert told.returncode == 1 and "no shadow" in told.stderr
    assert shadow(namegate, "stop").returncode == 0  # the one that failed
    told = shadow(namegate, "stop")
    assert told.returncode == 1 and "no shadow" in told.stderr


def test_candidate_that_is_no_file(begin):
    """A pipe that nobody writes holds nothing up."""
    namegate = begin()
    pipe = namegate.directory / "pipe.conf"
    os.mkfifo(pipe)
    for path in (pipe, "/dev/zero", namegate.directory):
        told = shadow(namegate, "start", str(path))
        assert told.returncode == 1 and "not a regular file" in told.stderr
    assert namegate.hup()


def test_wrong_words(begin):
    namegate = begin()
    for words in (
        [],
        ["begin"],
        ["start"],
        ["start", "a", "b"],
        ["start", "a", "--share", "0"],
        ["start", "a", "--share", "101%"],
        ["start", "a", "--share", "many"],
        ["stop", "it"],
        ["status", "--share", "5"],
        ["promote", "--json"],
    ):
        assert shadow(namegate, *words).returncode == 2, words


@pytest.mark.quick
@pytest.mark.threads
def test_stop(begin, connect):
    namegate = begin()
    client = connect(namegate, "udp")
    assert shadow(namegate, "start", write_candidate(namegate, rule_removed)).returncode == 0
    client.ask(w.query("ok.first.test"))
    assert "shadow" in namegate.wait_log("ok.first.test")[0]["ext"]
    assert shadow(namegate, "stop").returncode == 0
    client.ask(w.query("ok.second.test"))
    assert "shadow" not in namegate.wait_log("ok.second.test")[0]["ext"]
    assert status(namegate) == {"state": "off"}
    assert not namegate.metrics().find("namegate_shadow_info")


def test_configuration(begin, connect, maker):
    """`shadow` of the configuration: from the start, over reloads, until it is not wanted."""
    settings_file = "candidate.conf"

    def with_shadow(settings):
        settings["shadow"] = {"file": settings_file, "share": "100%", "views": ["lan"]}
        candidate = copy.deepcopy(settings)
        del candidate["shadow"]
        rule_removed(candidate)
        (maker.directory / settings_file).write_text(config_text(candidate))

    namegate = begin(with_shadow)
    namegate.wait_for(lambda: status(namegate)["state"] == "running", "the shadow", 20)
    client = connect(namegate, "udp")
    client.ask(w.query("ok.www.bad.test"))
    assert namegate.wait_log("ok.www.bad.test")[0]["ext"]["shadow"]["differs"]
    before = status(namegate)
    assert before["views"] == ["lan"]
    # A reload reads the candidate again; the counters go on.
    candidate = copy.deepcopy(namegate.settings)
    del candidate["shadow"]
    (namegate.directory / settings_file).write_text(config_text(candidate))
    assert namegate.hup()
    namegate.wait_for(
        lambda: status(namegate)["policy_hash"] != before["policy_hash"], "the new candidate", 20
    )
    assert status(namegate)["queries"] == 1 and status(namegate)["since"] == before["since"]
    # One that is broken meanwhile: the one before goes on, and it is told.
    (namegate.directory / settings_file).write_text("this is { none")
    assert namegate.hup()
    namegate.wait_for(lambda: "note" in status(namegate), "what is wrong with it", 20)
    assert status(namegate)["state"] == "running"
    client.ask(w.query("ok.again.bad.test"))
    assert "shadow" in namegate.wait_log("ok.again.bad.test")[0]["ext"]
    settings = copy.deepcopy(namegate.settings)
    del settings["shadow"]
    assert namegate.reload(settings)
    namegate.wait_for(lambda: status(namegate)["state"] == "off", "the end of the shadow", 20)


@pytest.mark.threads
def test_reload_keeps_it(begin, connect):
    """One that a command began stays over a reload of the configuration, with its counters; the
    views and rules in force may have become others meanwhile."""
    namegate = begin()
    client = connect(namegate, "udp")
    assert shadow(namegate, "start", write_candidate(namegate, rule_removed)).returncode == 0
    client.ask(w.query("ok.www.bad.test"))
    namegate.wait_log("ok.www.bad.test")
    settings = copy.deepcopy(namegate.settings)
    settings["views"].insert(0, {"name": "zero", "clients": ["192.0.2.0/24"]})
    rules_of(settings).insert(
        0, {"name": "none", "priority": 1, "action": "ALERT", "domain_list": "ours"}
    )
    assert namegate.reload(settings)
    client.ask(w.query("ok.www.bad.test"))
    namegate.wait_log("ok.www.bad.test", 2)
    now = status(namegate)
    assert now["state"] == "running" and now["queries"] == 2
    assert [(row["count"], row["view"], row["in_force"]["by"]) for row in now["differences"]] == [
        (2, "lan", "rules/bad")
    ]


# ---- promote ----


@pytest.fixture
def kept(begin):
    """A program that keeps its revisions."""
    return begin(state_directory="state")


@pytest.mark.quick
@pytest.mark.threads
def test_promote(kept, connect):
    client = connect(kept, "udp")
    candidate = write_candidate(kept, rule_removed)
    revision = kept.metrics().sum("namegate_policy_revision")
    assert shadow(kept, "start", candidate).returncode == 0
    hash_of_candidate = status(kept)["policy_hash"]
    assert blocked(client, "ok.www.bad.test")
    told = shadow(kept, "promote")
    assert told.returncode == 0, told.stderr
    assert "cp %s %s" % (candidate, kept.config) in told.stdout
    assert not blocked(client, "ok.www.bad.test")
    kept.wait_metric("namegate_policy_pinned", 1, 20)
    metrics = kept.metrics()
    assert metrics.sum("namegate_policy_revision") > revision
    info = metrics.find("namegate_policy_info")
    assert [labels["hash"] for labels, _ in info] == [hash_of_candidate]
    assert status(kept)["state"] == "off"
    assert "shadow" not in kept.wait_log("ok.www.bad.test", 2)[1]["ext"]
    # It stays over HUP and a restart, until the file changes.
    assert kept.hup() and not blocked(client, "ok.www.bad.test")
    kept.stop()
    kept.start()
    assert not blocked(connect(kept, "udp"), "ok.www.bad.test")
    settings = copy.deepcopy(kept.settings)
    settings["domain_lists"].append(inline("later", "*.later.test"))
    assert kept.reload(settings)
    assert blocked(connect(kept, "udp"), "ok.www.bad.test")


def test_promote_survives_kill(kept, connect):
    assert shadow(kept, "start", write_candidate(kept, rule_removed)).returncode == 0
    assert shadow(kept, "promote").returncode == 0
    kept.signal(signal.SIGKILL)
    kept.process.wait()
    running.remove(kept)
    kept.start()
    assert not blocked(connect(kept, "udp"), "ok.www.bad.test")


def test_promote_that_needs_a_restart(begin):
    def more_queries(settings):
        settings["limits"] = {"queries": 77}

    namegate = begin()
    assert shadow(namegate, "start", write_candidate(namegate, more_queries)).returncode == 0
    assert status(namegate)["needs_restart"] == "limits.queries"
    told = shadow(namegate, "promote")
    assert told.returncode == 1 and '"limits.queries"' in told.stderr
    assert status(namegate)["state"] == "running"


def test_promote_of_a_file_that_has_changed(begin, connect):
    """What was not judged does not come into force."""
    namegate = begin()
    candidate = write_candidate(namegate, same)
    assert shadow(namegate, "start", candidate).returncode == 0
    write_candidate(namegate, rule_removed)
    told = shadow(namegate, "promote")
    assert told.returncode == 1 and "did not load again as it was" in told.stderr
    assert status(namegate)["state"] == "running"
    assert blocked(connect(namegate, "udp"), "ok.www.bad.test")


# ---- everything at once ----


@pytest.mark.threads
def test_under_load(begin, connect):
    """Begun, looked at, ended and put in force while others ask: nobody goes without an answer, and
    nothing is counted that was not asked."""
    namegate = begin()
    paths = [write_candidate(namegate, c, c.__name__) for c in (same, rule_removed, walled_garden)]
    done = threading.Event()
    failures, count = [], [0, 0]

    def keep_asking(number):
        clients = [connect(namegate, protocol) for protocol in ("udp", "tcp", "dot", "doh")]
        while not done.is_set():
            for client in clients:
                for name in ("ok.free.test", "ok.www.bad.test", "cname.ok.www.bad.test"):
                    answer = client.ask(w.query(name, edns=EDNS))
                    answer = getattr(answer, "message", answer)
                    if answer is None or answer.rcode not in (w.NOERROR, w.NXDOMAIN):
                        failures.append((name, answer))
                    count[number] += 1

    askers = [threading.Thread(target=keep_asking, args=(n,)) for n in range(2)]
    for asker in askers:
        asker.start()
    try:
        for _ in range(3):
            for path in paths:
                assert shadow(namegate, "start", path).returncode == 0
                shadow(namegate, "status")
                assert namegate.hup()
            assert shadow(namegate, "stop").returncode == 0
        assert shadow(namegate, "start", paths[0]).returncode == 0
        assert shadow(namegate, "promote").returncode == 0
    finally:
        done.set()
        for asker in askers:
            asker.join()
    assert not failures and min(count) > 0
    connect(namegate, "udp").ask(w.query("ok.behind.test"))
    assert "shadow" not in namegate.wait_log("ok.behind.test")[0]["ext"]


def test_time_of_the_day(begin, connect):
    """A schedule of the candidate holds by its own clock, not by those in force."""

    def on_and_off(settings):
        settings["schedules"] = [
            {"name": "always", "days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]},
        ]
        rules_of(settings)[2]["schedule"] = "always"

    namegate = begin()
    candidate = write_candidate(namegate, on_and_off)
    told = shadow(namegate, "start", candidate)
    assert told.returncode == 0, told.stderr
    connect(namegate, "udp").ask(w.query("ok.www.bad.test"))
    line = namegate.wait_log("ok.www.bad.test")[0]
    assert line["ext"]["shadow"]["rule"] == "bad" and not line["ext"]["shadow"]["differs"]


def test_kill_leaves_nothing(begin, connect):
    """A shadow that a command began lives as long as the process."""
    namegate = begin()
    assert shadow(namegate, "start", write_candidate(namegate, rule_removed)).returncode == 0
    namegate.signal(signal.SIGKILL)
    namegate.process.wait()
    running.remove(namegate)
    namegate.start()
    assert status(namegate)["state"] == "off"
    assert blocked(connect(namegate, "udp"), "ok.www.bad.test")
