"""Who a client is, by what TLS and HTTP know of it: certificates, server names, paths; times the
protocols."""

import hashlib
import itertools
import re
import ssl
import time

import pytest

from certificates import OID, ClientAuthority
from dns_client import tls_context
from dns_wire import Message, query
from h2_client import base64url
from identity import CLOSED, NOBODY, Asker, is_open, wait_closed, with_views
from tools import kdig, run

TLS_1_2, TLS_1_3 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
ENCRYPTED = ("dot", "doh")
URI = "spiffe://corp.example/"
HOUR = 3600
TOKEN = "aN9-_.~$&x"
IN_A_PATH = TOKEN.replace("&", "%26")

VIEWS = [
    {"name": "lan", "clients": ["127.0.0.0/8"]},
    {"name": "web", "certificates": ["uri:%sweb" % URI, "dns:*.web.example"]},
    {"name": "certified", "certificates": ["*"]},
    {"name": "kids-path", "paths": ["kids"]},
    {"name": "kids-token", "tokens": ["kids"]},
    {"name": "kids-name", "tls_names": ["kids.dns.example"]},
    {"name": "any-name", "tls_names": ["*.any.dns.example"]},
    {"name": "both", "certificates": ["cn:Both"], "paths": ["both"]},
    {"name": "far-web", "certificates": ["uri:%sfar" % URI], "clients": ["127.0.0.7/32"]},
]


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return ClientAuthority(tmp_path_factory.mktemp("clients"))


@pytest.fixture(scope="module")
def stranger(tmp_path_factory):
    """Another authority of the same name."""
    return ClientAuthority(tmp_path_factory.mktemp("strangers"))


def certificate(authority, stranger, kind):
    alt = [("uri", URI + "web")]
    return {
        "none": lambda: None,
        "web": lambda: authority.issue(kind, alt=alt),
        "web-by-host": lambda: authority.issue(kind, alt=[("dns", "A.Web.Example")]),
        "web-is-the-second": lambda: authority.issue(kind, alt=[("uri", "urn:x"), *alt]),
        "only-a-name": lambda: authority.issue(kind, name="anna"),
        "no-eku": lambda: authority.issue(kind, alt=alt, use=None),
        # Names that nearly are the one.
        "longer": lambda: authority.issue(kind, alt=[("uri", URI + "web2")]),
        "upper": lambda: authority.issue(kind, alt=[("uri", URI + "WEB")]),
        "in-the-name": lambda: authority.issue(kind, name="uri:%sweb" % URI),
        "as-a-host": lambda: authority.issue(kind, alt=[("dns", "web.example")]),
        "deeper": lambda: authority.issue(kind, alt=[("dns", "a.b.web.example")]),
        # Bad ones.
        "expired": lambda: authority.issue(kind, alt=alt, start=-2 * HOUR, end=-HOUR),
        "early": lambda: authority.issue(kind, alt=alt, start=HOUR, end=2 * HOUR),
        "stranger": lambda: stranger.issue(kind, alt=alt),
        "self-signed": lambda: authority.self_signed(kind, alt=alt),
        "for-servers": lambda: authority.issue(kind, alt=alt, use=OID.SERVER_AUTH),
    }[kind]()


# What becomes of each where a certificate may be shown; where it must, only "none" differs.
CERTIFICATES = {
    "none": ("lan", "client_certificate_missing"),
    "web": ("web", None),
    "web-by-host": ("web", None),
    "web-is-the-second": ("web", None),
    "only-a-name": ("certified", None),
    "no-eku": ("web", None),
    "longer": ("certified", None),
    "upper": ("certified", None),
    "in-the-name": ("certified", None),
    "as-a-host": ("certified", None),
    "deeper": ("certified", None),
    "expired": (CLOSED, "client_certificate_expired"),
    "early": (CLOSED, "client_certificate_expired"),
    "stranger": (CLOSED, "client_certificate_refused"),
    "self-signed": (CLOSED, "client_certificate_untrusted"),
    "for-servers": (CLOSED, "client_certificate_refused"),
}


def start(maker, scripted, authority, required=False, views=VIEWS):
    settings = with_views(maker.settings(scripted=scripted), views)
    digest = hashlib.sha256(TOKEN.encode()).hexdigest()
    settings["tokens"] = [{"name": "kids", "sha256": digest}]
    settings["tls"]["client_ca"] = str(authority.file)
    if required:
        settings["tls"]["client_certificates"] = "required"
    return maker.start(settings)


