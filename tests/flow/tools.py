"""Clients that we did not write, as commands."""

import subprocess


def run(*command, timeout=30, check=True, **kwargs):
    """A command's result; standard input is empty."""
    kwargs.setdefault("stdin", subprocess.DEVNULL)
    done = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, timeout=timeout, **kwargs
    )
    assert not check or done.returncode == 0, "%s: %s%s" % (command, done.stdout, done.stderr)
    return done


def kdig(namegate, *arguments, protocol="dns"):
    """kdig against one of the listeners; returns its text."""
    how = {
        "udp": [],
        "tcp": ["+tcp"],
        "dot": ["+tls", "+tls-ca=%s" % namegate.certificates.ca, "+tls-host=127.0.0.1"],
        "doh": ["+https", "+tls-ca=%s" % namegate.certificates.ca],
        "doh-get": ["+https", "+https-get", "+tls-ca=%s" % namegate.certificates.ca],
    }[protocol]
    port = namegate.ports[{"udp": "dns", "tcp": "dns", "dot": "dot"}.get(protocol, "doh")]
    options = ["+retry=0", "+timeout=6"]
    return run("kdig", "@127.0.0.1", "-p", port, *options, *how, *arguments, check=False).stdout


def dig(namegate, *arguments, protocol="udp"):
    """dig, likewise."""
    ca = "+tls-ca=%s" % namegate.certificates.ca
    how = {
        "udp": [],
        "tcp": ["+tcp"],
        "dot": ["+tls", ca, "+tls-hostname=127.0.0.1"],
        "doh": ["+https", ca, "+tls-hostname=127.0.0.1"],
        "doh-get": ["+https-get", ca, "+tls-hostname=127.0.0.1"],
    }[protocol]
    port = namegate.ports[{"udp": "dns", "tcp": "dns", "dot": "dot"}.get(protocol, "doh")]
    options = ["+tries=1", "+timeout=6"]
    done = run("dig", "@127.0.0.1", "-p", port, *options, *how, *arguments, check=False)
    return done.stdout
