"""Forms of the series in simulator/series/<system>.yaml: what each kind has, and what is refused."""

from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    StringConstraints,
    model_validator,
)

from simulator.engine.signals import MetricKind

TARGET_LABELS = ("app", "instance", "job", "namespace", "node", "pod")
"""Labels that the scrape sets to those of the program; series cannot define them."""
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 2.5, 5.0, 10.0)


def _own_label(name: str) -> str:
    if name in TARGET_LABELS:
        raise ValueError(f"{name!r} is set by the scrape; allowed: any other label")
    if name.startswith("__") or name == "le":
        raise ValueError(f"{name!r} is Prometheus' own; allowed: any other label")
    return name


_Name = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z_:][a-zA-Z0-9_:]*$")]
_Label = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z_][a-zA-Z0-9_]*$"), AfterValidator(_own_label)]


Shape = tuple[MetricKind, tuple[float, ...]]
"""Kind of a metric, and its buckets."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


_Labels = dict[_Label, str]


class _Series(_Strict):
    metric: _Name
    labels: _Labels = Field(default_factory=dict)


class Gauge(_Series):
    """A level, while the fault is on."""

    kind: Literal["gauge"]
    value: FiniteFloat
    after: FiniteFloat = 0.0
    """Value after the end of the fault, until the series disappears."""

    def shape(self) -> Shape:
        """Kind and buckets."""
        return MetricKind.GAUGE, _BUCKETS


class _Growing(_Series):
    per_second: NonNegativeFloat = 0.0
    burst: NonNegativeInt = 0
    """Number of events at the start of the fault."""

    @model_validator(mode="after")
    def _grows(self) -> "_Growing":
        if not self.per_second and not self.burst:
            raise ValueError("nothing happens: per_second and burst are both 0; allowed: at least one above 0")
        return self


class Counter(_Growing):
    """Events of one series."""

    kind: Literal["counter"]

    def shape(self) -> Shape:
        """Kind; a counter has no buckets."""
        return _counter(self.metric)


class Ratio(_Strict):
    """Two series of a counter, of good and bad events, with a given share of bad ones whatever was counted before."""

    kind: Literal["ratio"]
    metric: _Name
    good: _Labels
    bad: _Labels
    share: Annotated[float, Field(gt=0, lt=1)]
    """Share of the events that are bad."""
    least: PositiveInt
    """Number of events at the start of the fault, at least."""
    times: PositiveFloat
    """Number of events at the start as a multiple of the fault's own in the window before."""
    window: PositiveFloat
    """Seconds."""
    per_second: NonNegativeFloat = 0.0
    left: Annotated[float, Field(gt=0, lt=1)]
    """Share of bad events in six hours that good ones leave at the end; six hours are an SLO's longest short window."""

    @property
    def labels(self) -> _Labels:
        """The labels of both series."""
        return {**self.good, **self.bad}

    def shape(self) -> Shape:
        """Kind; a counter has no buckets."""
        return _counter(self.metric)


def _counter(metric: str) -> Shape:
    return MetricKind.COUNTER if metric.endswith("_total") else MetricKind.PLAIN_COUNTER, _BUCKETS


def _ascending(bounds: list[float]) -> list[float]:
    if bounds != sorted(set(bounds)):
        raise ValueError("must be in ascending order, without duplicates")
    return bounds


def _whole(name: str) -> str:
    for suffix in ("_bucket", "_count", "_sum"):
        if name.endswith(suffix):
            raise ValueError(f"{suffix} is appended; allowed: the name of the histogram itself")
    return name


class Histogram(_Growing):
    """Observations of one histogram."""

    kind: Literal["histogram"]
    metric: Annotated[_Name, AfterValidator(_whole)]
    median: PositiveFloat
    """Seconds; the observations spread from 0.6 to 1.9 times this."""
    buckets: Annotated[list[FiniteFloat], Field(min_length=1), AfterValidator(_ascending)] = list(_BUCKETS)

    def shape(self) -> Shape:
        """Kind and buckets."""
        return MetricKind.HISTOGRAM, tuple(self.buckets)


AnySeries = Gauge | Counter | Ratio | Histogram


class FaultOfFile(_Strict):
    """One alert's fault."""

    text: Annotated[str, StringConstraints(min_length=1)]
    """Description of the effect, for people."""
    series: Annotated[list[Annotated[AnySeries, Field(discriminator="kind")]], Field(min_length=1)]
