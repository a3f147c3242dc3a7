"""The program reads every setting. One that it does not read would be accepted without any effect."""

import re

import pytest

from settings.values import Values
from tests.mock_engine import ROOT

# A value that is only checked for conflicts has no effect, so settings/eks/conflicts.py is not among the readers.
READERS = [
    ROOT / "__main__.py",
    ROOT / "settings/stack.py",
    ROOT / "settings/values.py",
    ROOT / "settings/eks/access.py",
    ROOT / "settings/eks/facts.py",
    *(ROOT / "components").rglob("*.py"),
]
CODE = "\n".join(file.read_text() for file in READERS)
ELSEWHERE = {
    "alert_overrides": "settings/content.py reads the key alertOverrides",
    "disruption_budgets": "settings/content.py reads the key disruptionBudgets",
    "manage_loki_bucket": "makes_loki_bucket in settings/eks/conflicts.py reads it, for components/eks/stores.py",
}


def used(field: str, code: str = CODE) -> bool:
    return re.search(rf"\b(?:values|self|typed)\.{field}\b", code) is not None


@pytest.mark.parametrize("field", sorted(Values.model_fields.keys() - ELSEWHERE.keys()))
def test_a_field_is_read_by_the_program(field: str) -> None:
    assert used(field), f"{field}: no component reads it; remove the setting or use it"


@pytest.mark.parametrize("field", ELSEWHERE)
def test_an_exception_is_still_needed(field: str) -> None:
    assert field in Values.model_fields
    assert not used(field)


def test_an_unused_field_is_found() -> None:
    assert not used("loki_memory", CODE.replace("values.loki_memory", "None"))
