"""How values are shown: unit, range, colours at limits, texts for values."""

from dataclasses import dataclass

from grafana_foundation_sdk.builders.dashboard import FieldColor, ThresholdsConfig
from grafana_foundation_sdk.models.dashboard import (
    FieldColorModeId,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMapping,
    ValueMappingResult,
)

GOOD, WARNING, CRITICAL, NEUTRAL = "green", "orange", "red", "blue"


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Values from which a colour changes. Where low is bad, `low_is_bad` turns the order round."""

    warning: float | None = None
    critical: float | None = None
    low_is_bad: bool = False
    """Then values *below* a limit have its colour."""
    why: str
    """Where the numbers come from; stands in the panel's description."""

    def steps(self) -> list[Threshold]:
        """From the lowest value up, as Grafana wants them."""
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
    """A text and a colour in place of one value."""

    value: int
    text: str
    colour: str


@dataclass(frozen=True, kw_only=True)
class Look:
    """Everything about values that is not the query."""

    unit: str
    limits: Limits | None = None
    words: tuple[Word, ...] = ()
    minimum: float | None = 0
    """None where values may be negative."""
    maximum: float | None = None
    at_least: float | None = None
    """The scale reaches this at least; None leaves it to the unit, see units.SCALE."""
    decimals: int | None = None
    stacked: bool = False
    """Areas on top of each other: only where the sum means something."""

    def mappings(self) -> list[ValueMapping]:
        """Texts for values."""
        if not self.words:
            return []
        options = {
            str(word.value): ValueMappingResult(text=word.text, color=word.colour, index=index)
            for index, word in enumerate(self.words)
        }
        return [ValueMap(options=options)]

    def thresholds(self) -> ThresholdsConfig:
        """Colours at limits; without limits one neutral colour, because green would say "good"."""
        steps = self.limits.steps() if self.limits else [Threshold(None, NEUTRAL)]
        return ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps)

    def colour(self, *, by_series: bool) -> FieldColor:
        """One colour per series, or the colour of the limit that the value has reached, or of its word.

        With words the mode is a fixed one: a state timeline would name and colour the limits instead of the words.
        """
        if self.words and not by_series:
            return FieldColor().mode(FieldColorModeId.FIXED).fixed_color(NEUTRAL)
        return FieldColor().mode(FieldColorModeId.PALETTE_CLASSIC if by_series else FieldColorModeId.THRESHOLDS)
