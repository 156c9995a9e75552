"""The query log: what a line says, that it is JSON whatever is asked, and that it can not hurt."""

import os
import re
import signal
import subprocess
import time

import pytest

import dns_wire as w
from config_text import inline, rule
from program import PROTOCOLS, with_rules

EDNS = w.opt()

AWS_FIELDS = {
    "version": r"1\.\d{6}",
    "account_id": "local",
    "region": "local",
    "vpc_id": "lan",
    "query_timestamp": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z",
    "query_class": "IN",
    "srcaddr": r"127\.0\.0\.1",
    "srcport": r"\d{1,5}",
}


@pytest.fixture(scope="module")
def namegate(shared_maker, scripted_session):
    settings = shared_maker.settings(scripted=scripted_session)
    lists = [inline("bad", "*.bad.test"), inline("odd", "*.odd.test")]
    rules = [
        rule("no-bad", "BLOCK", "bad", block_response="NXDOMAIN"),
        rule("odd", "ALERT", "odd"),
    ]
    return shared_maker.start(with_rules(settings, lists, rules, "baseline"))


@pytest.mark.quick
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_fields(namegate, scripted, connect, protocol):
    """The AWS fields, and ours in `ext`."""
    name = "cname.ok.%s.log.test" % protocol
    client = connect(namegate, protocol)
    before = time.time()
    client.ask(w.query(name, edns=EDNS))
    line = namegate.wait_log(name)[0]
    for field, pattern in AWS_FIELDS.items():
        assert re.fullmatch(pattern, line[field]), (field, line[field])
    stamp = time.strptime(re.sub(r"\.\d+Z$", "Z", line["query_timestamp"]), "%Y-%m-%dT%H:%M:%SZ")
    import calendar

    assert abs(calendar.timegm(stamp) - before) < 5
    assert line["query_name"] == name + "."
    assert (line["query_type"], line["rcode"]) == ("A", "NOERROR")
    assert line["transport"] == {"udp": "UDP", "tcp": "TCP", "dot": "DOT", "doh": "DOH"}[protocol]
    assert line["answers"] == [
        {"Rdata": "ok.%s.log.test." % protocol, "Type": "CNAME", "Class": "IN"},
        {"Rdata": "192.0.2.1", "Type": "A", "Class": "IN"},
    ]
    assert line["srcids"] == {} or isinstance(line["srcids"], dict)
    ext = line["ext"]
    assert (ext["view"], ext["protocol"], ext["upstream"]) == ("lan", protocol, "scripted")
    assert ext["upstream_us"] > 0 and ext["duration_us"] >= ext["upstream_us"]
    assert isinstance(ext["revision"], int) and re.fullmatch(r"[0-9a-f]+", ext["policy_hash"])
    assert "ede" not in ext and "rule" not in ext


def test_blocked_line(namegate, connect):
    name = "x.y.bad.test"
    connect(namegate, "udp").ask(w.query(name, edns=EDNS))
    line = namegate.wait_log(name)[0]
    assert line["answers"] == [] and line["rcode"] == "NXDOMAIN"
    assert line["firewall_rule_action"] == "BLOCK"
    assert line["firewall_rule_group_id"] == "baseline"
    assert line["firewall_domain_list_id"] == "bad"
    ext = line["ext"]
    assert ext["action"] == "BLOCK" and ext["ede"] == 15
    assert (ext["rule_group"], ext["rule"], ext["list"]) == ("baseline", "no-bad", "bad")
    assert ext["entry"] == "*.bad.test."
    assert ext["hop"] == 0
    assert "upstream" not in ext and "upstream_us" not in ext


@pytest.mark.parametrize(
    "qtype, word",
    [(1, "A"), (28, "AAAA"), (65, "HTTPS"), (16, "TXT"), (65400, "65400"), (255, "ANY")],
)
def test_types(namegate, connect, qtype, word):
    name = "ok.t%d.types.test" % qtype
    connect(namegate, "udp").ask(w.query(name, qtype))
    assert namegate.wait_log(name)[0]["query_type"].removeprefix("TYPE") == word


