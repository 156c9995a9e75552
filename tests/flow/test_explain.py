"""explain: what it tells of a decision, word for word; that it says what traffic meets, for random
policies, names and answers; and that each change it tells really makes the opposite."""

import copy
import hashlib
import json
import os
import random
import shlex
import time

import pytest

import dns_wire as w
from config_text import config_text, group, inline, rule
from program import run_command, with_rules


def explain(path, *arguments, code=0):
    done = run_command("explain", "-c", str(path), "--json", *arguments)
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


def write(directory, settings, name="namegate.conf"):
    path = directory / name
    path.write_text(config_text(settings))
    return path


@pytest.fixture
def written(maker):
    """A configuration with something of everything, which nobody runs."""
    settings = maker.settings(scripted=5300)
    (maker.directory / "bad.txt").write_text("# of ours\nbad.test\n*.bad.test\r\nwww.bad.test\n")
    (maker.directory / "ads.txt").write_text("||ads.test^\n@@||good.ads.test^\n")
    lists = [
        inline("ours", "corp.test", "below.test", "*.wild.test"),
        {"name": "bad", "file": "bad.txt", "format": "domains"},
        {"name": "ads", "file": "ads.txt", "format": "adblock"},
        inline("all", "*"),
    ]
    rules = [
        rule("watch", "MONITOR", "all"),
        rule("ours", "ALLOW", "ours"),
        rule("no-bad", "BLOCK", "bad", block_response="NXDOMAIN"),
        rule("no-ads", "BLOCK", "ads", block_response="NODATA", query_type="AAAA"),
        rule("odd", "ALERT", "bad"),
    ]
    with_rules(settings, lists, rules)
    settings["views"] += [
        {"name": "wide", "clients": ["126.0.0.0/7"]},
        {"name": "walled", "clients": ["10.0.0.0/8"], "default_action": "BLOCK"},
    ]
    return write(maker.directory, settings)


def of(rows, **wanted):
    return [row for row in rows if all(row.get(k) == v for k, v in wanted.items())]


