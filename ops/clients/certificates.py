"""The certificates that clients trust."""

import functools
import ssl

import httpx


@functools.cache
def certificates() -> ssl.SSLContext:
    """Those that httpx trusts by default, read once: it reads them for each call without a client, for 30 ms of CPU.

    A drill makes thousands of calls, also to addresses without TLS.
    """
    return httpx.create_ssl_context()
