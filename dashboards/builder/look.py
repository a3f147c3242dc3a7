"""Presentation of values: unit, range, colours at limits, texts for values."""

from dataclasses import dataclass

from grafana_foundation_sdk.builders.dashboard import FieldColor, ThresholdsConfig
from grafana_foundation_sdk.models.dashboard import (
    DashboardSpecialValueMapOptions,
    FieldColorModeId,
    SpecialValueMap,
    SpecialValueMatch,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMapping,
    ValueMappingResult,
)

GOOD, WARNING, CRITICAL, NEUTRAL = "green", "orange", "red", "blue"
NOTHING = "no data"
"""In place of NaN."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Values at which the colour changes; `low_is_bad` reverses the order."""

    warning: float | None = None
    critical: float | None = None
    low_is_bad: bool = False
    """If True, values below a limit get its colour, not values above it."""
    why: str
    """Source of the numbers; appended to the panel's description."""

    def steps(self) -> list[Threshold]:
        """Grafana's thresholds, in ascending order."""
        if self.low_is_bad:
            pairs = [(self.critical, CRITICAL), (self.warning, WARNING)]
            present = [(value, colour) for value, colour in pairs if value is not None]
            values = [None, *(value for value, _ in present)]
            colours = [*(colour for _, colour in present), GOOD]
            return [Threshold(value, colour) for value, colour in zip(values, colours, strict=True)]
        pairs = [(self.warning, WARNING), (self.critical, CRITICAL)]
        return [Threshold(None, GOOD), *(Threshold(value, colour) for value, colour in pairs if value is not None)]


@dataclass(frozen=True, kw_only=True)
class Word:
    """A text and a colour that replace one value."""

    value: int
    text: str
    colour: str


@dataclass(frozen=True, kw_only=True)
class Look:
    """Everything about a panel's values except the query."""

    unit: str
    limits: Limits | None = None
    words: tuple[Word, ...] = ()
    minimum: float | None = 0
    """None if values may be negative."""
    maximum: float | None = None
    at_least: float | None = None
    """Minimum upper end of the scale; None: that of the unit, see units.SCALE."""
    decimals: int | None = None
    stacked: bool = False
    """Stacked areas; use them only where the sum is meaningful."""

    def mappings(self) -> list[ValueMapping]:
        """Grafana's value mappings for `words`, and for NaN, which is what a share or a percentile of nothing is."""
        nothing = ValueMappingResult(text=NOTHING, color=NEUTRAL, index=len(self.words))
        special = SpecialValueMap(DashboardSpecialValueMapOptions(match=SpecialValueMatch.NA_N, result=nothing))
        if not self.words:
            return [special]
        options = {
            str(word.value): ValueMappingResult(text=word.text, color=word.colour, index=index)
            for index, word in enumerate(self.words)
        }
        return [ValueMap(options=options), special]

    def thresholds(self) -> ThresholdsConfig:
        """Colours at limits; without limits one neutral colour, because green would mean "good"."""
        steps = self.limits.steps() if self.limits else [Threshold(None, NEUTRAL)]
        return ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps)

    def colour(self, *, by_series: bool) -> FieldColor:
        """One colour per series with `by_series`, otherwise the colour of the reached limit or of the value's word.

        With words the mode is fixed, because a state timeline would otherwise show the limits instead of the words.
        """
        if self.words and not by_series:
            return FieldColor().mode(FieldColorModeId.FIXED).fixed_color(NEUTRAL)
        return FieldColor().mode(FieldColorModeId.PALETTE_CLASSIC if by_series else FieldColorModeId.THRESHOLDS)
