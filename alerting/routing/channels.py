"""A destination of notifications, of one of the kinds in alerting/routing/kinds."""

from typing import TYPE_CHECKING

from pydantic import create_model, model_validator

from alerting.base import Strict
from alerting.routing.kinds import KINDS
from alerting.routing.kinds.base import ChannelKind


class _Channel(Strict):
    """A destination of notifications. Exactly one kind is set, under its name."""

    @model_validator(mode="after")
    def _one_kind(self) -> "_Channel":
        if len(self._kinds()) != 1:
            raise ValueError(f"needs exactly one of {', '.join(KINDS)}")
        return self

    def _kinds(self) -> list[ChannelKind]:
        return [kind for name in KINDS if (kind := getattr(self, name)) is not None]

    @property
    def kind(self) -> ChannelKind:
        """The kind that is set."""
        return self._kinds()[0]


if TYPE_CHECKING:
    Channel = _Channel
else:
    Channel = create_model("Channel", __base__=_Channel, **{name: (kind | None, None) for name, kind in KINDS.items()})
