"""Kubernetes quantities of memory and storage."""

import re
from decimal import Decimal
from typing import Annotated

from pydantic import AfterValidator

_UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15} | {
    unit: 1024**power for power, unit in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi"), start=1)
}
_LARGEST = 2**60
"""1024Pi: programs count bytes in 64 bits, and some of them multiply first."""
_QUANTITY = re.compile(r"([0-9]+(?:\.[0-9]+)?)(Ki|Mi|Gi|Ti|Pi|k|M|G|T|P|)")


def quantity_bytes(text: str) -> int:
    """Bytes of a quantity such as `50Gi`. Raises ValueError if it is no quantity, zero, or above 1024Pi."""
    match = _QUANTITY.fullmatch(text)
    size = int(Decimal(match[1]) * _UNITS[match[2]]) if match else 0
    if not 0 < size <= _LARGEST:
        raise ValueError("must be a Kubernetes quantity above zero and at most 1024Pi such as 512Mi or 50Gi")
    return size


def _checked(text: str) -> str:
    quantity_bytes(text)
    return text


Quantity = Annotated[str, AfterValidator(_checked)]
"""A quantity as text, such as `50Gi`."""


def at_least(minimum: str) -> AfterValidator:
    """Refuses quantities below `minimum`, which mostly lack their unit."""

    def check(text: str) -> str:
        if quantity_bytes(text) < quantity_bytes(minimum):
            raise ValueError(f"must be at least {minimum}")
        return text

    return AfterValidator(check)
