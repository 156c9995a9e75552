"""Whose view: tokens over DoH and DoT, paths, TLS names, and what of that is told to nobody."""

import hashlib
import re
import time

import pytest

import dns_wire as w
from program import run_command

PROHIBITED = 18  # RFC 8914 4.19
TOKEN_OPTION = 0xFFA0
SECRETS = {"anna": "tok-anna-5e2b", "bert": "tok-bert-91cc", "late": "tok-late-77aa"}
BAD = "tok-nobody-00"


def token_row(name, **more):
    return {"name": name, "sha256": hashlib.sha256(SECRETS[name].encode()).hexdigest(), **more}


def settings_of(maker, scripted):
    settings = maker.settings(scripted=scripted)
    settings["tokens"] = [
        token_row("anna"),
        token_row("bert", expires="2099-01-01"),
        token_row("late", expires="2020-01-01"),
    ]
    settings["views"] += [
        {"name": "kids", "paths": ["kids", "teens"]},
        {"name": "named", "clients": ["127.0.0.0/8"], "tls_names": ["kids.dns.test"]},
        {"name": "people", "tokens": ["anna", "bert", "late"]},
        {"name": "annas-kids", "tokens": ["anna"], "paths": ["kids"]},
    ]
    settings["allow_open_resolver"] = True
    return settings


@pytest.fixture(scope="module")
def admission(shared_maker, scripted_session):
    return shared_maker.start(settings_of(shared_maker, scripted_session))


def edns(token=None):
    return w.opt(options=b"" if token is None else w.option(TOKEN_OPTION, token.encode()))


def ask_doh(client, name, path="/dns-query", token=None, option=None):
    """The HTTP status, and the DNS message where there is one."""
    query = "?token=" + token if token is not None else ""
    stream = client.post(w.query(name, edns=edns(option)), path=path + query)
    response = client.wait(stream)
    return response.status, response.message if response.status == 200 else None


def view_of(namegate, name):
    ext = namegate.wait_log(name)[-1]["ext"]
    return ext.get("view"), ext.get("client_by"), ext.get("client_id")


def check_refused(namegate, answer, name, reason, before):
    assert answer.rcode == w.REFUSED and answer.ede_code == PROHIBITED
    assert view_of(namegate, name) == (None, None, None)
    after = namegate.metrics().sum("namegate_dropped_total", reason=reason)
    assert after == before + 1


def dropped(namegate, reason):
    return namegate.metrics().sum("namegate_dropped_total", reason=reason)


GOOD = {
    "nothing": ({}, ("lan", None, None)),
    "path": ({"path": "/dns-query/kids"}, ("kids", "path", "kids")),
    "token": ({"token": SECRETS["anna"]}, ("people", "token", "anna")),
    "token that expires": ({"token": SECRETS["bert"]}, ("people", "token", "bert")),
    "token in an option": ({"option": SECRETS["bert"]}, ("people", "token", "bert")),
    "of two tokens the one beside": (
        {"token": SECRETS["anna"], "option": BAD},
        ("people", "token", "anna"),
    ),
    "token and path": (
        {"token": SECRETS["anna"], "path": "/dns-query/kids"},
        ("annas-kids", "token", "anna"),
    ),
    "token and another path": (
        {"token": SECRETS["anna"], "path": "/dns-query/teens"},
        ("people", "token", "anna"),
    ),
    "escaped token": ({"token": "%74ok-anna-5e2b"}, ("people", "token", "anna")),
}


