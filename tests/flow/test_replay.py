"""namegate replay and learn: real logs of a real program through candidates, against a brute force
in Python."""

import gzip
import json
import random
import subprocess

import pytest

import dns_wire as w
from config_text import config_text, group, inline, rule
from program import BINARY, EX_CONFIG, PROTOCOLS, SANITIZER_REPORT, run_command, with_rules

DIFFERENT = 3

LISTS = [
    inline("allowed", "*.allow.rp.test"),
    inline("trusted", "*.trust.rp.test", "cname.trust.rp.test"),
    inline("alerted", "*.alert.rp.test"),
    inline("watched", "*.rp.test"),
    inline("nodata", "*.nodata.rp.test"),
    inline("nxdomain", "*.nxd.rp.test"),
    inline("override", "*.override.rp.test"),
    inline("refused", "*.refuse.rp.test"),
    inline("dropped", "*.drop.rp.test"),
    inline("addressed", "*.address.rp.test"),
    inline("only-txt", "*.txt.rp.test"),
    inline("targets", "*.target.test"),
    inline("soft", "*.soft.test"),
]
RULES = [
    rule("watch", "MONITOR", "watched"),
    rule("allow", "ALLOW", "allowed"),
    rule("trust", "ALLOW", "trusted", redirection="TRUST"),
    rule("alert", "ALERT", "alerted"),
    rule("nodata", "BLOCK", "nodata", block_response="NODATA"),
    rule("nxdomain", "BLOCK", "nxdomain", block_response="NXDOMAIN"),
    rule(
        "override",
        "BLOCK",
        "override",
        block_response="OVERRIDE",
        override_domain="ok.landing.test",
    ),
    rule("refused", "BLOCK", "refused", block_response="REFUSED"),
    rule("dropped", "BLOCK", "dropped", block_response="DROP"),
    rule("addressed", "BLOCK", "addressed", block_response="ADDRESS", addresses=["192.0.2.99"]),
    rule("only-txt", "BLOCK", "only-txt", block_response="NXDOMAIN", query_type="TXT"),
    rule("targets", "BLOCK", "targets", block_response="NXDOMAIN"),
    rule("soft", "ALERT", "soft"),
]
NAMES = [
    "%s.%s" % (head, tail)
    for head in ("ok", "a\\034b", "ok.x")
    for tail in (
        "rp.test",
        "allow.rp.test",
        "alert.rp.test",
        "nodata.rp.test",
        "nxd.rp.test",
        "override.rp.test",
        "refuse.rp.test",
        "address.rp.test",
        "txt.rp.test",
        "other.test",
    )
] + [
    "one.lead.test",
    "two.lead.test",
    "soft.lead.test",
    "far.lead.test",
    "below.dname.test",
    "cname.trust.rp.test",
    "cname.ok.elsewhere.test",
    "cnameloop.rp.test",
    "chain-5.ok.rp.test",
    "chain-17.ok.rp.test",
    "nxdomain.rp.test",
    "servfail.rp.test",
    "many-60.rp.test",
    "tc.ok.rp.test",
    "huge.soft.test",
]


def lead(*chain):
    """A chain of names, and of type HTTPS one service that is somewhere else."""

    def answer(s):
        links = [w.record(a, w.CNAME, w.name(b)) for a, b in zip(chain, chain[1:])]
        if s.qtype == w.HTTPS:
            return w.reply(s.wire, [w.record(s.qname, w.HTTPS, b"\0\1" + w.name(chain[-1]))])
        return w.reply(s.wire, links + ([w.a(chain[-1])] if s.qtype == w.A else []))

    return answer


def below_a_dname(s):
    return w.reply(
        s.wire,
        [
            w.record("dname.test", w.DNAME, w.name("deep.target.test")),
            w.record("below.dname.test", w.CNAME, w.name("below.deep.target.test")),
        ],
    )


ZONE = {
    "one.lead.test.": lead("one.lead.test", "x.target.test"),
    "two.lead.test.": lead("two.lead.test", "a.lead.test", "x.target.test"),
    "soft.lead.test.": lead("soft.lead.test", "a.lead.test", "x.soft.test", "b.lead.test"),
    "far.lead.test.": lead("far.lead.test", "x.elsewhere.test", "b.elsewhere.test"),
    "cname.trust.rp.test.": lead("cname.trust.rp.test", "x.target.test"),
    "below.dname.test.": below_a_dname,
}


