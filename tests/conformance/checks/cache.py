"""The cache: what is kept, for how long, and for whom."""

import time

import dns_wire as w
from rows import expect, not_applicable, proven, row
from server import PROTOCOLS, rcode_word


def with_ttl(*ttls, address="192.0.2.1"):
    """A behaviour: an A record for each TTL."""
    return lambda q: w.reply(q.wire, [w.a(q.qname, address, ttl) for ttl in ttls])


def negative(rcode, minimum, ttl=None):
    """A behaviour: no data, with an SOA of the zone above. Its TTL is its minimum, as an authority
    has to make it (RFC 2308 3), unless another one is given."""

    def answer(q):
        zone = w.labels_to_name(*w.labels_of(q.qname)[1:])
        soa = w.record(zone, w.SOA, w.soa_rdata(minimum=minimum), minimum if ttl is None else ttl)
        return w.reply(q.wire, authority=[soa], rcode=rcode)

    return answer


def expect_asked(s, name, times, why):
    expect(s.asked(name) == times, "asked %d times: %s", s.asked(name), why)


@row("cache-shared", "RFC 1034 5.3.1", "B",
     "What one client asked for is there for all, over every protocol.")
def cache_shared(s):
    name = s.fresh()
    for protocol in PROTOCOLS:
        s.query(name, protocol)
    expect_asked(s, name, 1, "each protocol has a cache of its own")


@row("ttl-counts-down", "RFC 1035 3.2.1", "M", "The TTL of what is kept counts down.")
def ttl_counts_down(s):
    names = {protocol: s.fresh() for protocol in PROTOCOLS}
    for protocol, name in names.items():
        s.upstream.zone[name + "."] = with_ttl(100)
        first = s.query(name, protocol).answer[0].ttl
        expect(first == 100, "%s: %d at first", protocol, first)
    time.sleep(2.1)
    for protocol, name in names.items():
        second = s.query(name, protocol).answer[0].ttl
        expect(90 <= second <= 98, "%s: %d after two seconds", protocol, second)


@row("ttl-ends", "RFC 1035 3.2.1", "M", "When its TTL is over, an answer is asked for again.")
def ttl_ends(s):
    name = s.fresh()
    s.upstream.zone[name + "."] = with_ttl(1)
    s.query(name)
    time.sleep(2.2)
    s.upstream.zone[name + "."] = with_ttl(60, address="192.0.2.9")
    found = s.query(name).addresses
    expect(found == ["192.0.2.9"], "the old answer after its end")


@row("ttl-zero", "RFC 1035 3.2.1", "M", "A TTL of 0 is for one answer alone.")
def ttl_zero(s):
    name = s.fresh()
    s.upstream.zone[name + "."] = with_ttl(0)
    for _ in range(2):
        ttl = s.query(name).answer[0].ttl
        expect(ttl == 0, "the client got TTL %d", ttl)
    expect_asked(s, name, 2, "it was kept")


@row("ttl-of-an-rrset", "RFC 2181 5.2", "M",
     "Records of one RRset with different TTLs are kept no longer than the shortest.")
def ttl_of_an_rrset(s):
    name = s.fresh()
    s.upstream.zone[name + "."] = lambda q: w.reply(
        q.wire, [w.a(q.qname, "192.0.2.1", 300), w.a(q.qname, "192.0.2.2", 1)]
    )
    s.query(name)
    time.sleep(2.2)
    s.query(name)
    expect_asked(s, name, 2, "it was kept for the longest")


@row("key-type-and-class", "RFC 1035 3.2", "M", "An answer for one type is none for another.")
def key_type(s):
    name = s.fresh()
    expect(s.query(name).types == [w.A], "no A")
    expect(s.query(name, qtype=w.AAAA).types == [w.AAAA], "the AAAA is something else")
    expect(s.query(name, qtype=w.TXT).types == [w.TXT], "the TXT is something else")


@row("key-do", "RFC 3225 3", "M",
     "Who does not set DO gets no signatures, who does gets them, whoever asked first.")
