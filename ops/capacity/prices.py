"""Reads and checks prices.yaml: units, where AWS' price list has each price, and published prices of some regions."""

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


class Offer(Strict):
    """Where AWS' price list has a price."""

    service: Annotated[str, Field(pattern=r"^\w+$")]
    """AWS' code of it."""
    usage: str
    """The usage type without the prefix of the region."""
    attributes: dict[str, str] = Field(default_factory=dict[str, str])
    """Further attributes of the product."""
    begins: NotNegative = 0
    """The quantity a month from which on the price counts."""
    times: Annotated[int, Field(ge=1)] = 1
    """How many of AWS' units are one of ours."""


@dataclass(frozen=True, kw_only=True)
class Quote:
    """The price of one unit for a region."""

    key: str
    unit: str
    region: str
    """The region of the price, or EVERYWHERE."""
    price: Price


@dataclass(frozen=True, kw_only=True)
class Prices:
    """Every price by key and region."""

    units: Mapping[str, str]
    offers: Mapping[str, Offer]
    """Key -> where AWS' price list has it; without those of which no usage type is known."""
    regions: Mapping[str, Mapping[str, Price]]
    problem: str = ""
    """Why AWS' price list could not be read, if it was asked."""

    def quote(self, key: str, region: str) -> Quote | None:
        """The price of `key` for a region; None if there is none, because that of another region is no estimate."""
        known = self.regions.get(key, {})
        for name in (region, EVERYWHERE):
            if name in known:
                return Quote(key=key, unit=self.units[key], region=name, price=known[name])
        return None


def load(file: Path = FILE) -> Prices:
    """The prices of a file. Raises OpsError with every problem found."""
    units: dict[str, str] = {}
    offers: dict[str, Offer] = {}
    regions: dict[str, Mapping[str, Price]] = {}
    problems: list[str] = []
    for key, item in _items(file).items():
        entry = dict(cast(dict[str, Any], item)) if isinstance(item, dict) else {}
        unit, offer = entry.pop("unit", None), entry.pop("aws", None)
        if not isinstance(unit, str):
            problems.append(f"{file.name}: prices.{key}: needs a unit")
            continue
        try:
            if offer is not None:
                offers[key] = Offer.model_validate(offer)
            regions[key] = TypeAdapter(dict[str, Price]).validate_python(entry)
        except ValidationError as error:
            problems += describe(error, f"{file.name}: prices.{key}")
        units[key] = unit
    if problems:
        raise OpsError("\n".join(problems))
    return Prices(units=units, offers=offers, regions=regions)


def _items(file: Path) -> dict[str, Any]:
    try:
        document = read_yaml(file, file.name)
    except RulesError as error:
        raise OpsError(str(error)) from error
    prices = cast(dict[str, Any], document).get("prices") if isinstance(document, dict) else None
    if not isinstance(prices, dict):
        raise OpsError(f"{file.name}: prices: must be an object: key -> unit and price by region")
    return cast(dict[str, Any], prices)