@pytest.mark.quick
class TestTelling:
    def test_what_decides_and_what_would(self, written):
        told = explain(written, "www.bad.test")
        assert told["verdict"]["action"] == "BLOCK"
        assert told["verdict"]["block_response"] == "NXDOMAIN"
        assert told["verdict"]["blocked"] is True and told["verdict"]["reason"] == "rule"
        outcomes = [(row["rule"], row["outcome"]) for row in told["rules"]]
        assert outcomes == [
            ("watch", "recorded"),
            ("ours", "not_listed"),
            ("no-bad", "decides"),
            ("no-ads", "not_listed"),
            ("odd", "would_match"),
        ]
        row = told["rules"][2]
        assert row["entry"] == "*.bad.test." and row["line"] == 3
        assert row["line_text"] == "*.bad.test"
        assert row["association"] == 101 and row["priority"] == 30

    def test_where_a_list_comes_from(self, written):
        (bad,) = of(explain(written, "www.bad.test")["lists"], name="bad")
        assert bad["origin"] == "file" and bad["path"].endswith("bad.txt")
        assert len(bad["hash"]) == 32
        assert bad["fetched"] == int((written.parent / "bad.txt").stat().st_mtime)

    def test_the_view_and_why(self, written):
        told = explain(written, "ok.test", "--client", "127.0.0.1")
        assert told["view"]["name"] == "lan" and told["view"]["by"] == "network"
        assert told["view"]["claim"] == "network 127.0.0.0/8"
        (other,) = told["other_views"]
        assert other["name"] == "wide" and other["why"] == "less_specific"
        assert explain(written, "ok.test", "--client", "192.0.2.1")["view"]["fault"]
        assert "by" not in explain(written, "ok.test", "--view", "lan")["view"]

    def test_the_place_in_the_chain(self, written):
        answer = ("--answer", "www.ok.test 60 IN CNAME x.bad.test.", "--answer",
                  "x.bad.test. A 192.0.2.1")
        told = explain(written, "www.ok.test", *answer)
        assert [hop["name"] for hop in told["hops"]] == ["www.ok.test.", "x.bad.test."]
        assert told["hops"][1]["decides"] and not told["hops"][0]["decides"]
        assert told["verdict"]["place"] == 1 and told["verdict"]["name"] == "x.bad.test."
        assert told["answer"][1] == {"from": "given", "record": "x.bad.test. A 192.0.2.1"}
        assert of(told["changes"], kind="rule")[0]["domain"] == "x.bad.test"

    @pytest.mark.parametrize(
        "name, more, rule_name, reason",
        (
            ("bad.ads.test", (), "no-ads", "other_query_type"),
            ("good.ads.test", ("--type", "AAAA"), "no-ads", "exception_in_list"),
            ("x.below.test", (), "ours", "only_apex"),
            ("wild.test", (), "ours", "only_below"),
            ("ok.test", (), "watch", "recorded"),
        ),
    )
    def test_near_misses(self, written, name, more, rule_name, reason):
        (near,) = of(explain(written, name, *more)["near_misses"], rule=rule_name)
        assert near["reason"] == reason and near["entry"] and near["text"]

    def test_default_action(self, written):
        told = explain(written, "ok.test", "--client", "10.1.1.1")
        assert told["verdict"]["reason"] == "default_action"
        assert of(told["changes"], kind="rule")[0]["view"] == "walled"

    def test_expect(self, written):
        for name, word, code in (("bad.test", "BLOCK", 0), ("bad.test", "ALLOW", 1),
                                 ("ok.test", "ALLOW", 0), ("ok.test", "ALERT", 1)):
            explain(written, name, "--expect", word, code=code)
        assert run_command("explain", "-c", str(written), "x", "--expect", "NO").returncode == 2

    def test_text_says_the_same(self, written):
        done = run_command("explain", "-c", str(written), "www.bad.test")
        assert done.stdout.startswith("verdict BLOCK NXDOMAIN, by rule rules/no-bad\n")
        for words in ("MATCHES and decides", "matches, recorded", "would match", "bad.txt line 3",
                      "to change it", "namegate allow www.bad.test --view lan --for 1h"):
            assert words in done.stdout

    def test_many_rules_are_counted(self, maker):
        settings = maker.settings(scripted=5300)
        rules = [rule("rule-%d" % i, "ALERT", "ours") for i in range(70)]
        rules[66]["domain_list"] = "bad"
        lists = [inline("ours", "corp.test"), inline("bad", "bad.test")]
        path = write(maker.directory, with_rules(settings, lists, rules))
        out = run_command("explain", "-c", str(path), "bad.test").stdout
        assert "and 69 rules whose lists do not have it" in out and "rules/rule-66 " in out
        assert len(explain(path, "bad.test")["rules"]) == 70

    def test_a_view_in_its_fail_mode(self, written):
        """Nothing of the rules can be told, but why, and what opens it."""
        (written.parent / "bad.txt").write_text("<html>\n<body>\n</html>\n")
        told = explain(written, "www.bad.test")
        assert told["verdict"]["reason"] == "fail_closed" and told["view"]["failed"]
        assert of(told["lists"], name="bad")[0]["fault"]
        (change,) = of(told["changes"], kind="setting")
        assert change["key"] == "fail_mode" and change["value"] == "open"

    def test_an_answer_that_cannot_be_followed(self, written):
        chain = ["%d.ok.test." % i for i in range(20)]
        records = ["%s CNAME %s" % pair for pair in zip(chain, chain[1:])]
        answer = [word for record in records for word in ("--answer", record)]
        told = explain(written, "0.ok.test", *answer)
        assert told["verdict"]["action"] == "FAIL" and told["verdict"]["blocked"]
        assert of(told["changes"], kind="setting")[0]["key"] == "fail_mode"

    def test_what_comes_to_light_behind_a_block(self, maker, written):
        """A line less is no change where an address, not looked at before, blocks as well."""
        networks = maker.directory / "networks.txt"
        networks.write_text("192.0.2.0/24\n")
        text = written.read_text()
        text = text.replace(
            "domain_lists = (",
            'domain_lists = ( { name = "nets"; format = "networks"; file = "%s"; },' % networks,
        ).replace(
            "rules = (",
            'rules = ( { name = "no-nets"; priority = 1; action = "BLOCK"; '
            'block_response = "REFUSED"; domain_list = "nets"; },',
        )
        written.write_text(text)
        told = explain(written, "bad.test", "--answer", "bad.test. A 192.0.2.1")
        assert told["verdict"]["rule"] == "no-bad"
        assert not of(told["changes"], kind="remove_entry")
        (change,) = of(told["changes"], kind="rule")
        assert change["redirection"] == "TRUST"
        told = explain(written, "ok.test", "--answer", "ok.test. A 192.0.2.1")
        assert told["verdict"]["rule"] == "no-nets" and told["verdict"]["entry"] == "192.0.2.0/24"
        assert told["verdict"]["address"] == "192.0.2.1"
        assert of(told["hops"], what="address")[0]["decides"]
        (change,) = of(told["changes"], kind="remove_entry")
        assert change["lines"] == [1] and change["entries"] == ["192.0.2.0/24"]

    def test_lines_that_another_covers(self, written):
        """www.bad.test is covered by *.bad.test, and comes to light without it."""
        (change,) = of(explain(written, "www.bad.test")["changes"], kind="remove_entry")
        assert change["lines"] == [3, 4] and change["entries"] == ["*.bad.test", "www.bad.test"]


DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@pytest.mark.quick
def test_a_schedule_that_is_off(maker):
    """Off today, and told when it is next on."""
    settings = maker.settings(scripted=5300)
    now = time.time()
    day = DAYS[time.gmtime(now + 3 * 86400).tm_wday]
    settings["schedules"] = [{"name": "later", "days": [day]}]
    blocking = rule("no", "BLOCK", "bad", block_response="NODATA", schedule="later")
    with_rules(settings, [inline("bad", "bad.test")], [blocking])
    told = explain(write(maker.directory, settings), "bad.test")
    (row,) = told["rules"]
    assert row["outcome"] == "schedule_off" and row["schedule_off"] is True
    assert row["schedule_next_on"] % 86400 == 0
    assert 86400 < row["schedule_next_on"] - now < 4 * 86400
    (near,) = told["near_misses"]
    assert near["reason"] == "schedule_off" and "later" in near["text"]
    assert told["verdict"]["blocked"] is False


@pytest.mark.quick
class TestIdentity:
    SECRET = "a secret that nobody knows"

    @pytest.fixture
    def told(self, maker):
        settings = maker.settings(scripted=5300)
        digest = hashlib.sha256(self.SECRET.encode()).hexdigest()
        settings["tokens"] = [{"name": "annas-tablet", "sha256": digest}]
        settings["views"] += [
            {"name": "kids", "tokens": ["annas-tablet"]},
            {"name": "guests", "paths": ["guests"], "clients": ["127.0.0.0/8"]},
        ]
        path = write(maker.directory, settings)
        return lambda *arguments: explain(path, "ok.test", *arguments)

    def test_the_most_specific_claim_wins(self, told):
        view = told("--token", self.SECRET, "--path", "guests")["view"]
        assert view["name"] == "kids" and view["by"] == "token"
        assert view["client_id"] == "annas-tablet"
        assert told("--path", "guests")["view"]["by"] == "path"

    def test_why_the_others_have_not_got_the_client(self, told):
        found = told("--token", self.SECRET)
        others = {row["name"]: row["why"] for row in found["other_views"]}
        assert others == {"lan": "less_specific", "guests": "path"}

    @pytest.mark.parametrize(
        "name,why", [("a.kids.test", "less_specific"), ("a.b.kids.test", "tls_name")]
    )
    def test_an_asterisk_is_one_label(self, maker, name, why):
        """A view that would not have the client is not said to be only less exact."""
        settings = maker.settings(scripted=5300)
        settings["views"] += [
            {"name": "named", "tls_names": ["*.kids.test"], "clients": ["127.0.0.0/8"]},
            {"name": "path", "paths": ["kids"]},
        ]
        path = write(maker.directory, settings)
        found = explain(path, "ok.test", "--tls-name", name, "--path", "kids")
        assert found["view"]["name"] == "path"
        others = {row["name"]: row["why"] for row in found["other_views"]}
        assert others == {"lan": "less_specific", "named": why}

    def test_a_wrong_token_is_nobodys(self, told):
        found = told("--token", "another secret")
        assert "name" not in found["view"] and "token" in found["view"]["fault"]
        assert "verdict" not in found and self.SECRET not in json.dumps(found)