@pytest.fixture(scope="module")
def recorded(shared_maker, scripted_session):
    """(settings, file, lines): a log with every kind of rule in it, over all protocols."""
    from dns_client import Stream, Udp, tls_context
    from h2_client import H2

    settings = shared_maker.settings(scripted=scripted_session)
    with_rules(settings, LISTS, RULES, rebinding_protection=True)
    scripted_session.zone.update(ZONE)
    namegate = shared_maker.start(settings)
    ports, ca = namegate.ports, namegate.certificates.ca
    clients = [
        Udp("127.0.0.1", ports["dns"]),
        Stream("127.0.0.1", ports["dns"]),
        Stream("127.0.0.1", ports["dot"], tls_context(ca, "dot")),
        H2("127.0.0.1", ports["doh"], ca),
    ]
    asked = 0
    for turn in range(3):  # from the upstream, and then from the cache
        for name in NAMES:
            for client in clients:
                for qtype in (w.A, w.TXT, w.HTTPS):
                    client.ask(w.query(name, qtype, edns=w.opt()))
                    asked += 1
    clients[0].send(w.query("x.drop.rp.test", w.A, edns=w.opt()))
    for client in clients:
        client.close()
    namegate.wait_for(lambda: len(namegate.log()) > asked, "all lines of the log", 20)
    lines = namegate.log()
    namegate.stop()
    return settings, namegate.log_file, lines


def write_config(path, settings, **changes):
    path.write_text(config_text({**settings, **changes}))
    return str(path)


def replay(*arguments, stdin=None):
    done = run_command("replay", *map(str, arguments), "--json", input=stdin)
    assert not SANITIZER_REPORT.search(done.stderr), done.stderr
    assert done.returncode in (0, 1, DIFFERENT), done.stderr
    return done.returncode, json.loads(done.stdout)


def test_every_kind_of_rule_is_in_the_log(recorded):
    _, _, lines = recorded
    rules = {line["ext"].get("rule") for line in lines}
    assert rules >= {one["name"] for one in RULES} - {"watch"}
    assert {line["ext"]["source"] for line in lines} >= {"upstream", "cache", "rule"}
    assert {line["ext"]["protocol"] for line in lines} == set(PROTOCOLS)
    assert {line["ext"].get("hop") for line in lines} >= {None, 0, 1, 2}


def test_the_same_policy_has_no_differences(recorded, tmp_path):
    settings, log, lines = recorded
    config = write_config(tmp_path / "same.conf", settings)
    code, told = replay("-c", config, log)
    assert (code, told["different"], told["same_by_another_rule"]) == (0, 0, 0), told
    assert told["same"] == told["lines"] == len(lines)
    code, told = replay("-c", config, "--current", config, log)
    assert (code, told["different"], told["same_by_another_rule"]) == (0, 0, 0)


def target_of(record):
    """The name that a record of the log leads to, or None."""
    if record["Type"] == "CNAME":
        return record["Rdata"]
    if record["Type"] != "HTTPS":
        return None
    wire = bytes.fromhex(record["Rdata"].split(" ")[2])
    return w.text(wire[2:])


def by_brute_force(lines, suffixes):
    """Line numbers that a BLOCK with NODATA of these suffixes, in front of everything, changes."""

    def listed(name):
        return any(name.lower().rstrip(".").endswith("." + one) for one in suffixes)

    changed = []
    for number, line in enumerate(lines, 1):
        ext = line["ext"]
        names = [line["query_name"]]
        allowed = any(
            line["query_name"].lower().endswith(one)
            for one in (".trust.rp.test.", "cname.trust.rp.test.")
        )
        blocked_before = ext.get("action") == "BLOCK"
        if not blocked_before and not allowed:
            names += [target_of(one) for one in line["answers"] if target_of(one)]
        if blocked_before and ext.get("hop", 0) > 0:
            names.append(ext["matched_name"])
        if any(listed(name) for name in names):
            if not (blocked_before and ext["block_response"] == "NODATA"):
                changed.append(number)
    return changed


