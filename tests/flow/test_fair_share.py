"""Nobody takes all places of those who wait: queries under way of a client, and of a view."""

import pytest

import dns_wire as w

OTHER = 0  # RFC 8914 4


@pytest.fixture
def start(maker, scripted_session):
    def begin(limits, **views):
        settings = maker.settings(scripted=scripted_session)
        settings["workers"] = 1
        settings["limits"] = limits
        settings["cache"] = {"size": "0B"}
        settings["views"] += [{"name": name, **more} for name, more in views.items()]
        return maker.start(settings)

    return begin


def dropped(namegate, reason):
    return namegate.metrics().sum("namegate_dropped_total", reason=reason)


def ask_silent(client, first, count, cookie=None):
    """Questions that nobody answers; those that find no place are answered at once."""
    edns = w.opt(options=w.option(w.COOKIE, cookie) if cookie else b"")
    for number in range(first, first + count):
        client.send(w.query("silent.n%d.share.test" % number, id=number, edns=edns))


def cookie_of(namegate, connect, source):
    """Ours, for that address."""
    edns = w.opt(options=w.option(w.COOKIE, bytes(range(8))))
    answer = connect(namegate, "udp", source=source).ask(w.query("localhost", edns=edns))
    return answer.option(w.COOKIE)


def refused(client, count):
    """`count` answers that say that there was no place, and no more of them."""
    for _ in range(count):
        answer = w.Message(client.receive())
        assert (answer.rcode, answer.ede) == (w.SERVFAIL, (OTHER, "too many queries in flight"))


def test_a_client_with_datagrams_and_connections(start, connect):
    """All of them count together; others are not concerned."""
    namegate = start({"queries": 100, "queries_per_client": 10})
    udp, tcp, dot = (connect(namegate, p, source="127.0.5.1") for p in ("udp", "tcp", "dot"))
    ask_silent(udp, 0, 5, cookie=cookie_of(namegate, connect, "127.0.5.1"))
    ask_silent(tcp, 10, 4)
    assert tcp.ask(w.query("ok.n1.share.test")).rcode == w.NOERROR  # all before are there
    ask_silent(dot, 20, 4)
    refused(dot, 3)
    assert dropped(namegate, "per_client") == 3
    # Datagrams without a cookie may be anybody's: they count apart.
    assert udp.ask(w.query("ok.n3.share.test")).rcode == w.NOERROR
    other = connect(namegate, "udp", source="127.0.5.2")
    assert other.ask(w.query("ok.n2.share.test")).rcode == w.NOERROR
    # What is cached, blocked or ours needs no place.
    assert udp.ask(w.query("localhost")).rcode == w.NOERROR


def test_places_come_back(start, connect):
    namegate = start({"queries": 100, "queries_per_client": 2})
    client = connect(namegate, "tcp")
    for number in range(20):
        answer = client.ask(w.query("ok.n%d.back.test" % number))
        assert answer.rcode == w.NOERROR
    assert dropped(namegate, "per_client") == 0


def test_who_holds_most_is_refused_first(start, connect):
    """40 places: one who wants all gets 30, the next one three quarters of the rest, and whoever
    has none finds one."""
    namegate = start({"queries": 40, "queries_per_client": 1000})
    greedy = connect(namegate, "tcp", source="127.0.6.1")
    ask_silent(greedy, 0, 60)
    refused(greedy, 30)
    second = connect(namegate, "tcp", source="127.0.6.2")
    ask_silent(second, 100, 20)
    refused(second, 20 - 8)
    for number in range(5):
        late = connect(namegate, "tcp", source="127.0.6.%d" % (10 + number))
        answer = late.ask(w.query("ok.late%d.share.test" % number))
        assert answer.rcode == w.NOERROR
    assert dropped(namegate, "per_client") == 42


def test_a_flood_from_forged_addresses(start, connect):
    """From one address, and then from many: whoever has a cookie, or a connection, goes on."""
    namegate = start({"queries": 40, "queries_per_client": 6})
    cookie = cookie_of(namegate, connect, "127.0.6.1")
    forged = connect(namegate, "udp", source="127.0.6.1")
    ask_silent(forged, 0, 10)
    refused(forged, 4)
    for number in range(40):
        ask_silent(connect(namegate, "udp", source="127.0.7.%d" % (1 + number)), 100 + number, 1)
    namegate.wait_metric("namegate_dropped_total", 1, reason="queries_full")
    edns = w.opt(options=w.option(w.COOKIE, cookie))
    for number in range(3):
        answer = forged.ask(w.query("ok.c%d.share.test" % number, edns=edns))
        assert answer.rcode == w.NOERROR
    tcp = connect(namegate, "tcp", source="127.0.6.1")
    assert tcp.ask(w.query("ok.t.share.test")).rcode == w.NOERROR


def test_a_view(start, connect):
    guests = {"clients": ["127.0.7.0/24"], "max_queries": 4}
    namegate = start({"queries": 100}, guests=guests)
    one = connect(namegate, "udp", source="127.0.7.1")
    two = connect(namegate, "udp", source="127.0.7.2")
    ask_silent(one, 0, 3)
    assert one.ask(w.query("ok.n1.view.test")).rcode == w.NOERROR
    ask_silent(two, 10, 3)
    refused(two, 2)
    assert dropped(namegate, "per_view") == 2
    lan = connect(namegate, "udp", source="127.0.8.1")
    assert lan.ask(w.query("ok.n2.view.test")).rcode == w.NOERROR


def test_an_upstreams_formerr_is_not_the_clients(start, connect, scripted):
    """What it did not understand is what we sent: the client's question could be read."""
    namegate = start({"queries": 100})
    scripted.zone["never.share.test."] = lambda s: w.reply(s.wire, rcode=w.FORMERR)
    answer = connect(namegate, "udp").ask(w.query("never.share.test", edns=w.opt()))
    assert answer.rcode == w.SERVFAIL
