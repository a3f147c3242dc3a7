"""The certificates that clients trust."""

import functools
import ssl

import httpx


@functools.cache
def certificates() -> ssl.SSLContext:
    """The TLS context that httpx uses by default; all calls of the process share it.

    Without an argument `verify`, each call of httpx reads the machine's certificates again, even for an address without
    TLS. That takes 30 ms of CPU, and a drill makes thousands of calls.
    """
    return httpx.create_ssl_context()
