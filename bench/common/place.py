"""Where measuring happens: the build, the cores, ports, and a directory that ends with it."""

import contextlib
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/flow"))

from program import Ports  # noqa: E402

BUILD = Path(os.environ.get("BUILD", ROOT / "build/release"))
NAMEGATE = Path(os.environ.get("NAMEGATE", BUILD / "proxy/namegate"))
SERVER_CPU = int(os.environ.get("SERVER_CPU", 0))
LOAD_CPU = int(os.environ.get("LOAD_CPU", 1))


@contextlib.contextmanager
def workplace():
    """A directory for all that is made; everything started is ended with it, on TERM as well."""
    from process import Process

    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))
    directory = Path(tempfile.mkdtemp(prefix="namegate-bench-", dir=os.environ.get("TMPDIR")))
    try:
        yield directory
    finally:
        for process in list(Process.running):
            process.stop()
        shutil.rmtree(directory)


def take_ports(*words):
    """{word: port}, each free for UDP and TCP."""
    return {word: Ports.take() for word in words}


def use_ports_from(first):
    """A block of 1,000 ports instead of one that is looked for."""
    Ports.FIRST, Ports.BLOCK, Ports.BLOCKS = first, 1000, 1
