"""Servers that are started beside each other, and where everything is that they need."""

import questions
from place import NAMEGATE, SERVER_CPU
from process import Process, Prober, await_port
from report import say
from servers import PROTOCOLS, SERVERS, Site, null_command
from upstream import start_upstream

import certificates

NXDOMAIN = 3


class Instance:
    """A server that runs, or for null a program for each protocol."""

    def __init__(self, name, site, processes):
        self.name, self.site, self.processes = name, site, processes

    @property
    def ports(self):
        return self.site.ports

    def pid_of(self, protocol):
        protocol = "doh" if protocol == "get" else protocol
        return self.processes.get(protocol, self.processes.get("all")).pid

    def is_alive(self):
        return all(process.is_alive() for process in self.processes.values())

    def stop(self):
        for process in self.processes.values():
            process.stop()


class Stage:
    """Starts servers, and knows where everything is."""

    def __init__(self, place, size, beside):
        """A list of `size` names; `beside` are other builds of namegate by their name."""
        self.place, self.size = place, size
        self.upstream = start_upstream(place)
        (place / "certificates").mkdir()
        self.certificates = certificates.make(place / "certificates")
        self.binaries = {"namegate": NAMEGATE, **beside}
        self.lists, self.count = {}, 0
        self.last = questions.names(self.size - 1, 1)[0] if self.size else None

    def kind_of(self, name):
        return SERVERS["namegate" if name in self.binaries else name]

    def listed(self, form):
        if form not in self.lists:
            path = self.place / ("list." + form)
            self.lists[form] = questions.write_list(path, form, 0, self.size)
        return self.lists[form]

    def begin(self, name, with_list=True, cpu=SERVER_CPU, workers=1):
        """Starts a server; await_all() must follow."""
        self.count += 1
        directory = self.place / ("%s-%d" % (name, self.count))
        directory.mkdir()
        made = self.certificates
        site = Site(directory, self.upstream, certificate=made.certificate, key=made.key)
        site.workers = workers
        if name == "null":
            return self.begin_null(site, cpu)
        kind = self.kind_of(name)
        site.binary = self.binaries.get(name)
        site.listed = self.listed(kind.form) if with_list and self.size else None
        return Instance(name, site, {"all": Process(directory, kind.make(site), cpu)})

    def begin_null(self, site, cpu):
        processes = {
            protocol: Process(site.directory, null_command(site, protocol), cpu)
            for protocol in PROTOCOLS
        }
        return Instance("null", site, processes)

    def await_one(self, instance):
        """Until it answers, and blocks the last name of its list."""
        process = instance.processes.get("all", instance.processes.get("doh"))
        ports, name, rcode = instance.ports, "a." + questions.ZONE, 0
        if instance.site.listed:
            name, rcode = self.last, NXDOMAIN
        begun = Prober(ports["udp"]).await_rcode(process, name, rcode) is not None
        return begun and all(await_port(process, ports[word]) for word in ("dot", "doh"))

    def await_all(self, begun):
        """Those that have begun; what has not is left out with a word."""
        there = []
        for instance in begun:
            if self.await_one(instance):
                there.append(instance)
                continue
            log = next(iter(instance.processes.values())).log.read_text()[-300:]
            say("%s does not start: %s" % (instance.name, log))
            instance.stop()
        return there
