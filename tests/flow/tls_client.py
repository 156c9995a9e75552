"""`openssl s_client`, from its start to its end."""

import subprocess
import time


def s_client(namegate, *arguments, port="dot", text=b"", linger=0.3):
    """What `openssl s_client` says; `text` is typed once it is connected."""
    command = ["openssl", "s_client", "-connect", "127.0.0.1:%d" % namegate.ports[port]]
    command += ["-CAfile", str(namegate.certificates.ca), *arguments]
    client = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    time.sleep(linger)
    try:
        client.stdin.write(text)
        client.stdin.flush()
        time.sleep(linger)
        client.stdin.close()
    except BrokenPipeError:
        pass
    out = client.stdout.read().decode(errors="replace")
    client.wait(10)
    return out
