"""Where the program's words go: standard error that nobody reads, is full or closed; a query log
that may not grow, is deleted, has no reader. And where its configuration comes from: a FIFO. DNS
goes on, and what was lost is counted."""

import fcntl
import os
import resource
import signal
import subprocess
import time

import pytest

import dns_wire as w
import program
from dns_client import Udp
from visitor import check_answers, fresh_name, visit


def settings_of(maker, scripted):
    settings = maker.settings(scripted=scripted)
    settings["control_socket"] = "control.sock"
    return settings


def start_with(maker, settings, stderr, **how):
    """Started with standard error somewhere else than in a file that the tests read."""
    made = maker.prepare(settings)
    made.write_config()
    made.stderr_file.write_bytes(b"")
    made.process = subprocess.Popen(
        [program.BINARY, "run", "-c", str(made.config)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=stderr,
        **how,
    )
    program.running.append(made)
    made.wait_for(lambda: made.admin("/readyz")[0] == 200, "/readyz", program.START_S)
    return made


def flood_log(namegate, count):
    """Reloads that fail have much to say."""
    good = namegate.config.read_text()
    namegate.config.write_text("nonsense_%s = 1;\n" % ("x" * 900))
    for _ in range(count):
        assert not namegate.hup()
    namegate.config.write_text(good)


class TestStandardError:
    def test_pipe_that_nobody_reads(self, maker, scripted):
        """Nobody waits for it, and it is said what is missing once somebody reads."""
        reader, writer = os.pipe()
        fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
        namegate = start_with(maker, settings_of(maker, scripted), writer)
        os.close(writer)
        flood_log(namegate, 60)
        check_answers(namegate)
        assert namegate.hup()
        os.set_blocking(reader, False)
        text = b""
        try:
            while piece := os.read(reader, 65536):
                text += piece
        except BlockingIOError:
            pass
        assert text and b"lines lost" not in text
        assert namegate.hup()
        time.sleep(0.2)
        assert b"lines lost count=" in os.read(reader, 65536)
        os.close(reader)
        assert namegate.hup()  # into a pipe whose reader is gone
        check_answers(namegate)

    def test_full(self, maker, scripted):
        with open("/dev/full", "wb") as full:
            namegate = start_with(maker, settings_of(maker, scripted), full)
        flood_log(namegate, 3)
        assert namegate.hup()
        check_answers(namegate)

    def test_closed(self, maker, scripted):
        """Nor does what is opened later take its place."""
        settings = settings_of(maker, scripted)

        def close_all():
            for fd in (0, 1, 2):
                os.close(fd)

        namegate = start_with(maker, settings, None, preexec_fn=close_all)
        assert namegate.hup()
        check_answers(namegate)
        for fd in (0, 1, 2):
            assert os.readlink("/proc/%d/fd/%d" % (namegate.pid, fd)) == "/dev/null"


class TestQueryLog:
    def test_file_that_may_not_grow(self, maker, scripted):
        """RLIMIT_FSIZE is a full disk, and not the end of the process."""
        namegate = maker.start(settings_of(maker, scripted))
        visit(namegate, patience=6)
        size = namegate.log_file.stat().st_size + 1500
        resource.prlimit(namegate.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
        with Udp("127.0.0.1", namegate.ports["dns"]) as client:
            for _ in range(40):
                assert client.ask(w.query(fresh_name())).addresses
        namegate.wait_metric("namegate_log_dropped_total", 1, reason="failed")
        check_answers(namegate)
        assert namegate.log_file.stat().st_size <= size
        limit = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        resource.prlimit(namegate.pid, resource.RLIMIT_FSIZE, limit)
        self.check_it_writes_again(namegate)

    def test_deleted_with_its_directory(self, maker, scripted):
        settings = settings_of(maker, scripted)
        directory = maker.directory / "logs"
        directory.mkdir()
        settings["query_log"]["file"] = str(directory / "query.jsonl")
        namegate = maker.start(settings)
        namegate.log_file = directory / "query.jsonl"
        visit(namegate, patience=6)
        namegate.log_file.unlink()
        directory.rmdir()
        namegate.signal(signal.SIGUSR1)
        check_answers(namegate)
        directory.mkdir()
        namegate.signal(signal.SIGUSR1)
        self.check_it_writes_again(namegate)

    def test_fifo_without_reader(self, maker, scripted):
        settings = settings_of(maker, scripted)
        fifo = maker.directory / "fifo"
        os.mkfifo(fifo)
        settings["query_log"]["file"] = str(fifo)
        namegate = maker.start(settings)
        check_answers(namegate)
        reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        seen = b""

        def reads():
            nonlocal seen
            visit(namegate, patience=6)
            try:
                seen += os.read(reader, 65536)
            except BlockingIOError:
                pass
            return b"visit.test" in seen

        namegate.wait_for(reads, "lines in the FIFO", 15)
        os.close(reader)
        check_answers(namegate)

    def check_it_writes_again(self, namegate):
        def is_written():
            name = fresh_name()
            with Udp("127.0.0.1", namegate.ports["dns"]) as client:
                client.ask(w.query(name))
            time.sleep(0.2)
            return namegate.log_file.exists() and name in namegate.log_file.read_text()

        namegate.wait_for(is_written, "the log to be written again", 20)


class TestConfiguration:
    def test_fifo(self, maker, scripted):
        """One that nobody writes to does not hold up the reloads that follow for ever."""
        namegate = maker.start(settings_of(maker, scripted))
        text = namegate.config.read_text()
        namegate.config.unlink()
        os.mkfifo(namegate.config)
        loads = namegate.reloads()
        namegate.signal(signal.SIGHUP)
        check_answers(namegate)
        namegate.wait_for(lambda: namegate.reloads() > loads, "the end of the load", 20)
        assert namegate.metrics().sum("namegate_config_last_reload_successful") == 0
        namegate.config.unlink()
        namegate.config.write_text(text)
        assert namegate.hup()
        check_answers(namegate)

    def test_written_in_pieces(self, maker, scripted):
        """A HUP at any moment of it: what is half there is refused, and all of it is taken."""
        namegate = maker.start(settings_of(maker, scripted))
        text = namegate.config.read_text()
        for part in (0, 1, len(text) // 3, len(text) // 2, len(text) - 3):
            namegate.config.write_text(text[:part])
            assert not namegate.hup()
        namegate.config.write_text(text)
        assert namegate.hup()
        check_answers(namegate)


@pytest.mark.parametrize("what", ("state directory", "control socket"))
def test_taken_away_while_it_runs(maker, scripted, what):
    settings = settings_of(maker, scripted)
    settings["state_directory"] = "state"
    state = maker.directory / "state"
    state.mkdir()
    namegate = maker.start(settings)
    if what == "control socket":
        (maker.directory / "control.sock").unlink()
    else:
        subprocess.run(["rm", "-rf", str(state)], check=True)
    check_answers(namegate)
    assert namegate.hup()
    check_answers(namegate)