def with_one_more(settings, *suffixes):
    lists = settings["domain_lists"] + [inline("more", *("*." + one for one in suffixes))]
    groups = settings["rule_groups"] + [
        group("more", rule("no-more", "BLOCK", "more", block_response="NODATA"))
    ]
    view = dict(settings["views"][0])
    view["associations"] = [{"rule_group": "more", "priority": 50}] + view["associations"]
    return {"domain_lists": lists, "rule_groups": groups, "views": [view]}


@pytest.mark.parametrize(
    "suffixes",
    [
        ["other.test"],
        ["alert.rp.test"],
        ["elsewhere.test"],
        ["nodata.rp.test"],
        ["rp.test"],
        ["target.test"],
        ["soft.test", "x.rp.test"],
        ["nobody.test"],
    ],
    ids=lambda names: "+".join(names),
)
def test_one_more_rule_differs_where_a_brute_force_says(recorded, tmp_path, suffixes):
    settings, log, lines = recorded
    config = write_config(
        tmp_path / "more.conf", {**settings, **with_one_more(settings, *suffixes)}
    )
    expected = by_brute_force(lines, suffixes)
    code, told = replay("-c", config, "--examples", 100, "--top", 1000, log)
    found = sorted(
        example["line"] for change in told["changes"]["top"] for example in change["examples"]
    )
    assert told["different"] == len(expected)
    if all(change["count"] <= 100 for change in told["changes"]["top"]):
        assert found == expected
    else:
        assert set(found) <= set(expected)
    assert code == (DIFFERENT if expected else 0)
    assert sum(one["count"] for one in told["rules"]["top"]) == len(expected)
    assert sum(one["count"] for one in told["clients"]["top"]) == len(expected)
    assert all(one["after"] == "more/no-more" for one in told["rules"]["top"])
    # Beside the policy itself instead of the log it is the same.
    current = write_config(tmp_path / "current.conf", settings)
    _, beside = replay("-c", config, "--current", current, log)
    assert beside["different"] == told["different"]


def shuffled(line, chance):
    """The same record: its keys in another order, strangers among them, blanks between."""
    if not isinstance(line, dict):
        return line
    items = [(key, shuffled(value, chance)) for key, value in line.items()]
    items.append(("odd-%d" % chance.randrange(9), [{"query_name": "x."}, None, "]}", -1.5, True]))
    chance.shuffle(items)
    return dict(items)


