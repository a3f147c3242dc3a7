"""What routing must give in one case."""

from dataclasses import dataclass
from typing import Literal

from tools.mutation.semantics import Labels

Part = Literal["routing", "muting"]


@dataclass(frozen=True, kw_only=True)
class Case:
    """What must come out of one case."""

    name: str
    part: Part
    kind: Literal["route", "inhibition", "window"]
    alerts: tuple[Labels, ...]
    """The one that is asked about is the last."""
    expected: frozenset[str] | bool
    """Receivers; or whether it is muted."""
    instant: str = ""
