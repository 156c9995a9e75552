"""What suites of others are pointed at: the program on loopback with all its listeners, before an
ordinary upstream (knot). NAMEGATE names the binary, as for the flow tests."""

import contextlib
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/flow"))

import certificates  # noqa: E402
import program  # noqa: E402
from conftest import Maker  # noqa: E402
from knot import Knot  # noqa: E402

SKIPPED = 77
NAME = "www.plain.test"  # one that the upstream has


def need(command, package):
    """Ends this with a word where a program is not installed."""
    found = shutil.which(command)
    if not found:
        print("no %s here; it is in Debian's %s" % (command, package))
        sys.exit(SKIPPED)
    return found


@contextlib.contextmanager
def served():
    """A running program; afterwards it must be alive, and stop without a leak."""
    directory = Path(tempfile.mkdtemp(prefix="namegate-outside-"))
    for name in ("certificates", "knot", "program"):
        (directory / name).mkdir()
    try:
        made = certificates.make(directory / "certificates")
        with Knot(directory / "knot", program.Ports.take()) as knot:
            maker = Maker(directory / "program", made)
            namegate = maker.start(maker.settings(knot=knot))
            yield namegate
            namegate.check_alive()
            namegate.stop()
    finally:
        for left in list(program.running):
            left.process.kill()
        shutil.rmtree(directory)


def said(*command, **how):
    """What a command printed, both ways; how it ended is for the caller to judge by that."""
    how.setdefault("timeout", 600)
    done = subprocess.run(
        [str(word) for word in command],
        stdin=how.pop("stdin", subprocess.DEVNULL) if "input" not in how else None,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        **how,
    )
    return done.stdout
