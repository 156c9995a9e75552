"""What a view promises beside its rules: how much a client may ask, what the log tells of it, and
what it gets when something fails. Each view here is a DoH path, so that one client is in all."""

import os
import re
import signal
import time

import pytest

import dns_wire as w
from config_text import group, rule
from program import Ports
from scripted_dns import ScriptedDns

OTHER, STALE_ANSWER, NOT_READY, PROHIBITED = 0, 3, 14, 18  # RFC 8914 4
NO_REACHABLE_AUTHORITY, NETWORK_ERROR = 22, 23
EDNS = w.opt()


def ask(client, view, name, qtype=w.A):
    response = client.wait(client.post(w.query(name, qtype, edns=EDNS), path="/dns-query/" + view))
    assert response.status == 200
    return response.message


def views_by_path(settings, **views):
    settings["allow_open_resolver"] = True
    settings["views"] += [{"name": name, "paths": [name], **more} for name, more in views.items()]
    return settings


def failures(namegate, **labels):
    return namegate.metrics().sum("namegate_view_failures_total", **labels)


class TestRateLimit:
    BURST = 5

    @pytest.fixture(scope="class")
    def limited(self, shared_maker, scripted_session):
        settings = shared_maker.settings(scripted=scripted_session)
        limit = {"queries_per_second": 1, "burst": self.BURST}
        settings["views"][0]["rate_limit"] = limit
        views_by_path(settings, dry={"rate_limit": {**limit, "dry_run": True}}, free={})
        return shared_maker.start(settings)

    def flood(self, asks):
        """Results of 20 questions, and how many at least and at most must be within the limit."""
        began = time.monotonic()
        results = [asks(number) for number in range(20)]
        return results, self.BURST, self.BURST + int(time.monotonic() - began) + 1

    @pytest.mark.parametrize("protocol,source", [("tcp", "127.0.1.1"), ("dot", "127.0.1.2")])
    def test_streams(self, limited, connect, protocol, source):
        client = connect(limited, protocol, source=source)
        results, least, most = self.flood(
            lambda n: client.ask(w.query("ok.n%d.%s.limit.test" % (n, protocol), edns=EDNS))
        )
        good = [a for a in results if a.rcode == w.NOERROR]
        assert least <= len(good) <= most
        for answer in results:
            assert answer in good or (answer.rcode, answer.ede_code) == (w.REFUSED, PROHIBITED)
        line = limited.wait_log("ok.n%d.%s.limit.test" % (results.index(good[0]), protocol))[0]
        assert "rate_limited" not in line["ext"]
        refused = next(n for n, a in enumerate(results) if a.rcode == w.REFUSED)
        line = limited.wait_log("ok.n%d.%s.limit.test" % (refused, protocol))[0]
        assert line["ext"]["rate_limited"] is True and line["ext"]["view"] == "lan"
        assert "action" not in line["ext"] and "reason" not in line["ext"]

    def test_datagrams(self, limited, connect):
        """Every other one gets a truncated answer without records, the others nothing."""
        client = connect(limited, "udp", source="127.0.1.3")
        for number in range(20):
            client.send(w.query("ok.n%d.udp.limit.test" % number, id=number, edns=EDNS))
        limited.wait_log("ok.n19.udp.limit.test")
        answers = []
        while True:
            reply = client.receive(1)
            if reply is None:
                break
            answers.append(w.Message(reply))
        good = [a for a in answers if not a.truncated]
        cut = [a for a in answers if a.truncated]
        assert self.BURST <= len(good) <= self.BURST + 2
        assert all(not a.answer and a.rcode == w.NOERROR for a in cut)
        assert abs(len(cut) - (20 - len(good)) / 2) <= 1
        assert limited.metrics().sum(
            "namegate_rate_limited_total", view="lan", result="silent"
        ) == limited.metrics().sum("namegate_dropped_total", reason="rate_limited")
        # Who is there comes back over TCP, also when all of that was forged in its name.
        stream = connect(limited, "tcp", source="127.0.1.3")
        assert stream.ask(w.query("ok.back.udp.limit.test", edns=EDNS)).rcode == w.NOERROR

    def test_dry_run(self, limited, connect):
        client = connect(limited, "doh", source="127.0.1.4")
        results, least, most = self.flood(lambda n: ask(client, "dry", "ok.n%d.dry.test" % n).rcode)
        assert set(results) == {w.NOERROR}
        flags = [
            limited.wait_log("ok.n%d.dry.test" % n)[0]["ext"].get("rate_limited", False)
            for n in range(20)
        ]
        assert least <= flags.count(False) <= most
        counted = limited.metrics().sum(
            "namegate_rate_limited_total", view="dry", result="dry_run"
        )
        assert counted == flags.count(True)

    def test_without(self, limited, connect):
        client = connect(limited, "doh", source="127.0.1.5")
        results, _, _ = self.flood(lambda n: ask(client, "free", "ok.n%d.free.test" % n).rcode)
        assert set(results) == {w.NOERROR}


