"""Answers over UDP to addresses that may be forged: how many a network gets, and how who is really
there gets his all the same. And what a question for all types gets."""

import pytest

import dns_wire as w
from tools import dig

BADCOOKIE = 23
CLIENT = bytes(range(8))
BURST = 10
COUNT = 50
LIMIT = {"responses_per_second": 1, "burst": BURST, "exempt": ["127.0.9.0/24"]}
SLACK = 10  # a test may take seconds, in each of which one more is within the limit


@pytest.fixture(scope="module")
def start(shared_maker, scripted_session):
    def begin(**limit):
        settings = shared_maker.settings(scripted=scripted_session)
        settings["udp_rate_limit"] = {**LIMIT, **limit}
        return shared_maker.start(settings)

    return begin


@pytest.fixture(scope="module")
def limited(start):
    return start()


def counted(namegate, result):
    return namegate.metrics().sum("namegate_udp_rate_limited_total", result=result)


def flood(namegate, connect, source, make, count=COUNT):
    """Sends them all, and then one over TCP, which has its answer last of all."""
    client = connect(namegate, "udp", source=source)
    for number in range(count):
        client.send(make(number))
    answers = []
    while True:
        reply = client.receive(1)
        if reply is None:
            return answers
        answers.append(w.Message(reply))


def plain_query(number):
    return w.query("ok.flood.test", id=number, edns=w.opt())


def test_short_answers_and_silence(limited, connect):
    """Every second one beyond the limit is truncated and empty, the others get none."""
    before = counted(limited, "truncated"), counted(limited, "silent")
    answers = flood(limited, connect, "127.1.1.1", plain_query)
    cut = [a for a in answers if a.truncated]
    good = [a for a in answers if not a.truncated]
    assert BURST <= len(good) <= BURST + SLACK
    assert abs(len(cut) - (COUNT - len(good)) / 2) <= 1
    assert all(a.rcode == w.NOERROR and not a.answer for a in cut)
    now = counted(limited, "truncated"), counted(limited, "silent")
    assert now[0] - before[0] == len(cut)
    assert now[1] - before[1] == COUNT - len(answers)
    # Who is there comes back over TCP.
    answer = connect(limited, "tcp", source="127.1.1.1").ask(plain_query(1))
    assert answer.rcode == w.NOERROR and answer.answer and not answer.truncated


def test_a_network_is_one(limited, connect):
    flood(limited, connect, "127.1.2.1", plain_query)
    neighbour = flood(limited, connect, "127.1.2.200", plain_query, 20)
    assert len([a for a in neighbour if not a.truncated]) <= SLACK
    other = flood(limited, connect, "127.1.3.1", plain_query, 5)
    assert [a.truncated for a in other] == [False] * 5


@pytest.mark.parametrize("protocol", ("tcp", "dot", "doh"))
def test_streams_have_no_limit(limited, connect, protocol):
    client = connect(limited, protocol, source="127.1.4.1")
    for _ in range(3 * BURST):
        answer = client.ask(w.query("ok.flood.test", edns=w.opt()))
        assert answer.rcode == w.NOERROR and not answer.truncated


def test_exempt(limited, connect):
    answers = flood(limited, connect, "127.0.9.1", plain_query)
    assert len(answers) == COUNT and not any(a.truncated for a in answers)


def test_a_cookie_of_ours_is_proof(limited, connect):
    """RFC 7873 5.2.3: BADCOOKIE tells a client that has a cookie of its own what to show."""

    def with_cookie(number, value=CLIENT):
        return w.query("ok.flood.test", id=number, edns=w.opt(options=w.option(w.COOKIE, value)))

    answers = flood(limited, connect, "127.1.5.1", with_cookie)
    good = [a for a in answers if a.rcode == w.NOERROR]
    bad = [a for a in answers if a.rcode == BADCOOKIE]
    assert BURST <= len(good) <= BURST + SLACK and len(good) + len(bad) == len(answers)
    assert abs(len(bad) - (COUNT - len(good)) / 2) <= 1
    assert not any(a.truncated or a.answer for a in bad)
    told = bad[0].option(w.COOKIE)
    assert told[:8] == CLIENT and len(told) == 24
    proven = flood(limited, connect, "127.1.5.1", lambda n: with_cookie(n, told))
    assert len(proven) == COUNT and all(a.rcode == w.NOERROR and a.answer for a in proven)
    # Somebody else who shows it proves nothing.
    stolen = flood(limited, connect, "127.1.5.2", lambda n: with_cookie(n, told))
    assert len([a for a in stolen if a.rcode == w.NOERROR]) <= SLACK


