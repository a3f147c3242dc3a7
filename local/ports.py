"""Free ports and addresses of this machine alone, for programs that need them before they start."""

import errno
import itertools
import os
import secrets
import socket

from local.errors import LocalError

_PORTS = range(20_000, 28_000)
"""Below the ephemeral ports of every system, so that no outgoing connection takes one between choice and use."""
_STRIDE = 1009
"""Distance between the first ports of two processes with consecutive ids, such as the workers of a test run."""
_steps = itertools.count()


def is_free(port: int) -> bool:
    """Whether no program listens on this port. Raises OSError if this cannot be determined."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            return False
    return True


def free_ports(count: int) -> list[int]:
    """Free ports. This process gets the same port again only after all others.

    Raises LocalError if there are not enough.
    """
    first = os.getpid() * _STRIDE
    tried = (_PORTS[(first + next(_steps)) % len(_PORTS)] for _ in _PORTS)
    found = list(itertools.islice(filter(is_free, tried), count))
    if len(found) < count:
        raise LocalError(f"of the ports {_PORTS.start} to {_PORTS.stop - 1} only {len(found)} are free, not {count}")
    return found


def free_port() -> int:
    """One of `free_ports`."""
    return free_ports(1)[0]


def hidden_address() -> str:
    """A loopback address that a web page in a browser of this machine cannot guess.

    127.0.0.1 on systems that have no other. Other users of this machine can see it in the system's list of sockets.
    """
    first, second, third = (secrets.randbelow(254) + 1 for _ in range(3))
    address = f"127.{first}.{second}.{third}"
    with socket.socket() as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return "127.0.0.1"
    return address
