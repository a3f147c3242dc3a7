"""The summary of all other changes: SLOs, recorded series, channels, dashboards, runbooks, budgets, settings."""

import json
from collections.abc import Callable
from typing import Any

from ops.review.changes import Action, Change, ChangeKind, Detail
from tests.ops.review.edited import Copy

Changes = Callable[..., dict[str, Change]]
SLOS = "rules/slos/uploads.yaml"
DASHBOARD = "dashboards/rendered/orders-overview.json"


def dashboard(copy: Copy, edit: Callable[[dict[str, Any]], object]) -> None:
    file = copy.folder / DASHBOARD
    document = json.loads(file.read_text())
    edit(document)
    file.write_text(json.dumps(document))


def panel(document: dict[str, Any]) -> dict[str, Any]:
    return next(one for one in document["panels"] if one.get("targets"))


def test_an_slo_that_promises_less_and_its_generated_alerts(copy: Copy, changes: Changes) -> None:
    copy.replace(SLOS, "objective: 99.9", "objective: 99.5")

    found = changes()

    slo = found["upload-availability"]
    assert slo.details == (Detail(what="objective", before="99.9", after="99.5"),)
    assert slo.risks == ("promises less: 99.5 %, not 99.9 %",)
    assert (slo.system, slo.team) == ("uploads", "media")
    assert found["UploadAvailabilityBudgetBurnFast"].diff
    assert not [change for change in found.values() if change.kind is ChangeKind.RECORDING]


def test_a_recorded_series_names_the_alerts_that_read_it(copy: Copy, changes: Changes) -> None:
    file = "rules/prometheus/search.yaml"
    record = next(line for line in (copy.folder / file).read_text().splitlines() if "- record:" in line)
    name = record.split("record:")[1].strip()
    text = (copy.folder / file).read_text()
    start = text.index(record)
    expr = text.index("expr:", start)
    (copy.folder / file).write_text(text[:expr] + text[expr:].replace("[1h]", "[2h]", 1))

    change = changes()[name]

    assert change.kind is ChangeKind.RECORDING
    assert change.diff
    assert change.details[0].what == "read by"
    assert "Search" in change.details[0].after


def test_a_channel_shows_the_key_of_its_secret_and_never_the_value(copy: Copy, changes: Changes) -> None:
    before = '"#orders-alerts", url_secret: slackWebhookUrl'
    copy.replace("rules/routing.yaml", before, '"#jobs", url_secret: jobsUrl')
    copy.set("staging", "jobsUrl: https://hooks.slack.test/secret-of-the-test")

    found = changes()

    assert Detail(what="channel", before="#orders-alerts", after="#jobs") in found["orders-slack"].details
    assert Detail(what="url_secret", before="slackWebhookUrl", after="jobsUrl") in found["orders-slack"].details
    assert found["jobsUrl"].details == (Detail(what="value", after="(not shown)"),)
    assert "secret-of-the-test" not in repr(found)


def test_changed_panels_have_the_titles_that_people_see(copy: Copy, changes: Changes) -> None:
    def edit(document: dict[str, Any]) -> None:
        first = panel(document)
        first["targets"][0]["expr"] = "up"
        document["panels"].append({"type": "text", "title": "Brand new", "id": 999})

    dashboard(copy, edit)

    (change,) = changes().values()
    first = panel(json.loads((copy.folder / DASHBOARD).read_text()))["title"]
    assert (change.kind, change.system) == (ChangeKind.DASHBOARD, "orders")
    assert Detail(what="panel", after="Brand new") in change.details
    assert Detail(what=f"panel {first}", before="as before", after="changed queries") in change.details


def test_a_panel_that_only_moved_is_the_same_panel(copy: Copy, changes: Changes) -> None:
    dashboard(copy, lambda document: panel(document)["gridPos"].update(y=99))

    (change,) = changes().values()
    assert change.details == (Detail(what="layout", before="as before", after="moved"),)


def test_a_removed_dashboard(copy: Copy, changes: Changes) -> None:
    (copy.folder / DASHBOARD).unlink()

    (change,) = changes().values()
    assert (change.kind, change.action) == (ChangeKind.DASHBOARD, Action.REMOVED)


def test_an_empty_runbook_is_a_risk(copy: Copy, changes: Changes) -> None:
    (copy.folder / "rules/runbooks/OrdersDepthHigh.md").write_text("\n")

    assert changes()["OrdersDepthHigh"].risks == ("is empty: the on-call engineer finds nothing",)


def test_a_removed_disruption_budget_is_a_risk(copy: Copy, changes: Changes) -> None:
    copy.set("staging", "disruptionBudgets: {orders-worker: {enabled: false}}")

    change = changes()["orders-worker"]

    assert (change.kind, change.action, change.system) == (ChangeKind.BUDGET, Action.REMOVED, "orders")
    assert change.risks == ("is removed: a node drain may stop every pod",)


def test_settings_that_are_lowered_are_risks(copy: Copy, changes: Changes) -> None:
    copy.set("staging", "lokiRetention: 7d")
    copy.set("staging", "collectorReplicas: 1")

    found = changes()

    assert found["lokiRetention"].details == (Detail(what="value", before="30d", after="7d"),)
    assert found["lokiRetention"].risks == ("keeps less: data older than 7d is deleted",)
    assert found["collectorReplicas"].risks == ("is lower: 1, not 2",)


def test_the_default_of_a_new_key_does_not_change_the_stack(copy: Copy, changes: Changes) -> None:
    copy.replace("Pulumi.yaml", "config:\n", "config:\n  brandNew: {type: string, default: x, description: d}\n")

    assert changes() == {}


def test_credentials_in_addresses_and_encrypted_values_are_hidden(copy: Copy, changes: Changes) -> None:
    copy.set("staging", "runbookBaseUrl: https://somebody:hunter2@runbooks.test")
    copy.set("staging", "grafanaAuth: {secure: AAABBB}")

    found = changes()

    assert found["grafanaAuth"].details == (Detail(what="value", after="(not shown)"),)
    assert "AAABBB" not in repr(found)
    assert "hunter2" not in repr(found)
    assert found["runbookBaseUrl"].details[0].after == "https://…@runbooks.test"
