"""Ports of the loopback address, for programs that must be told theirs before they start."""

import errno
import itertools
import os
import socket

from local.errors import LocalError

_PORTS = range(20_000, 28_000)
"""Below the ephemeral ports of every system: no outgoing connection takes one between its choice and its use."""
_STRIDE = 1009
"""Between the first ports of two processes that start one after the other, as the workers of a test run do."""
_steps = itertools.count()


def is_free(port: int) -> bool:
    """Whether nobody listens on this port. Raises OSError if that cannot be told."""
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
    """Ports that nobody listens on; this process gets none of them again until it had all others.

    Raises LocalError when there are not as many.
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
