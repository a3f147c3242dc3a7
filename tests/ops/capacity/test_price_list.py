"""AWS' price list: what is asked, which of its prices is taken, and how long it is kept."""

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError

from ops.capacity import price_list, prices
from ops.capacity.prices import Offer

NAT = Offer(service="AmazonEC2", usage="NatGateway-Hours")
Answer = Callable[[dict[str, Any]], dict[str, Any]]


def product(usage: str, *tiers: tuple[float, float], **attributes: str) -> str:
    """A product as in AWS' list (Price List Query API, "GetProducts"): tiers of (begin, US dollars)."""
    dimensions = {
        f"sku.term.{number}": {"beginRange": str(begin), "pricePerUnit": {"USD": str(value)}, "unit": "Hrs"}
        for number, (begin, value) in enumerate(tiers)
    }
    return json.dumps(
        {
            "product": {"attributes": {"usagetype": usage, **attributes}},
            "terms": {"OnDemand": {"sku.term": {"priceDimensions": dimensions}}, "Reserved": {"x": {}}},
        }
    )


def answering(monkeypatch: pytest.MonkeyPatch, answer: Answer) -> list[dict[str, Any]]:
    """Lets AWS answer, in the form of botocore's model. Returns what it is asked."""
    asked: list[dict[str, Any]] = []

    def call(client: Any, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        model = client.meta.service_model.operation_model(operation)
        (kind,) = [model.input_shape.members["Filters"].member]
        assert parameters.keys() <= model.input_shape.members.keys()
        for one in parameters["Filters"]:
            assert one.keys() == kind.members.keys()
            assert one["Type"] in kind.members["Type"].enum
        asked.append(parameters)
        found = answer(parameters)
        assert found.keys() <= model.output_shape.members.keys()
        return found

    monkeypatch.setattr(BaseClient, "_make_api_call", call)
    return asked


def price(monkeypatch: pytest.MonkeyPatch, offer: Offer, *products: str) -> float | None:
    answering(monkeypatch, lambda _: {"PriceList": list(products)})
    client = boto3.client("pricing", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
    found = price_list.asked(client, {"key": offer}, "eu-central-1")
    return found["key"].value if found else None


def test_the_region_and_the_product_are_asked_for_on_all_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(parameters: dict[str, Any]) -> dict[str, Any]:
        if "NextToken" in parameters:
            return {"PriceList": [product("EUC1-NatGateway-Hours", (0, 0.052))]}
        return {"PriceList": [], "NextToken": "more"}

    asked = answering(monkeypatch, answer)
    client = boto3.client("pricing", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
    found = price_list.asked(client, {"nat": NAT.model_copy(update={"attributes": {"a": "b"}})}, "eu-central-1")
    assert found["nat"].value == 0.052
    assert found["nat"].source == "https://api.pricing.us-east-1.amazonaws.com/#GetProducts.AmazonEC2"
    first, second = asked
    assert first["ServiceCode"] == "AmazonEC2"
    assert {one["Field"]: one["Value"] for one in first["Filters"]} == {
        "regionCode": "eu-central-1",
        "usagetype": "NatGateway-Hours",
        "a": "b",
    }
    assert second["NextToken"] == "more"


@pytest.mark.parametrize(
    ("usage", "taken"),
    [
        ("NatGateway-Hours", True),
        ("EU-NatGateway-Hours", True),
        ("EUC1-NatGateway-Hours", True),
        ("Regional-NatGateway-Hours", False),
        ("EUC1-Regional-NatGateway-Hours", False),
        ("EUC1-NatGateway-Hours-Additional", False),
    ],
)
def test_only_that_usage_counts(monkeypatch: pytest.MonkeyPatch, usage: str, taken: bool) -> None:
    assert price(monkeypatch, NAT, product(usage, (0, 0.052))) == (0.052 if taken else None)


def test_a_product_with_two_prices_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    products = [product("EUC1-NatGateway-Hours", (0, value)) for value in (0.052, 0.06)]
    assert price(monkeypatch, NAT, *products) is None
    assert price(monkeypatch, NAT, products[0], products[0]) == 0.052


@pytest.mark.parametrize(("begins", "value"), [(0, 9e-8), (2e9, 3.5e-8), (1e12, 1.6e-8)])
def test_the_tier_is_that_of_the_quantity_above_what_is_free(
    monkeypatch: pytest.MonkeyPatch, begins: float, value: float
) -> None:
    offer = Offer(service="AmazonPrometheus", usage="AMP:MetricSampleCount", begins=begins, times=10_000_000)
    tiers = [(0, 0.0), (4e7, 9e-8), (2e9, 3.5e-8), (2.52e11, 1.6e-8)]
    assert price(monkeypatch, offer, product("EUC1-AMP:MetricSampleCount", *tiers)) == pytest.approx(value * 1e7)


def test_prices_of_aws_are_kept_for_a_week_and_a_region(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(price_list, "folder", lambda: tmp_path)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    asked = answering(monkeypatch, lambda _: {"PriceList": [product("EUC1-NatGateway-Hours", (0, 0.052))]})

    def on(day: date, region: str = "eu-central-1") -> tuple[int, str]:
        """Number of requests to AWS, and the date of the price."""
        monkeypatch.setattr(price_list, "_today", lambda: day)
        asked.clear()
        quote = price_list.current(region).quote("nat_gateway_hour", region)
        assert quote
        return len(asked), quote.price.date.isoformat()

    offers = len(prices.load().offers)
    assert on(date(2026, 11, 1)) == (offers, "2026-11-01")
    assert on(date(2026, 11, 7)) == (0, "2026-11-01")
    assert on(date(2026, 11, 7), "eu-west-1") == (offers, "2026-11-07")
    assert on(date(2026, 11, 8)) == (offers, "2026-11-08")
    # What has been kept is used without credentials, too.
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    assert on(date(2026, 12, 24)) == (0, "2026-11-08")


def test_without_credentials_aws_is_not_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(price_list, "folder", lambda: tmp_path)
    for name in price_list.CREDENTIALS:
        monkeypatch.delenv(name, raising=False)
    asked = answering(monkeypatch, lambda _: {"PriceList": []})
    assert price_list.current("eu-central-1") == prices.load()
    assert not asked


def test_a_refusal_is_named_and_published_prices_are_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(_: dict[str, Any]) -> dict[str, Any]:
        raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "GetProducts")

    monkeypatch.setattr(price_list, "folder", lambda: tmp_path)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    answering(monkeypatch, refuse)
    found = price_list.current("eu-central-1")
    assert found.problem.startswith("AWS' price list could not be read: ")
    assert "AccessDeniedException" in found.problem
    assert found.regions == prices.load().regions
