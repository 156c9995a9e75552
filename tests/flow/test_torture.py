"""The n-th allocation fails, for each n (curl calls it torture): at the start, while a
configuration is checked, while it is loaded again, while one question is answered over each
protocol, while an answer is explained. The program may refuse; it may not crash, leak, or say what
is not true.

A sample by default; TORTURE=full tries every n, which takes an hour or two with sanitizers."""

import os
import shutil
import signal

import pytest

import program
from config_text import inline, rule
from faults import Faults
from program import EX_CONFIG, PROTOCOLS, SANITIZER_REPORT, run_command, with_rules
from visitor import FAILURES, ask, check_answers, descriptors, fresh_name

FULL = os.environ.get("TORTURE") == "full"
SAMPLES = 12  # of each scenario
FIRST = 5  # the first four are wanted before main(), which is not reached without (framing/h2.c)


@pytest.fixture(scope="module")
def faults(tmp_path_factory):
    if not shutil.which("cc"):
        pytest.skip("no C compiler")
    with Faults(tmp_path_factory.mktemp("torture"), program.BINARY) as faults:
        yield faults


def make(maker, upstream):
    settings = maker.settings(scripted=upstream)
    (maker.directory / "bad.domains").write_text("*.listed.test\n" * 20)
    (maker.directory / "state").mkdir()
    settings["state_directory"] = "state"
    settings["control_socket"] = "control.sock"
    lists = [
        inline("inline", "*.inline.test"),
        {"name": "file", "file": "bad.domains", "format": "domains"},
    ]
    rules = [
        rule("inline", "BLOCK", "inline", block_response="NXDOMAIN"),
        rule("file", "BLOCK", "file", block_response="NXDOMAIN"),
    ]
    made = maker.prepare(with_rules(settings, lists, rules))
    made.write_config()
    return made


def numbers(count, first=1):
    """Which allocations fail: all of them, or some from the first to the last."""
    if FULL or count < first + SAMPLES:
        return range(first, count + 1)
    return [first + at * (count - first) // (SAMPLES - 1) for at in range(SAMPLES)]


def count_calls(faults, action):
    faults.begin("malloc", first=1 << 30, every=0)
    action()
    faults.end()
    return faults.number()


def check_words(text):
    assert not SANITIZER_REPORT.search(text), text


@pytest.mark.parametrize("verb", ("check", "lint", "compile"))
def test_commands(maker, scripted, faults, verb):
    """They end by themselves: well, or with a code that says that they did not."""
    config = str(make(maker, scripted).config)
    words = [verb, "-c", config] + (["-o", config + ".image"] if verb == "compile" else [])
    count = count_calls(faults, lambda: faults.run(*words, timeout=60))
    assert count > 100
    for number in numbers(count, FIRST):
        faults.begin("malloc", first=number, every=0)
        done = faults.run(*words, timeout=60)
        faults.end()
        check_words(done.stderr)
        assert done.returncode in (0, 1, 3, EX_CONFIG), (number, done.returncode, done.stderr)


def test_start(maker, scripted, faults):
    """It serves, or it ends with a word and a code."""
    namegate = faults.load(make(maker, scripted), exact=True)
    namegate.start()
    count = faults.seen()["malloc"]
    assert namegate.stop() == 0
    for number in numbers(count, FIRST):
        faults.begin("malloc", first=number, every=0)
        try:
            namegate.start()
        except AssertionError:
            faults.end()
            program.running.remove(namegate)
            check_words(namegate.stderr)
            assert namegate.process.wait(10) in (1, EX_CONFIG), (number, namegate.stderr)
            continue
        faults.end()
        for protocol in PROTOCOLS:
            assert ask(namegate, protocol, fresh_name(), patience=6).addresses
        assert namegate.stop() == 0


@pytest.fixture
def namegate(maker, scripted, faults):
    made = faults.load(make(maker, scripted)).start()
    for protocol in PROTOCOLS:
        ask(made, protocol, fresh_name(), patience=6)
    yield made
    faults.end()


def one_question(namegate, protocol, patience):
    try:
        answer = ask(namegate, protocol, fresh_name(), patience)
    except FAILURES:
        return
    assert set(answer.addresses) <= {"192.0.2.1"}
    try:
        answer = ask(namegate, protocol, "x%s" % fresh_name("inline.test"), patience)
    except FAILURES:
        return
    assert set(answer.addresses) <= {"192.0.2.1"}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_questions(namegate, faults, protocol):
    count = count_calls(faults, lambda: one_question(namegate, protocol, 6))
    before = descriptors(namegate)
    for number in numbers(count):
        faults.begin("malloc", first=number, every=0)
        one_question(namegate, protocol, 0.5)
        faults.end()
        namegate.check_alive()
    check_answers(namegate)
    namegate.wait_for(lambda: descriptors(namegate) <= before + 3, "closed descriptors", 40)


def loads_told(namegate):
    """The scrape may be what had no memory."""
    try:
        return namegate.reloads()
    except FAILURES:
        return 0


def test_reload(namegate, faults):
    """The old state stays, or the new one is in force: never a part of it."""
    count = count_calls(faults, namegate.hup)
    for number in numbers(count):
        (namegate.directory / "bad.domains").write_text("*.r%d.test\n" % number)
        loads = namegate.reloads()
        faults.begin("malloc", first=number, every=0)
        namegate.signal(signal.SIGHUP)
        namegate.wait_for(lambda: loads_told(namegate) > loads, "the end of a load", 10)
        faults.end()
        assert not ask(namegate, "udp", "a.inline.test", 6).addresses
    check_answers(namegate)
    assert namegate.hup()
    assert not ask(namegate, "udp", "a.r%d.test" % number, 6).addresses


@pytest.mark.parametrize("words", ("explain a.inline.test", "lists", "exceptions", "revisions"))
def test_control(namegate, faults, words):
    config = ["-c", str(namegate.config)]
    verb, *rest = words.split()

    def command():
        return run_command(verb, *config, *rest)

    good = command()
    count = count_calls(faults, command)
    for number in numbers(count):
        faults.begin("malloc", first=number, every=0)
        command()
        faults.end()
        namegate.check_alive()
    check_answers(namegate)
    assert command().returncode == good.returncode