def key_do(s):
    def signed(q):
        message = q.asked.message
        records = [w.a(q.qname)]
        if message.opts and message.opt.ttl & w.DO:
            fixed = b"\0\1\x0d\2\0\0\0\x3c\x7f\0\0\0\x60\0\0\0\x12\x34"
            records.append(w.record(q.qname, 46, fixed + w.name("example") + b"s" * 64))
        return w.reply(q.wire, records)

    plain, do = w.opt(), w.opt(flags=w.DO)
    for order in ((plain, do, plain), (do, plain, do)):
        name = s.fresh()
        s.upstream.zone[name + "."] = signed
        for edns in order:
            types = s.query(name, edns=edns).types
            wanted = [w.A, 46] if edns is do else [w.A]
            what = "with" if edns is do else "without"
            expect(sorted(types) == wanted, "%s DO: types %s", what, types)


@row("key-cd", "RFC 4035 3.2.2", "M",
     "Who sets CD gets what the upstream holds for bogus, also after somebody else's SERVFAIL.")
def key_cd(s):
    def bogus(q):
        if q.asked.message.flags & w.CD:
            return w.reply(q.wire, [w.a(q.qname)], flags=w.QR | w.RA | w.CD)
        return w.reply(q.wire, rcode=w.SERVFAIL)

    name = s.fresh()
    s.upstream.zone[name + "."] = bogus
    s.query(name)
    answer = s.query(name, flags=w.RD | w.CD)
    expect(answer.rcode == w.NOERROR, "%s", rcode_word(answer.rcode))


@row("negative-soa", "RFC 2308 3", "M", "NXDOMAIN and NODATA come with their SOA, cached or not.")
def negative_soa(s):
    for rcode in (w.NXDOMAIN, w.NOERROR):
        name = s.fresh()
        s.upstream.zone[name + "."] = negative(rcode, 60)
        for when in ("fresh", "cached"):
            found = [r.type for r in s.query(name).authority]
            expect(found == [w.SOA], "%s %s: %s", when, rcode_word(rcode), found or "none")


@row("negative-ttl", "RFC 2308 5", "M",
     "A negative answer is kept for as long as its SOA's TTL says, and that counts down.")
def negative_ttl(s):
    for rcode in (w.NXDOMAIN, w.NOERROR):
        name = s.fresh()
        s.upstream.zone[name + "."] = negative(rcode, 6)
        for _ in range(2):
            s.query(name)
        expect_asked(s, name, 1, "it was not kept")
        time.sleep(1.2)
        ttl = s.query(name).authority[0].ttl
        expect(ttl <= 5, "TTL %d", ttl)
        time.sleep(6)
        s.query(name)
        expect_asked(s, name, 2, "it was kept for longer")


@row("negative-minimum", "RFC 2308 5", "B",
     "Where an SOA's TTL is above its minimum, which it may not be, the minimum counts.")
def negative_minimum(s):
    name = s.fresh()
    s.upstream.zone[name + "."] = negative(w.NXDOMAIN, 2, 3600)
    for when in ("fresh", "cached"):
        ttl = s.query(name).authority[0].ttl
        expect(ttl <= 2, "%s: TTL %d", when, ttl)


@row("negative-cap", "RFC 2308 5", "S", "Nothing negative is kept for longer than three hours.")
def negative_cap(s):
    name = s.fresh()

    def week(q):
        soa = w.record("example", w.SOA, w.soa_rdata(minimum=604800), 604800)
        return w.reply(q.wire, authority=[soa], rcode=w.NXDOMAIN)

    s.upstream.zone[name + "."] = week
    s.query(name)
    ttl = s.query(name).authority[0].ttl
    expect(ttl <= 10800, "%d s", ttl)


@row("nxdomain-for-the-name", "RFC 2308 5", "S", "NXDOMAIN is for all types of the name.")
def nxdomain_for_the_name(s):
    name = s.fresh("nxdomain")
    for qtype in (w.A, w.AAAA, w.TXT):
        expect(s.query(name, qtype=qtype).rcode == w.NXDOMAIN, "not NXDOMAIN")
    expect_asked(s, name, 1, "once for each type")


@row("nodata-for-the-type", "RFC 2308 5", "M", "NODATA is for one type of the name.")
def nodata_for_the_type(s):
    name = s.fresh()
    for _ in range(2):
        expect(not s.query(name, qtype=w.MX).answer, "an MX")
    expect_asked(s, name, 1, "it was not kept")
    expect(s.query(name).addresses, "no A")


