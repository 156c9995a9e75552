"""What the program gives up: another user than root, capabilities, system calls, files; and that it
works with as little as a service manager gives it."""

import copy
import errno
import os
import re
import shutil
import signal
import socket
import tempfile
from pathlib import Path

import pytest

import certificates as certs
import dns_wire as w
from config_text import rule
from list_server import HOST, ListServer
from namespace import Namespace
from program import BINARY, EX_CONFIG, Ports, run_command, with_rules
from tools import run

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root has something to give up")

HERE = Path(__file__).parent
USER, UID, GID = "nobody", 65534, 65534
BIND = 1 << 10  # CAP_NET_BIND_SERVICE
FETCH = Path(BINARY).parent / "namegate-fetch"
SANITIZED = any(word in Path(BINARY).read_bytes() for word in (b"__asan_init", b"__tsan_init"))
NO_CAPABILITY = ("CapInh", "CapPrm", "CapEff", "CapAmb")


def others_reach(path):
    return all(parent.stat().st_mode & 0o001 for parent in Path(path).resolve().parents)


@pytest.fixture
def home(certificates):
    """A place that other users can reach, with a certificate that ours may read."""
    home = Path(tempfile.mkdtemp(prefix="rights.", dir="/tmp"))
    home.chmod(0o755)
    for name, mode in (("certificate", 0o644), ("key", 0o400), ("ca", 0o644)):
        shutil.copy(getattr(certificates, name), home / (name + ".pem"))
        (home / (name + ".pem")).chmod(mode)
        os.chown(home / (name + ".pem"), UID, GID)
    (home / "run").mkdir()
    os.chown(home / "run", UID, GID)
    yield home
    shutil.rmtree(home)


@pytest.fixture
def prepare(home, maker, scripted):
    """Settings for a program that becomes USER; what they say more goes over them."""

    def prepare(**more):
        settings = maker.settings(scripted=scripted)
        settings["tls"] = {
            "certificate": str(home / "certificate.pem"),
            "key": str(home / "key.pem"),
        }
        settings["query_log"]["file"] = str(home / "query.jsonl")
        settings["control_socket"] = str(home / "run/control.sock")
        settings["state_directory"] = str(home / "state")
        settings["user"] = USER
        settings.update(more)
        given = {key: value for key, value in settings.items() if value is not None}
        namegate = maker.prepare(given)
        namegate.directory = home
        namegate.config = home / "namegate.conf"
        namegate.log_file = home / "query.jsonl"
        return namegate

    return prepare


def threads(pid):
    """What /proc/PID/task/*/status says, one dictionary a thread."""
    found = []
    for task in Path("/proc/%d/task" % pid).iterdir():
        lines = (task / "status").read_text().splitlines()
        pairs = (line.partition(":") for line in lines)
        found.append({key: value.strip() for key, _, value in pairs})
    return found


def check_given_up(pid, uid=UID, bounding=0):
    found = threads(pid)
    assert len(found) > 2
    for status in found:
        assert status["Uid"].split() == [str(uid)] * 4, status
        assert status["Gid"].split() == [str(GID)] * 4, status
        assert "0" not in status["Groups"].split(), status
        for word in NO_CAPABILITY:
            assert int(status[word], 16) == 0, (word, status)
        assert int(status["CapBnd"], 16) & ~bounding == 0, status
        assert status["NoNewPrivs"] == "1", status
        assert status["Seccomp"] == ("0" if SANITIZED else "2"), status
    limits = Path("/proc/%d/limits" % pid).read_text()
    core = re.search(r"^Max core file size +(\S+) +(\S+)", limits, re.M)
    assert SANITIZED or core.groups() == ("0", "0")


def words(namegate):
    """The rights as /version says them."""
    line = re.search(r"^rights (.*)$", namegate.admin("/version")[1], re.M)
    return dict(word.split("=") for word in line[1].split())


# ---- another user ----


