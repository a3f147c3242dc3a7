"""What routing must give in one case."""

from dataclasses import dataclass
from typing import Literal

from tools.mutation.semantics import Labels

Part = Literal["routing", "muting"]


@dataclass(frozen=True, kw_only=True)
class Case:
    """One alert, and the receivers or the muting that routing must give it."""

    name: str
    part: Part
    kind: Literal["route", "inhibition", "window"]
    alerts: tuple[Labels, ...]
    """The one that is asked about is the last."""
    expected: frozenset[str] | bool
    """Receivers; or whether it is muted."""
    instant: str = ""