NASTY = [
    b'"}],"x":"',
    b"\\",
    b"\\u0000",
    b"\0",
    b"\n",
    b"\r\n",
    b"\x1b[31m",
    b"\x7f",
    b"\xff\xfe\xfd",
    b"\xc3\x28",  # not UTF-8
    b"\xed\xa0\x80",  # a surrogate
    b"a.b",
    b"</script>",
    b"${jndi:x}",
    bytes(range(1, 32)),
    bytes(range(0x80, 0xBF)),
    b"\xff" * 63,
]


@pytest.mark.parametrize("label", NASTY, ids=repr)
@pytest.mark.parametrize("tail", (b"bad", b"odd", b"fine"), ids=lambda tail: tail.decode())
def test_nasty_names(namegate, connect, label, tail):
    """One line for one question, JSON by RFC 8259, and the name can be read back."""
    name = w.labels_to_name(label, tail, b"test")
    before = len(namegate.log())
    connect(namegate, "udp").ask(w.query(name))
    namegate.wait_for(lambda: len(namegate.log()) > before, "a log line")
    line = namegate.log()[before]
    assert unescaped(line["query_name"]) == name.lower() or unescaped(line["query_name"]) == name
    assert line["query_name"].isascii() and line["query_name"].isprintable()


def unescaped(text):
    """Presentation form back to wire."""
    labels, label, at = [], b"", 0
    while at < len(text):
        if text[at] == "\\" and text[at + 1].isdigit():
            label += bytes([int(text[at + 1 : at + 4])])
            at += 4
        elif text[at] == "\\":
            label += text[at + 1].encode()
            at += 2
        elif text[at] == ".":
            labels.append(label)
            label, at = b"", at + 1
        else:
            label += text[at].encode()
            at += 1
    return w.labels_to_name(*labels)


def test_longest_name(namegate, connect):
    """254 bytes that all need an escape, and a long chain in the answer."""
    name = w.labels_to_name(b"\0" * 63, b"\xff" * 63, b'"' * 63, b"\\" * 60)
    before = len(namegate.log())
    connect(namegate, "udp").ask(w.query(name))
    namegate.wait_for(lambda: len(namegate.log()) > before, "a log line")
    assert unescaped(namegate.log()[before]["query_name"]) == name


def test_binary_answers(namegate, scripted, connect):
    """RDATA is foreign bytes, too."""
    scripted.zone["text.answers.test."] = lambda s: w.reply(
        s.wire,
        [
            w.record(s.qname, w.TXT, b'\x06a"b\\\0\xff'),
            w.record(s.qname, 65400, b"\0\1\2\xff"),
            w.record(s.qname, w.CNAME, w.labels_to_name(b'"\n', b"x")),
        ],
    )
    connect(namegate, "udp").ask(w.query("text.answers.test", w.TXT))
    assert namegate.wait_log("text.answers.test")[0]["answers"]


def test_huge_answer(namegate, connect):
    """The line stays a line, whole or cut, and JSON."""
    connect(namegate, "tcp").ask(w.query("huge.answers.test", w.TXT))
    assert namegate.wait_log("huge.answers.test")[0]["rcode"] == "NOERROR"


def test_unreadable_questions_have_no_line(namegate, connect):
    before = len(namegate.log())
    connect(namegate, "udp").ask(w.header() + b"\xc0\x0c\0\1\0\1")
    connect(namegate, "udp").ask(w.query("ok.readable.test"))
    namegate.wait_log("ok.readable.test")
    assert len(namegate.log()) == before + 1


def test_aws_format(maker, scripted, connect):
    """The AWS fields alone; ids are settings."""
    settings = maker.settings(scripted=scripted)
    settings["query_log"].update(format="aws", account_id="123456789012", region="eu-test-1")
    with_rules(
        settings,
        [inline("bad", "*.bad.test")],
        [rule("r", "BLOCK", "bad", block_response="NODATA")],
    )
    namegate = maker.start(settings)
    connect(namegate, "udp").ask(w.query("x.bad.test"))
    line = namegate.wait_log("x.bad.test")[0]
    assert "ext" not in line
    assert (line["account_id"], line["region"]) == ("123456789012", "eu-test-1")
    assert line["firewall_rule_action"] == "BLOCK"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", line["query_timestamp"])