def test_root_becomes_a_user(prepare, connect, home):
    namegate = prepare().start()
    check_given_up(namegate.pid)
    for protocol in ("udp", "tcp", "dot", "doh"):
        assert connect(namegate, protocol).ask(w.query("ok.web.test")).rcode == w.NOERROR
    assert namegate.hup()
    assert connect(namegate, "doh").ask(w.query("ok.again.test")).rcode == w.NOERROR
    assert namegate.wait_log("ok.again.test")
    for path in (home / "state", home / "state/revisions", home / "query.jsonl"):
        assert (path.stat().st_uid, path.stat().st_gid) == (UID, GID), path
    # The control socket is ours and root's.
    told = run_command("revisions", "-c", str(namegate.config))
    assert told.returncode == 0, told.stderr
    assert namegate.metrics().sum("process_open_fds") > 5  # it may still look at itself
    check_given_up(namegate.pid)
    assert namegate.stop() == 0
    assert namegate.start().stop() == 0  # with what the first one left


def test_it_says_so(prepare):
    namegate = prepare().start()
    told = words(namegate)
    assert told["user"] == USER and told["capabilities"] == "none"
    assert told["seccomp"] == told["no_core"] == ("unavailable" if SANITIZED else "on")
    assert re.fullmatch(r"abi\d+|unavailable", told["landlock"])
    ((labels, value),) = namegate.metrics().find("namegate_rights_info")
    assert labels == told and value == 1
    assert "rights: user=nobody capabilities=none" in namegate.stderr


def test_switched_off(prepare):
    off = {"seccomp": False, "landlock": False, "no_core": False}
    namegate = prepare(hardening=off).start()
    told = words(namegate)
    assert told["user"] == USER and told["capabilities"] == "none"
    assert (told["seccomp"], told["landlock"]) == ("off", "off")
    assert {status["Seccomp"] for status in threads(namegate.pid)} == {"0"}


def test_root_that_stays_root(prepare):
    namegate = prepare(user=None).start()
    assert words(namegate)["capabilities"] == "some"
    assert "warning rights: we are root and stay it" in namegate.stderr
    few = {status["CapEff"] for status in threads(namegate.pid)}
    assert all(bin(int(word, 16)).count("1") <= 6 for word in few)
    assert all(int(status["CapEff"], 16) & BIND == 0 for status in threads(namegate.pid))


@pytest.mark.parametrize(
    "what, said",
    (
        ({"user": "no-such-user"}, 'there is no user "no-such-user"'),
        ({"user": "root"}, 'the user "root" is root'),
        ({"group": "no-such-group"}, 'there is no group "no-such-group"'),
        ({"user": "4242424"}, "a group is needed too"),
    ),
)
def test_nobody_of_that_name(prepare, what, said):
    namegate = prepare(**what)
    namegate.write_config()
    done = run_command("run", "-c", str(namegate.config))
    assert done.returncode == EX_CONFIG and said in done.stderr
    checked = run_command("check", "-c", str(namegate.config))
    assert checked.returncode == 0 and said in checked.stderr


def test_what_a_reload_could_not_read(prepare, home):
    """It is better told at the start."""
    os.chown(home / "key.pem", 0, 0)
    (home / "secret").touch(0o600)
    namegate = prepare(dns_cookies={"secret_file": str(home / "secret")})
    namegate.write_config()
    done = run_command("run", "-c", str(namegate.config))
    assert done.returncode == EX_CONFIG
    for file in ("key.pem (owner 0:0, mode 0400)", "secret (owner 0:0, mode 0600)"):
        assert "the user nobody may not read %s/%s" % (home, file) in done.stderr


def test_a_state_directory_of_somebody_else(prepare, home):
    (home / "state").mkdir(0o700)
    namegate = prepare()
    namegate.write_config()
    done = run_command("run", "-c", str(namegate.config))
    assert done.returncode == EX_CONFIG
    assert "may not write to %s/state (owner 0:0, mode 0700)" % home in done.stderr
    assert (home / "state").stat().st_uid == 0  # nobody's files are given away