@pytest.fixture(scope="module")
def optional(shared_maker, scripted_session, authority):
    return start(shared_maker, scripted_session, authority)


@pytest.fixture(scope="module")
def required(shared_maker, scripted_session, authority):
    return start(shared_maker, scripted_session, authority, required=True)


def failures(namegate, word):
    return namegate.metrics().sum("namegate_tls_handshakes_total", result=word)


class TestCertificates:
    @pytest.mark.parametrize("version", (TLS_1_2, TLS_1_3), ids=lambda v: v.name)
    @pytest.mark.parametrize("protocol", ENCRYPTED)
    @pytest.mark.parametrize("kind", CERTIFICATES)
    def test_optional(self, optional, authority, stranger, kind, protocol, version):
        view, word = CERTIFICATES[kind]
        client = certificate(authority, stranger, kind)
        before = failures(optional, word)
        assert Asker(optional)(protocol, client=client, version=version) == view
        if view == CLOSED:
            optional.wait_for(lambda: failures(optional, word) == before + 1, word)

    @pytest.mark.parametrize("protocol", ENCRYPTED)
    @pytest.mark.parametrize("kind", CERTIFICATES)
    def test_required(self, required, authority, stranger, kind, protocol):
        view, word = CERTIFICATES[kind]
        client = certificate(authority, stranger, kind)
        before = failures(required, word)
        found = Asker(required)(protocol, client=client)
        assert found == (CLOSED if kind == "none" else view)
        if word:
            required.wait_for(lambda: failures(required, word) == before + 1, word)

    @pytest.mark.parametrize("protocol", ("udp", "tcp"))
    def test_plain_protocols_have_none(self, required, protocol):
        assert Asker(required)(protocol) == "lan"

    @pytest.mark.parametrize("protocol", ENCRYPTED)
    def test_a_name_and_a_network(self, optional, authority, protocol):
        """All that a view names must hold."""
        client = authority.issue("far", alt=[("uri", URI + "far")])
        ask = Asker(optional)
        assert ask(protocol, client=client) == "certified"
        assert ask(protocol, client=client, source="127.0.0.7") == "far-web"

    def test_a_name_and_a_path(self, optional, authority):
        client = authority.issue("both", name="Both")
        ask = Asker(optional)
        assert ask("doh", client=client, path="/dns-query/both") == "both"
        assert ask("doh", client=client) == "certified"
        assert ask("doh", path="/dns-query/both") == "lan"
        assert ask("dot", client=client) == "certified"

    def test_log(self, optional, authority, stranger):
        client = certificate(authority, stranger, "web")
        assert Asker(optional)("dot", client=client, source="127.0.0.3") == "web"
        optional.wait_for(
            lambda: any(line["srcaddr"] == "127.0.0.3" for line in optional.log()), "its line"
        )

    def test_handshake_failure_is_told(self, optional, authority, stranger):
        Asker(optional)("dot", client=certificate(authority, stranger, "expired"))
        optional.wait_for(lambda: "certificate has expired" in optional.stderr, "a line")


class TestServerNames:
    ROWS = {
        "": "lan",
        "kids.dns.example": "kids-name",
        "KIDS.Dns.Example": "kids-name",
        "xkids.dns.example": "lan",
        "kids.dns.example.net": "lan",
        "a.any.dns.example": "any-name",
        "any.dns.example": "lan",
        "a.b.any.dns.example": "lan",
    }

    @pytest.mark.parametrize("version", (TLS_1_2, TLS_1_3), ids=lambda v: v.name)
    @pytest.mark.parametrize("protocol", ENCRYPTED)
    @pytest.mark.parametrize("name", ROWS)
    def test_name(self, optional, name, protocol, version):
        ask = Asker(optional)
        assert ask(protocol, server_name=name, version=version) == self.ROWS[name]

    def test_certificate_before_name(self, optional, authority, stranger):
        client = certificate(authority, stranger, "web")
        ask = Asker(optional)
        assert ask("dot", client=client, server_name="kids.dns.example") == "web"

    @pytest.mark.parametrize("version", (TLS_1_2, TLS_1_3), ids=lambda v: v.name)
    def test_session_of_another_name(self, optional, version):
        """What counts is the name that is asked for now."""
        ask = Asker(optional)
        context = ask.context("dot", version=version, checks=False)
        session = None
        for name, view in (("kids.dns.example", "kids-name"), ("", "lan"), ("a.example", "lan")):
            how = {"context": context, "session": session, "server_name": name}
            with ask.open("dot", **how) as connection:
                assert ask.on("dot", connection) == view
                session = connection.socket.session


