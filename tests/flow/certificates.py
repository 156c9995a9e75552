"""A private CA and leaf certificates, made by the project's own scripts."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from program import ROOT

HOST = "dns.namegate.test"


@dataclass
class Certificates:
    directory: Path

    @property
    def ca(self):
        return self.directory / "ca.pem"

    @property
    def certificate(self):
        return self.directory / "server.pem"

    @property
    def key(self):
        return self.directory / "server.key"


def make(directory, *names):
    """A CA and a leaf for the names and addresses, the host and both loopbacks at least."""
    names = names or (HOST, "127.0.0.1", "::1")
    _script("make-ca", str(directory), "--name", "namegate flow tests")
    _script("make-leaf", str(directory), *names)
    return Certificates(Path(directory))


def _script(name, *arguments):
    done = subprocess.run(
        [str(ROOT / "certs" / name), *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, "certs/%s: %s%s" % (name, done.stdout, done.stderr)