@pytest.mark.skipif(not FETCH.exists() or not others_reach(FETCH), reason="no namegate-fetch")
def test_lists_are_fetched(prepare, certificates, home, scripted, connect, tmp_path):
    own = certs.issue(certificates, tmp_path / "own", HOST, "127.0.0.1")
    with ListServer(own, Ports.take()) as server:
        server.content["/list.txt"] = b"bad.example\n"
        scripted.zone[HOST + "."] = lambda s: w.reply(
            s.wire, [w.a(s.qname, "127.0.0.1")] if s.qtype == w.A else []
        )
        namegate = prepare(
            domain_lists=[
                {
                    "name": "bad",
                    "source": server.url("/list.txt"),
                    "tls_ca": str(home / "ca.pem"),
                    "allow_private_addresses": True,
                }
            ]
        ).start(wait="live")
        namegate.wait_for(lambda: namegate.admin("/readyz")[0] == 200, "the list", 30)
        check_given_up(namegate.pid)


# ---- files ----


def test_a_reload_reads_what_was_named_at_the_start(prepare, home, tmp_path, maker):
    namegate = prepare().start()
    if not words(namegate)["landlock"].startswith("abi"):
        pytest.skip("no Landlock here")
    elsewhere = Path(tempfile.mkdtemp(prefix="elsewhere.", dir="/tmp"))
    try:
        elsewhere.chmod(0o755)
        for directory, good in ((elsewhere, False), (home, True)):
            (directory / "list.txt").write_text("bad.example\n")
            settings = with_rules(
                copy.deepcopy(namegate.settings),
                [{"name": "bad", "file": str(directory / "list.txt"), "format": "domains"}],
                [rule("no-bad", "BLOCK", "bad", block_response="NXDOMAIN")],
            )
            assert namegate.reload(settings) == good, namegate.stderr
            if not good:
                said = '%s: domain_lists[0]: list "bad" cannot be used' % namegate.config
                assert said in namegate.stderr  # no line, rather than line 0
                assert "out of reach since the start (Landlock)" in namegate.stderr
    finally:
        shutil.rmtree(elsewhere)


# ---- as a service manager starts it ----


class Pod:
    """A machine of its own: a network, and a root that cannot be written to but for `home`."""

    def __init__(self, space, home):
        self.space, self.home = space, home
        space.run("mount", "--bind", home, home)
        space.run("mount", "-o", "remount,bind,ro", "/")
        assert space.run("touch", "/no", check=False).returncode != 0

    def ask(self, *how):
        said = self.space.run(
            "kdig", "@127.0.0.1", "+retry=0", "+timeout=5", *how, "ok.web.test", "A"
        ).stdout
        return "192.0.2.1" in said


@pytest.fixture
def pod(tmp_path, home):
    with Namespace(tmp_path / "pod", network=True) as space:
        yield Pod(space, home)


ONLY_BIND = (
    ["setpriv", "--reuid", str(UID), "--regid", str(GID), "--clear-groups"]
    + ["--inh-caps", "-all,+net_bind_service", "--ambient-caps", "-all,+net_bind_service"]
    + ["--bounding-set", "-all,+net_bind_service", "--no-new-privs"]
)


