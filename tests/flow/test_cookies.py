"""DNS cookies (RFC 7873, RFC 9018): what each question with one gets, who takes whose, secrets from
a file, and clients that use them."""

import os
import struct
import subprocess
import time

import pytest

import dns_wire as w
from program import Ports
from tools import dig, kdig, run

BADCOOKIE = 23
CLIENT = bytes(range(1, 9))
PROTOCOLS = ("udp", "tcp", "dot", "doh")


def with_cookie(value, qname="ok.cookie.test", **more):
    return w.query(qname, edns=w.opt(options=w.option(w.COOKIE, value)), **more)


def cookie_of(answer):
    value = answer.option(w.COOKIE)
    assert value is not None and len(value) == 24
    return value


def no_question(value):
    edns = w.opt(options=w.option(w.COOKIE, value))
    return w.header(id=7, counts=(0, 0, 0, 1)) + edns


def counted(namegate, **labels):
    return namegate.metrics().sum("namegate_dns_cookies_total", **labels)


class TestAnswers:
    @pytest.mark.parametrize("protocol", PROTOCOLS)
    def test_7873_5_2_3_a_client_alone_learns_a_server_cookie(self, plain, connect, protocol):
        answer = connect(plain, protocol).ask(with_cookie(CLIENT))
        assert answer.rcode == w.NOERROR and answer.answer
        told = cookie_of(answer)
        version, reserved, stamp = told[8], told[9:12], struct.unpack("!I", told[12:16])[0]
        assert told[:8] == CLIENT and version == 1 and reserved == bytes(3)
        assert abs(stamp - time.time()) < 60

    @pytest.mark.parametrize("protocol", PROTOCOLS)
    def test_9018_4_3_a_fresh_one_is_given_back(self, plain, connect, protocol):
        client = connect(plain, protocol)
        told = cookie_of(client.ask(with_cookie(CLIENT)))
        before = counted(plain, cookie="fresh")
        assert cookie_of(client.ask(with_cookie(told))) == told
        assert counted(plain, cookie="fresh") == before + 1

    @pytest.mark.parametrize("length", [0, 1, 7, 9, 15, 41, 100])
    @pytest.mark.parametrize("protocol", PROTOCOLS)
    def test_7873_5_2_2_other_lengths(self, plain, connect, protocol, length):
        answer = connect(plain, protocol).ask(with_cookie(bytes(length)))
        assert answer.rcode == w.FORMERR and answer.option(w.COOKIE) is None and answer.opt

    @pytest.mark.parametrize("length", [16, 23, 24, 25, 40])
    def test_7873_5_2_4_a_wrong_one_is_answered_and_replaced(self, plain, connect, length):
        shown = CLIENT + bytes(length - 8)
        answer = connect(plain, "udp").ask(with_cookie(shown))
        assert answer.rcode == w.NOERROR and answer.answer
        assert cookie_of(answer)[:8] == CLIENT and cookie_of(answer) != shown

    def test_it_is_good_from_its_own_address_alone(self, plain, connect):
        told = cookie_of(connect(plain, "udp", source="127.0.3.1").ask(with_cookie(CLIENT)))
        other = connect(plain, "udp", source="127.0.3.2").ask(with_cookie(told))
        assert cookie_of(other) != told
        again = connect(plain, "tcp", source="127.0.3.1").ask(with_cookie(told))
        assert cookie_of(again) == told

    def test_7873_5_2_the_first_of_two_counts(self, plain, connect):
        two = w.option(w.COOKIE, CLIENT) + w.option(w.COOKIE, b"x")
        answer = connect(plain, "udp").ask(w.query("ok.two.test", edns=w.opt(options=two)))
        assert answer.rcode == w.NOERROR and cookie_of(answer)[:8] == CLIENT

    def test_whoever_has_none_gets_none(self, plain, connect):
        answer = connect(plain, "udp").ask(w.query("ok.none.test", edns=w.opt()))
        assert answer.rcode == w.NOERROR and answer.option(w.COOKIE) is None

    def test_it_survives_a_wait_and_a_failure(self, plain, connect):
        answer = connect(plain, "udp").ask(with_cookie(CLIENT, "servfail.cookie.test"))
        assert answer.rcode == w.SERVFAIL and cookie_of(answer)[:8] == CLIENT

    @pytest.mark.parametrize("size", [512, 600, 1232])
    def test_it_fits_beside_many_records(self, plain, connect, size):
        edns = w.opt(size=size, options=w.option(w.COOKIE, CLIENT))
        client = connect(plain, "udp")
        client.send(w.query("many.cookie.test", edns=edns))
        reply = client.receive()
        assert len(reply) <= size and cookie_of(w.Message(reply))

    def test_it_goes_nowhere_else(self, plain, connect, scripted):
        connect(plain, "udp").ask(with_cookie(CLIENT, "ok.upstream.cookie.test"))
        asked = scripted.asked_for("ok.upstream.cookie.test")
        assert asked and not any(CLIENT in question.wire for question in asked)


class TestWithoutAQuestion:
    """RFC 7873 5.4: a client asks for a cookie, or whether its own is good."""

    @pytest.mark.parametrize("protocol", PROTOCOLS)
    def test_states(self, plain, connect, protocol):
        client = connect(plain, protocol)
        first = client.ask(no_question(CLIENT))
        told = cookie_of(first)
        assert (first.rcode, first.counts[:3]) == (w.NOERROR, [0, 0, 0]) and first.id == 7
        assert told[:8] == CLIENT
        again = client.ask(no_question(told))
        assert again.rcode == w.NOERROR and cookie_of(again) == told
        wrong = client.ask(no_question(told[:-1] + bytes([told[-1] ^ 1])))
        assert wrong.rcode == BADCOOKIE and cookie_of(wrong)[:8] == CLIENT
        assert client.ask(no_question(bytes(9))).rcode == w.FORMERR

    def test_without_a_cookie_too(self, plain, connect):
        answer = connect(plain, "udp").ask(w.header(counts=(0, 0, 0, 1)) + w.opt())
        assert answer.rcode == w.FORMERR