class TestLogClients:
    MODES = ("full", "truncated", "hashed", "omitted")

    def settings(self, maker, scripted, **query_log):
        settings = views_by_path(
            maker.settings(scripted=scripted), **{m: {"log_clients": m} for m in self.MODES}
        )
        settings["query_log"].update(query_log)
        return settings

    def line(self, namegate, client, view, when="first"):
        name = "ok.%s.%s.clients.test" % (when, view)
        assert ask(client, view, name).rcode == w.NOERROR
        return namegate.wait_log(name)[-1]

    def test_modes(self, maker, tmp_path, scripted_session, connect):
        (tmp_path / "the-key").write_bytes(bytes(range(32)))
        namegate = maker.start(
            self.settings(maker, scripted_session, hash_key_file=str(tmp_path / "the-key"))
        )
        client = connect(namegate, "doh", source="127.0.2.77")
        lines = {mode: self.line(namegate, client, mode) for mode in self.MODES}
        told = {m: (line["srcaddr"], line["srcport"]) for m, line in lines.items()}
        assert told["full"] == ("127.0.2.77", str(client.socket.getsockname()[1]))
        assert told["truncated"] == ("127.0.2.0", "")
        assert re.fullmatch("[0-9a-f]{16}", told["hashed"][0]) and told["hashed"][1] == ""
        assert told["omitted"] == ("", "")
        ids = {m: line["ext"].get("client_id") for m, line in lines.items()}
        assert ids["full"] == "full" and ids["truncated"] is None and ids["omitted"] is None
        assert re.fullmatch("[0-9a-f]{16}", ids["hashed"])
        assert all(line["ext"]["client_by"] == "path" for line in lines.values())
        # The same key gives the same word after a restart; another client has another word.
        namegate.stop()
        namegate.start()
        client = connect(namegate, "doh", source="127.0.2.77")
        assert self.line(namegate, client, "hashed", "second")["srcaddr"] == told["hashed"][0]
        client = connect(namegate, "doh", source="127.0.2.78")
        assert self.line(namegate, client, "hashed", "third")["srcaddr"] != told["hashed"][0]

    def test_nobodys_client(self, maker, scripted_session, connect):
        """Whom no view claims is told of as by the view that tells least."""
        namegate = maker.start(self.settings(maker, scripted_session))
        client = connect(namegate, "doh")
        response = client.wait(
            client.post(w.query("ok.nobody.test", edns=EDNS), path="/dns-query/nobody")
        )
        assert response.status == 404
        line = namegate.wait_log("ok.nobody.test")[0]
        assert line["srcaddr"] == "" and line["srcport"] == ""

    @pytest.mark.parametrize("size", [None, 15])
    def test_bad_key(self, maker, tmp_path, scripted_session, size):
        if size:
            (tmp_path / "the-key").write_bytes(b"x" * size)
        namegate = maker.prepare(
            self.settings(maker, scripted_session, hash_key_file=str(tmp_path / "the-key"))
        )
        namegate.start(wait=None)
        assert namegate.process.wait(20) != 0
        assert "hash_key_file" in namegate.stderr
        namegate.stop()