ANSWERS = {
    "records": "www.ok.test. 60 IN CNAME x.bad.test.\nx.bad.test. 60 IN A 192.0.2.1\n",
    "dig": """
; <<>> DiG 9.18 <<>> www.ok.test
;; ->>HEADER<<- opcode: QUERY, status: NOERROR, id: 1
;; QUESTION SECTION:
;www.ok.test.			IN	A

;; ANSWER SECTION:
www.ok.test.		60	IN	CNAME	x.bad.test.
x.bad.test.		60	IN	A	192.0.2.1

;; AUTHORITY SECTION:
bad.test.		60	IN	NS	ns.bad.test.
;; Query time: 1 msec
""",
    "hex": None,
    "raw": None,
}


@pytest.mark.quick
@pytest.mark.parametrize("kind", ANSWERS)
def test_captured_answers(written, kind):
    query = w.query("www.ok.test", w.A)
    cname = w.record("www.ok.test", w.CNAME, w.name("x.bad.test"))
    message = w.reply(query, [cname, w.a("x.bad.test")])
    path = written.parent / "answer"
    content = {"raw": message, "hex": message.hex().encode()}.get(kind)
    path.write_bytes(content or ANSWERS[kind].encode())
    told = explain(written, "www.ok.test", "--answer-file", str(path))
    assert told["verdict"]["blocked"] and told["verdict"]["place"] == 1
    assert len(told["answer"]) == 2


@pytest.mark.quick
@pytest.mark.parametrize(
    "arguments",
    (
        ("--answer", "www.ok.test"),
        ("--answer", "www.ok.test. A not-an-address"),
        ("--answer", ""),
        ("--answer", "www.ok.test. A 192.0.2.1", "--live"),
    ),
)
def test_bad_answers(written, arguments):
    done = run_command("explain", "-c", str(written), "www.ok.test", *arguments)
    assert done.returncode == 2 and done.stderr


@pytest.mark.quick
def test_an_answer_to_another_question(written):
    path = written.parent / "answer"
    path.write_bytes(w.reply(w.query("other.test", w.A), [w.a("other.test")]))
    done = run_command(
        "explain", "-c", str(written), "www.ok.test", "--answer-file", str(path)
    )
    assert done.returncode == 2 and "another question" in done.stderr


# ---- random policies ----

SEEDS = [int(word) for word in os.environ.get("EXPLAIN_SEEDS", "2 3").split()]

LABELS = ("a", "b", "c")
NAMES = ["%s.rnd.test" % x for x in LABELS] + [
    "%s.%s.rnd.test" % (x, y) for x in LABELS for y in LABELS
]
NETWORKS = ("192.0.2.0/24", "198.51.100.7", "10.0.0.0/8", "0.0.0.0/0")
FORMATS = {
    "domains": ("%s", "*.%s", "%s"),
    "wildcard": ("%s",),
    "hosts": ("0.0.0.0 %s",),
    "adblock": ("||%s^", "||%s^", "@@||%s^"),
}


def make_zone(scripted, random):
    """Each name has an address, some behind aliases; it stays the same, as a cache holds it."""
    for qname in NAMES:
        others = [x for x in NAMES if x != qname]
        chain = [qname] + random.sample(others, random.choice((0, 0, 1, 2)))
        address = random.choice(("192.0.2.1", "198.51.100.7", "10.0.0.5"))
        scripted.zone[qname + "."] = answering(chain, address)


def answering(chain, address):
    def reply(s):
        records = [
            w.record(chain[i], w.CNAME, w.name(chain[i + 1])) for i in range(len(chain) - 1)
        ]
        if s.qtype == w.A:
            records.append(w.a(chain[-1], address))
        return w.reply(s.wire, records)

    return reply


def make_line(random, form):
    if form == "networks":
        return random.choice(NETWORKS)
    return random.choice(FORMATS[form]) % random.choice(NAMES + ["rnd.test"])


def make_list(random, directory, number):
    form = random.choice(list(FORMATS) + ["networks"])
    lines = [make_line(random, form) for _ in range(random.randint(1, 6))]
    row = {"name": "list-%d" % number, "format": form}
    if form != "networks" and random.random() < 0.5:
        return {**row, "domains": lines}
    path = directory / ("list-%d.txt" % number)
    path.write_text("".join("%s\n" % line for line in lines))
    return {**row, "file": str(path)}