class TestPaths:
    ROWS = {
        "/dns-query": "lan",
        "/dns-query/kids": "kids-path",
        "/dns-query/nobody": 404,
        "/dns-query/Kids": 404,
        "/dns-query/%6bids": 404,
        "/dns-query/": 404,
        "/dns-query/kids/": 404,
        "/dns-query/kids/x": 404,
        "/dns-query//kids": 404,
        "/dns-query/../dns-query": 404,
        "/dns-query/kids#x": 404,
        "/dns-query/" + 64 * "x": 404,
        "/dns-query/" + 65 * "x": 404,
        "/kids": 404,
        "/dns-queryx/kids": 404,
    }

    @pytest.mark.parametrize("path", ROWS)
    def test_path(self, optional, path):
        assert Asker(optional)("doh", path=path) == self.ROWS[path]

    def test_get(self, optional, connect):
        connection = connect(optional, "doh")
        wire = base64url(query("who.test"))
        for path, status in (("kids?dns=", 200), ("kids?x&dns=", 200), ("nobody?dns=", 404)):
            stream = connection.get(path="/dns-query/" + path + wire, query="")
            assert connection.wait(stream).status == status

    def test_path_before_name(self, optional):
        ask = Asker(optional)
        how = {"server_name": "kids.dns.example"}
        assert ask("doh", **how) == "kids-name"
        assert ask("doh", path="/dns-query/kids", **how) == "kids-path"


@pytest.mark.parametrize("version", (TLS_1_2, TLS_1_3), ids=lambda v: v.name)
def test_a_session_knows(optional, authority, stranger, version):
    ask = Asker(optional)
    context = ask.context("dot", certificate(authority, stranger, "web"), version)
    session = None
    for reused in (False, True, True):
        with ask.open("dot", context=context, session=session) as connection:
            assert connection.socket.session_reused == reused
            assert ask.on("dot", connection) == "web"
            session = connection.socket.session


class TestReload:
    """Authorities that come and go while connections are open."""

    CHANGES = {
        # what the file holds next; who has a certificate stays; who has none stays
        "same": (("first",), True, True),
        "more": (("first", "second"), False, True),
        "other": (("second",), False, True),
        "namesake": (("stranger",), False, True),
        "required": (("first", "required"), False, False),
        "none": ((), False, True),
    }

    @pytest.mark.parametrize("change", CHANGES)
    def test_change(self, maker, scripted, tmp_path, stranger, change):
        words, known_stays, unknown_stays = self.CHANGES[change]
        first = ClientAuthority(tmp_path / "first", "first")
        second = ClientAuthority(tmp_path / "second", "second")
        authorities = {"first": first, "second": second, "stranger": stranger}
        bundle = ClientAuthority(tmp_path / "bundle", "x")
        bundle.file.write_bytes(first.file.read_bytes())
        views = VIEWS[:1] if not words else VIEWS[:3]
        namegate = start(maker, scripted, bundle, views=VIEWS[:3])
        ask = Asker(namegate)
        client = first.issue("web", alt=[("uri", URI + "web")])
        known = {p: ask.open(p, client=client) for p in ENCRYPTED}
        unknown = {p: ask.open(p) for p in ("tcp", *ENCRYPTED)}
        contexts = {v: ask.context("dot", client, v) for v in (TLS_1_2, TLS_1_3)}
        sessions = {v: session_of(ask, contexts[v]) for v in contexts}
        assert all(ask.on(p, known[p]) == "web" for p in known)
        assert all(ask.on(p, unknown[p]) == "lan" for p in unknown)

        chosen = [authorities[word] for word in words if word in authorities]
        bundle.file.write_bytes(b"".join(a.file.read_bytes() for a in chosen))
        settings = with_views(namegate.settings, views)
        if "required" in words:
            settings["tls"]["client_certificates"] = "required"
        if not words:
            del settings["tls"]["client_ca"]
        assert namegate.reload(settings)

        for protocol, connection in known.items():
            if known_stays:
                assert ask.on(protocol, connection) == "web"
            else:
                assert wait_closed(protocol, connection), protocol
        for protocol, connection in unknown.items():
            if unknown_stays or protocol == "tcp":
                assert is_open(protocol, connection)
                assert ask.on(protocol, connection) == "lan"
            else:
                assert wait_closed(protocol, connection), protocol
        # Nor does a session of before let anybody in who could not come in now.
        for version, session in sessions.items():
            assert resumes(ask, contexts[version], session) == known_stays
        still = "web" if first in chosen else "lan" if not words else CLOSED
        assert all(ask(p, client=client) == still for p in ENCRYPTED)
        for connection in (*known.values(), *unknown.values()):
            connection.close()
        ended = namegate.metrics().sum("namegate_dropped_total", reason="certificate")
        assert ended >= (0 if known_stays else 2)

    def test_a_bad_file_changes_nothing(self, maker, scripted, tmp_path):
        authority = ClientAuthority(tmp_path / "authority")
        namegate = start(maker, scripted, authority)
        client = authority.issue("web", alt=[("uri", URI + "web")])
        ask = Asker(namegate)
        with ask.open("dot", client=client) as connection:
            authority.file.write_text("nothing")
            assert not namegate.hup()
            assert "not PEM" in namegate.stderr
            assert ask.on("dot", connection) == "web"
            assert ask("doh", client=client) == "web"


