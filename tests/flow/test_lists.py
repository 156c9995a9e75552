"""Lists while the program runs: files that change, lists that are fetched, what is refused, what is
left for the next start, and images. Whatever happens to a list, what protected goes on
protecting."""

import gzip
import hashlib
import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

import certificates as certs
import dns_wire as w
from config_text import rule
from list_server import HOST, HTML, ListServer
from program import BINARY, EX_CONFIG, Ports, run_command, with_rules

FETCH = Path(BINARY).parent / "namegate-fetch"
needs_fetch = pytest.mark.skipif(not FETCH.exists(), reason="namegate-fetch was not built")

BLOCK = rule("bad", "BLOCK", "bad", block_response="NXDOMAIN")
PATIENT_S = 30


def lines(*names, count=0):
    made = ["made%04d.example" % i for i in range(count)]
    return "".join("%s\n" % name for name in [*names, *made])


def put(path, text):
    """As a careful program does it: nobody sees half of it."""
    aside = path.with_name("." + path.name + ".aside")
    aside.write_bytes(text if isinstance(text, bytes) else text.encode())
    aside.rename(path)


def is_blocked(client, name):
    return client.ask(w.query(name)).rcode == w.NXDOMAIN


def policy_hash(namegate):
    return namegate.metrics().find("namegate_policy_info")[0][0]["hash"]


def of_list(namegate, name, **labels):
    return namegate.metrics().sum("namegate_domain_list_" + name, list="bad", **labels)


def wait_for(condition, what, timeout=PATIENT_S):
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "waited in vain for " + what
        time.sleep(0.1)


@pytest.fixture
def begin(maker, knot, connect):
    """begin(list keys, settings) starts a program with one list "bad" of which all is blocked; and
    with `others`, keys of other lists of which the same is true."""

    def start(keys, start=True, others=(), **more):
        settings = maker.settings(knot=knot)
        settings["list_rebuild_interval"] = "0s"
        settings["control_socket"] = str(maker.directory / "control.sock")
        settings["state_directory"] = str(maker.directory / "state")
        settings.update(more)
        keys = {"name": "bad", "format": "wildcard", **keys}
        rules = [BLOCK] + [
            rule(other["name"], "BLOCK", other["name"], block_response="NXDOMAIN")
            for other in others
        ]
        others = [{"format": "wildcard", **other} for other in others]
        namegate = maker.prepare(with_rules(settings, [keys, *others], rules))
        if start:
            namegate.start()
        return namegate

    return start


# ---- files ----


@pytest.mark.quick
@pytest.mark.threads
def test_a_file_that_is_replaced(begin, connect, tmp_path):
    listed = tmp_path / "bad.txt"
    put(listed, lines("one.example"))
    namegate = begin({"file": str(listed)})
    client = connect(namegate, "udp")
    assert is_blocked(client, "www.one.example")
    put(listed, lines("two.example"))
    wait_for(lambda: is_blocked(client, "www.two.example"), "the new list")
    assert not is_blocked(client, "www.one.example")
    # Written in place, which nobody announces.
    listed.write_text(lines("three.example"))
    wait_for(lambda: is_blocked(client, "www.three.example"), "the list that was written over")


def test_a_volume_as_kubernetes_swaps_it(begin, connect, tmp_path):
    for word in ("first", "second"):
        (tmp_path / (".." + word)).mkdir()
        put(tmp_path / (".." + word) / "bad.txt", lines(word + ".example"))
    os.symlink("..first", tmp_path / "..data")
    os.symlink("..data/bad.txt", tmp_path / "bad.txt")
    namegate = begin({"file": str(tmp_path / "bad.txt")})
    client = connect(namegate, "udp")
    assert is_blocked(client, "first.example")
    for word, other in (("second", "first"), ("first", "second"), ("second", "first")):
        os.symlink(".." + word, tmp_path / "..data_tmp")
        os.rename(tmp_path / "..data_tmp", tmp_path / "..data")
        wait_for(lambda: is_blocked(client, word + ".example"), "the volume " + word)
        assert not is_blocked(client, other + ".example")


