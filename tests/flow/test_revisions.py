"""Policies that went live: kept, compared, put back, pinned; and what is pinned stays over HUP, a
restart and a kill, until the configuration changes."""

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time

import pytest

import dns_wire as w
from config_text import config_text, rule
from program import run_command, with_rules

BLOCK = rule("bad", "BLOCK", "bad", block_response="NXDOMAIN")


def is_blocked(client, name):
    return client.ask(w.query(name)).rcode == w.NXDOMAIN


def put(path, *names):
    aside = path.with_name("." + path.name)
    aside.write_text("".join("%s\n" % name for name in names))
    aside.rename(path)


def info(namegate):
    return namegate.metrics().find("namegate_policy_info")[0][0]


def revisions(namegate, *arguments):
    done = run_command("revisions", "-c", str(namegate.config), *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def listed(namegate):
    return [json.loads(line) for line in revisions(namegate, "--json").splitlines()]


@pytest.fixture
def begin(maker, knot, tmp_path):
    def start(**more):
        settings = maker.settings(knot=knot)
        settings["list_rebuild_interval"] = "0s"
        settings["control_socket"] = str(maker.directory / "control.sock")
        settings["state_directory"] = str(maker.directory / "state")
        settings.update(more)
        put(tmp_path / "bad.txt", "one.example")
        keys = {"name": "bad", "format": "wildcard", "file": str(tmp_path / "bad.txt")}
        return maker.prepare(with_rules(settings, [keys], [BLOCK])).start()

    return start


def with_default(settings, action):
    view = {
        **settings["views"][0],
        "default_action": action,
        "default_block_response": "NXDOMAIN",
    }
    return {**settings, "views": [view]}


@pytest.mark.quick
def test_a_moment_that_no_calendar_has_is_survived(begin, maker):
    namegate = begin()
    revisions(namegate, "rollback", "1", "--because", "why not")
    odd = 0
    for path in (maker.directory / "state" / "revisions").rglob("*"):
        if path.is_file() and path.read_bytes().startswith((b"namegate-rev", b"namegate-pin")):
            text = re.sub(rb"\ntime \d+\n", b"\ntime 999999999999999999\n", path.read_bytes())
            path.write_bytes(text)
            odd += 1
    assert odd >= 2
    assert "9999-12-31T23:59:59Z" in revisions(namegate)
    assert namegate.hup()
    assert "since 9999-12-31T23:59:59Z" in namegate.stderr


@pytest.mark.quick
def test_what_went_live_is_kept(begin, connect, tmp_path):
    namegate = begin()
    client = connect(namegate, "udp")
    assert is_blocked(client, "one.example")
    first = info(namegate)
    put(tmp_path / "bad.txt", "two.example")
    namegate.wait_for(lambda: is_blocked(client, "two.example"), "the new list", 20)
    assert namegate.reload(with_default(namegate.settings, "BLOCK"))
    kept = listed(namegate)
    assert [row["why"] for row in kept] == ["start", "lists", "reload"]
    assert [row["in_force"] for row in kept] == [False, False, True]
    assert [row["revision"] for row in kept] == [1, 2, 3]
    assert kept[0]["policy_hash"] == first["hash"]
    assert kept[-1]["policy_hash"] == info(namegate)["hash"]
    # The same again is nothing new.
    assert namegate.hup()
    assert len(listed(namegate)) == 3
    table = revisions(namegate).splitlines()
    assert re.match(r" +REVISION +SINCE +POLICY +CHANGED +WHY", table[0])
    assert table[3].startswith("*") and table[3].endswith("configuration  reload")


def test_diff(begin, connect, tmp_path):
    namegate = begin()
    client = connect(namegate, "udp")
    put(tmp_path / "bad.txt", "one.example", "two.example", "three.example")
    namegate.wait_for(lambda: is_blocked(client, "two.example"), "the new list", 20)
    assert namegate.reload(with_default(namegate.settings, "BLOCK"))
    lists = revisions(namegate, "diff", "1", "2")
    assert lists.splitlines()[0] == "list bad: 0 entries less, 2 more"
    assert sorted(lists.splitlines()[1:]) == ["    + three.example.", "    + two.example."]
    config = revisions(namegate, "diff", "2")
    assert re.search(r"^\+.*default_action.*BLOCK", config, re.M)
    assert "list bad" not in config
    same = revisions(namegate, "diff", "3", "3")
    assert same.startswith("revisions 3 and 3 are the same policy")
    # It is read from the disk: the program need not run.
    namegate.stop()
    assert revisions(namegate, "diff", "1", "2") == lists
    assert "could not be asked" in revisions(namegate)


@pytest.mark.threads
def test_rollback_and_what_ends_it(begin, connect, tmp_path):
    namegate = begin()
    client = connect(namegate, "udp")
    first = info(namegate)["hash"]
    good = namegate.settings
    put(tmp_path / "bad.txt", "two.example")
    namegate.wait_for(lambda: is_blocked(client, "two.example"), "the new list", 20)
    assert namegate.reload(with_default(good, "BLOCK"))
    assert is_blocked(client, "anything.example")
    said = revisions(namegate, "rollback", "1", "--because", "mail is down, since 3 o'clock")
    assert "in force" in said and "pinned" in said
    assert info(namegate)["hash"] == first
    assert is_blocked(client, "one.example")
    assert not is_blocked(client, "two.example")
    assert not is_blocked(client, "anything.example")
    assert namegate.metrics().sum("namegate_policy_pinned") == 1
    assert namegate.metrics().sum("namegate_state_directory_writable") == 1
    kept = listed(namegate)
    assert kept[-1]["why"] == "rollback to 1: mail is down, since 3 o'clock"
    assert [row["in_force"] for row in kept] == [False, False, False, True]
    assert kept[-1]["pinned"]
    # HUP keeps it, loudly; a list that changes does not come in; nor does a broken file.
    assert namegate.hup()
    assert info(namegate)["hash"] == first
    assert "PINNED" in namegate.stderr
    put(tmp_path / "bad.txt", "three.example")
    time.sleep(0.5)
    assert not is_blocked(client, "three.example")
    # A restart keeps it, and so does a kill.
    namegate.stop()
    namegate.start()
    client = connect(namegate, "udp")
    assert info(namegate)["hash"] == first and is_blocked(client, "one.example")
    namegate.process.kill()
    namegate.process.wait()
    namegate.stop()
    namegate.start()
    client = connect(namegate, "udp")
    assert info(namegate)["hash"] == first and is_blocked(client, "one.example")
    # A change of the configuration ends it.
    assert namegate.reload(with_default({**good, "ddr": False}, "ALLOW"))
    assert info(namegate)["hash"] != first
    assert is_blocked(client, "three.example") and not is_blocked(client, "one.example")
    assert not any(row["pinned"] for row in listed(namegate))
    assert namegate.metrics().sum("namegate_policy_pinned") == 0


def test_a_broken_file_does_not_end_it(begin, connect):
    namegate = begin()
    client = connect(namegate, "udp")
    assert namegate.reload(with_default(namegate.settings, "BLOCK"))
    revisions(namegate, "rollback", "1", "--because", "test")
    text = namegate.config.read_text()
    namegate.config.write_text("views = (;\n")
    namegate.hup()
    assert is_blocked(client, "one.example") and not is_blocked(client, "other.example")
    namegate.config.write_text(text)
    assert namegate.hup()
    assert namegate.metrics().sum("namegate_policy_pinned") == 1


def test_unpin(begin, connect):
    namegate = begin()
    client = connect(namegate, "udp")
    assert namegate.reload(with_default(namegate.settings, "BLOCK"))
    revisions(namegate, "rollback", "1", "--because", "test")
    assert not is_blocked(client, "other.example")
    assert "in force" in revisions(namegate, "unpin")
    assert is_blocked(client, "other.example")
    assert not any(row["pinned"] for row in listed(namegate))


def test_a_revoked_token_that_comes_back_is_told(begin):
    tokens = [{"name": name, "sha256": 32 * digits} for name, digits in (("a", "0a"), ("b", "0b"))]
    namegate = begin(tokens=tokens)
    assert namegate.reload({**namegate.settings, "tokens": tokens[1:]})
    revisions(namegate, "rollback", "1", "--because", "a rule")
    assert 'revision 1 takes the token "a", which was not taken before' in namegate.stderr
    assert 'the token "b"' not in namegate.stderr


def test_what_is_refused(begin, maker, knot):
    namegate = begin()
    ask = lambda *words: run_command("revisions", "-c", str(namegate.config), *words)
    assert ask("rollback", "1").returncode == 2
    assert ask("rollback", "no", "--because", "x").returncode == 2
    assert ask("sideways").returncode == 2
    done = ask("rollback", "77", "--because", "x")
    assert done.returncode == 1 and "no such revision" in done.stderr
    assert ask("diff", "77").returncode == 1
    # What needs a restart is refused, and all stays as it is.
    before = info(namegate)
    number = int(before["revision"])
    settings = {**namegate.settings, "workers": 3}
    namegate.stop()
    namegate.settings = settings
    namegate.start()
    done = ask("rollback", str(number), "--because", "x")
    assert done.returncode == 1 and "refused" in done.stderr
    assert '"workers" has changed, which needs a restart' in namegate.stderr
    assert not any(row["pinned"] for row in listed(namegate))


def test_damage_is_survived(begin, connect, tmp_path):
    namegate = begin()
    client = connect(namegate, "udp")
    put(tmp_path / "bad.txt", "two.example")
    namegate.wait_for(lambda: is_blocked(client, "two.example"), "the new list", 20)
    kept = namegate.directory / "state" / "revisions"
    image = kept / "00000001" / "lists.image"
    data = bytearray(image.read_bytes())
    image.unlink()
    data[len(data) // 2] ^= 1
    image.write_bytes(data)
    done = run_command(
        "revisions", "-c", str(namegate.config), "rollback", "1", "--because", "x"
    )
    assert done.returncode == 1
    assert is_blocked(client, "two.example")
    (kept / "00000002" / "revision").write_text("namegate-revision 1\nnumber")
    (kept / "pin").write_text("nonsense")
    assert [row["revision"] for row in listed(namegate)] == [1]
    assert namegate.hup()
    namegate.stop()
    namegate.start()
    client = connect(namegate, "udp")
    assert is_blocked(client, "two.example")


def test_the_oldest_go_and_the_pinned_stays(begin, connect, tmp_path):
    namegate = begin(revisions=3)
    client = connect(namegate, "udp")
    revisions(namegate, "rollback", "1", "--because", "test")
    pinned = [row["revision"] for row in listed(namegate) if row["pinned"]]
    assert len(pinned) == 1
    assert namegate.reload({**namegate.settings, "ddr": False})
    for number in range(5):
        name = "name%d.example" % number
        put(tmp_path / "bad.txt", name)
        namegate.wait_for(lambda: is_blocked(client, name), "the new list", 20)
    kept = [row["revision"] for row in listed(namegate)]
    assert len(kept) == 3 and kept == sorted(kept)


def test_without_a_state_directory(begin):
    namegate = begin(state_directory="")
    done = run_command("revisions", "-c", str(namegate.config))
    assert done.returncode == 1 and "no state_directory" in done.stderr


def test_a_pinned_image_of_another_version_does_not_stop_the_start(begin, connect):
    namegate = begin()
    assert namegate.reload(with_default(namegate.settings, "BLOCK"))
    revisions(namegate, "rollback", "1", "--because", "test")
    namegate.stop()
    image = namegate.directory / "state" / "revisions" / "00000003" / "lists.image"
    data = image.read_bytes()
    image.unlink()
    image.write_bytes(b"another version" + data[15:])
    namegate.start()
    client = connect(namegate, "udp")
    assert is_blocked(client, "other.example")  # the file's policy
    assert "what is pinned cannot be loaded" in namegate.stderr
    assert namegate.metrics().sum("namegate_policy_pinned") == 0
    assert not any(row["pinned"] for row in listed(namegate))
    assert namegate.hup()


def test_a_number_that_was_not_kept_does_not_lose_the_pin(begin, connect):
    """A policy is in force that could not be kept; then it goes back to the newest kept one."""
    namegate = begin()
    client = connect(namegate, "udp")
    kept = namegate.directory / "state" / "revisions"
    (kept / "new").write_text("in the way")
    (kept / "last").write_text("7\n")
    revisions(namegate, "rollback", "1", "--because", "test")
    assert namegate.reload()
    assert namegate.metrics().sum("namegate_policy_pinned") == 1
    assert "cannot be loaded" not in namegate.stderr
    assert is_blocked(client, "one.example")


def test_a_storm_of_reloads_does_not_hide_what_came_of_it(begin):
    namegate = begin()
    assert namegate.reload(with_default(namegate.settings, "BLOCK"))
    stop = threading.Event()

    def storm():
        while not stop.wait(0.02):
            namegate.signal(signal.SIGHUP)

    thread = threading.Thread(target=storm)
    thread.start()
    try:
        for _ in range(3):
            assert "pinned" in revisions(namegate, "rollback", "1", "--because", "test")
            assert "in force" in revisions(namegate, "unpin")
    finally:
        stop.set()
        thread.join()


def full_disk(directory, size="256k"):
    """A state directory on a disk of its own; how to fill it."""
    directory.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=" + size, "tmpfs", str(directory)],
        capture_output=True,
    ).returncode:
        pytest.skip("may not mount")

    def fill():
        with open(directory / "fill", "wb", buffering=0) as file:
            with pytest.raises(OSError):
                while True:
                    file.write(b"x" * 4096)

    return fill


@pytest.fixture
def small_disk(tmp_path):
    directory = tmp_path / "small"
    fill = full_disk(directory)
    yield directory, fill
    subprocess.run(["umount", "--lazy", str(directory)], check=True)


def test_a_full_disk(begin, connect, small_disk):
    """It cannot be pinned, and says so: who reads `pinned` goes to bed."""
    directory, fill = small_disk
    namegate = begin(state_directory=str(directory))
    client = connect(namegate, "udp")
    assert namegate.reload(with_default(namegate.settings, "BLOCK"))
    candidate = namegate.directory / "next.conf"
    candidate.write_text(config_text(with_default({**namegate.settings, "ddr": False}, "ALLOW")))
    command = lambda *words: run_command(words[0], "-c", str(namegate.config), *words[1:])
    assert command("shadow", "start", str(candidate)).returncode == 0
    assert command("allow", "one.example", "--for", "1h", "--because", "x").returncode == 0
    fill()
    promoted = command("shadow", "promote")
    assert "is in force" in promoted.stdout and "NOT pinned" in promoted.stdout
    assert not is_blocked(client, "other.example")
    back = command("revisions", "rollback", "1", "--because", "test")
    assert back.returncode == 0 and "NOT pinned" in back.stdout
    assert namegate.metrics().sum("namegate_policy_pinned") == 0
    ended = command("exceptions", "end", "1")
    assert ended.returncode == 0 and "a restart" in ended.stdout
    (directory / "fill").unlink()
    back = command("revisions", "rollback", "1", "--because", "test")
    assert "; pinned" in back.stdout
    assert namegate.metrics().sum("namegate_policy_pinned") == 1
    # What ended while the disk was full does not come back either, once there is room.
    kept = directory / "exceptions"
    namegate.wait_for(lambda: b"one.example" not in kept.read_bytes(), "what is kept", 10)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs another user")
def test_who_may_not_look(begin):
    """An empty list would be a lie."""
    namegate = begin()
    os.chmod(namegate.directory / "state", 0o700)
    with tempfile.TemporaryDirectory() as open_to_all:
        os.chmod(open_to_all, 0o755)
        config = shutil.copy(namegate.config, open_to_all)
        try:
            done = run_command("revisions", "-c", config, user=65534, group=65534)
        except PermissionError:
            pytest.skip("the program is not for others")
    assert done.returncode == 1 and "ermission denied" in done.stderr


def mounted(directory, *options):
    done = subprocess.run(["mount", *options, str(directory)], capture_output=True)
    return done.returncode == 0


def test_a_disk_that_became_read_only(begin, small_disk):
    directory, _ = small_disk
    namegate = begin(state_directory=str(directory))
    assert mounted(directory, "-o", "remount,ro")
    # Nothing is pinned: there is nothing to let go.
    assert namegate.reload(with_default(namegate.settings, "BLOCK"))
    assert "cannot unpin" not in namegate.stderr
    assert mounted(directory, "-o", "remount,rw")
    assert "; pinned" in revisions(namegate, "rollback", "1", "--because", "test")
    assert mounted(directory, "-o", "remount,ro")
    assert "STILL pinned" in revisions(namegate, "unpin")
    assert "cannot unpin" in namegate.stderr
    assert mounted(directory, "-o", "remount,rw")
    assert "pinned" not in revisions(namegate, "unpin")


def test_two_programs_and_one_state_directory(begin, maker, knot):
    namegate = begin()
    word = "another running program has it"
    assert word not in namegate.stderr
    other = maker.prepare(
        {
            **maker.settings(knot=knot),
            "state_directory": str(namegate.directory / "state"),
        }
    ).start("live")
    assert word in other.stderr
    other.stop()
    assert namegate.hup()
    assert word not in namegate.stderr


def test_the_socket_itself_while_the_configuration_is_broken(begin, connect):
    """Commands of the operator still reach the program."""
    namegate = begin()
    socket = namegate.settings["control_socket"]
    client = connect(namegate, "udp")
    namegate.config.write_text("this is no configuration\n")
    broken = run_command("lists", "-c", str(namegate.config))
    assert broken.returncode == 78 and "namegate.conf:1" in broken.stderr
    told = run_command("lists", "-c", socket)
    assert told.returncode == 0 and "bad" in told.stdout
    words = ["one.example", "--for", "5m", "--because", "a socket will do"]
    assert is_blocked(client, "one.example")
    assert run_command("allow", "-c", socket, *words).returncode == 0
    assert not is_blocked(client, "one.example")
    back = run_command("revisions", "-c", socket, "rollback", "1", "--because", "x")
    assert back.returncode == 0 and "pinned" in back.stdout, back.stderr
    assert run_command("revisions", "-c", socket, "unpin").returncode in (0, 1)
    gone = run_command("lists", "-c", socket + ".gone")
    assert gone.returncode == 78
