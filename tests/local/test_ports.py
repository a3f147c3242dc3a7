"""Ports for servers that cannot choose a free one themselves.

Each is free, is given out once, and lies below the range from which the kernel takes ports for outgoing connections.
"""

import socket
from pathlib import Path

import pytest

from local.errors import LocalError
from local.ports import free_port, free_ports, is_free


def test_ports_differ_and_are_free():
    ports = [*free_ports(200), free_port()]
    assert len(set(ports)) == 201
    assert all(map(is_free, ports))


def test_ports_lie_below_those_of_outgoing_connections():
    lowest_ephemeral = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert max(free_ports(7000)) < lowest_ephemeral


def test_a_port_in_use_is_skipped():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", free_port()))
        taken.listen()
        port = taken.getsockname()[1]
        assert not is_free(port)
        assert port not in free_ports(7000)


def test_too_many_ports_are_an_error():
    with pytest.raises(LocalError, match=r"of the ports 20000 to 27999 only .* are free, not 8001"):
        free_ports(8001)
