"""Every price has a source, and a wrong price list is an error that names each mistake."""

import re
from datetime import date
from pathlib import Path

import pytest

from ops.capacity import estimate, prices
from ops.capacity.prices import load
from ops.errors import OpsError
from tests.ops.capacity.cases import sized, work


def test_every_price_has_a_value_a_unit_a_region_a_source_and_a_date() -> None:
    found = load()
    assert len(found.units) >= 20
    for key, regions in found.regions.items():
        assert found.units[key], key
        for region, price in regions.items():
            assert region == prices.EVERYWHERE or re.fullmatch(r"[a-z]{2}-[a-z]+-\d", region), key
            assert price.value > 0, key
            assert re.fullmatch(r"https://([a-z0-9-]+\.)*(aws\.amazon\.com|amazonaws\.com)/\S+", price.source), key
            assert date(2026, 1, 1) <= price.date, key


def test_every_price_is_used() -> None:
    text = Path(estimate.__file__).read_text()
    for key in load().units:
        assert key in text or key.startswith(("node_", "eks_auto_", "opensearch_")), key
    for node in estimate.NODES:
        assert {f"node_{node}", f"eks_auto_{node}"} <= load().units.keys()


def test_a_region_has_its_own_prices_or_none() -> None:
    found = load()
    own = found.quote("ebs_gp3", "eu-central-1")
    assert own
    assert (own.region, own.price.value) == ("eu-central-1", 0.0952)
    assert found.quote("ebs_gp3", "ap-south-1") is None, "another region's price is no estimate"
    everywhere = found.quote("kms_key", "ap-south-1")
    assert everywhere
    assert everywhere.region == prices.EVERYWHERE
    assert found.quote("nothing", "eu-central-1") is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("prices: []", "must be an object"),
        ("prices:\n  a: {global: {value: 1}}", "prices.a: needs a unit"),
        ("prices:\n  a: {unit: h, aws: {service: AmazonEC2}}", "prices.a: usage: required"),
        ("prices:\n  a: {unit: h, aws: {service: AmazonEC2, usage: x, times: 0}}", "prices.a: times"),
        ("prices:\n  a: {unit: h, global: {value: -1, source: x, date: 2026-01-01}}", "global.value"),
        ("prices:\n  a: {unit: h, global: {value: 1, source: http://x, date: 2026-01-01}}", "global.source"),
        ("prices:\n  a: {unit: h, global: {value: 1, source: https://x}}", "global.date: required"),
    ],
)
def test_a_wrong_price_list_is_one_clear_error(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "prices.yaml"
    file.write_text(text)
    with pytest.raises(OpsError) as error:
        load(file)
    assert message in str(error.value)


def test_notes_name_what_has_no_price() -> None:
    values = {"opensearchDomain": True, "opensearchInstanceType": "x9.huge.search", "opensearchInstances": 2}
    found = estimate.estimate("staging", sized(**values), work(), load())
    (note,) = [one for one in found.notes if "the sum is too low" in one]
    assert "no source has a price for eu-central-1 of " in note
    assert "opensearch_x9.huge.search" in note
    assert "node_m6i_xlarge" in note
    assert "ebs_gp3" not in note
