"""The command line: check, explain, version, usage; what they say and how they exit."""

import re
import stat

import pytest

from config_text import config_text, inline, rule
from program import EX_CONFIG, run_command, running, with_rules


@pytest.fixture
def config(maker):
    """A configuration that is fine, and a way to spoil it: config(change) gives the file."""
    settings = maker.settings(scripted=5300)
    lists = [
        inline("ours", "*.corp.test", "corp.test"),
        inline("bad", "*.bad.test", "bad.test"),
        inline("watched", "*.test"),
        inline("six", "*.six.test"),
    ]
    rules = [
        rule("watch", "MONITOR", "watched"),
        rule("ours", "ALLOW", "ours", redirection="TRUST"),
        rule("no-bad", "BLOCK", "bad", block_response="NXDOMAIN"),
        rule("no-six", "BLOCK", "six", block_response="NODATA", query_type="AAAA"),
    ]
    with_rules(settings, lists, rules, "baseline")
    settings["views"].append({"name": "guests", "clients": ["10.9.0.0/16"]})

    def write(change=lambda settings: None, text=lambda text: text):
        change(settings)
        path = maker.directory / "namegate.conf"
        path.write_text(text(config_text(settings)))
        return str(path)

    return write


def line_of(path, word):
    for number, line in enumerate(open(path), 1):
        if word in line:
            return number
    raise AssertionError(word)


@pytest.mark.quick
class TestCheck:
    def test_good(self, config):
        done = run_command("check", "-c", config())
        assert done.returncode == 0, done.stderr

    def test_touches_nothing(self, config, maker):
        """No port is opened, no file is written."""
        path = config()
        before = sorted(maker.directory.rglob("*"))
        assert run_command("check", "-c", path).returncode == 0
        assert sorted(maker.directory.rglob("*")) == before

    SPOILED = {
        "unknown-key": (lambda s: s.update(workerz=1), "workerz", "workers"),
        "unknown-key-inside": (
            lambda s: s["views"][0].update(default_actoin="BLOCK"),
            "default_actoin",
            "default_action",
        ),
        "unknown-action": (
            lambda s: s["rule_groups"][0]["rules"][0].update(action="BLOK"),
            "BLOK",
            "BLOCK",
        ),
        "unknown-list": (
            lambda s: s["rule_groups"][0]["rules"][0].update(domain_list="badd"),
            "badd",
            "bad",
        ),
        "unknown-group": (
            lambda s: s["views"][0]["associations"][0].update(rule_group="baselin"),
            "baselin",
            "baseline",
        ),
        "wrong-type": (lambda s: s.update(workers="many"), "workers", ""),
        "number-out-of-range": (lambda s: s["admin"].update(port=70000), "70000", ""),
        "duration-without-unit": (
            lambda s: s.update(limits={"idle_timeout": "15"}),
            "idle_timeout",
            "",
        ),
        "bad-network": (
            lambda s: s["views"][0].update(clients=["10.0.0.0/33"]),
            "10.0.0.0/33",
            "",
        ),
        "bad-address": (
            lambda s: s["upstreams"][0].update(address="not-an-address"),
            "not-an-address",
            "",
        ),
        "same-priority-twice": (
            lambda s: s["rule_groups"][0]["rules"][1].update(priority=10),
            "priority",
            "",
        ),
        "same-list-name-twice": (
            lambda s: s["domain_lists"].append(inline("bad", "x.test")),
            "bad",
            "",
        ),
        "override-without-domain": (
            lambda s: s["rule_groups"][0]["rules"][2].update(block_response="OVERRIDE"),
            "override_domain",
            "",
        ),
        "views-that-tie": (
            lambda s: s["views"].append({"name": "twin", "clients": ["127.0.0.0/8"]}),
            "views[2]",
            "lan",
        ),
    }

    @pytest.mark.parametrize("row", SPOILED)
    def test_spoiled(self, config, row):
        """Exit 78; file, line, the word that was wrong and, where there is one, the right one."""
        change, word, hint = self.SPOILED[row]
        path = config(change)
        done = run_command("check", "-c", path)
        assert done.returncode == EX_CONFIG
        assert re.search(re.escape(path) + r":\d+: ", done.stderr), done.stderr
        assert word in done.stderr and hint in done.stderr

    def test_all_errors_are_shown(self, config):
        def spoil(settings):
            settings["workerz"] = 1
            settings["views"][0]["fail_mode"] = "sideways"
            settings["rule_groups"][0]["rules"][2]["action"] = "BLOK"

        path = config(spoil)
        done = run_command("check", "-c", path)
        assert done.returncode == EX_CONFIG
        for word in ("workerz", "sideways", "BLOK"):
            line = line_of(path, word)
            assert any(
                "%s:%d: " % (path, line) in said and word in said
                for said in done.stderr.splitlines()
            ), (word, done.stderr)

    def test_syntax_error(self, config):
        path = config(text=lambda text: text + "\nviews = = 3;\n")
        done = run_command("check", "-c", path)
        assert done.returncode == EX_CONFIG and path + ":" in done.stderr

    def test_open_resolver_is_refused(self, config):
        """A view for everybody on an address that everybody reaches needs a word of its own."""

        def spoil(settings):
            del settings["views"][0]["clients"]
            settings["listeners"][2]["address"] = "0.0.0.0"

        done = run_command("check", "-c", config(spoil))
        assert done.returncode == EX_CONFIG and "allow_open_resolver" in done.stderr
        done = run_command("check", "-c", config(lambda s: s.update(allow_open_resolver=True)))
        assert done.returncode == 0, done.stderr

    def test_bad_line_of_a_list_is_told_but_no_error(self, config, maker):
        (maker.directory / "x.hosts").write_text("0.0.0.0 fine.test\n0.0.0.0 not..a..name\n")
        path = config(
            lambda s: s["domain_lists"].append({"name": "x", "file": "x.hosts", "format": "hosts"})
        )
        done = run_command("check", "-c", path)
        assert done.returncode == 0
        assert "x.hosts:2" in done.stdout + done.stderr

    @pytest.mark.parametrize(
        "missing", ("certificate", "key"), ids=("certificate", "key")
    )
    def test_missing_file(self, config, missing):
        path = config(lambda s: s["tls"].update({missing: "no-such.pem"}))
        done = run_command("check", "-c", path)
        assert done.returncode == EX_CONFIG and "no-such.pem" in done.stderr

    def test_missing_configuration(self, tmp_path):
        done = run_command("check", "-c", str(tmp_path / "none.conf"))
        assert done.returncode == EX_CONFIG and "none.conf" in done.stderr

    def test_run_refuses_what_check_refuses(self, config):
        done = run_command("run", "-c", config(lambda s: s.update(workerz=1)))
        assert done.returncode == EX_CONFIG and "workerz" in done.stderr