@pytest.mark.threads
def test_a_file_that_is_refused(begin, connect, tmp_path):
    """Each of these would have taken protection away."""
    listed = tmp_path / "bad.txt"
    put(listed, lines("one.example", count=100))
    guards = {"max_shrink": "50%", "must_not_contain": ["own.example"], "max_rejected": "10%"}
    namegate = begin({"file": str(listed), **guards})
    client = connect(namegate, "udp")
    before = policy_hash(namegate)
    for text, reason in [
        (lines("one.example"), "shrunk"),
        ("", "empty"),
        (HTML, "not_a_list"),
        (lines("one.example", "own.example", count=100), "canary_hit"),
        (lines("one.example", *["not a name"] * 50, count=100), "rejects"),
    ]:
        put(listed, text)
        wait_for(lambda: of_list(namegate, "failures_total", reason=reason) > 0, reason)
        assert of_list(namegate, "up") == 0
        assert is_blocked(client, "one.example")
        assert policy_hash(namegate) == before
    told = run_command("lists", "-c", str(namegate.config))
    assert told.returncode == 0 and "quarantined" in told.stdout
    listed.unlink()
    assert namegate.hup()  # a reload of the configuration does not take it away either
    assert is_blocked(client, "one.example")
    assert policy_hash(namegate) == before
    put(listed, lines("one.example", "two.example", count=100))
    wait_for(lambda: is_blocked(client, "two.example"), "a good list again")
    assert of_list(namegate, "up") == 1


def test_the_operator_accepts(begin, connect, tmp_path):
    listed = tmp_path / "bad.txt"
    put(listed, lines("one.example", count=100))
    namegate = begin({"file": str(listed), "max_shrink": "50%"})
    client = connect(namegate, "udp")
    told = run_command("lists", "-c", str(namegate.config), "accept", "bad")
    assert told.returncode != 0  # there is nothing to accept
    put(listed, lines("two.example"))
    wait_for(lambda: of_list(namegate, "failures_total", reason="shrunk") > 0, "the refusal")
    told = run_command("lists", "-c", str(namegate.config), "accept", "bad")
    assert told.returncode == 0, told.stderr
    wait_for(lambda: is_blocked(client, "two.example"), "the accepted list")
    assert of_list(namegate, "up") == 1


def test_half_a_configuration_does_not_come_in(begin, connect, tmp_path):
    listed = tmp_path / "bad.txt"
    put(listed, lines("one.example"))
    namegate = begin({"file": str(listed)})
    client = connect(namegate, "udp")
    namegate.config.write_text("views = ( ")
    put(listed, lines("two.example"))
    wait_for(lambda: is_blocked(client, "two.example"), "the new list")
    assert not namegate.hup()
    put(listed, lines("three.example"))
    wait_for(lambda: is_blocked(client, "three.example"), "lists go on being renewed")


def test_many_changes_share_rebuilds(begin, connect, tmp_path):
    listed = tmp_path / "bad.txt"
    put(listed, lines("one.example"))
    namegate = begin({"file": str(listed)}, list_rebuild_interval="3s")
    client = connect(namegate, "udp")
    revision = namegate.metrics().sum("namegate_policy_revision")
    begun = time.monotonic()
    while time.monotonic() - begun < 6:
        put(listed, lines("n%d.example" % (time.monotonic() * 10)))
        time.sleep(0.2)
    put(listed, lines("last.example"))
    wait_for(lambda: is_blocked(client, "last.example"), "the last one")
    took = time.monotonic() - begun
    assert namegate.metrics().sum("namegate_policy_revision") - revision <= took / 3 + 1


# ---- the next start ----


