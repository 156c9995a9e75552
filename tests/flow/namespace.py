"""A private mount namespace, and a network of its own when wanted: /etc in it is a copy that a
test may write to, and nothing that happens inside is seen outside."""

import contextlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

import scripted_dns
from tools import run


class Namespace:
    def __init__(self, directory, network=False):
        self.directory, self.network = Path(directory), network
        self.etc = self.directory / "etc"

    def __enter__(self):
        shutil.copytree("/etc", self.etc, symlinks=True, ignore=self._unreadable)
        kinds = ["--mount"] + (["--net"] if self.network else [])
        if os.geteuid() != 0:
            kinds += ["--user", "--map-root-user"]
        self.holder = subprocess.Popen(
            ["unshare", *kinds, "sleep", "600"],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        self.enter = ["nsenter", "--target", str(self.holder.pid), "--wd=" + os.getcwd()]
        self.enter += [kind for kind in kinds if kind != "--map-root-user"]
        if os.geteuid() != 0:
            self.enter.append("--preserve-credentials")
        self._wait_until_apart()
        self.run("mount", "--bind", self.etc, "/etc")
        if self.network:
            self._bring_up_loopback()
        return self

    def _unreadable(self, directory, names):
        return [name for name in names if not os.access(os.path.join(directory, name), os.R_OK)]

    def _wait_until_apart(self):
        """`unshare` has done its work when the holder's namespace is not ours any more."""
        deadline = time.monotonic() + 5
        while not self._is_apart():
            if self.holder.poll() is not None or time.monotonic() > deadline:
                pytest.skip("no namespaces here: %s" % self.holder.stderr.read().decode())
            time.sleep(0.01)

    def _is_apart(self):
        link = "/proc/%s/ns/mnt"
        try:
            return os.readlink(link % "self") != os.readlink(link % self.holder.pid)
        except FileNotFoundError:
            return False  # it has ended, and whoever waits learns why

    def _bring_up_loopback(self):
        """With addresses beside the loopback ones, as a pod has: glibc's AI_ADDRCONFIG finds
        nothing where there are none."""
        self.run("ip", "link", "set", "lo", "up")
        self.run("ip", "address", "add", "10.88.0.2/32", "dev", "lo")
        self.run("ip", "address", "add", "fd88::2/128", "dev", "lo", "nodad")

    def run(self, *command, **kwargs):
        return run(*self.enter, *command, **kwargs)

    def popen(self, *command, **kwargs):
        return subprocess.Popen(
            [*self.enter, *(str(word) for word in command)], stdin=subprocess.DEVNULL, **kwargs
        )

    def wait_for(self, *command, timeout=20):
        """Until the command succeeds and says something."""
        deadline = time.monotonic() + timeout
        while True:
            done = self.run(*command, check=False)
            if done.returncode == 0 and done.stdout.strip():
                return
            assert time.monotonic() < deadline, "%s: %s%s" % (command, done.stdout, done.stderr)
            time.sleep(0.05)

    @contextlib.contextmanager
    def upstream(self, port, address="127.0.0.1"):
        """The scripted resolver, inside."""
        server = self.popen(sys.executable, scripted_dns.__file__, port, address)
        ask = ("kdig", "@" + address, "-p", port, "+short", "+retry=0", "+timeout=1")
        self.wait_for(*ask, "ok.started.test")
        yield
        server.kill()
        server.wait()

    @contextlib.contextmanager
    def namegate(self, program):
        """The program, inside, until it is ready; its admin listener is on port 9053."""
        program.command_prefix = self.enter
        program.start(wait=None)
        self.wait_for("curl", "-sf", "http://127.0.0.1:9053/readyz")
        yield program
        program.stop()

    def __exit__(self, *_):
        self.holder.kill()
        self.holder.wait()
