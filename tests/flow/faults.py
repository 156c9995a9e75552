"""Calls that fail while the program runs, and clocks that jump: faults.c, from Python.

`with Faults(directory) as faults` builds the library; `faults.load(namegate)` lets a program that
is started later run with it; `faults.begin("accept", "EMFILE")` ... `faults.end()` switches."""

import errno
import mmap
import os
import struct
import subprocess
from pathlib import Path

from tools import run

SOURCE = Path(__file__).with_name("faults.c")
# Debian 12's libconfig does not look at what malloc() gave; see proxy/config/tree.c for what is
# done instead.
SPARED = "libconfig"
# OpenSSL 3.0 forgets a name when there is no memory to note it.
LEAKS = "leak:OBJ_NAME_do_all\n"
# enum call of faults.c
CALLS = (
    "accept socket connect bind epoll_ctl receive send read write open sync rename mmap eventfd"
    " pipe fork getrandom malloc"
).split()
HOW = struct.Struct("=IIIIIIII")  # calls, error, first, every, chance, seed, number, failed
CLOCKS = struct.Struct("=qqq")  # realtime_s, monotonic_s, boottime_s
SEEN = struct.Struct("=32I")
SIZE = HOW.size + CLOCKS.size + SEEN.size


def build(directory):
    library = Path(directory) / "faults.so"
    if not library.exists():
        run(
            "cc", "-std=gnu11", "-D_GNU_SOURCE", "-O1", "-shared", "-fPIC", "-fno-builtin",
            "-fno-omit-frame-pointer",
            "-ftls-model=initial-exec", "-o", library, SOURCE, "-ldl",
        )  # fmt: skip
    return library


class Faults:
    def __init__(self, directory, binary):
        self.file = Path(directory) / "faults"
        self.file.write_bytes(bytes(SIZE))
        self.leaks = Path(directory) / "leaks"
        self.leaks.write_text(LEAKS)
        self.library = build(directory)
        with open(self.file, "r+b") as file:
            self.memory = mmap.mmap(file.fileno(), SIZE)
        self.binary = binary

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.memory.close()

    def environment(self, exact):
        """What a program must be started with. Ours comes before the sanitizer's functions and
        hands on to them, which it warns of where it does not know better. `exact`: it is told of
        memory that is lost where it came from, through libraries too, and all is slow."""
        how = "verify_asan_link_order=0:fast_unwind_on_malloc=%d" % (not exact)
        asan, lsan = os.environ.get("ASAN_OPTIONS", ""), os.environ.get("LSAN_OPTIONS", "")
        return {
            "LD_PRELOAD": str(self.library),
            "NAMEGATE_FAULTS": str(self.file),
            "NAMEGATE_FAULTS_SPARE": SPARED,
            "ASAN_OPTIONS": ":".join(filter(None, (asan, how))),
            "LSAN_OPTIONS": ":".join(filter(None, (lsan, "suppressions=%s" % self.leaks))),
        }

    def command(self, exact):
        """A prefix of a command line."""
        return ["env", *("%s=%s" % pair for pair in self.environment(exact).items())]

    def run(self, *arguments, **kwargs):
        """The program with arguments, to its end."""
        return subprocess.run(
            [self.binary, *arguments],
            capture_output=True,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            env={**os.environ, **self.environment(exact=True)},
            **kwargs,
        )

    def load(self, namegate, exact=False):
        namegate.command_prefix = self.command(exact)
        return namegate

    def begin(self, calls, error="ENOMEM", first=1, every=1, chance=0, seed=1):
        """From now on calls of these names (a list, or one) fail: the first-th and then each
        every-th (0: no other), or `chance` of 1000."""
        self.end()
        names = [calls] if isinstance(calls, str) else calls
        bits = sum(1 << CALLS.index(name) for name in names)
        how = (getattr(errno, error), first, every, chance, seed, 0, 0)
        self.memory[4 : HOW.size] = HOW.pack(0, *how)[4:]
        self.memory[0:4] = struct.pack("=I", bits)  # all else is there by now

    def end(self):
        """Gives how many calls failed."""
        self.memory[0:4] = bytes(4)
        return self.failed()

    def failed(self):
        return HOW.unpack_from(self.memory)[7]

    def number(self):
        """Calls since begin() that could have failed."""
        return HOW.unpack_from(self.memory)[6]

    def seen(self):
        """How often each call was made since the program began."""
        counts = SEEN.unpack_from(self.memory, HOW.size + CLOCKS.size)
        return dict(zip(CALLS, counts))

    def shift_clocks(self, realtime_s=0, monotonic_s=0, boottime_s=0):
        """Sets by how much the program's clocks differ from the system's."""
        CLOCKS.pack_into(self.memory, HOW.size, realtime_s, monotonic_s, boottime_s)
