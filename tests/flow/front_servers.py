"""Proxies before namegate that we did not write: HAProxy, nginx and dnsdist, as they are used: by
their own ways of telling whose a connection or a request is. They connect from PROXY."""

import os
import shutil
import subprocess
import time

from program import Ports

PROXY = "127.0.0.66"  # of all of loopback, the one that namegate is told to believe

HAPROXY = """\
global
    log stdout format raw daemon warning
defaults
    mode tcp
    timeout connect 5s
    timeout client 10s
    timeout server 10s
listen v1-dns
    bind 127.0.0.1:%(v1_tcp)d
    server it 127.0.0.1:%(dns)d send-proxy source %(proxy)s
listen v1-dot
    bind 127.0.0.1:%(v1_dot)d
    server it 127.0.0.1:%(dot)d send-proxy source %(proxy)s
listen v2-dns
    bind 127.0.0.1:%(v2_tcp)d
    server it 127.0.0.1:%(dns)d send-proxy-v2 source %(proxy)s
listen v2-dot
    bind 127.0.0.1:%(v2_dot)d
    server it 127.0.0.1:%(dot)d send-proxy-v2 proxy-v2-options crc32c,unique-id source %(proxy)s
listen v2-doh
    bind 127.0.0.1:%(v2_doh)d
    server it 127.0.0.1:%(doh)d send-proxy-v2 proxy-v2-options crc32c source %(proxy)s
listen check
    bind 127.0.0.1:%(check)d
    server it 127.0.0.1:%(dot)d send-proxy-v2 check check-ssl check-alpn dot verify none \
inter 100 source %(proxy)s
frontend http
    mode http
    bind 127.0.0.1:%(http)d ssl crt %(pair)s alpn h2
    option forwardfor
    default_backend http
backend http
    mode http
    server it 127.0.0.1:%(doh_http)d ssl verify none alpn h2 proto h2 source %(proxy)s
frontend rfc7239
    mode http
    bind 127.0.0.1:%(rfc7239)d ssl crt %(pair)s alpn h2
    http-request del-header x-forwarded-for
    http-request add-header forwarded for=%%[src];proto=https
    default_backend http
"""

NGINX = """\
%(modules)s
daemon off;
pid %(dir)s/pid;
error_log stderr warn;
worker_processes 1;
events {}
stream {
    server {
        listen 127.0.0.1:%(v1_tcp)d;
        proxy_pass 127.0.0.1:%(dns)d;
        proxy_protocol on;
        proxy_bind %(proxy)s;
    }
    server {
        listen 127.0.0.1:%(v1_dot)d;
        proxy_pass 127.0.0.1:%(dot)d;
        proxy_protocol on;
        proxy_bind %(proxy)s;
    }
}
"""

DNSDIST = """\
setLocal("127.0.0.1:%(v2_tcp)d")
setSecurityPollSuffix("")
setACL("127.0.0.0/8")
newServer({ address = "127.0.0.1:%(dns)d", tcpOnly = true, useProxyProtocol = true,
    healthCheckMode = "up", mustResolve = false, source = "%(proxy)s" }):setUp()
"""


class Front:
    """A program in a directory of its own, before the ports in `behind`; its own are `ports`."""

    program = template = None

    def __init__(self, directory, behind, certificates):
        directory.mkdir()
        self.directory, self.process = directory, None
        words = ("v1_tcp", "v1_dot", "v2_tcp", "v2_dot", "v2_doh", "check", "http", "rfc7239")
        self.ports = {word: Ports.take() for word in words}
        pair = directory / "pair.pem"
        pair.write_bytes(certificates.certificate.read_bytes() + certificates.key.read_bytes())
        values = {**behind, **self.ports, "dir": directory, "pair": pair, "proxy": PROXY}
        values["modules"] = self.modules()
        self.config = directory / "config"
        self.config.write_text(self.template % self.values(values))

    def modules(self):
        return ""

    def values(self, values):
        """What is filled into the template."""
        return values

    def start(self):
        path = shutil.which(self.program, path="/usr/sbin:/usr/bin")
        with open(self.directory / "log", "ab") as log:
            self.process = subprocess.Popen(
                [str(word) for word in (path, *self.arguments())],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.directory,
                env={**os.environ, "HOME": str(self.directory)},
            )
        return self

    @property
    def log(self):
        return (self.directory / "log").read_text(errors="replace")

    def wait(self, ask):
        """Until it serves: a question that gets a view."""
        deadline = time.monotonic() + 15
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.log
            try:
                if ask():
                    return self
            except (OSError, AssertionError):
                pass
            time.sleep(0.05)
        raise AssertionError("%s does not serve: %s" % (self.program, self.log))

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class Haproxy(Front):
    program, template = "haproxy", HAPROXY

    def arguments(self):
        return "-db", "-f", self.config


class Nginx(Front):
    program, template = "nginx", NGINX

    def modules(self):
        return 'load_module "/usr/lib/nginx/modules/ngx_stream_module.so";'

    def arguments(self):
        return "-c", self.config, "-p", self.directory


class NginxHttp(Nginx):
    """The documentation's example, on a port of ours."""

    template = """\
daemon off;
pid %(dir)s/pid;
error_log stderr warn;
worker_processes 1;
events {}
http {
    access_log off;
    client_body_temp_path %(dir)s/body;
    proxy_temp_path %(dir)s/proxy;
    fastcgi_temp_path %(dir)s/fastcgi;
    uwsgi_temp_path %(dir)s/uwsgi;
    scgi_temp_path %(dir)s/scgi;
%(example)s
}
"""

    def values(self, values):
        text = values["example"].replace("127.0.0.1:8053", "127.0.0.1:%d" % values["clear"])
        text = text.replace("listen 443", "listen 127.0.0.1:%d" % values["http"])
        return {**values, "example": text.replace("pair.pem", str(values["pair"]))}

    def modules(self):
        return ""


class Caddy(Front):
    program = "caddy"
    template = """\
{
    admin off
    auto_https off
}
%(example)s
"""

    def values(self, values):
        text = values["example"].replace("127.0.0.1:8053", "127.0.0.1:%d" % values["clear"])
        site = "https://127.0.0.1:%d {\n    bind 127.0.0.1\n    tls %s %s" % (
            values["http"],
            values["pair"],
            values["pair"],
        )
        return {**values, "example": text.replace("dns.example {", site)}

    def arguments(self):
        return "run", "--adapter", "caddyfile", "--config", self.config


class Dnsdist(Front):
    program, template = "dnsdist", DNSDIST

    def arguments(self):
        return "--supervised", "--disable-syslog", "-C", self.config
