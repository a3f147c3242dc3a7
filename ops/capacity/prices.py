"""Reads and checks the list prices in prices.yaml."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any, cast

from pydantic import BeforeValidator, Field, TypeAdapter, ValidationError

from alerting.base import NotNegative, Strict
from alerting.files import read_yaml
from alerting.problems import RulesError, describe
from ops.errors import OpsError

FILE = Path(__file__).with_name("prices.yaml")
EVERYWHERE = "global"


class Price(Strict):
    """One published price."""

    value: NotNegative
    """US dollars."""
    source: Annotated[str, Field(pattern=r"^https://")]
    date: Annotated[date, BeforeValidator(lambda day: date.fromisoformat(day) if isinstance(day, str) else day)]
    """The day on which the source was read."""
    unverified: bool = False
    """Whether no published source could be read on that day."""


@dataclass(frozen=True, kw_only=True)
class Quote:
    """The price of one unit for a region."""

    key: str
    unit: str
    region: str
    """The region of the price; not the requested region if that one has no price."""
    price: Price
    foreign: bool
    """Whether the price is another region's."""


@dataclass(frozen=True, kw_only=True)
class Prices:
    """Every price by key and region."""

    units: Mapping[str, str]
    regions: Mapping[str, Mapping[str, Price]]

    def quote(self, key: str, region: str) -> Quote | None:
        """The price of `key` for a region, or else for another region; None if no region has one."""
        known = self.regions.get(key)
        if not known:
            return None
        name = next((one for one in (region, EVERYWHERE) if one in known), next(iter(known)))
        foreign = name not in (region, EVERYWHERE)
        return Quote(key=key, unit=self.units[key], region=name, price=known[name], foreign=foreign)


def load(file: Path = FILE) -> Prices:
    """The prices of a file. Raises OpsError with every problem found."""
    units: dict[str, str] = {}
    regions: dict[str, Mapping[str, Price]] = {}
    problems: list[str] = []
    for key, item in _items(file).items():
        entry = dict(cast(dict[str, Any], item)) if isinstance(item, dict) else {}
        unit = entry.pop("unit", None)
        if not isinstance(unit, str) or not entry:
            problems.append(f"{file.name}: prices.{key}: needs a unit, and a price for a region or for {EVERYWHERE}")
            continue
        try:
            regions[key] = TypeAdapter(dict[str, Price]).validate_python(entry)
        except ValidationError as error:
            problems += describe(error, f"{file.name}: prices.{key}")
        units[key] = unit
    if problems:
        raise OpsError("\n".join(problems))
    return Prices(units=units, regions=regions)


def _items(file: Path) -> dict[str, Any]:
    try:
        document = read_yaml(file, file.name)
    except RulesError as error:
        raise OpsError(str(error)) from error
    prices = cast(dict[str, Any], document).get("prices") if isinstance(document, dict) else None
    if not isinstance(prices, dict):
        raise OpsError(f"{file.name}: prices: must be an object: key -> unit and price by region")
    return cast(dict[str, Any], prices)