@pytest.mark.quick
class TestExplain:
    def explain(self, config, *arguments):
        done = run_command("explain", "-c", config(), *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def test_blocked(self, config):
        """View, group, rule, list and entry, and what a client would see."""
        out = self.explain(config, "www.bad.test", "--client", "127.0.0.1")
        for word in ("lan", "baseline", "no-bad", "*.bad.test", "BLOCK", "NXDOMAIN", "watch"):
            assert word in out

    def test_allowed(self, config):
        out = self.explain(config, "www.corp.test", "--view", "lan")
        assert "ALLOW" in out and "ours" in out and "trust" in out

    def test_no_match(self, config):
        out = self.explain(config, "www.else.example", "--view", "lan")
        assert out.startswith("verdict ALLOW, no rule matches")

    def test_other_view(self, config):
        out = self.explain(config, "www.bad.test", "--client", "10.9.1.1")
        assert "guests" in out and "no-bad" not in out

    def test_unclaimed_client(self, config):
        done = run_command("explain", "-c", config(), "www.bad.test", "--client", "192.0.2.1")
        assert "REFUSED" in done.stdout + done.stderr

    @pytest.mark.parametrize(
        "qtype, verdict", (("AAAA", "BLOCK"), ("A", "ALLOW"), ("TYPE28", "BLOCK"))
    )
    def test_type(self, config, qtype, verdict):
        out = self.explain(config, "www.six.test", "--view", "lan", "--type", qtype)
        assert "verdict %s" % verdict in out

    @pytest.mark.parametrize(
        "option", (("--type", "NOTYPE"), ("--client", "not-an-address"), ("--client", "10.0.0.0/8"))
    )
    def test_bad_option(self, config, option):
        done = run_command("explain", "-c", config(), "www.bad.test", *option)
        assert done.returncode == 2 and option[1] in done.stderr

    @pytest.mark.parametrize("name", ("a..b", "x" * 64 + ".test", "*.bad..test"))
    def test_bad_name(self, config, name):
        assert run_command("explain", "-c", config(), name, "--view", "lan").returncode == 2

    def test_unknown_view(self, config):
        done = run_command("explain", "-c", config(), "www.bad.test", "--view", "nobody")
        assert done.returncode == 2 and "nobody" in done.stderr


class TestControlSocket:
    """What changes or reveals goes through a UNIX socket that only we and root may use."""

    def start(self, maker, **how):
        settings = maker.settings(scripted=5300)
        settings["control_socket"] = "control.sock"
        return maker.start(settings, **how)

    def flush(self, namegate, *arguments):
        return run_command("flush", "-c", str(namegate.config), *arguments)

    def test_comes_and_goes(self, maker):
        namegate = self.start(maker, wait="live")
        path = namegate.directory / "control.sock"
        assert stat.S_ISSOCK(path.stat().st_mode) and path.stat().st_mode & 0o777 == 0o600
        assert namegate.stop() == 0
        assert not path.exists()
        done = self.flush(namegate, "--all")
        assert done.returncode == 1 and "nobody listens" in done.stderr

    def test_stale_socket_is_replaced(self, maker):
        namegate = self.start(maker, wait="live")
        namegate.process.kill()
        namegate.process.wait()
        running.remove(namegate)
        assert (namegate.directory / "control.sock").exists()
        assert "nobody listens" in self.flush(namegate, "--all").stderr
        namegate.start(wait="live")

    def test_live_socket_is_an_error(self, maker):
        namegate = self.start(maker, wait="live")
        settings = maker.settings(scripted=5300)
        settings["control_socket"] = str(namegate.directory / "control.sock")
        path = maker.directory / "namegate.conf"
        path.write_text(config_text(settings))
        done = run_command("run", "-c", str(path))
        assert done.returncode == 1 and "another process listens there" in done.stderr
        assert (namegate.directory / "control.sock").exists()

    def test_directory_must_exist(self, maker):
        settings = maker.settings(scripted=5300)
        settings["control_socket"] = "none/control.sock"
        path = maker.directory / "namegate.conf"
        path.write_text(config_text(settings))
        done = run_command("run", "-c", str(path))
        assert done.returncode == 1 and "none/control.sock" in done.stderr

    def test_not_configured(self, config):
        done = run_command("flush", "-c", config(), "--all")
        assert done.returncode == 1 and "control_socket" in done.stderr

    def test_bad_name(self, config):
        done = run_command("flush", "-c", config(), "a..b")
        assert done.returncode == 2 and "a..b" in done.stderr


    @pytest.mark.parametrize(
        "arguments, word",
        (
            ((), "-c FILE"),
            (("-c", "x", "refetch"), "refetch"),
            (("-c", "x", "accept"), "one NAME"),
            (("-c", "x", "accept", "a", "b"), "one NAME"),
            (("-c", "x", "accept", ""), "name of a list"),
            (("-c", "x", "refresh", "a", "b"), "one NAME"),
            (("-c", "x", "--json", "refresh"), "--json"),
            (("-c", "x", "--yaml"), "--yaml"),
        ),
    )
    def test_usage_of_lists(self, arguments, word):
        done = run_command("lists", *arguments)
        assert done.returncode == 2 and word in done.stderr and done.stdout == ""

    def test_lists_of_nobody(self, config):
        done = run_command("lists", "-c", config())
        assert done.returncode == 1 and "control_socket" in done.stderr
        path = config(lambda s: s.update(control_socket="control.sock"))
        done = run_command("lists", "-c", path, "refresh")
        assert done.returncode == 1 and "nobody listens" in done.stderr

    def test_lists_without_that_name(self, maker):
        namegate = self.start(maker, wait="live")
        for order in ("refresh", "accept"):
            done = run_command("lists", "-c", str(namegate.config), order, "no such list")
            assert done.returncode == 1 and done.stdout == ""
            assert done.stderr.startswith("namegate: ")


@pytest.mark.quick
class TestVersion:
    @pytest.mark.parametrize(
        "word", ("namegate 0.1", "libuv", "nghttp2", "OpenSSL", "cares", "libconfig")
    )
    def test_libraries(self, word):
        done = run_command("version")
        assert done.returncode == 0 and word.lower() in done.stdout.lower()


@pytest.mark.quick
@pytest.mark.parametrize(
    "arguments",
    (
        (),
        ("dance",),
        ("run",),
        ("run", "-c"),
        ("run", "--config-file", "x"),
        ("check",),
        ("check", "-c", "x", "extra"),
        ("explain", "-c", "x"),
        ("explain", "-c", "x", "name", "--type"),
        ("flush", "-c", "x"),
        ("flush", "name"),
        ("flush", "-c", "x", "name", "another"),
        ("flush", "-c", "x", "name", "--all"),
        ("flush", "-c", "x", "--all", "--below"),
        ("flush", "-c", "x", "name", "--under"),
        ("version", "extra"),
    ),
    ids=" ".join,
)
def test_usage(arguments):
    done = run_command(*arguments)
    assert done.returncode == 2
    assert done.stderr and not done.stdout


def test_help():
    done = run_command("--help")
    assert done.returncode == 0
    for verb in ("run", "check", "explain", "flush", "version"):
        assert verb in done.stdout