FIRST, SECOND, THIRD = "11" * 16, "22" * 16, "33" * 16


class TestSecrets:
    @pytest.fixture
    def start(self, maker, scripted_session, tmp_path):
        def begin(*secrets, file="secrets"):
            settings = maker.settings(scripted=scripted_session)
            path = tmp_path / file
            path.write_text("".join(secret + "\n" for secret in secrets))
            settings["dns_cookies"] = {"secret_file": str(path)}
            namegate = maker.start(settings)
            namegate.secrets = path
            return namegate

        return begin

    def cookie(self, connect, namegate, shown=CLIENT):
        return cookie_of(connect(namegate, "udp").ask(with_cookie(shown)))

    def test_two_programs_take_each_others(self, start, connect):
        one, other = start(FIRST, file="one"), start(FIRST, file="other")
        told = self.cookie(connect, one)
        assert self.cookie(connect, other, told) == told

    def test_rotation(self, start, connect):
        """RFC 7873 7.1: the new secret is known everywhere before anybody makes cookies with it,
        the old one as long as its cookies are good."""
        namegate = start(FIRST, SECOND)
        first = self.cookie(connect, namegate)
        namegate.secrets.write_text("# turned round\n%s\n%s\n" % (SECOND, FIRST))
        namegate.reload()
        before = counted(namegate, cookie="old")
        second = self.cookie(connect, namegate, first)
        assert second != first and counted(namegate, cookie="old") == before + 1
        assert self.cookie(connect, namegate, second) == second
        namegate.secrets.write_text("%s\n%s\n" % (SECOND, THIRD))
        namegate.reload()
        assert self.cookie(connect, namegate, second) == second
        before = counted(namegate, cookie="invalid")
        self.cookie(connect, namegate, first)
        assert counted(namegate, cookie="invalid") == before + 1

    def test_a_broken_file_changes_nothing(self, start, connect):
        namegate = start(FIRST)
        told = self.cookie(connect, namegate)
        namegate.secrets.write_text(FIRST + "\nhalf\n")
        assert not namegate.hup() and "secrets:2: " in namegate.stderr
        assert self.cookie(connect, namegate, told) == told
        namegate.secrets.unlink()
        assert not namegate.hup() and "dns_cookies.secret_file" in namegate.stderr
        assert self.cookie(connect, namegate, told) == told

    def test_without_a_file_a_reload_keeps_the_secret(self, maker, scripted_session, connect):
        settings = maker.settings(scripted=scripted_session)
        namegate = maker.start(settings)
        told = self.cookie(connect, namegate)
        namegate.reload(settings)
        assert self.cookie(connect, namegate, told) == told

    def test_switched_off(self, maker, scripted_session, connect):
        settings = maker.settings(scripted=scripted_session)
        settings["dns_cookies"] = {"enabled": False}
        client = connect(maker.start(settings), "udp")
        for value in (CLIENT, bytes(3)):
            answer = client.ask(with_cookie(value))
            assert answer.rcode == w.NOERROR and answer.option(w.COOKIE) is None
        assert client.ask(no_question(CLIENT)).rcode == w.FORMERR


class TestClients:
    def test_dig(self, plain):
        assert "; COOKIE: " in dig(plain, "ok.dig.test", "+cookie")
        told = next(line for line in dig(plain, "ok.dig.test").splitlines() if "COOKIE" in line)
        cookie = told.split()[2]
        assert told.endswith("(good)") and len(cookie) == 48
        assert "(good)" in dig(plain, "ok.dig.test", "+cookie=" + cookie)

    def test_kdig(self, plain):
        assert "COOKIE: " in kdig(plain, "ok.kdig.test", "+cookie", protocol="udp")

    def test_dig_without_a_question(self, plain):
        out = dig(plain, "+header-only", "+cookie", "+noedns", "+edns")
        assert "NOERROR" in out and "(good)" in out

    def test_bind_in_front_of_us(self, plain, tmp_path):
        """named sends cookies to those it forwards to, and notes theirs."""
        port = Ports.take()
        config = tmp_path / "named.conf"
        config.write_text(
            'options { directory "%s"; listen-on port %d { 127.0.0.1; }; listen-on-v6 { none; };'
            " forwarders port %d { 127.0.0.1; }; forward only; dnssec-validation no;"
            ' pid-file none; session-keyfile none; require-server-cookie no; };\n'
            "controls { };\n" % (tmp_path, port, plain.ports["dns"])
        )
        fresh = counted(plain, cookie="fresh")
        named = subprocess.Popen(
            ["named", "-g", "-n", "1", "-c", str(config)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "LC_ALL": "C"},
        )
        answers = []
        deadline = time.monotonic() + 20
        try:
            while len(answers) < 3 and time.monotonic() < deadline:
                name = "ok.n%d.bind.test" % len(answers)
                out = run("dig", "@127.0.0.1", "-p", port, "+tries=1", "+time=2", name, check=False)
                if "status: NOERROR" in out.stdout:
                    answers.append(out)
                else:
                    time.sleep(0.1)
        finally:
            named.terminate()
            named.wait(10)
        assert len(answers) == 3
        assert counted(plain, cookie="fresh") > fresh
