"""knotd as an ordinary upstream: one small zone, in a directory of its own."""

import subprocess
import time

from tools import run

ZONE = """\
$ORIGIN plain.test.
$TTL 300
@       SOA   ns host 1 3600 600 86400 30
@       NS    ns
ns      A     127.0.0.1
www     A     192.0.2.10
www     AAAA  2001:db8::10
web     A     127.0.0.1
alias   CNAME www
ads     CNAME tracker.evil
tracker.evil A 192.0.2.66
mail    MX    10 www
txt     TXT   "knot says hello"
srv     SRV   1 2 443 www
short   7 A   192.0.2.7
svc     HTTPS 1 . alpn=h2
many    TXT   "%(filler)s"
*.wild  A     192.0.2.20
%(big)s
"""

# 12,000 bytes, more than any datagram and any TLS record on its way hold at once.
BIG = 50
VALUES = {
    "filler": "x" * 200,
    "big": "\n".join('big TXT "%03d%s"' % (i, "x" * 240) for i in range(BIG)),
}

CONFIG = """\
server:
    rundir: "%(dir)s"
    listen: 127.0.0.1@%(port)d
database:
    storage: "%(dir)s"
log:
  - target: "%(dir)s/log"
    any: warning
zone:
  - domain: plain.test.
    file: "%(dir)s/plain.zone"
    zonefile-sync: -1
    journal-content: none
  - domain: broken.test.
    file: "%(dir)s/missing.zone"
"""


class Knot:
    def __init__(self, directory, port):
        self.directory, self.port = directory, port

    def __enter__(self):
        values = {"dir": self.directory, "port": self.port, **VALUES}
        (self.directory / "plain.zone").write_text(ZONE % values)
        config = self.directory / "knot.conf"
        config.write_text(CONFIG % values)
        self.process = subprocess.Popen(
            ["knotd", "-c", str(config)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        self._wait()
        return self

    def _wait(self):
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.process.stderr.read()
            ask = ("@127.0.0.1", "-p", self.port, "+retry=0", "+timeout=1", "+short")
            if "192.0.2.10" in run("kdig", *ask, "www.plain.test", check=False).stdout:
                return
            time.sleep(0.05)
        raise AssertionError("knotd does not answer")

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(10)