@pytest.mark.quick
class TestDoh:
    @pytest.mark.parametrize("row", GOOD)
    def test_good(self, admission, connect, row):
        how, expected = GOOD[row]
        name = "ok.%s.doh.test" % row.replace(" ", "-")
        status, answer = ask_doh(connect(admission, "doh"), name, **how)
        assert status == 200 and answer.rcode == w.NOERROR and answer.addresses
        assert view_of(admission, name) == expected

    @pytest.mark.parametrize(
        "token,reason",
        [(BAD, "token_unknown"), (SECRETS["late"], "token_expired"), ("x" * 256, "token_unknown")],
    )
    def test_bad_token(self, admission, connect, token, reason):
        """Never the view of the network, which would have taken the client without a token."""
        name = "ok.%s.bad-token.test" % token[:20]
        before = dropped(admission, reason)
        status, answer = ask_doh(connect(admission, "doh"), name, token=token)
        assert status == 200
        check_refused(admission, answer, name, reason, before)

    @pytest.mark.parametrize("path", ["other", "Kids", "kids%20"])
    def test_unknown_path(self, admission, connect, path):
        before = dropped(admission, "path_unknown")
        name = "ok.%s.path.test" % re.sub("[^A-Za-z]", "", path)
        status, _ = ask_doh(connect(admission, "doh"), name, path="/dns-query/" + path)
        assert status == 404
        assert dropped(admission, "path_unknown") == before + 1
        assert view_of(admission, name)[0] is None

    def test_connection_goes_on(self, admission, connect):
        """One request's fault is not the next one's."""
        client = connect(admission, "doh")
        assert ask_doh(client, "ok.a.goes-on.test", path="/dns-query/other")[0] == 404
        assert ask_doh(client, "ok.b.goes-on.test", token=BAD)[1].rcode == w.REFUSED
        assert ask_doh(client, "ok.c.goes-on.test")[1].rcode == w.NOERROR
        answer = ask_doh(client, "ok.d.goes-on.test", token=SECRETS["anna"])[1]
        assert answer.rcode == w.NOERROR
        assert view_of(admission, "ok.c.goes-on.test")[0] == "lan"
        assert view_of(admission, "ok.d.goes-on.test")[0] == "people"


@pytest.mark.quick
class TestOption:
    """The EDNS option 0xffa0, whose data is the token's text."""

    def test_dot(self, admission, connect):
        client = connect(admission, "dot")
        for token, view in (("anna", "people"), ("bert", "people")):
            name = "ok.%s.dot.test" % token
            answer = client.ask(w.query(name, edns=edns(SECRETS[token])))
            assert answer.rcode == w.NOERROR
            assert answer.option(TOKEN_OPTION) is None
            assert view_of(admission, name) == (view, "token", token)

    @pytest.mark.parametrize(
        "token,reason",
        [
            (BAD, "token_unknown"),
            ("", "token_unknown"),
            ("x" * 300, "token_unknown"),
            (SECRETS["late"], "token_expired"),
        ],
    )
    def test_dot_bad(self, admission, connect, token, reason):
        name = "ok.%d.dot-bad.test" % len(token)
        before = dropped(admission, reason)
        answer = connect(admission, "dot").ask(w.query(name, edns=edns(token)))
        check_refused(admission, answer, name, reason, before)

    @pytest.mark.parametrize("protocol", ["udp", "tcp"])
    @pytest.mark.parametrize("token", [SECRETS["anna"], BAD, SECRETS["late"]])
    def test_ignored_without_encryption(self, admission, connect, protocol, token):
        name = "ok.%s.%s.plain.test" % (protocol, token)
        answer = connect(admission, protocol).ask(w.query(name, edns=edns(token)))
        assert answer.rcode == w.NOERROR
        assert view_of(admission, name) == ("lan", None, None)

    def test_goes_no_further(self, admission, scripted, connect):
        """No upstream sees the option, and what is kept is kept for everybody."""
        name = "ok.further.test"
        client = connect(admission, "dot")
        assert client.ask(w.query(name, edns=edns(SECRETS["anna"]))).rcode == w.NOERROR
        asked = scripted.asked_for(name)
        assert asked and not any(SECRETS["anna"].encode() in q.wire for q in asked)
        assert client.ask(w.query(name, edns=edns(SECRETS["bert"]))).rcode == w.NOERROR
        assert connect(admission, "udp").ask(w.query(name)).rcode == w.NOERROR
        assert len(scripted.asked_for(name)) == len(asked)
        assert [line["ext"]["source"] for line in admission.wait_log(name, 3)] == [
            "upstream",
            "cache",
            "cache",
        ]


