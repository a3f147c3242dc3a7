"""How people reach the pages: by a load balancer of AWS, or by an ingress controller of any cluster."""

import pytest

from settings import stack as settings
from settings import stack_files
from settings.values import Values
from tests.mock_engine import SECRETS, stack_config

HIDDEN = SECRETS | {"oidcClientSecret": "hush-client", "smtpPassword": "hush-mail"}


def parsed(**changes: str) -> settings.Settings:
    return settings.parse(stack_config(stack_files.EXAMPLE) | HIDDEN | changes, list(HIDDEN))


def problems(**changes: str) -> list[str]:
    with pytest.raises(settings.SettingsError) as error:
        parsed(**changes)
    return [line.removeprefix("observability:") for line in error.value.problems]


def test_the_example_is_valid_and_belongs_to_no_stack() -> None:
    values = parsed().values
    assert values.hosts["grafana"] == "grafana.observability.example.com"
    assert values.dashboard_base_url == "https://grafana.observability.example.com"
    assert values.existing_ingress_class == "nginx"
    assert stack_files.EXAMPLE not in stack_files.names()


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        (
            {"ingress": "internal"},
            'ingress: "internal" is not allowed; allowed: none; controller when cloud is none; internal or '
            "internet-facing when cloud is eks",
        ),
        (
            {"ingressClass": ""},
            'ingressClass: "" is not allowed; allowed: an ingress class\'s name; required when ingress is controller',
        ),
        (
            {"loginAnnotations": "{}"},
            "loginAnnotations: {} is not allowed; allowed: an object: annotation -> text, by which the ingress "
            "controller requires a login; required when ingress is controller, and only then",
        ),
        (
            {"domain": "", "dashboardBaseUrl": "https://grafana.example.com"},
            'domain: "" is not allowed; allowed: a domain of at most 57 characters such as staging.example.com; '
            "required when ingress is not none",
        ),
        (
            {"oidcTokenEndpoint": ""},
            'oidcTokenEndpoint: "" is not allowed; allowed: an https URL without login, query and fragment; required '
            "when ingress is not none, and only then",
        ),
        (
            {"hostedZoneId": "Z0123456789ABCDEFGHIJ"},
            'hostedZoneId: "Z0123456789ABCDEFGHIJ" is not allowed; allowed: a Route 53 hosted zone\'s id such as '
            "Z0123456789ABCDEFGHIJ; required when ingress is not none, and only then; only when cloud is eks",
        ),
    ],
)
def test_a_wrong_choice_is_one_clear_error(changes: dict[str, str], problem: str) -> None:
    assert problems(**changes) == [problem]


@pytest.mark.parametrize("annotations", ['{"auth url": "x"}', '{"auth-url": 1}', '["auth-url"]', '{"": "x"}'])
def test_annotations_have_names_and_texts(annotations: str) -> None:
    (line,) = problems(ingressAnnotations=annotations)
    assert line.startswith("ingressAnnotations")
    assert line.endswith(
        "an object: annotation -> text, on AWS none that the program sets; only when ingress is not none"
    )


def test_without_an_ingress_nothing_of_it_may_be_set() -> None:
    found = {line.split(":")[0] for line in problems(ingress="none")}
    assert found == {
        *("ingressAnnotations", "loginAnnotations", "oidcClientId", "grafanaAdminGroup"),
        *("oidcAuthorizationEndpoint", "oidcTokenEndpoint", "oidcUserInfoEndpoint"),
    }


def test_a_controller_is_refused_on_eks() -> None:
    with pytest.raises(settings.SettingsError) as error:
        settings.parse(stack_config("staging") | SECRETS | {"ingress": "controller"}, list(SECRETS))
    assert any(line.startswith('observability:ingress: "controller" is not allowed') for line in error.value.problems)


def test_a_load_balancer_of_aws_needs_no_annotations() -> None:
    assert Values.model_construct(ingress="none", eks_auto_mode=False).existing_ingress_class == ""