def test_a_restart_without_the_file(begin, connect, maker, tmp_path):
    listed = tmp_path / "bad.txt"
    put(listed, lines("one.example", count=100))
    namegate = begin({"file": str(listed)})
    assert namegate.stop() == 0
    listed.unlink()
    namegate.start()
    client = connect(namegate, "udp")
    assert is_blocked(client, "one.example")
    # The state is damaged as well: it says so, and the view is in its fail mode.
    assert namegate.stop() == 0
    image = Path(namegate.settings["state_directory"]) / "lists.image"
    data = bytearray(image.read_bytes())
    data[len(data) // 2] ^= 0x40
    image.write_bytes(bytes(data))
    namegate.start(wait="live")
    assert namegate.admin("/readyz")[0] == 503
    client = connect(namegate, "udp")
    assert client.ask(w.query("one.example")).rcode == w.SERVFAIL
    put(listed, lines("one.example"))
    wait_for(lambda: is_blocked(client, "one.example"), "the file, without a reload")
    assert namegate.admin("/readyz")[0] == 200


# ---- images ----


def compile_image(namegate, image, *more):
    namegate.write_config()
    return run_command("compile", "-c", str(namegate.config), "-o", str(image), *more)


def test_an_image(begin, connect, tmp_path):
    listed, image = tmp_path / "bad.txt", tmp_path / "all.image"
    put(listed, lines("one.example", count=1000))
    namegate = begin({"file": str(listed)}, start=False)
    made = compile_image(namegate, image, "--salt", "12ab")
    assert made.returncode == 0, made.stderr
    first = image.read_bytes()
    put(listed, "".join(reversed(lines("one.example", count=1000).splitlines(True))))
    assert compile_image(namegate, image, "--salt", "12ab").returncode == 0
    assert image.read_bytes() == first
    listed.unlink()
    namegate.settings["lists_image"] = str(image)
    namegate.start()
    client = connect(namegate, "udp")
    assert is_blocked(client, "one.example")
    # Another one takes its place.
    put(listed, lines("two.example"))
    assert compile_image(namegate, image).returncode == 0
    wait_for(lambda: is_blocked(client, "two.example"), "the new image")
    # A damaged one does not.
    before = policy_hash(namegate)
    put(image, first[:-1])
    time.sleep(3)
    assert is_blocked(client, "two.example")
    assert policy_hash(namegate) == before
    assert "all.image" in namegate.stderr


def test_an_image_that_is_none(begin, tmp_path):
    image = tmp_path / "all.image"
    image.write_bytes(b"nonsense" * 1000)
    namegate = begin({"file": "/none"}, start=False, lists_image=str(image))
    namegate.write_config()
    told = run_command("check", "-c", str(namegate.config))
    assert told.returncode == EX_CONFIG
    assert "all.image" in told.stderr


def test_compiling_needs_every_list(begin, tmp_path):
    namegate = begin({"file": str(tmp_path / "none.txt")}, start=False)
    made = compile_image(namegate, tmp_path / "all.image")
    assert made.returncode == EX_CONFIG
    assert "none.txt" in made.stderr
    assert not (tmp_path / "all.image").exists()


# ---- sources ----


def zone_of(address):
    return lambda s: w.reply(s.wire, [w.a(s.qname, address)] if s.qtype == w.A else [])


@pytest.fixture(scope="module")
def server_session(certificates, tmp_path_factory):
    own = certs.issue(certificates, tmp_path_factory.mktemp("lists") / "own", HOST, "127.0.0.1")
    with ListServer(own, Ports.take()) as server:
        yield server


@pytest.fixture
def server(server_session, scripted):
    server_session.asked.clear()
    server_session.content.clear()
    server_session.instead = None
    scripted.zone[HOST + "."] = zone_of("127.0.0.1")
    return server_session


@pytest.fixture
def fetched(begin, scripted, server, certificates, maker):
    """A program whose list is fetched from `server`: with guards, and nothing there yet."""

    def start(path="/list.txt", start=True, keys=None, **more):
        keys = {
            "source": server.url(path),
            "tls_ca": str(certificates.ca),
            "allow_private_addresses": True,
            "timeout": "3s",
            "max_size": "1MiB",
            **(keys or {}),
        }
        upstream = {"name": "scripted", "protocol": "dns", "address": "127.0.0.1"}
        more.setdefault("upstreams", [{**upstream, "port": scripted.port}])
        namegate = begin(keys, start=False, **more)
        if start:
            namegate.start(wait="live")
        return namegate

    return start


def refresh(namegate):
    told = run_command("lists", "-c", str(namegate.config), "refresh", "bad")
    assert told.returncode == 0, told.stderr


@needs_fetch
@pytest.mark.threads
def test_a_list_is_fetched(fetched, server, connect):
    server.content["/list.txt"] = lines("one.example", count=100).encode()
    namegate = fetched()
    client = connect(namegate, "udp")
    wait_for(lambda: namegate.admin("/readyz")[0] == 200, "the list")
    assert is_blocked(client, "www.one.example")
    assert of_list(namegate, "up") == 1
    # Nothing new: the server says so, and it was no change.
    changed = of_list(namegate, "last_change_timestamp_seconds")
    refresh(namegate)
    wait_for(lambda: len(server.asked) == 2, "a second request")
    assert "if-none-match" in server.asked[1].headers
    server.content["/list.txt"] = lines("two.example", count=100).encode()
    refresh(namegate)
    wait_for(lambda: is_blocked(client, "two.example"), "the new edition")
    assert not is_blocked(client, "one.example")
    assert of_list(namegate, "last_change_timestamp_seconds") >= changed > 0


@needs_fetch
def test_until_it_is_there_the_view_fails(fetched, server, connect, scripted):
    scripted.zone[HOST + "."] = lambda s: w.reply(s.wire, [], rcode=w.SERVFAIL)
    server.content["/list.txt"] = lines("one.example").encode()
    namegate = fetched()
    client = connect(namegate, "udp")
    assert client.ask(w.query("one.example")).rcode == w.SERVFAIL
    status, why = namegate.admin("/readyz")
    assert status == 503 and "bad" in why
    wait_for(lambda: of_list(namegate, "failures_total") > 0, "the failure")
    scripted.zone[HOST + "."] = zone_of("127.0.0.1")
    wait_for(lambda: (refresh(namegate), is_blocked(client, "one.example"))[1], "the list")


@needs_fetch
def test_a_restart_needs_no_network(fetched, server, connect, scripted):
    server.content["/list.txt"] = lines("one.example", count=100).encode()
    namegate = fetched()
    wait_for(lambda: namegate.admin("/readyz")[0] == 200, "the list")
    assert namegate.stop() == 0
    asked = len(server.asked)
    scripted.zone[HOST + "."] = lambda s: w.reply(s.wire, [], rcode=w.SERVFAIL)
    namegate.start()
    assert is_blocked(connect(namegate, "udp"), "one.example")
    assert len(server.asked) == asked  # it is not due yet


# What a server may do to a list that protects, and how the list says it. Twenty-odd ways to lose
# protection with other programs.
MISCHIEF = [
    ("/empty", "empty"),
    ("/html", "not_a_list"),
    ("/half", "truncated"),
    ("/chunkcut", "truncated"),
    ("/cut", "truncated"),
    ("/status-404", "http"),
    ("/status-500", "http"),
    ("/partial", "http"),
    ("/reset", None),
    ("/resetearly", None),
    ("/nothing", None),
    ("/drip", "timeout"),
    ("/silent", "timeout"),
    ("/headdrip", "timeout"),
    ("/endless", "too_large"),
    ("/large", "too_large"),
    ("/bomb", "too_large"),
    ("/garbage", None),
    ("/ancient", None),
    ("/brotli", None),
    ("/to-302?https://elsewhere.test/list.txt", "redirect"),
    ("/to-301?http://lists.test/list.txt", "redirect"),
]


def mischief_text(kind):
    return {
        "shrunk": lines("one.example"),
        "grown": lines("one.example", count=20000),
        "canary": lines("one.example", "own.example", count=100),
        "missing": lines("other.example", count=100),
        "rejects": lines("one.example", *["not a name"] * 200, count=100),
        "page": HTML.decode(),
        "few": lines("one.example", count=60),
    }[kind]


@needs_fetch
def test_a_server_that_misbehaves(fetched, server, connect):
    server.content["/list.txt"] = lines("one.example", count=100).encode()
    namegate = fetched(
        keys={
            "min_entries": 70,
            "max_growth": "1000%",
            "must_contain": ["one.example"],
            "must_not_contain": ["own.example"],
        }
    )
    client = connect(namegate, "udp")
    wait_for(lambda: namegate.admin("/readyz")[0] == 200, "the list")
    before = policy_hash(namegate)
    for kind, reason in [
        ("shrunk", "too_few"),
        ("few", "too_few"),
        ("grown", "grown"),
        ("canary", "canary_hit"),
        ("missing", "canary_missing"),
        ("rejects", "rejects"),
        ("page", "not_a_list"),
    ]:
        failures = of_list(namegate, "failures_total", reason=reason)
        server.content["/list.txt"] = mischief_text(kind).encode()
        refresh(namegate)
        wait_for(
            lambda: of_list(namegate, "failures_total", reason=reason) > failures,
            "%s to be refused as %s; %s" % (kind, reason, namegate.stderr[-2000:]),
        )
        assert is_blocked(client, "one.example"), kind
        assert policy_hash(namegate) == before, kind
        told = run_command("lists", "-c", str(namegate.config), "--json").stdout
        assert reason in told, told


@needs_fetch
def test_only_the_content_that_is_pinned(fetched, server, connect):
    content = lines("one.example", count=100).encode()
    server.content["/list.txt"] = content
    namegate = fetched(keys={"sha256": hashlib.sha256(content).hexdigest()})
    client = connect(namegate, "udp")
    wait_for(lambda: namegate.admin("/readyz")[0] == 200, "the list")
    before = policy_hash(namegate)
    server.content["/list.txt"] = content + b"two.example\n"
    refresh(namegate)
    wait_for(lambda: of_list(namegate, "failures_total", reason="digest") > 0, "the refusal")
    assert is_blocked(client, "one.example") and not is_blocked(client, "two.example")
    assert policy_hash(namegate) == before


@needs_fetch
@pytest.mark.skipif(not shutil.which("minisign"), reason="there is no minisign")
def test_only_what_is_signed(fetched, server, connect, tmp_path):
    def serve(text, signed=None):
        (tmp_path / "list").write_bytes((signed or text).encode())
        subprocess.run(
            ["minisign", "-S", "-s", "secret", "-m", "list", "-x", "signature"],
            cwd=tmp_path, check=True, capture_output=True, input=b"\n",
        )
        server.content["/list.txt"] = text.encode()
        server.content["/list.txt.minisig"] = (tmp_path / "signature").read_bytes()

    subprocess.run(
        ["minisign", "-G", "-W", "-p", "public", "-s", "secret"],
        cwd=tmp_path, check=True, capture_output=True,
    )
    key = (tmp_path / "public").read_text().splitlines()[1]
    serve(lines("one.example", count=100))
    namegate = fetched(keys={"minisign_key": key})
    client = connect(namegate, "udp")
    wait_for(lambda: namegate.admin("/readyz")[0] == 200, "the list")
    before = policy_hash(namegate)
    serve(lines("two.example", count=100), signed=lines("other.example", count=100))
    refresh(namegate)
    wait_for(lambda: of_list(namegate, "failures_total", reason="signature") > 0, "the refusal")
    assert is_blocked(client, "one.example") and policy_hash(namegate) == before
    del server.content["/list.txt.minisig"]
    failures = of_list(namegate, "failures_total")
    refresh(namegate)
    wait_for(lambda: of_list(namegate, "failures_total") > failures, "no signature")
    assert is_blocked(client, "one.example") and policy_hash(namegate) == before
    serve(lines("three.example", count=100))
    refresh(namegate)
    wait_for(lambda: is_blocked(client, "three.example"), "what is signed")


def explain(namegate, name):
    return run_command("explain", "-c", str(namegate.config), name).stdout


@needs_fetch
def test_explain_shows_the_line_of_a_packed_list(fetched, server):
    text = lines("zero.example", "one.example", count=10)
    server.content["/list.txt"] = gzip.compress(text.encode())
    namegate = fetched()
    wait_for(lambda: namegate.admin("/readyz")[0] == 200, "the list")
    told = explain(namegate, "www.one.example")
    assert "MATCHES" in told and "bad.list line 2: one.example" in told


def test_explain_beside_a_refused_edition(begin, tmp_path):
    listed = tmp_path / "bad.txt"
    put(listed, lines("one.example", "two.example"))
    namegate = begin({"file": str(listed)})
    assert "bad.txt line 1: one.example" in explain(namegate, "one.example")
    put(listed, HTML)
    wait_for(lambda: of_list(namegate, "failures_total", reason="not_a_list") > 0, "refusal")
    told = explain(namegate, "one.example")  # what is in force decides, wherever it stands
    assert "MATCHES" in told and "not in %s any more" % listed in told


@needs_fetch
def test_a_restart_meets_a_server_that_misbehaves(fetched, server, connect):
    """The list is there, its source has become something else: it stays, and each fault is told."""
    server.content["/list.txt"] = lines("one.example", count=100).encode()
    namegate = fetched()
    wait_for(lambda: namegate.admin("/readyz")[0] == 200, "the list")
    before = policy_hash(namegate)
    client = connect(namegate, "udp")
    for kind, reason in MISCHIEF:
        failures = of_list(namegate, "failures_total")
        server.instead = kind
        refresh(namegate)
        wait_for(
            lambda: of_list(namegate, "failures_total") > failures,
            "%s to fail; %s" % (kind, namegate.stderr[-2000:]),
        )
        if reason:
            found = namegate.metrics().find("namegate_domain_list_failures_total", list="bad")
            assert {l["reason"] for l, value in found if value > 0} >= {reason}, (kind, found)
        assert is_blocked(client, "one.example"), kind
        assert policy_hash(namegate) == before, kind
    server.instead = None


# ---- trouble ----


def state_of(namegate, name):
    return Path(namegate.settings["state_directory"]) / name


TOO_MANY_ANSWERS = "".join(
    "address=/n%d.example/10.%d.%d.1\n" % (i, i >> 8, i & 255) for i in range(17000)
)


def test_one_list_does_not_fit(begin, connect, tmp_path):
    """It says more different things than an image has room for. The others do not pay for that."""
    listed, other = tmp_path / "bad.txt", tmp_path / "other.txt"
    put(listed, "address=/one.example/0.0.0.0\n")
    put(other, lines("other.example"))
    keys = {"file": str(listed), "format": "dnsmasq"}
    namegate = begin(keys, others=[{"name": "other", "file": str(other)}])
    client = connect(namegate, "udp")
    assert is_blocked(client, "one.example")
    put(listed, TOO_MANY_ANSWERS)
    wait_for(lambda: of_list(namegate, "failures_total", reason="too_large") > 0, "the refusal")
    put(other, lines("two.example"))
    wait_for(lambda: is_blocked(client, "two.example"), "the other list")
    assert is_blocked(client, "one.example")
    assert namegate.stop() == 0
    namegate.start()
    client = connect(namegate, "udp")
    assert is_blocked(client, "one.example") and is_blocked(client, "two.example")
    assert namegate.stop() == 0
    shutil.rmtree(state_of(namegate, ""))
    namegate.start(wait="live")  # there is nothing to fall back to
    client = connect(namegate, "udp")
    assert client.ask(w.query("one.example")).rcode == w.SERVFAIL
    told = run_command("lists", "-c", str(namegate.config)).stdout
    assert "not_loaded" in told and "good" in told


def test_a_list_that_is_not_there_holds_up_no_other(begin, connect, tmp_path):
    listed, other = tmp_path / "bad.txt", tmp_path / "other.txt"
    put(listed, lines("one.example"))
    namegate = begin(
        {"file": str(listed)},
        start=False,
        others=[{"name": "other", "file": str(other)}],
    )
    namegate.start(wait="live")
    assert namegate.admin("/readyz")[0] == 503
    put(listed, lines("two.example"))
    wait_for(lambda: of_list(namegate, "entries") == 1, "the list")
    changed = of_list(namegate, "last_change_timestamp_seconds")
    time.sleep(1.1)
    put(listed, lines("two.example", "three.example"))
    wait_for(lambda: of_list(namegate, "entries") == 2, "the other list; " + namegate.stderr[-500:])
    assert of_list(namegate, "last_change_timestamp_seconds") >= changed
    put(other, lines("other.example"))
    client = connect(namegate, "udp")
    wait_for(lambda: is_blocked(client, "other.example"), "the late list")


def test_two_are_accepted_at_once(begin, connect, tmp_path):
    listed, other = tmp_path / "bad.txt", tmp_path / "other.txt"
    put(listed, lines("one.example", count=100))
    put(other, lines("other.example", count=100))
    guards = {"max_shrink": "50%"}
    namegate = begin(
        {"file": str(listed), **guards},
        others=[{"name": "other", "file": str(other), **guards}],
    )
    client = connect(namegate, "udp")
    put(listed, lines("two.example"))
    put(other, lines("three.example"))
    refused = "namegate_domain_list_failures_total"
    for name in ("bad", "other"):
        wait_for(lambda: namegate.metrics().sum(refused, list=name) > 0, "both to be refused")
    for name in ("bad", "other"):
        told = run_command("lists", "-c", str(namegate.config), "accept", name)
        assert told.returncode == 0, told.stderr
    wait_for(lambda: is_blocked(client, "two.example"), "the first that was accepted")
    wait_for(lambda: is_blocked(client, "three.example"), "the second that was accepted")


def test_a_reload_that_fails_leaves_the_state_alone(begin, tmp_path):
    """The next start stands on what was in force, not on what was refused."""
    listed = tmp_path / "bad.txt"
    put(listed, lines("one.example", count=100))
    namegate = begin({"file": str(listed)})
    before = state_of(namegate, "lists.image").read_bytes()
    certificate = namegate.settings["tls"]["certificate"]
    other = namegate.config.read_text().replace('"bad"', '"worse"')
    assert certificate in other
    for config in (
        other.replace(certificate, str(tmp_path / "none.pem")),
        other.replace("workers = ", "workers = 1"),  # needs a restart
    ):
        namegate.config.write_text(config)
        assert not namegate.hup()
        assert state_of(namegate, "lists.image").read_bytes() == before


def test_killed_between_two_files(begin, connect, tmp_path):
    """The image is there, and the state file is still that of the one before."""
    listed = tmp_path / "bad.txt"
    put(listed, lines("one.example", count=100))
    namegate = begin({"file": str(listed), "max_shrink": "50%"})
    assert namegate.stop() == 0
    state = state_of(namegate, "lists.state")
    text = state.read_text()
    at = text.index("image ") + 6
    state.write_text(text[:at] + "0" * 32 + text[at + 32 :])
    put(listed, lines("one.example"))  # much less than was there
    namegate.start()
    client = connect(namegate, "udp")
    assert is_blocked(client, "made0001.example")
    namegate.process.kill()
    namegate.process.wait()
    namegate.stop()
    state.write_text(text[:at] + "0" * 32 + text[at + 32 :])
    listed.unlink()
    namegate.start()
    assert is_blocked(connect(namegate, "udp"), "made0001.example")


def test_the_end_does_not_wait_for_lists(begin, tmp_path):
    listed = tmp_path / "bad.txt"
    put(listed, lines("one.example"))
    namegate = begin({"file": str(listed)})
    put(listed, "".join("n%07d.example\n" % (i * 7919 % 3000000) for i in range(3000000)))
    namegate.signal(1)
    time.sleep(1)
    begun = time.monotonic()
    assert namegate.stop(timeout=60) == 0
    assert time.monotonic() - begun < 5
    assert not Path(namegate.settings["control_socket"]).exists()


@needs_fetch
def test_the_state_directory_goes_away(fetched, server, connect):
    server.content["/list.txt"] = lines("one.example").encode()
    namegate = fetched()
    client = connect(namegate, "udp")
    wait_for(lambda: namegate.admin("/readyz")[0] == 200, "the list")
    shutil.rmtree(state_of(namegate, ""))
    server.content["/list.txt"] = lines("two.example").encode()
    refresh(namegate)
    wait_for(lambda: is_blocked(client, "two.example"), "the new edition")
    assert state_of(namegate, "bad.list").exists()


@needs_fetch
def test_an_edition_that_comes_while_lists_are_read(fetched, server, connect, tmp_path):
    large = tmp_path / "large.txt"
    put(large, lines("large.example"))
    server.content["/list.txt"] = lines("one.example", count=100).encode()
    namegate = fetched(keys={"max_shrink": "50%"}, others=[{"name": "large", "file": str(large)}])
    client = connect(namegate, "udp")
    wait_for(lambda: namegate.admin("/readyz")[0] == 200, "the list")
    put(large, "".join("n%06d.example\n" % i for i in range(400000)))
    time.sleep(2.2)  # is being read now
    server.content["/list.txt"] = lines("one.example").encode()
    refresh(namegate)
    wait_for(lambda: of_list(namegate, "failures_total", reason="shrunk") > 0, "the refusal")
    assert of_list(namegate, "up") == 0
    assert is_blocked(client, "made0001.example")
    assert b"made0001" in state_of(namegate, "bad.list").read_bytes()


@needs_fetch
def test_reloads_while_a_list_is_fetched(fetched, server, connect, tmp_path):
    listed = tmp_path / "other.txt"
    put(listed, lines("other.example"))
    namegate = fetched(path="/silent", others=[{"name": "other", "file": str(listed)}])
    for _ in range(10):
        wait_for(lambda: namegate.children(), "the child")
        assert namegate.hup()
    wait_for(lambda: len(namegate.children()) <= 1, "children to end")