class TestChange:
    def test_revoked(self, maker, scripted_session, connect):
        """Open connections are no way round it."""
        namegate = maker.start(settings_of(maker, scripted_session))
        dot, doh = connect(namegate, "dot"), connect(namegate, "doh")

        def rcodes(number):
            name = "ok.n%d.revoked.test" % number
            over_dot = dot.ask(w.query(name, edns=edns(SECRETS["anna"])))
            return over_dot.rcode, ask_doh(doh, name, token=SECRETS["anna"])[1].rcode

        assert rcodes(1) == (w.NOERROR, w.NOERROR)
        settings = namegate.settings
        settings["tokens"] = settings["tokens"][1:]
        settings["views"] = [v for v in settings["views"] if v["name"] != "annas-kids"]
        settings["views"][-1]["tokens"] = ["bert", "late"]
        assert namegate.reload(settings)
        assert rcodes(2) == (w.REFUSED, w.REFUSED)
        assert dot.ask(w.query("ok.b.test", edns=edns(SECRETS["bert"]))).rcode == w.NOERROR

    def test_expires(self, maker, scripted_session, connect):
        settings = settings_of(maker, scripted_session)
        until = time.time() + 4
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(until))
        settings["tokens"][0]["expires"] = stamp
        namegate = maker.start(settings)
        client = connect(namegate, "dot")
        last = None
        while last != w.REFUSED:
            began = time.time()
            last = client.ask(w.query("ok.expires.test", edns=edns(SECRETS["anna"]))).rcode
            assert last == w.REFUSED if began >= until else last in (w.NOERROR, w.REFUSED)
            assert last == w.NOERROR or time.time() >= int(until)
            time.sleep(0.2)


class TestNeverTold:
    def test_secrets(self, maker, scripted_session, connect):
        """Neither logs, metrics, errors nor replies have the text of a token, good or bad."""
        namegate = maker.start(settings_of(maker, scripted_session))
        doh, dot = connect(namegate, "doh"), connect(namegate, "dot")
        replies = []
        for number, secret in enumerate([*SECRETS.values(), BAD]):
            name = "ok.n%d.secrets.test" % number
            replies.append(bytes(ask_doh(doh, name, token=secret)[1].wire))
            replies.append(bytes(dot.ask(w.query(name, edns=edns(secret))).wire))
            namegate.wait_log(name, 2)
        told = b"".join(replies).decode("latin-1")
        told += namegate.log_file.read_text() + namegate.stderr + namegate.admin("/metrics")[1]
        for secret in [*SECRETS.values(), BAD]:
            assert secret not in told
            assert hashlib.sha256(secret.encode()).hexdigest() not in told

    def test_asked_for(self, maker, scripted_session, tmp_path):
        """Nor has the program's log what it is asked to explain."""
        settings = settings_of(maker, scripted_session)
        settings["control_socket"] = str(tmp_path / "control")
        namegate = maker.start(settings)
        secret = SECRETS["anna"]
        words = ("explain", "-c", str(namegate.config), "a.test", "--running", "--token", secret)
        done = run_command(*words)
        assert done.returncode == 0 and "people" in done.stdout, done.stderr
        assert 'said "explain' in namegate.stderr
        assert hashlib.sha256(secret.encode()).hexdigest() not in namegate.stderr


@pytest.mark.quick
class TestTokenCommand:
    def test_make(self):
        done = run_command("token", "annas tablet", "--for", "90d")
        assert done.returncode == 0, done.stderr
        secret = re.search(r"^  ([A-Za-z0-9_-]{43})$", done.stdout, re.M).group(1)
        row = re.search(r'^  \{ name = "annas tablet"; sha256 = "(\w+)"; expires = "(.*)"; \}$',
                        done.stdout, re.M)
        assert hashlib.sha256(secret.encode()).hexdigest() == row.group(1)
        until = time.mktime(time.strptime(row.group(2), "%Y-%m-%dT%H:%M:%SZ")) - time.timezone
        assert abs(until - time.time() - 90 * 86400) < 60
        again = run_command("token", "annas tablet")
        assert secret not in again.stdout and "expires" not in again.stdout

    def test_row_is_taken(self, maker, scripted_session):
        done = run_command("token", "anna", "--for", "1h")
        row = done.stdout.splitlines()[-1]
        settings = maker.settings(scripted=scripted_session)
        settings["views"].append({"name": "people", "tokens": ["anna"]})
        namegate = maker.prepare(settings)
        namegate.write_config()
        namegate.config.write_text(
            namegate.config.read_text() + "\ntokens = ( %s );\n" % row.strip()
        )
        done = run_command("check", "-c", str(namegate.config))
        assert done.returncode == 0, done.stderr

    @pytest.mark.parametrize(
        "arguments",
        [[], [""], ["a", "b"], ["a", "--for"], ["a", "--for", "soon"], ['a"b'], ["x" * 65]],
    )
    def test_usage(self, arguments):
        done = run_command("token", *arguments)
        assert done.returncode == 2 and done.stdout == "" and done.stderr