def make_rule(random, number, lists):
    action = random.choice(("ALLOW", "ALLOW", "ALERT", "BLOCK", "BLOCK", "GIVEN", "MONITOR"))
    more = {"priority": (number % 10 + 1) * random.choice((1, 10, 10))}
    if action in ("BLOCK", "GIVEN"):
        more["block_response"] = random.choice(("NODATA", "NXDOMAIN", "REFUSED"))
    if random.random() < 0.3:
        more["redirection"] = "TRUST"
    if random.random() < 0.2:
        more["query_type"] = random.choice(("A", "TXT"))
    return rule("rule-%d" % number, action, random.choice(lists)["name"], **more)


def make_rules(random, number, lists):
    rules = [make_rule(random, 10 * number + i, lists) for i in range(3)]
    taken = set()
    return [r for r in rules if not (r["priority"] in taken or taken.add(r["priority"]))]


def make_policy(random, settings, directory):
    settings = copy.deepcopy(settings)
    lists = [make_list(random, directory, i) for i in range(random.randint(1, 4))]
    groups = [
        group("group-%d" % g, *make_rules(random, g, lists))
        for g in range(random.randint(1, 3))
    ]
    view = settings["views"][0]
    view["associations"] = [
        {"rule_group": row["name"], "priority": 100 + 7 * i}
        for i, row in enumerate(random.sample(groups, len(groups)))
    ]
    if random.random() < 0.25:
        view["associations"][-1]["mode"] = "observe"
    view["default_action"] = random.choice(("ALLOW", "ALLOW", "BLOCK"))
    view["rebinding_protection"] = random.random() < 0.4
    view["fail_mode"] = random.choice(("open", "closed"))
    settings["domain_lists"], settings["rule_groups"] = lists, groups
    return settings


def edit(row, directory, change):
    """The list with lines less, or one more, in a file of its own if it has one."""
    if "file" in row:
        lines = open(row["file"]).read().splitlines()
    else:
        lines = list(row["domains"])
    gone = change.get("lines", [])
    for number, text in zip(gone, change["entries"]):
        assert lines[number - 1] == text
    lines = [line for i, line in enumerate(lines, 1) if i not in gone]
    if change["kind"] == "add_entry":
        lines += change["entries"]
    if "file" in row:
        path = directory / (row["name"] + ".changed")
        path.write_text("".join("%s\n" % line for line in lines))
        row["file"] = str(path)
    else:
        hosts = row.get("format") == "hosts"
        row["domains"] = lines or ["0.0.0.0 nothing.example" if hosts else "nothing.example"]


def add_rule(settings, change):
    row = {
        "name": change["rule"],
        "priority": change["priority"],
        "action": change["action"],
        "domain_list": change["list"],
        "redirection": change["redirection"],
    }
    if change["action"] == "BLOCK":
        row["block_response"] = change["block_response"]
    settings["domain_lists"].append(inline(change["list"], change["domain"]))
    if "association" not in change:
        (found,) = of(settings["rule_groups"], name=change["rule_group"])
        found["rules"].append(row)
        return
    settings["rule_groups"].append({"name": change["rule_group"], "rules": [row]})
    (view,) = of(settings["views"], name=change["view"])
    view.setdefault("associations", []).append(
        {"rule_group": change["rule_group"], "priority": change["association"]}
    )


def changed(settings, directory, change):
    """The settings with a change that explain told; None when it is none of settings."""
    settings = copy.deepcopy(settings)
    if change["kind"] in ("remove_entry", "add_entry"):
        (row,) = of(settings["domain_lists"], name=change["list"])
        edit(row, directory, change)
    elif change["kind"] == "rule":
        add_rule(settings, change)
    elif change["kind"] == "setting" and change["key"] == "rebinding_exceptions":
        settings.setdefault("rebinding_exceptions", []).append(change["value"])
    elif change["kind"] == "setting" and change["key"] == "fail_mode":
        of(settings["views"], name=change["view"])[0]["fail_mode"] = change["value"]
    else:
        return None
    return settings


def verdict_of(told):
    verdict = told["verdict"]
    response = verdict.get("block_response")
    return verdict["action"] + (" " + response if response else "")


def check_changes(directory, settings, told, name, qtype):
    """Writes each change down, and asks again."""
    answer = [word for row in told["answer"] for word in ("--answer", row["record"])]
    kinds = set()
    for change in told["changes"]:
        after = changed(settings, directory, change)
        if after is None:
            continue
        path = write(directory, after, "changed.conf")
        again = explain(path, name, "--type", qtype, *answer)
        assert again["verdict"]["blocked"] is not told["verdict"]["blocked"], (change, again)
        assert verdict_of(again) == change["verdict"]
        kinds.add(change["kind"])
    return kinds