def session_of(ask, context):
    with ask.open("dot", context=context) as connection:
        assert ask.on("dot", connection) == "web"
        return connection.socket.session


def resumes(ask, context, session):
    """Does the server take the ticket? Python takes a session to the context that it came from
    only, which has the certificate too."""
    try:
        with ask.open("dot", context=context, session=session) as connection:
            return connection.socket.session_reused
    except (ssl.SSLError, ConnectionError):
        return False


@pytest.mark.slow
@pytest.mark.parametrize("protocol", ENCRYPTED)
def test_certificate_that_ends_while_it_is_used(maker, scripted, authority, protocol):
    """Not one answer more as who it was; and not as somebody else either."""
    namegate = start(maker, scripted, authority)
    ask = Asker(namegate)
    for life in (3, 6, 12, 24):  # a slow machine may not be in time
        client = authority.issue("short", alt=[("uri", URI + "web")], end=life)
        ends = time.time() + life
        try:
            connection = ask.open(protocol, client=client)
            first = ask.on(protocol, connection)
        except (AssertionError, ConnectionError, ssl.SSLError):
            continue
        if first == "web":
            break
    assert first == "web"
    time.sleep(max(ends - time.time(), 0) + 1.1)
    if protocol == "doh":
        assert ask.on(protocol, connection) == 403
        assert connection.goaway
    else:
        assert ask.on(protocol, connection) == CLOSED
    assert wait_closed(protocol, connection)
    assert namegate.metrics().sum("namegate_dropped_total", reason="certificate") == 1
    connection.close()


