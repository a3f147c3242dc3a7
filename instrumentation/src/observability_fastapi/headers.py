"""Checks the headers in which callers identify a request and a project; no unchecked value is passed on."""

import re
import time
from collections.abc import Callable
from os import urandom
from threading import Lock

import structlog

from observability_fastapi.counting.names import Names
from observability_fastapi.settings import INVALID_PROJECT, NO_PROJECT, RESERVED_PROJECTS

REQUEST_ID = b"x-request-id"
LONGEST_ID = 128
# No quotes, brackets, backslashes, spaces or control characters, because responses and log lines contain the id.
_ID = re.compile(rb"[A-Za-z0-9._:~|+/=@-]{1,128}")
_ID_ALLOWED = f"1 to {LONGEST_ID} of A-Z a-z 0-9 . _ : ~ | + / = @ -"
_SHOWN = 64
"""Maximum length of an invalid value in a warning."""
_WARN_EVERY = 60.0
"""Minimum seconds between two warnings about one header, because a caller may send many invalid values."""
_VERSION_4 = 0x4 << 76
_VARIANT = 0x8 << 60
_RANDOM_BITS = ~(0xF << 76 | 0xC << 60)

log = structlog.get_logger()


def new_request_id() -> str:
    """A new UUID4; like str(uuid.uuid4()), but without creating a UUID object."""
    digits = f"{int.from_bytes(urandom(16)) & _RANDOM_BITS | _VERSION_4 | _VARIANT:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


class Warner:
    """Warns about invalid headers, at most once a minute per header."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` returns seconds and must be monotonic."""
        self._clock = clock
        self._lock = Lock()
        self._last: dict[str, float] = {}
        self._suppressed: dict[str, int] = {}

    def warn(self, header: str, value: bytes, allowed: str, instead: str) -> None:
        """Log the invalid value, the allowed values, and the value used instead."""
        now = self._clock()
        with self._lock:
            last = self._last.get(header)
            if last is not None and now - last < _WARN_EVERY:
                self._suppressed[header] = self._suppressed.get(header, 0) + 1
                return
            self._last[header] = now
            suppressed = self._suppressed.pop(header, 0)
        shown = value[:_SHOWN].decode("latin-1")
        log.warning(
            "header not taken",
            header=header,
            value=shown if len(value) <= _SHOWN else f"{shown}... ({len(value)} bytes)",
            allowed=allowed,
            instead=instead,
            not_reported=suppressed,
        )


class RequestIds:
    """Forwards a caller's id if it is valid, otherwise creates one."""

    def __init__(self, warner: Warner) -> None:
        self._warner = warner

    def take(self, given: bytes | None) -> str:
        """The id of a request whose header X-Request-Id has the value `given`."""
        if given is None:
            return new_request_id()
        if _ID.fullmatch(given):
            return given.decode("ascii")
        made = new_request_id()
        self._warner.warn("X-Request-Id", given, _ID_ALLOWED, made)
        return made


class Projects:
    """Maps the project header to a label with a limited number of values."""

    def __init__(self, header: str, pattern: str, *, warner: Warner, names: Names) -> None:
        """`names` limits the labels."""
        self._header = header
        self._pattern = re.compile(pattern)
        self._allowed = f"{pattern}, and none of {', '.join(RESERVED_PROJECTS)}"
        self._warner = warner
        self._names = names
        self._named: dict[bytes, str] = {}
        """Values of the header that are labels."""

    def take(self, given: bytes | None) -> tuple[str, str]:
        """(label for metrics, name for log lines) of a header's value."""
        if not given:
            return NO_PROJECT, NO_PROJECT
        label = self._named.get(given)
        if label is not None:
            return label, label
        return self._classify(given)

    def _classify(self, given: bytes) -> tuple[str, str]:
        name = given.decode("latin-1")
        if not self._pattern.fullmatch(name) or name in RESERVED_PROJECTS:
            self._warner.warn(self._header, given, self._allowed, INVALID_PROJECT)
            return INVALID_PROJECT, INVALID_PROJECT
        label = self._names.label(name)
        if label == name:
            self._named[given] = name
        return label, name