@pytest.mark.parametrize("starter", ("root", "capability"))
def test_low_ports(prepare, maker, pod, home, starter):
    """443, 853 and 53, where nothing else can be done: what deploy/namegate.service asks for."""
    user = {"user": None} if starter == "capability" else {}
    namegate = prepare(**user)
    settings = namegate.settings
    for listener, port in zip(settings["listeners"], (443, 853, 53)):
        listener["port"] = port
    settings["admin"]["port"] = 9053
    settings["upstreams"][0]["port"] = 5300
    if starter == "capability":
        for made in ("state", "log"):
            (home / made).mkdir()
            os.chown(home / made, UID, GID)
        settings["query_log"]["file"] = str(home / "log/query.jsonl")
    namegate.command_prefix = pod.space.enter + (ONLY_BIND if starter == "capability" else [])
    with pod.space.upstream(5300):
        namegate.start(wait=None)
        pod.space.wait_for("curl", "-sf", "http://127.0.0.1:9053/readyz")
        tls = ["+tls-ca=%s/ca.pem" % home, "+tls-hostname=" + certs.HOST]
        for how in ((), ("+tcp",), ("+tls", *tls), ("+https", *tls)):
            assert pod.ask(*how), (how, namegate.stderr)
        check_given_up(namegate.pid, bounding=BIND)
        namegate.signal(signal.SIGHUP)
        namegate.wait_for(lambda: "reload: revision 1 is in force" in namegate.stderr, "HUP", 20)
        assert pod.ask()
        assert (home / "state/revisions").exists()
        assert namegate.stop() == 0


class Manager:
    """The other end of NOTIFY_SOCKET."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        os.chmod(path, 0o777)
        self.socket.settimeout(20)

    def next(self, *left_out):
        while True:
            text = self.socket.recv(4096).decode()
            if text not in left_out:
                return text


def test_it_tells_its_manager(prepare, home, monkeypatch):
    manager = Manager(home / "notify.sock")
    monkeypatch.setenv("NOTIFY_SOCKET", str(home / "notify.sock"))
    monkeypatch.setenv("WATCHDOG_USEC", "10000000")
    namegate = prepare().start()
    monkeypatch.delenv("NOTIFY_SOCKET")
    assert manager.next("WATCHDOG=1") == "READY=1"
    assert manager.next() == "WATCHDOG=1"
    namegate.signal(signal.SIGHUP)
    assert re.fullmatch(r"RELOADING=1\nMONOTONIC_USEC=\d+", manager.next("WATCHDOG=1"))
    assert manager.next("WATCHDOG=1") == "READY=1"
    namegate.signal(signal.SIGTERM)
    assert manager.next("WATCHDOG=1") == "STOPPING=1"
    assert namegate.process.wait(15) == 0


# ---- somebody inside ----

FORBIDDEN = {
    "shadow": (errno.EACCES,),
    "other-file": (errno.EACCES,),
    "write-file": (errno.EACCES, errno.EPERM),
    "shell": (errno.EACCES, errno.EPERM),
    "shell-by-the-loader": (errno.EACCES, errno.EPERM, 127),
    "trace": (errno.EPERM,),
    "packets": (errno.EPERM,),
    "listen-elsewhere": (errno.EACCES,),
    "low-port": (errno.EACCES,),
    "write-and-run": (errno.EPERM,),
    "root-again": (errno.EPERM,),
}


@pytest.mark.skipif(SANITIZED, reason="a sanitizer wants to be loaded first")
@pytest.mark.parametrize("user", (USER, None))
def test_somebody_inside(prepare, home, user):
    library, other = home / "attack.so", home.with_name(home.name + ".other")
    run("gcc", "-shared", "-fPIC", "-O1", "-o", library, HERE / "attack.c")
    other.write_text("not for namegate\n")
    other.chmod(0o666)
    namegate = prepare(user=user)
    namegate.command_prefix = ["env", "LD_PRELOAD=%s" % library, "ATTACK_FILE=%s" % other]
    try:
        namegate.start()
        if not words(namegate)["landlock"].startswith("abi"):
            pytest.skip("no Landlock here")
        said = re.findall(r"^attack (\w+) (\S+): (\d+)$", namegate.stderr, re.M)
        assert {where for where, _, _ in said} == {"main", "worker"}
        wrong = [
            (where, what, int(end))
            for where, what, end in said
            if int(end) not in FORBIDDEN[what] and (user or what != "root-again")
        ]
        assert not wrong
        assert {what for _, what, _ in said} == set(FORBIDDEN)
    finally:
        other.unlink()
