"""Counts of a preview by the engine. Replacements and deletions are listed; values of properties are not read."""

import json
from pathlib import Path
from typing import Any

import pytest

from ops.errors import OpsError
from ops.review import resources
from ops.review.resources import Destruction

URN = "urn:pulumi:staging::observability::observability:index:Loki$kubernetes:apps/v1:StatefulSet::"


def step(operation: str, name: str, **more: Any) -> dict[str, Any]:
    return {"op": operation, "urn": URN + name, **more}


def written(folder: Path, text: str) -> Path:
    file = folder / "preview.json"
    file.write_text(text)
    return file


def test_the_document_of_a_preview(tmp_path: Path) -> None:
    replaced = {"replaceReasons": ["spec.serviceName"], "oldState": {"protect": True, "inputs": {"token": "hunter2"}}}
    steps = [
        step("same", "a"),
        step("create", "b"),
        step("create", "c"),
        step("update", "d"),
        step("create-replacement", "e", **replaced),
        step("replace", "e", **replaced),
        step("delete-replaced", "e", **replaced),
        step("delete", "f", oldState={"protect": False}),
    ]
    diagnostics = [{"severity": "error", "message": "error: it broke\nhunter2"}, {"severity": "info", "message": "x"}]

    found = resources.read(written(tmp_path, json.dumps({"steps": steps, "diagnostics": diagnostics})))

    kind = "kubernetes:apps/v1:StatefulSet"
    assert found.counts == {"create": {kind: 2}, "update": {kind: 1}, "replace": {kind: 1}, "delete": {kind: 1}}
    assert found.unchanged == 1
    assert found.destructions == (
        Destruction(operation="replace", kind=kind, name="e", protected=True, because=("spec.serviceName",)),
        Destruction(operation="delete", kind=kind, name="f", protected=False, because=()),
    )
    assert found.errors == ("it broke",)
    assert "hunter2" not in repr(found)


def test_the_event_log_of_the_engine(tmp_path: Path) -> None:
    events = [
        {"sequence": 1, "resourcePreEvent": {"metadata": step("create", "a")}},
        {"resourcePreEvent": {"metadata": step("delete", "b", old={"protect": True})}},
        {"diagnosticEvent": {"severity": "error", "message": "error: no"}},
    ]

    found = resources.read(written(tmp_path, "\n".join(map(json.dumps, events))))

    assert [one.name for one in found.destructions] == ["b"]
    assert found.destructions[0].protected
    assert set(found.counts) == {"create", "delete"}
    assert found.errors == ("no",)


def test_no_changes(tmp_path: Path) -> None:
    found = resources.read(written(tmp_path, json.dumps({"changeSummary": {}, "steps": [step("same", "a")]})))
    assert (found.counts, found.destructions, found.unchanged) == ({}, (), 1)


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "is empty"), ("{}", "no `steps`"), ("[]", "no `steps`"), ("{\nno", "preview.json:1: not JSON")],
)
def test_a_file_that_is_not_a_preview_is_one_clear_error(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(OpsError, match="allowed") as error:
        resources.read(written(tmp_path, text))
    assert message in str(error.value)


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OpsError, match="cannot be read"):
        resources.read(tmp_path / "none.json")
