"""The settings on ServiceMonitors and PodMonitors."""

import pytest

from tests.settings.test_settings import problems

ALLOWED = "a list of namespaces other than the platform's own; only when monitors is true"


def test_monitors_is_a_switch() -> None:
    assert problems(monitors="maybe") == ('observability:monitors: "maybe" is not allowed; allowed: true or false',)


@pytest.mark.parametrize("namespace", ["observability", "observability-agent"])
def test_monitors_of_the_platforms_namespaces_are_not_read(namespace: str) -> None:
    assert problems(monitorNamespaces=f'["{namespace}"]') == (
        f'observability:monitorNamespaces: ["{namespace}"] is not allowed; allowed: {ALLOWED}',
    )


def test_namespaces_of_monitors_need_monitors() -> None:
    assert problems(monitors="false", monitorNamespaces='["monitoring"]') == (
        f'observability:monitorNamespaces: ["monitoring"] is not allowed; allowed: {ALLOWED}',
    )


def test_a_namespace_has_the_name_of_one() -> None:
    assert problems(monitorNamespaces='["monitoring", "A"]') == (
        f'observability:monitorNamespaces[1]: "A" is not allowed; allowed: {ALLOWED}',
    )
