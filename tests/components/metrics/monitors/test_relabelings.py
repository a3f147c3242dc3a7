"""Which relabelings a monitor may bring: none that names a label by which others know a target."""

from typing import Any

import pytest

from components.metrics.monitors import relabelings
from components.metrics.monitors.fields import SkippedError
from components.metrics.monitors.relabelings import SAMPLE, TARGET

COPY = {"action": "labelmap", "regex": "__meta_kubernetes_pod_label_(.+)"}


def converted(one: dict[str, Any], kind: str = TARGET, *, trusted: bool = False) -> dict[str, Any]:
    (found,), _ = relabelings.converted([one], "relabelings", kind, trusted=trusted)
    return found


def refused(one: dict[str, Any], kind: str = TARGET, *, trusted: bool = False) -> str:
    try:
        converted(one, kind, trusted=trusted)
    except SkippedError as error:
        return error.reason
    return ""


def test_fields_have_prometheus_names() -> None:
    given = {"sourceLabels": ["a", "b"], "separator": "", "regex": "(.*)", "targetLabel": "c", "replacement": "$1"}
    assert converted({**given, "action": "Replace"}) == {
        "action": "replace",
        "source_labels": ["a", "b"],
        "separator": "",
        "regex": "(.*)",
        "target_label": "c",
        "replacement": "$1",
    }
    assert converted({"action": "HashMod", "sourceLabels": ["a"], "targetLabel": "__tmp_a", "modulus": 4}) == {
        "action": "hashmod",
        "source_labels": ["a"],
        "target_label": "__tmp_a",
        "modulus": 4,
    }
    # Prometheus refuses others, and compares with its default.
    assert converted({"action": "keepequal", "sourceLabels": ["a"], "targetLabel": "__meta_b", "separator": ";"}) == {
        "action": "keepequal",
        "source_labels": ["a"],
        "target_label": "__meta_b",
    }
    assert converted({"action": "labeldrop", "regex": "a", "replacement": "$1"}) == {
        "action": "labeldrop",
        "regex": "a",
    }
    assert converted({"action": "keep", "regex": "", "targetLabel": "__address__"}) == {"action": "keep"}


@pytest.mark.parametrize(
    "name",
    ["namespace", "instance", "job", "team", "_a", "__tmp_a", "__param_target", "label_$1", "a${1}_$2", "__param_$1"],
)
def test_a_target_may_have_labels(name: str) -> None:
    """Who it is, is set after them."""
    assert refused({"targetLabel": name}) == ""


@pytest.mark.parametrize(
    "name",
    [
        *("__address__", "__scheme__", "__metrics_path__", "__scrape_interval__", "__meta_kubernetes_namespace"),
        *("__name__", "__tmp_", "__param_", "__", "$1", "${1}", "$1_a", "_$1", "__$1", "__tmp$1", "__param${1}"),
        *("", "a b", "a-b", "1a", "a$", "a${1", "a" * 256, "a\n", "ä", 1, ["a"]),
    ],
)
def test_no_target_is_another_one(name: Any) -> None:
    for action in ("replace", "lowercase", "uppercase", "hashmod"):
        one = {"action": action, "targetLabel": name, "modulus": 2}
        assert refused(one).startswith("relabelings[0].targetLabel:"), action
    assert refused({**COPY, "replacement": name, "regex": "a(.+)"}).startswith("relabelings[0].replacement:")


def test_labels_of_an_object_are_copied_as_a_whole() -> None:
    """None of them begins with __, but a part of one may."""
    for of in ("pod_label", "service_label", "pod_annotation", "pod_labelpresent"):
        assert refused({**COPY, "regex": f"__meta_kubernetes_{of}_(.+)"}) == ""
    assert refused({**COPY, "replacement": "k8s_$1", "regex": "(.*)"}) == ""
    for regex in ("", "__meta_kubernetes_pod_label_a(.+)", "__meta_kubernetes_pod_label_(.+)b", ".*(__.+)", "(.+)"):
        assert refused({**COPY, "regex": regex})


@pytest.mark.parametrize("name", ["__name__", "method", "exported_namespace", "__tmp_a", "label_$1", "x${1}", "_a"])
def test_a_sample_may_have_labels(name: str) -> None:
    assert refused({"targetLabel": name}, SAMPLE) == ""


@pytest.mark.parametrize(
    "name",
    [
        *("namespace", "pod", "node", "app", "job", "instance", "__address__", "__a", "__", "$1", "_$1"),
        *("n$1", "names${1}", "po$1", "a$1", "app$1", "j$1", "__name__$1"),
    ],
)
def test_a_sample_does_not_say_who_sent_it(name: str) -> None:
    assert refused({"targetLabel": name}, SAMPLE)
    assert refused({"action": "labelmap", "regex": "a(.+)", "replacement": name}, SAMPLE)
    # A listed namespace may speak of others.
    assert refused({"targetLabel": name}, SAMPLE, trusted=True) == ""


@pytest.mark.parametrize(
    ("one", "field"),
    [
        ({"action": "delete", "targetLabel": "a"}, "action"),
        ({"targetLabel": "a", "regex": "("}, "regex"),
        ({"targetLabel": "a", "regex": 1}, "regex"),
        ({"targetLabel": "a", "sourceLabels": ["a b"]}, "sourceLabels[0]"),
        ({"targetLabel": "a", "sourceLabels": [""]}, "sourceLabels"),
        ({"targetLabel": "a", "sourceLabels": "a"}, "sourceLabels"),
        ({"targetLabel": "a", "separator": "\n"}, "separator"),
        ({"targetLabel": "a", "replacement": "\u0000"}, "replacement"),
        ({"targetLabel": "a", "replacement": "a" * 1001}, "replacement"),
        ({"targetLabel": "a", "action": "hashmod"}, "modulus"),
        ({"targetLabel": "a", "action": "hashmod", "modulus": -1}, "modulus"),
        ({"targetLabel": "a", "action": "keepequal", "regex": "b"}, "regex"),
        ({"targetLabel": "a", "action": "lowercase", "replacement": "b"}, "replacement"),
        ({"regex": "a", "action": "labelkeep", "sourceLabels": ["a"]}, "sourceLabels"),
        ({"targetLabel": "a", "invented": 1}, "invented"),
        ({"action": "dropequal"}, "targetLabel"),
    ],
)
def test_what_prometheus_would_refuse_is_refused_with_its_field(one: dict[str, Any], field: str) -> None:
    for kind in (TARGET, SAMPLE):
        assert refused(one, kind, trusted=True).startswith(f"relabelings[0].{field}:")


def test_the_number_of_relabelings_is_bounded() -> None:
    with pytest.raises(SkippedError, match="a list of at most 50 items"):
        relabelings.converted([{"targetLabel": "a"}] * 51, "relabelings", TARGET, trusted=False)
