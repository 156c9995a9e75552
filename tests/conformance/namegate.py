"""namegate as the server of a check."""

from program import Namegate, base_settings, run_command, with_rules
from config_text import inline, rule
from server import BLOCKED, BLOCKED_ADDRESS, Server


class Ours(Server):
    name = "namegate"
    has = frozenset(("addresses", "metrics", "reload"))

    def __init__(self, directory, certificates, upstream, ports):
        super().__init__(directory, certificates, upstream, ports)
        upstreams = {"scripted": upstream.port}
        settings = base_settings(directory, certificates, upstreams, ports)
        del settings["special_names"]
        addresses = directory / "addresses.txt"
        addresses.write_text(BLOCKED_ADDRESS + "/32\n")
        lists = [
            inline("names", BLOCKED, "*." + BLOCKED),
            {"name": "addresses", "format": "networks", "file": str(addresses)},
        ]
        rules = [rule(d["name"], "BLOCK", d["name"], block_response="NXDOMAIN") for d in lists]
        with_rules(settings, lists, rules)
        self.settings = settings
        self.program = Namegate(directory, settings, ports, certificates)

    @property
    def pid(self):
        return self.program.pid

    @property
    def version(self):
        return run_command("version").stdout.split("\n")[0]

    def start(self):
        self.program.start()
        return self

    def stop(self):
        if self.program.process:
            self.program.stop()

    def is_alive(self):
        return self.program.process.poll() is None

    def namegate(self):
        return self.program
