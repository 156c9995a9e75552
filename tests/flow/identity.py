"""Views that say by their answer which one it was, and one way to ask over any protocol."""

import ssl

from config_text import group, inline, rule
from dns_client import PATIENCE_S, Stream, Udp, tls_context
from dns_wire import opt, option, query
from h2_client import H2

WHO = "who.test"
NOBODY, CLOSED = "nobody", "closed"
ACCESS_TOKEN = 0xFFA0  # the EDNS option


def with_views(settings, views):
    """`views` are settings; the one at place N answers WHO with 192.0.2.N."""
    settings["domain_lists"] = [inline("who", WHO)]
    settings["rule_groups"], settings["views"] = [], []
    for number, view in enumerate(views):
        address = "192.0.2.%d" % number
        answer = rule("who", "BLOCK", "who", block_response="ADDRESS", addresses=[address])
        settings["rule_groups"].append(group(view["name"], answer))
        associated = [{"rule_group": view["name"], "priority": 101}]
        settings["views"].append({**view, "associations": associated})
    return settings


class Asker:
    """Asks a program who we are; gives a view's name, NOBODY (REFUSED), CLOSED, or the status of
    HTTP."""

    def __init__(self, namegate):
        self.namegate = namegate
        self.views = [view["name"] for view in namegate.settings["views"]]

    def name_of(self, message):
        if message is None:
            return CLOSED
        if message.rcode == 5:
            return NOBODY
        (address,) = message.addresses
        return self.views[int(address.rpartition(".")[2])]

    def context(self, protocol, client=None, version=None, checks=True):
        alpn = {"dot": "dot", "doh": "h2"}[protocol]
        context = tls_context(self.namegate.certificates.ca, alpn, version, client)
        if not checks:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context

    def open(self, protocol, port=None, client=None, version=None, server_name=None, **more):
        """A connection. Who asks for another name gets a certificate without it, and does not
        mind."""
        port = port or self.namegate.ports[protocol if protocol.startswith("do") else "dns"]
        if protocol == "udp":
            return Udp("127.0.0.1", port, **more)
        if protocol == "tcp":
            return Stream("127.0.0.1", port, **more)
        context = self.context(protocol, client, version, server_name is None)
        kind = Stream if protocol == "dot" else H2
        ca = () if protocol == "dot" else (self.namegate.certificates.ca,)
        more = {"context": context, "server_name": server_name, **more}
        return kind("127.0.0.1", port, *ca, **more)

    def on(self, protocol, connection, path=None, token=None, **headers):
        """Asks over an open connection. A token is a parameter over DoH, else in the message."""
        if protocol != "doh":
            options = option(ACCESS_TOKEN, token.encode()) if token else b""
            return self.name_of(connection.ask(query(WHO, edns=opt(options=options))))
        path = (path or connection.path) + ("?token=%s" % token if token else "")
        response = connection.wait(connection.post(query(WHO), path=path, **headers))
        return self.name_of(response.message) if response.status == 200 else response.status

    def __call__(self, protocol, path=None, headers=None, token=None, **how):
        try:
            with self.open(protocol, **how) as connection:
                return self.on(protocol, connection, path, token, **(headers or {}))
        except (ConnectionError, ssl.SSLError):
            return CLOSED
        except AssertionError as error:
            if "closed before the answer" in str(error):
                return CLOSED
            raise


def is_open(protocol, connection):
    """Does nothing say that it has been closed?"""
    if protocol == "doh":
        connection.pump(0.2)
        return not connection.closed and not connection.goaway
    return not connection.is_closed(0.2)


def wait_closed(protocol, connection):
    return (connection.wait_closed if protocol == "doh" else connection.is_closed)(PATIENCE_S)
