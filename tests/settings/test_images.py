"""Names of images with and without imageRegistry, and the values that the settings of the registry allow."""

import json

import pytest

from settings import images, stack, versions
from settings.images import ALLOWED, USER_ALLOWED
from tests.mock_engine import SECRETS, stack_config

PASSWORD = "imageRegistryPassword"


def problems(**changes: object) -> tuple[str, ...]:
    raw = {key: value if isinstance(value, str) else json.dumps(value) for key, value in changes.items()}
    with pytest.raises(stack.SettingsError) as error:
        stack.parse(stack_config("production") | SECRETS | raw, [*SECRETS, PASSWORD])
    return error.value.problems


@pytest.mark.parametrize(
    ("reference", "full"),
    [
        ("observability/simulator:0.4.0", "docker.io/observability/simulator:0.4.0"),
        ("docker.io/grafana/loki:3.7.8", "docker.io/grafana/loki:3.7.8"),
        ("registry.test:5000/one:1", "registry.test:5000/one:1"),
        ("localhost/one:1", "localhost/one:1"),
        ("python:3.13", "docker.io/library/python:3.13"),
        ("python@sha256:00", "docker.io/library/python@sha256:00"),
    ],
)
def test_the_full_name_has_the_registry(reference: str, full: str) -> None:
    assert images.full_name(reference) == full


@pytest.mark.parametrize(
    ("reference", "registries", "pulled"),
    [
        ("quay.io/prometheus/prometheus:v3", {}, "quay.io/prometheus/prometheus:v3"),
        ("observability/simulator:1", {}, "observability/simulator:1"),
        ("quay.io/prometheus/prometheus:v3", {"docker.io": "cache.test/hub"}, "quay.io/prometheus/prometheus:v3"),
        ("docker.io/grafana/loki:3", {"docker.io": "cache.test/hub"}, "cache.test/hub/grafana/loki:3"),
        ("docker.io/grafana/loki:3", {"all": "cache.test"}, "cache.test/docker.io/grafana/loki:3"),
        ("docker.io/grafana/loki:3", {"all": "a.test", "docker.io": "b.test/c"}, "b.test/c/grafana/loki:3"),
        ("observability/simulator:1", {"all": "cache.test/a"}, "cache.test/a/docker.io/observability/simulator:1"),
        ("own.test/simulator:1", {"all": "cache.test", "docker.io": "cache.test/hub"}, "own.test/simulator:1"),
    ],
)
def test_a_registry_is_replaced(reference: str, registries: dict[str, str], pulled: str) -> None:
    assert images.pulled(reference, registries) == pulled


def test_an_image_with_a_digest_is_pulled_by_it() -> None:
    loki, digest = versions.LOKI_IMAGE, "sha256:" + "0a" * 32
    name = loki.rpartition(":")[0]
    assert images.pulled(loki, {}, {loki: digest}) == f"{name}@{digest}"
    assert images.pulled(loki, {"all": "a.test"}, {loki: digest}) == f"a.test/{name}@{digest}"
    assert images.pulled(versions.JAEGER_IMAGE, {}, {loki: digest}) == versions.JAEGER_IMAGE


def test_digests_are_those_of_this_version() -> None:
    built = {versions.SIMULATOR_IMAGE, versions.ALERTMANAGER_EMBEDDED_IMAGE}
    pinned = {text for name, text in vars(versions).items() if name.endswith("_IMAGE")} - built
    assert set(images.OF_THIS_VERSION) == pinned
    for digests in ({"docker.io/grafana/loki:1": "sha256:" + "0" * 64}, {versions.LOKI_IMAGE: "sha256:0"}):
        (line,) = problems(imageDigests=digests)
        assert line.startswith("observability:imageDigests")


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ("cache.test", 'imageRegistry: "cache.test"'),
        ({"ghcr.io": "cache.test"}, 'imageRegistry: {"ghcr.io": "cache.test"}'),
        ({"all": "https://cache.test"}, 'imageRegistry.all: "https://cache.test"'),
        ({"docker.io": "cache.test/hub/"}, 'imageRegistry.docker.io: "cache.test/hub/"'),
        ({"docker.io": ""}, 'imageRegistry.docker.io: ""'),
        ({"docker.io": None}, "imageRegistry.docker.io: null"),
    ],
)
def test_a_wrong_registry_is_named_with_what_is_allowed(value: object, place: str) -> None:
    assert problems(imageRegistry=value) == (f"observability:{place} is not allowed; allowed: {ALLOWED}",)


@pytest.mark.parametrize(
    ("registries", "user"),
    [
        ({"all": "cache.test"}, "a:b"),
        ({}, "puller"),
        # The password would go to both.
        ({"all": "cache.test", "quay.io": "other.test/quay"}, "puller"),
    ],
)
def test_a_login_is_for_one_registry(registries: dict[str, str], user: str) -> None:
    found = problems(imageRegistry=registries, imageRegistryUsername=user, imageRegistryPassword="hush")
    assert found == (f'observability:imageRegistryUsername: "{user}" is not allowed; allowed: {USER_ALLOWED}',)


def test_a_login_needs_its_password() -> None:
    (problem,) = problems(imageRegistry={"all": "cache.test"}, imageRegistryUsername="puller")
    assert problem.startswith(f"observability:{PASSWORD}: required, but not set; needed by imageRegistryUsername")