class TestFailures:
    def test_lists_not_ready(self, maker, scripted_session, connect):
        settings = views_by_path(
            maker.settings(scripted=scripted_session),
            shut={"on_failure": {"lists_not_ready": "closed"}},
            open={"on_failure": {"lists_not_ready": "open"}},
        )
        settings["domain_lists"] = [
            {"name": "gone", "file": "gone", "format": "domains"}
        ]
        blocks = rule("r", "BLOCK", "gone", block_response="NXDOMAIN")
        settings["rule_groups"] = [group("g", blocks)]
        for view in settings["views"][1:]:
            view["associations"] = [{"rule_group": "g", "priority": 1}]
        namegate = maker.prepare(settings)
        namegate.start(wait="live")
        client = connect(namegate, "doh")
        shut = ask(client, "shut", "ok.shut.test")
        assert (shut.rcode, shut.ede_code) == (w.SERVFAIL, NOT_READY)
        assert ask(client, "open", "ok.open.test").rcode == w.NOERROR
        for view, result in (("shut", "closed"), ("open", "open")):
            labels = {"view": view, "failure": "lists_not_ready"}
            assert failures(namegate, result=result, **labels) == 1
            assert failures(namegate, **labels) == 1

    def test_upstreams_down(self, maker, connect):
        port = Ports.take()
        settings = views_by_path(
            maker.settings(scripted=port),
            shut={"on_failure": {"upstreams_down": "closed"}},
            old={"on_failure": {"upstreams_down": "stale"}},
        )
        namegate = maker.start(settings)
        client = connect(namegate, "doh")
        with ScriptedDns(port):
            assert ask(client, "old", "ttl-1.kept.test").rcode == w.NOERROR
        time.sleep(2.1)
        shut = ask(client, "shut", "ttl-1.kept.test")
        assert shut.rcode == w.SERVFAIL and shut.ede_code is not None
        old = ask(client, "old", "ttl-1.kept.test")
        assert old.rcode == w.NOERROR and old.addresses and old.ede_code == STALE_ANSWER
        never = ask(client, "old", "ok.never.test")
        assert never.rcode == w.SERVFAIL
        assert never.ede_code in (NO_REACHABLE_AUTHORITY, NETWORK_ERROR)
        labels = {"failure": "upstreams_down"}
        assert failures(namegate, view="shut", result="closed", **labels) == 1
        assert failures(namegate, view="shut", result="stale", **labels) == 0
        assert failures(namegate, view="old", result="closed", **labels) == 1

    def test_over_capacity(self, maker, scripted_session, connect):
        settings = views_by_path(maker.settings(scripted=scripted_session), shut={})
        settings["limits"] = {"queries": 1}
        settings["workers"] = 1
        namegate = maker.start(settings)
        client = connect(namegate, "doh")
        waiting = client.post(w.query("silent.full.test", edns=EDNS), path="/dns-query/shut")
        answer = ask(client, "shut", "ok.full.test")
        assert (answer.rcode, answer.ede_code) == (w.SERVFAIL, OTHER)
        assert failures(namegate, view="shut", failure="over_capacity", result="closed") == 1
        client.wait(waiting, timeout=30)

    def test_log_blocked(self, maker, scripted_session, connect):
        """A disk that is full, and then is not."""
        settings = views_by_path(
            maker.settings(scripted=scripted_session),
            shut={"on_failure": {"log_blocked": "closed"}},
            open={"on_failure": {"log_blocked": "open"}},
        )
        namegate = maker.prepare(settings)
        os.symlink("/dev/full", namegate.log_file)
        namegate.start()
        client = connect(namegate, "doh")

        def rcode(view):
            return ask(client, view, "ok.%s.blocked.test" % view).rcode

        namegate.wait_for(lambda: rcode("shut") == w.SERVFAIL, "SERVFAIL", 20)
        assert rcode("shut") == w.SERVFAIL and rcode("open") == w.NOERROR
        assert failures(namegate, view="shut", failure="log_blocked", result="closed") >= 2
        assert failures(namegate, view="open") == 0
        namegate.log_file.unlink()
        namegate.log_file.write_text("")
        namegate.signal(signal.SIGUSR1)
        namegate.wait_for(lambda: rcode("shut") == w.NOERROR, "an answer", 20)