class TestClients:
    """Programs that we did not write."""

    def arguments(self, client):
        return "+tls-certfile=%s" % client.certificate, "+tls-keyfile=%s" % client.key

    def name(self, namegate, out):
        asker = Asker(namegate)
        found = [n for n, view in enumerate(asker.views) if "192.0.2.%d\n" % n in out]
        return asker.views[found[0]] if found else out

    @pytest.mark.parametrize("protocol", ENCRYPTED)
    def test_kdig(self, optional, authority, stranger, protocol):
        for kind in ("web", "none", "expired", "stranger"):
            client = certificate(authority, stranger, kind)
            more = self.arguments(client) if client else ()
            out = kdig(optional, "+short", "who.test", *more, protocol=protocol)
            view = CERTIFICATES[kind][0]
            assert self.name(optional, out) == view if view != CLOSED else "192" not in out

    @pytest.mark.parametrize("path", ("", "/kids"))
    def test_curl_asks_for_an_address(self, optional, authority, stranger, path):
        """curl's own resolver shows no certificate, so it is the path that counts."""
        done = run(
            *("curl", "-v", "--max-time", "5", "--connect-timeout", "2"),
            *("--doh-url", "https://127.0.0.1:%d/dns-query%s" % (optional.ports["doh"], path)),
            *("--doh-insecure", "http://who.test:%d/" % optional.ports["admin"]),
            check=False,
        )
        expected = "192.0.2.3" if path else "192.0.2.0"
        assert "Trying %s:" % expected in done.stderr, done.stderr

    @pytest.mark.parametrize("kind", ("web", "only-a-name", "none", "expired"))
    def test_curl_with_a_certificate(self, optional, authority, stranger, tmp_path, kind):
        (tmp_path / "question").write_bytes(query("who.test"))
        client = certificate(authority, stranger, kind)
        show = ("--cert", client.certificate, "--key", client.key) if client else ()
        done = run(
            *("curl", "-sS", "--cacert", optional.certificates.ca, *show),
            *("-H", "content-type: application/dns-message"),
            *("--data-binary", "@%s" % (tmp_path / "question"), "-o", tmp_path / "answer"),
            "https://127.0.0.1:%d/dns-query" % optional.ports["doh"],
            check=False,
        )
        view = CERTIFICATES[kind][0]
        if view == CLOSED:
            assert done.returncode != 0
        else:
            message = Message((tmp_path / "answer").read_bytes())
            assert Asker(optional).name_of(message) == view

    def test_openssl(self, optional, authority, stranger):
        """The authorities that a client is told, and how it is told that its own is no good."""
        port = str(optional.ports["dot"])
        connect = ("openssl", "s_client", "-connect", "127.0.0.1:" + port, "-alpn", "dot")
        out = run(*connect, "-CAfile", optional.certificates.ca, check=False)
        assert "Acceptable client certificate CA names" in out.stdout
        assert re.search("^CN ?= ?clients$", out.stdout, re.M)  # blanks in 3.0
        client = certificate(authority, stranger, "expired")
        show = ("-cert", client.certificate, "-key", client.key, "-tls1_2")
        out = run(*connect, *show, check=False)
        assert "alert certificate expired" in out.stderr


def test_every_combination(optional, authority, stranger):
    """Certificate x token x server name x path x protocol: the most specific wins, and what the
    others say does not matter; but a bad token is nobody's."""
    kinds = {"none": None, "web": "web", "only-a-name": "certified"}
    names = {"": None, "kids.dns.example": "kids-name"}
    paths = {None: None, "/dns-query/kids": "kids-path"}
    ask = Asker(optional)
    clients = {kind: certificate(authority, stranger, kind) for kind in kinds}
    tokens = {None: None, IN_A_PATH: "kids-token", TOKEN + "x": NOBODY}
    for kind, name, path, token in itertools.product(kinds, names, paths, tokens):
        known = kinds[kind] or tokens[token] or paths[path] or names[name] or "lan"
        expected = NOBODY if tokens[token] == NOBODY else known
        found = ask("doh", client=clients[kind], server_name=name, path=path, token=token)
        assert found == expected, (kind, name, path, token)
        if path is None:
            raw = token and token.replace("%26", "&")
            found = ask("dot", client=clients[kind], server_name=name, token=raw)
            assert found == expected, (kind, name, token)


@pytest.mark.parametrize("token", (TOKEN, TOKEN + "x"))
@pytest.mark.parametrize("protocol", ("udp", "tcp"))
def test_tokens_in_clear_are_not_looked_at(optional, protocol, token):
    assert Asker(optional)(protocol, token=token) == "lan"


@pytest.mark.parametrize("token", ("%", "%4", "%zz", 257 * "x", ""))
def test_tokens_that_are_none(optional, token):
    """Of the wrong form is not the same as not given."""
    assert Asker(optional)("doh", path="/dns-query?token=" + token) == 400


def test_a_token_of_a_path_that_nobody_has(optional):
    assert Asker(optional)("doh", path="/dns-query/nobody", token=IN_A_PATH) == 404


def test_nobody_is_asked_without_authorities(maker, scripted, authority):
    namegate = maker.start(with_views(maker.settings(scripted=scripted), VIEWS[:1]))
    client = authority.issue("anna")
    assert all(Asker(namegate)(p, client=client) == "lan" for p in ENCRYPTED)
    context = tls_context(namegate.certificates.ca, "dot", None, client)
    Asker(namegate).open("dot", context=context).close()