def test_reopen(maker, scripted, connect):
    """USR1: after logrotate moved the file, lines go to a new one, and none is lost."""
    namegate = maker.start(maker.settings(scripted=scripted))
    client = connect(namegate, "udp")
    client.ask(w.query("ok.before.test"))
    namegate.wait_log("ok.before.test")
    rotated = namegate.directory / "query.jsonl.1"
    namegate.log_file.rename(rotated)
    namegate.signal(signal.SIGUSR1)
    namegate.wait_for(namegate.log_file.exists, "a new log file")
    client.ask(w.query("ok.after.test"))
    assert namegate.wait_log("ok.after.test")
    assert "ok.before.test" in rotated.read_text()
    assert "ok.after.test" not in rotated.read_text()


def test_reopen_storm(maker, scripted, connect):
    namegate = maker.start(maker.settings(scripted=scripted))
    client = connect(namegate, "udp")
    for i in range(30):
        namegate.signal(signal.SIGUSR1)
        assert client.ask(w.query("ok.r%d.storm.test" % i)).rcode == w.NOERROR
    namegate.wait_for(lambda: len(namegate.log()) == 30, "30 lines")


def test_full_disk(maker, scripted, connect):
    """Dropped and counted; DNS goes on."""
    settings = maker.settings(scripted=scripted)
    settings["query_log"]["file"] = "/dev/full"
    namegate = maker.start(settings)
    client = connect(namegate, "udp")
    for i in range(50):
        assert client.ask(w.query("ok.f%d.full.test" % i)).rcode == w.NOERROR
    namegate.wait_metric("namegate_log_dropped_total", 50)


def test_closed_pipe(maker, scripted, connect):
    """Who read our standard output is gone: no SIGPIPE, drops are counted."""
    settings = maker.settings(scripted=scripted)
    settings["query_log"]["file"] = "-"
    read_end, write_end = os.pipe()
    namegate = maker.prepare(settings)
    namegate.stdout = write_end
    namegate.start()
    os.close(write_end)
    client = connect(namegate, "udp")
    client.ask(w.query("ok.read.test"))
    assert b"ok.read.test" in os.read(read_end, 65536)
    os.close(read_end)
    for i in range(20):
        assert client.ask(w.query("ok.c%d.pipe.test" % i)).rcode == w.NOERROR
    namegate.wait_metric("namegate_log_dropped_total", 20)


def test_pipe_that_nobody_reads(maker, scripted, connect):
    """A full pipe must not hold up DNS, nor the end of the program."""
    settings = maker.settings(scripted=scripted)
    settings["query_log"]["file"] = "-"
    namegate = maker.prepare(settings)
    namegate.stdout = subprocess.PIPE
    namegate.start()
    client = connect(namegate, "tcp")
    for batch in range(20):
        client.send(*(w.query("nxdomain.n%d.stuck.test" % i) for i in range(100)))
        for _ in range(100):
            assert client.receive() is not None
    assert namegate.stop() == 0
    namegate.process.stdout.close()


def test_no_log(maker, scripted, connect):
    settings = maker.settings(scripted=scripted)
    del settings["query_log"]
    namegate = maker.start(settings)
    assert connect(namegate, "udp").ask(w.query("ok.silent.test")).rcode == w.NOERROR


def test_all_lines_are_there_after_the_end(maker, scripted, connect):
    """TERM writes out what is in the rings."""
    namegate = maker.start(maker.settings(scripted=scripted))
    client = connect(namegate, "tcp")
    client.send(*(w.query("ok.e%d.end.test" % i, id=i) for i in range(200)))
    for _ in range(200):
        client.receive()
    assert namegate.stop() == 0
    assert len(namegate.log()) == 200