@row("negative-without-soa", "RFC 2308 5", "M",
     "A negative answer without SOA is kept for seconds at most.")
def negative_without_soa(s):
    name = s.fresh()
    s.upstream.zone[name + "."] = lambda q: w.reply(q.wire, rcode=w.NXDOMAIN)
    s.query(name)
    before = s.asked(name)
    time.sleep(6)
    s.query(name)
    expect(s.asked(name) > before, "still there after six seconds")


@row("failures-kept", "RFC 9520 3.2", "M",
     "A failure is remembered: ten questions in a row ask the upstream five times at most.")
def failures_kept(s):
    name = s.fresh("servfail")
    for _ in range(10):
        found = s.query(name).rcode
        expect(found == w.SERVFAIL, "%s", rcode_word(found))
    expect(s.asked(name) <= 5, "asked %d times", s.asked(name))


@row("failures-heal", "RFC 9520 3.2", "B",
     "A failure is forgotten within six seconds; the RFC lets it be five minutes.")
def failures_heal(s):
    name = s.fresh("servfail")
    s.query(name)
    s.upstream.zone[name + "."] = with_ttl(60)
    time.sleep(6)
    found = s.query(name).addresses
    expect(found, "still a failure")


@row("stale-in-an-outage", "RFC 8767 4", "S",
     "While no upstream answers, what is over is told after an attempt, with TTL 30 and Stale.",
     restart=True)
def stale_in_an_outage(s):
    name, gone = s.fresh(), s.fresh()
    s.upstream.zone[name + "."] = with_ttl(1)
    s.upstream.zone[gone + "."] = negative(w.NXDOMAIN, 1)
    s.query(name)
    s.query(gone)
    time.sleep(2.2)
    s.upstream.mute = True
    with s.connect("udp") as client:
        before = s.asked(name)
        answer = client.ask(w.query(name, edns=w.opt()), 12)
        if answer is None or answer.rcode == w.SERVFAIL:
            not_applicable("tells nothing stale unless configured")
        expect(s.asked(name) > before, "no attempt was made")
        expect(answer.addresses, "%s", rcode_word(answer.rcode))
        expect(answer.answer[0].ttl == 30, "TTL %d", answer.answer[0].ttl)
        expect(answer.ede_code == 3, "extended error %s", answer.ede_code)
        answer = client.ask(w.query(gone, edns=w.opt()), 12)
        expect(answer is not None and answer.rcode == w.NXDOMAIN, "no stale NXDOMAIN")
        expect(answer.ede_code == 19, "extended error %s for NXDOMAIN", answer.ede_code)


@row("http-freshness", "RFC 8484 5.1", "M",
     "HTTP's max-age is at most the smallest TTL of the answer, on a cache hit what is left of it.")
def http_freshness(s):
    name = s.fresh()
    s.upstream.zone[name + "."] = lambda q: w.reply(
        q.wire,
        [w.record(q.qname, w.CNAME, w.name("other." + name), 9), w.a("other." + name, ttl=300)],
    )
    client = s.connect("doh")
    for when, limit in (("fresh", 9), ("cached", 7)):
        response = client.wait(client.get(w.query(name, id=0)))
        age = response.max_age
        expect(age is None or age <= limit, "%s: max-age=%s", when, age)
        if when == "fresh":
            time.sleep(2.1)


@row("http-freshness-negative", "RFC 8484 5.1", "M",
     "For a negative answer max-age is at most the SOA's minimum.")
def http_freshness_negative(s):
    client = s.connect("doh")
    for rcode in (w.NXDOMAIN, w.NOERROR):
        name = s.fresh()
        s.upstream.zone[name + "."] = negative(rcode, 20, 3600)
        for when in ("fresh", "cached"):
            age = client.wait(client.get(w.query(name, id=0))).max_age
            expect(age is None or age <= 20, "%s: max-age=%s", when, age)


proven("cache", "cache-in-bytes", "design", "B",
       "The cache is limited in bytes, whatever is put into it.",
       "tests/unit/cache_test.c::test_memory_is_what_was_said")