def logged_verdict(line):
    ext = line["ext"]
    return ext.get("action", "ALLOW"), ext.get("rule_group"), ext.get("rule")


def told_verdict(told):
    verdict = told["verdict"]
    return verdict["action"], verdict.get("rule_group"), verdict.get("rule")


def check_question(namegate, client, settings, name, qtype, count):
    before = len(of(namegate.log(), query_name=name + "."))
    client.ask(w.query(name, getattr(w, qtype)))
    line = namegate.wait_log(name, before + 1)[-1]
    told = explain(namegate.config, name, "--type", qtype, "--running", "--live")
    assert told["notes"] == [] or told["source"]["from"] == "nowhere", told["notes"]
    assert told_verdict(told) == logged_verdict(line), (told, line)
    assert told["policy"]["hash"] == line["ext"]["policy_hash"]
    given = [word for row in told["answer"] for word in ("--answer", row["record"])]
    of_file = explain(namegate.config, name, "--type", qtype, *given)
    if given:  # an answer without records cannot be said in words
        assert of_file["verdict"] == told["verdict"]
    assert of_file["changes"]
    kinds = check_changes(namegate.directory, settings, told, name, qtype)
    for word in (*("change: " + kind for kind in kinds), told["verdict"]["reason"]):
        count[word] = count.get(word, 0) + 1


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_what_it_says_is_what_happens(maker, scripted, connect, seed):
    """For random policies, names, types and answers: explain, of the file and of the running
    program, says what the query log says of the same question; and every change that it tells,
    written into the configuration, makes the opposite."""
    chance = random.Random(seed)
    settings = maker.settings(scripted=scripted)
    settings["control_socket"] = "control.sock"
    make_zone(scripted, chance)
    namegate = maker.start(settings)
    client = connect(namegate, "udp")
    count = {}
    for _ in range(3):
        policy = make_policy(chance, settings, namegate.directory)
        assert namegate.reload(policy), namegate.stderr
        for name in chance.sample(NAMES, 4):
            check_question(namegate, client, policy, name, chance.choice(("A", "A", "TXT")), count)
    assert count.get("change: rule", 0) > 2, count


def test_exceptions(maker, scripted, connect):
    """What is proposed is done as it stands there, and undone as explain says."""
    settings = maker.settings(scripted=scripted)
    settings["control_socket"] = "control.sock"
    blocking = rule("no", "BLOCK", "bad", block_response="NXDOMAIN")
    with_rules(settings, [inline("bad", "www.bad.test")], [blocking])
    namegate = maker.start(settings)
    client = connect(namegate, "udp")

    def told():
        return explain(namegate.config, "www.bad.test", "--running")

    def obey(kind):
        (change,) = of(told()["changes"], kind=kind)
        done = run_command(*shlex.split(change["command"])[1:])
        assert done.returncode == 0, done.stderr
        assert verdict_of(told()) == change["verdict"]

    def rcode():
        return client.ask(w.query("www.bad.test", w.A)).rcode

    assert told()["verdict"]["blocked"] and rcode() == w.NXDOMAIN
    obey("exception")
    assert rcode() == w.NOERROR
    found = told()
    assert found["verdict"]["reason"] == "exception" and found["verdict"]["exception"] == 1
    (row,) = found["exceptions"]
    assert row["id"] == 1 and row["action"] == "ALLOW" and row["view"] == "lan"
    assert row["name"] == "www.bad.test." and row["kind"] == "exact" and row["used"] == 1
    assert row["until"] - found["policy"]["time"] in range(3590, 3601)
    assert row["because"] == "say why" and "exceptions_hash" in found["policy"]
    assert of(found["rules"], rule="no")[0]["outcome"] == "would_match"
    assert found["notes"] == [] and of(found["changes"], kind="end_exception")
    assert explain(namegate.config, "www.bad.test")["verdict"]["blocked"]  # the file's
    obey("exception")  # the other way round: it takes the place of the first
    assert rcode() == w.NXDOMAIN or told()["verdict"]["block_response"] == "NODATA"
    assert [row["id"] for row in told()["exceptions"]] == [2]
    obey("exception")
    obey("end_exception")
    assert rcode() == w.NXDOMAIN and told()["exceptions"] == []
