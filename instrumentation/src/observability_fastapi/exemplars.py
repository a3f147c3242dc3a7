"""Which traces a collector's tail sampling keeps, as far as a request's end tells: only these become exemplars.

The platform's gateways keep traces with an error, slow traces, and a share that the trace's id decides. The share is
the same function here and there (components/collector/sampling.py): FNV-1a of the id's 32 digits, as a number with a
sign, is below a limit.
"""

from dataclasses import dataclass

EVERY_TRACE = 100.0
"""The percentage with which each trace may be an exemplar."""
_BITS = 64
_MASK = (1 << _BITS) - 1
_OFFSET, _PRIME = 0xCBF29CE484222325, 0x100000001B3
_FAILED = 500


@dataclass(frozen=True, slots=True)
class Sampling:
    """The traces that the collector keeps."""

    percentage: float
    """Share of the traces that are neither slow nor failed."""
    slow: float
    """Seconds from which a trace is kept."""

    def keeps(self, trace_id: int, status: int, seconds: float) -> bool:
        """Whether the trace of a request with this status and duration is kept."""
        if self.percentage >= EVERY_TRACE or status >= _FAILED or seconds >= self.slow:
            return True
        return _hash(trace_id) < round(2**_BITS * self.percentage / 100) - 2 ** (_BITS - 1)


ALL = Sampling(EVERY_TRACE, 0.0)


def _hash(trace_id: int) -> int:
    """64 bits with a sign."""
    value = _OFFSET
    for byte in format(trace_id, "032x").encode("ascii"):
        value = (value ^ byte) * _PRIME & _MASK
    return value - (value >> _BITS - 1 << _BITS)
