"""Where the pods of a part run, and how much CPU they reserve. The value of the key podSettings."""

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from settings.apps import (
    AGENT,
    ALERTMANAGER,
    EVENTS,
    GATEWAY,
    GRAFANA,
    JAEGER,
    KUBE_STATE_METRICS,
    LOKI,
    NODE_EXPORTER,
    PAGE_GATE,
    WORKSPACE_PROXY,
)
from settings.apps import PROMETHEUS as _PROMETHEUS
from settings.types import OBJECT_NAME, LabelName, LabelValue

ALL = "all"
"""Name under which settings count for every part that does not run on every node."""
ON_EVERY_NODE = (AGENT, NODE_EXPORTER.name)
_APPS = (_PROMETHEUS, ALERTMANAGER, LOKI, JAEGER, GRAFANA, KUBE_STATE_METRICS, WORKSPACE_PROXY, PAGE_GATE)
PARTS = (ALL, *(app.name for app in _APPS), GATEWAY, EVENTS, *ON_EVERY_NODE)
ALLOWED = (
    f"an object: part ({', '.join(PARTS)}) -> an object with any of nodeSelector (label -> value), tolerations (a list "
    "of objects with key, operator, value, effect, tolerationSeconds, as Kubernetes takes them), priorityClass (a "
    "name), cpu (such as 500m or 2) and spread (preferred or required); "
    f"{' and '.join(ON_EVERY_NODE)} run on every node, and take only priorityClass and cpu"
)


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, alias_generator=to_camel)


class Toleration(_Model):
    """A toleration as Kubernetes takes it; a field that is not set is left out."""

    key: LabelName | None = None
    operator: Literal["Exists", "Equal"] | None = None
    value: LabelValue | None = None
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    toleration_seconds: Annotated[int, Field(ge=0, le=2**63 - 1)] | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.operator == "Exists" and self.value:
            raise ValueError("Exists takes no value")
        if self.key is None and self.operator != "Exists":
            raise ValueError("without a key, only Exists is allowed")
        if self.toleration_seconds is not None and self.effect != "NoExecute":
            raise ValueError("tolerationSeconds is allowed with NoExecute only")
        return self


class PodSettings(_Model):
    """What a stack sets for a part; None for what it leaves to `all`, or to the part's own default."""

    node_selector: dict[LabelName, LabelValue] | None = None
    tolerations: list[Toleration] | None = None
    priority_class: Annotated[str, Field(pattern=OBJECT_NAME, min_length=1, max_length=253)] | None = None
    cpu: Annotated[str, Field(pattern=r"^([1-9]\d*m|[1-9]\d*|\d+\.\d{1,3})$")] | None = None
    spread: Literal["preferred", "required"] | None = None


def _known(parts: dict[str, PodSettings]) -> dict[str, PodSettings]:
    for part, chosen in parts.items():
        placed = chosen.node_selector or chosen.tolerations or chosen.spread
        if part not in PARTS or (part in ON_EVERY_NODE and placed):
            raise ValueError(part)
    return parts


PodSettingsByPart = Annotated[dict[str, PodSettings], AfterValidator(_known)]


def of(part: str, settings: Mapping[str, PodSettings]) -> PodSettings:
    """The settings of a part: its own, and for what it does not set, those of `all`."""
    own = settings.get(part, PodSettings())
    if part in ON_EVERY_NODE:
        return own
    common = settings.get(ALL, PodSettings())
    return common.model_copy(update={name: getattr(own, name) for name in own.model_fields_set})