def test_order_of_keys_packing_and_threads_do_not_matter(recorded, tmp_path):
    settings, log, lines = recorded
    config = write_config(
        tmp_path / "more.conf", {**settings, **with_one_more(settings, "other.test")}
    )
    _, expected = replay("-c", config, log)
    chance = random.Random(1)
    odd = tmp_path / "odd.jsonl"
    odd.write_text(
        "".join(json.dumps(shuffled(line, chance), indent=None) + "\r\n" for line in lines)
    )
    packed = tmp_path / "odd.jsonl.gz"
    half = odd.read_bytes()
    cut = half.index(b"\n", len(half) // 2) + 1
    packed.write_bytes(gzip.compress(half[:cut]) + gzip.compress(half[cut:]))
    for arguments in ([odd], [packed], ["--threads", 1, packed], ["--threads", 5, odd]):
        _, told = replay("-c", config, *arguments)
        text = json.dumps(told).replace(str(arguments[-1]), str(log))
        assert json.loads(text) == expected
    done = subprocess.run(
        [BINARY, "replay", "-c", config, "--json", "-"],
        input=packed.read_bytes(),
        capture_output=True,
        timeout=30,
    )
    told = done.stdout.replace(b'"file":"-"', b'"file":"%s"' % str(log).encode())
    assert json.loads(told) == expected


def test_the_format_of_aws(recorded, tmp_path):
    """AWS's records say less: no rule, no response, and nothing of where an answer was blocked."""
    settings, _, lines = recorded
    aws = tmp_path / "aws.jsonl"
    records = [{key: line[key] for key in line if key != "ext"} for line in lines]
    aws.write_text("".join(json.dumps(record) + "\n" for record in records))
    config = write_config(tmp_path / "same.conf", settings)
    hidden = sum(
        line["ext"].get("action") == "BLOCK"
        and (line["ext"].get("hop", 0) > 0 or line["ext"].get("reason") == "rebinding")
        for line in lines
    )
    code, told = replay("-c", config, aws)
    assert told["different"] == hidden == told["answer_unknown"]
    for change in told["changes"]["top"]:
        assert (change["before"], change["after"]) in {("BLOCK", "ALLOW")}
    config = write_config(
        tmp_path / "more.conf", {**settings, **with_one_more(settings, "other.test")}
    )
    _, more = replay("-c", config, aws)
    expected = sum(line["query_name"].endswith(".other.test.") for line in lines)
    assert more["different"] == hidden + expected


def test_exit_status_and_what_is_said(recorded, tmp_path):
    settings, log, lines = recorded
    config = write_config(
        tmp_path / "more.conf", {**settings, **with_one_more(settings, "other.test")}
    )
    count = sum(line["query_name"].endswith(".other.test.") for line in lines)
    done = run_command("replay", "-c", config, str(log))
    assert done.returncode == DIFFERENT and done.stderr == ""
    assert "%12d  different\n" % count in done.stdout
    assert "ALLOW -> BLOCK NODATA" in done.stdout
    assert "more: *.other.test.   first " in done.stdout
    for most, code in ((count, 0), (count - 1, DIFFERENT)):
        done = run_command("replay", "-c", config, "--max-differences", str(most), str(log))
        assert done.returncode == code
    for bad in (
        [],
        ["-c", config],
        [str(log)],
        ["-c", config, "--threads", "0", str(log)],
        ["-c", config, "--top", "x", str(log)],
        ["-c", config, "--odd", str(log)],
    ):
        assert run_command("replay", *bad).returncode == 2, bad
    for bad in (["-c", str(log)], ["-c", config, "--current", str(log)]):
        assert run_command("replay", *bad, str(log)).returncode == EX_CONFIG, bad
    done = run_command("replay", "-c", config, str(tmp_path / "none.jsonl"))
    assert done.returncode == 1 and "No such file" in done.stderr


def test_a_log_that_is_cut_off_and_lines_that_are_none(recorded, tmp_path):
    settings, log, lines = recorded
    config = write_config(tmp_path / "same.conf", settings)
    packed = gzip.compress(log.read_bytes())
    cut = tmp_path / "cut.jsonl.gz"
    cut.write_bytes(packed[: len(packed) // 2])
    done = run_command("replay", "-c", config, str(cut), "--json")
    told = json.loads(done.stdout)
    assert done.returncode == 1 and "cut off" in done.stderr
    assert told["complete"] is False and told["different"] == 0
    assert 0 < told["lines"] < len(lines)
    odd = tmp_path / "odd.jsonl"
    text = log.read_text()
    odd.write_text("not a line \x1b[31m\n" + text + "\n\n" + text[:200])
    code, told = replay("-c", config, odd)
    assert code == 0 and (told["bad"], told["same"]) == (2, len(lines))
    assert [one["line"] for one in told["bad_lines"]] == [1, len(lines) + 4]


def test_schedules_are_those_of_the_line(tmp_path, recorded):
    settings, log, lines = recorded
    more = with_one_more(settings, "other.test")
    more["rule_groups"][-1]["rules"][0]["schedule"] = "lessons"
    more["schedules"] = [{"name": "lessons", "days": ["mon"], "hours": ["08:00-12:00"]}]
    config = tmp_path / "lessons.conf"
    config.write_text(config_text({**settings, **more}))
    named = [dict(l) for l in lines if l["query_name"].endswith(".other.test.")]
    at = tmp_path / "at.jsonl"
    times = {
        "2026-03-02T07:59:59Z": False,  # a Monday
        "2026-03-02T08:00:00Z": True,
        "2026-03-02T11:59:59Z": True,
        "2026-03-02T12:00:00Z": False,
        "2026-03-03T09:00:00Z": False,
    }
    for time, is_on in times.items():
        at.write_text(
            "".join(json.dumps({**line, "query_timestamp": time}) + "\n" for line in named)
        )
        code, told = replay("-c", config, at)
        assert told["different"] == (len(named) if is_on else 0), time


def test_views_that_are_gone_or_new(recorded, tmp_path):
    """By the line's view where the candidate has it, else by the client."""
    settings, log, lines = recorded
    views = [{**settings["views"][0], "name": "renamed"}]
    config = write_config(tmp_path / "renamed.conf", settings, views=views)
    assert replay("-c", config, log)[1]["different"] == 0
    views = [{**settings["views"][0], "name": "others", "clients": ["192.0.2.0/24"]}]
    config = write_config(tmp_path / "others.conf", settings, views=views)
    _, told = replay("-c", config, log)
    assert told["different"] == len(lines)
    assert {change["after"] for change in told["changes"]["top"]} == {"REFUSED"}


# ---- learn ----


def learned_config(settings, text, tmp_path):
    """The printed list in the place of all rules, and everything else blocked."""
    start = {
        key: value
        for key, value in settings.items()
        if key not in ("domain_lists", "rule_groups", "views")
    }
    view = {
        "name": "lan",
        "clients": settings["views"][0]["clients"],
        "default_action": "BLOCK",
        "associations": [{"rule_group": "learned-lan", "priority": 1000}],
    }
    path = tmp_path / "learned.conf"
    path.write_text(config_text(start) + text + config_text({"views": [view]}))
    return str(path)


def learn(config, *arguments):
    done = run_command("learn", "-c", config, "--view", "lan", *map(str, arguments))
    assert not SANITIZER_REPORT.search(done.stderr), done.stderr
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_was_learned_admits_all_of_it_and_nothing_foreign(recorded, tmp_path):
    settings, log, lines = recorded
    config = write_config(tmp_path / "same.conf", settings)
    text = learn(config, log)
    blocked = [line for line in lines if line["ext"].get("action") == "BLOCK"]
    failed = [line for line in lines if line["ext"].get("reason") == "policy_failed"]
    asked = len(lines) - len(blocked)
    assert "# %d questions were blocked" % len(blocked) in text
    assert "they cover %d of %d questions, 100.0 %%" % (asked, asked) in text
    candidate = learned_config(settings, text, tmp_path)
    assert run_command("check", "-c", candidate).returncode == 0
    # The very lines that were not blocked, without what was decided then.
    training = tmp_path / "training.jsonl"
    training.write_text(
        "".join(
            json.dumps({key: line[key] for key in line if not key.startswith("firewall")})
            + "\n"
            for line in lines
            if line not in blocked and line not in failed
        )
    )
    _, told = replay("-c", candidate, training)
    changes = {(one["before"], one["after"]) for one in told["changes"]["top"]}
    assert changes <= {("ALERT", "ALLOW")}, changes
    # Names that nobody asked for are blocked, all of them.
    foreign = tmp_path / "foreign.jsonl"
    record = {key: lines[0][key] for key in lines[0] if key not in ("ext", "answers")}
    names = ["host%d.foreign%d.example." % (i, i % 7) for i in range(500)]
    foreign.write_text(
        "".join(json.dumps({**record, "query_name": name}) + "\n" for name in names)
    )
    _, told = replay("-c", candidate, foreign)
    assert told["different"] == len(names)
    assert [one["after"] for one in told["changes"]["top"]] == ["BLOCK NODATA"]


def test_learn_leaves_out_what_is_rare_and_takes_one_view_only(recorded, tmp_path):
    settings, log, lines = recorded
    config = write_config(tmp_path / "same.conf", settings)
    odd = tmp_path / "odd.jsonl"
    record = {**lines[0], "answers": []}
    rows = [{**record, "query_name": "often.example.com."}] * 3
    rows += [{**record, "query_name": "seldom.example.net."}]
    rows += [{**record, "vpc_id": "other", "srcaddr": "192.0.2.1", "query_name": "other.test."}]
    odd.write_text("".join(json.dumps(row) + "\n" for row in rows))
    text = learn(config, "--min-count", 2, odd)
    assert '"often.example.com" # 3 questions\n' in text
    assert "seldom.example" not in text and "other.test" not in text
    assert "they cover 3 of 4 questions, 75.0 %" in text
    for bad in ([], ["--view", "lan"], ["--view", "nobody", str(odd)], [str(odd)]):
        assert run_command("learn", "-c", config, *bad).returncode == 2
    done = run_command("learn", "-c", config, "--view", "lan", str(tmp_path / "none"))
    assert done.returncode == 1 and "No such file" in done.stderr
