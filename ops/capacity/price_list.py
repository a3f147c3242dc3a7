"""Prices of AWS' price list for a region, asked once a week, and kept with their date."""

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from pydantic import TypeAdapter, ValidationError

from local.paths import cache
from ops.capacity import prices
from ops.capacity.prices import Offer, Price, Prices

# The price list of all regions is served in few of them.
ENDPOINT = "us-east-1"
SOURCE = f"https://api.pricing.{ENDPOINT}.amazonaws.com/#GetProducts.{{}}"
CREDENTIALS = (
    "AWS_ACCESS_KEY_ID",
    "AWS_PROFILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)
"""Environment variables of which one is set where there are credentials of AWS."""
_WEEK = timedelta(days=7)
_KEPT = TypeAdapter(dict[str, Price])


def current(region: str, profile: str = "") -> Prices:
    """The prices of a region: those of AWS where there are credentials, else the published ones of prices.yaml.

    `profile` is the stack's awsProfile. AWS' prices are kept for a week. If AWS does not give them, `problem` says why,
    and older ones are used.
    """
    published = prices.load()
    if not region:
        return published
    file = folder() / f"{region}.json"
    known = _read(file)
    problem = ""
    fresh = bool(known) and min(one.date for one in known.values()) > _today() - _WEEK
    if not fresh and (profile or any(os.environ.get(name) for name in CREDENTIALS)):
        try:
            session = boto3.session.Session(profile_name=profile or None)
            known = asked(session.client("pricing", region_name=ENDPOINT), published.offers, region)
            file.write_bytes(_KEPT.dump_json(known, indent=2))
        except (BotoCoreError, ClientError, OSError) as error:
            problem = f"AWS' price list could not be read: {error}"
    regions = {key: {**published.regions.get(key, {}), region: price} for key, price in known.items()}
    return replace(published, regions={**published.regions, **regions}, problem=problem)


def folder() -> Path:
    """Where the prices of AWS are kept, a file for each region."""
    made = cache() / "prices"
    made.mkdir(exist_ok=True)
    return made


def asked(client: Any, offers: Mapping[str, Offer], region: str) -> dict[str, Price]:  # noqa: ANN401 -- boto3's client
    """Key -> AWS' price for a region today. Keys of which AWS knows no price, or several, are missing."""
    found = {key: _price(client, offer, region) for key, offer in offers.items()}
    return {
        key: Price(value=value * offers[key].times, source=SOURCE.format(offers[key].service), date=_today())
        for key, value in found.items()
        if value is not None
    }


def _price(client: Any, offer: Offer, region: str) -> float | None:  # noqa: ANN401 -- boto3's client
    values = {value for product in _products(client, offer, region) for value in _values(product, offer.begins)}
    return values.pop() if len(values) == 1 else None


def _products(client: Any, offer: Offer, region: str) -> Iterator[dict[str, Any]]:  # noqa: ANN401 -- boto3's client
    filters = [
        {"Type": "TERM_MATCH", "Field": "regionCode", "Value": region},
        {"Type": "CONTAINS", "Field": "usagetype", "Value": offer.usage},
        *({"Type": "TERM_MATCH", "Field": name, "Value": value} for name, value in offer.attributes.items()),
    ]
    for page in client.get_paginator("get_products").paginate(ServiceCode=offer.service, Filters=filters):
        for text in page["PriceList"]:
            product = json.loads(text)
            # `EUC1-NatGateway-Hours`, and `NatGateway-Hours` in us-east-1; not `Regional-NatGateway-Hours`.
            usage = str(product["product"]["attributes"].get("usagetype", ""))
            if re.fullmatch(rf"([A-Z]{{2,4}}\d?-)?{re.escape(offer.usage)}", usage):
                yield product


def _values(product: Mapping[str, Any], begins: float) -> Iterator[float]:
    """The price from a quantity on; above a free tier, that of the first tier that is not free."""
    for term in product["terms"].get("OnDemand", {}).values():
        tiers = sorted(
            (float(one["beginRange"]), float(one["pricePerUnit"]["USD"]))
            for one in term["priceDimensions"].values()
            if "USD" in one["pricePerUnit"]
        )
        paid = [tier for tier in tiers if tier[1] > 0]
        if paid:
            yield [value for begin, value in paid if begin <= max(begins, paid[0][0])][-1]


def _read(file: Path) -> dict[str, Price]:
    try:
        return _KEPT.validate_json(file.read_bytes())
    except (OSError, ValidationError):
        return {}


def _today() -> date:
    return datetime.now(UTC).date()