def test_dig_comes_back_by_itself(limited, connect):
    flood(limited, connect, "127.1.6.1", plain_query)
    good = 0
    for _ in range(4):  # half of the questions get no answer at all
        out = dig(limited, "-b", "127.1.6.1", "ok.flood.test", "+cookie", "+time=1")
        good += "status: NOERROR" in out and "192.0.2." in out
    assert good >= 1


def test_errors_count_as_well(limited, connect):
    """A malformed question gets an answer, too, in the name of whoever it says."""
    answers = flood(limited, connect, "127.1.7.1", lambda n: w.query("a.test", id=n)[:-1])
    assert len([a for a in answers if a.rcode == w.FORMERR]) <= BURST + SLACK
    assert len(answers) < COUNT


def test_never_more_bytes_than_were_sent(limited, connect):
    """But for the cookie, which nobody else can have asked for twice."""
    flood(limited, connect, "127.1.8.1", plain_query, 2 * BURST)
    client = connect(limited, "udp", source="127.1.8.1")
    for number in range(20):
        asked = plain_query(number)
        client.send(asked)
        reply = client.receive(0.1)
        assert reply is None or len(reply) <= len(asked) or not w.Message(reply).truncated


def test_without_slip(start, connect):
    namegate = start(slip=0)
    answers = flood(namegate, connect, "127.1.1.1", plain_query)
    assert BURST <= len(answers) <= BURST + SLACK and not any(a.truncated for a in answers)


def test_each_slips(start, connect):
    namegate = start(slip=1)
    answers = flood(namegate, connect, "127.1.1.1", plain_query)
    assert len(answers) == COUNT
    assert len([a for a in answers if a.truncated]) >= COUNT - BURST - SLACK


def test_dry_run(start, connect):
    namegate = start(dry_run=True)
    answers = flood(namegate, connect, "127.1.1.1", plain_query)
    assert len(answers) == COUNT and not any(a.truncated for a in answers)
    flagged = [
        line for line in namegate.wait_log("ok.flood.test", COUNT)
        if line["ext"].get("rate_limited")
    ]
    assert len(flagged) == counted(namegate, "dry_run") >= COUNT - BURST - SLACK


class TestAny:
    """RFC 8482."""

    def test_minimal_over_udp(self, plain, connect, scripted):
        answer = connect(plain, "udp").ask(w.query("many-50.any.test", w.ANY, edns=w.opt()))
        assert answer.rcode == w.NOERROR and not answer.truncated
        assert answer.types == [13] and answer.answer[0].rdata == b"\7RFC8482\0"
        assert not scripted.asked_for("many-50.any.test")

    @pytest.mark.parametrize("protocol", ("tcp", "dot", "doh"))
    def test_whole_over_streams(self, plain, connect, protocol):
        answer = connect(plain, protocol).ask(w.query("many-50.any.test", w.ANY, edns=w.opt()))
        assert answer.rcode == w.NOERROR and 13 not in answer.types

    def test_forward(self, maker, scripted_session, connect):
        settings = maker.settings(scripted=scripted_session)
        settings["any_queries"] = "forward"
        client = connect(maker.start(settings), "udp")
        answer = client.ask(w.query("many-50.any.test", w.ANY, edns=w.opt()))
        assert answer.rcode == w.NOERROR and 13 not in answer.types
