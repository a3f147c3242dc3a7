# ruff: noqa: E501  (a case of a table stays on its line)
"""Allowed values for the secrets of channels, and for the servers that deliver their notifications."""

import functools

import pytest

from alerting import routing
from settings import channel_secrets, stack
from settings.stack import Settings
from tests.mock_engine import SECRETS, stack_config

OUTSIDE = "https on port 443 for a host outside the cluster, because Alertmanager may reach nothing else there; hosts inside the cluster end in .svc"


@functools.cache
def production() -> Settings:
    return stack.parse(stack_config("production") | SECRETS, list(SECRETS))


# All Slack channels, of whichever system.
SLACK = " and ".join(routing.load().secrets()["platformSlackUrl"])


def problems(encrypted: list[str] | None = None, values: dict[str, object] | None = None, **changes: str) -> list[str]:
    raw = stack_config("production") | SECRETS | changes
    given = production().values.model_copy(update=values or {})
    return channel_secrets.problems(raw, list(SECRETS) if encrypted is None else encrypted, production().routing, given)


def test_the_production_stack_has_no_problems() -> None:
    assert problems() == []


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("platformSlackUrl", "", f"required, but not set; needed by channel {SLACK}; set it with: pulumi config set --secret platformSlackUrl"),
        ("mediaOnCallEmail", "", "required, but not set; needed by channel media-email; set it with: pulumi config set mediaOnCallEmail"),
        ("mediaOnCallEmail", "oncall", "'oncall' is not allowed; allowed: e-mail addresses such as oncall@example.com, separated by commas"),
        ("mediaOnCallEmail", "a@example.com b@example.com", "'a@example.com b@example.com' is not allowed; allowed: e-mail"),
        ("mediaOnCallEmail", "a@example.com,", "'a@example.com,' is not allowed; allowed: e-mail"),
        ("oncallPagerdutyKey", "hush", "the value (a secret, not shown) is not allowed; allowed: an integration key of PagerDuty's Events API v2, which has 32 letters and digits"),
        ("oncallPagerdutyKey", "", "required, but not set; needed by channel oncall-pagerduty; set it with: pulumi config set --secret oncallPagerdutyKey"),
        ("speccursorWebhookUrl", "hooks.example.com", "the value (a secret, not shown) is not allowed; allowed: an http or https URL"),
    ],
)  # fmt: skip
def test_a_value_of_the_wrong_form_is_a_problem(key: str, value: str, problem: str) -> None:
    (found,) = problems(**{key: value})
    assert found.startswith(f"{key}: {problem}")
    assert "hush" not in found


def test_several_mailboxes_are_allowed() -> None:
    assert problems(mediaOnCallEmail="a@example.com, b.c+d@sub.example.com") == []


def test_a_routing_key_may_be_plain_only_while_pagerduty_is_inside_the_cluster() -> None:
    others = [key for key in SECRETS if key != "oncallPagerdutyKey"]
    (found,) = problems(others)
    assert found == (
        "oncallPagerdutyKey: is plain text in the stack file, which is allowed only while pagerdutyUrl is inside "
        "the cluster (ends in .svc); encrypt it with: pulumi config set --secret oncallPagerdutyKey"
    )
    inside = {"pagerduty_url": "http://receiver.receiver.svc:8080/x"}
    assert problems(others, inside, oncallPagerdutyKey="any-text") == []
    (found,) = problems(others, inside, oncallPagerdutyKey=" ")
    assert "allowed: a text without blanks and line ends" in found


@pytest.mark.parametrize("stray", ["{}\n", "{}\r\n", " {}", "{} ", "\t{}", "{}\u00a0", "{}\x00"])
@pytest.mark.parametrize("key", sorted(production().routing.forms()))
def test_a_value_has_no_stray_blank_or_line_end(key: str, stray: str) -> None:
    is_address = production().routing.forms()[key] == "address"
    good = "oncall@example.com" if is_address else SECRETS.get(key, "here")
    found = problems(**{key: stray.format(good)})
    if is_address and set(stray) <= set(" {}\u00a0"):
        assert found == []  # harmless around an address
        return
    (problem,) = found
    assert problem.startswith(f"{key}: the value (a secret, not shown) is not allowed; allowed: a text without ")
    assert "hush" not in problem


def test_two_slack_channels_have_two_webhooks() -> None:
    """A webhook posts into the channel for which it was created, and ignores the channel in a message."""
    (found,) = problems(mediaSlackUrl=SECRETS["jobQueueSlackUrl"])
    assert found == (
        "mediaSlackUrl: the value (a secret, not shown) is that of jobQueueSlackUrl, whose webhook posts into "
        "#job-queue-alerts only; allowed: a webhook that was created for #media-alerts"
    )


def test_teams_may_share_a_pagerduty_service() -> None:
    assert problems(mediaPagerdutyKey=SECRETS["oncallPagerdutyKey"]) == []


@pytest.mark.parametrize(("who", "allowed"), [("here", True), ("S0123ABCD", True), ("W0123ABCD", True), ("@oncall", False), ("S1", False), ("<!channel>", False)])  # fmt: skip
def test_whom_a_channel_mentions(who: str, allowed: bool) -> None:
    found = problems(mediaClusteringOnCallMention=who)
    assert found == [] if allowed else found[0].startswith(f"mediaClusteringOnCallMention: {who!r} is not allowed; ")


def test_a_line_end_within_a_value_is_refused() -> None:
    (found,) = problems(deadMansSwitchUrl="https://switch.example.com/hush\nhush")
    assert "without blanks and line ends" in found


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"smtp_smarthost": ""}, "smtpSmarthost: required, but not set; needed by channel speccursor-email and media-email; set it with: pulumi config set smtpSmarthost"),
        ({"smtp_from": ""}, "smtpFrom: required, but not set; needed by channel speccursor-email and media-email; "),
        ({"smtp_require_tls": False}, "smtpRequireTls: false is not allowed; allowed: true for a server outside the cluster (one inside ends in .svc)"),
        ({"pagerduty_url": "https://pager.example.com:8443/x"}, f'pagerdutyUrl: "https://pager.example.com:8443/x" is not allowed; allowed: {OUTSIDE}'),
    ],
)  # fmt: skip
def test_a_server_that_cannot_deliver_is_a_problem(values: dict[str, object], problem: str) -> None:
    (found,) = problems(values=values)
    assert found.startswith(problem)


def test_a_mail_server_is_required_only_by_mail_channels() -> None:
    routes = production().routing
    without_mail = {name: channel for name, channel in routes.channels.items() if not channel.kind.by_mail}
    few: routing.Routing = routes.model_copy(update={"channels": without_mail})
    given = production().values.model_copy(update={"smtp_smarthost": "", "smtp_from": ""})
    assert channel_secrets.problems(stack_config("production") | SECRETS, list(SECRETS), few, given) == []


@pytest.mark.parametrize(
    ("smarthost", "port"),
    [("smtp.example.com:587", 587), ("receiver.receiver.svc:2525", None), ("", None)],
)
def test_the_port_that_the_network_policy_must_allow(smarthost: str, port: int | None) -> None:
    assert channel_secrets.smtp_port(smarthost) == port


def test_an_smtp_user_and_its_password_require_each_other() -> None:
    raw = stack_config("production") | SECRETS
    with pytest.raises(stack.SettingsError, match="smtpPassword: required, but not set; needed by smtpUsername"):
        stack.parse(raw | {"smtpUsername": "me", "smtpPassword": ""}, list(SECRETS))
    with pytest.raises(
        stack.SettingsError, match="smtpPassword: set, but not used; allowed: only when smtpUsername is"
    ):
        stack.parse(raw | {"smtpUsername": "", "smtpPassword": "hush"}, [*SECRETS, "smtpPassword"])
    with pytest.raises(stack.SettingsError, match=r"smtpPassword: .* not shown.* allowed: a text without line ends"):
        stack.parse(raw | {"smtpUsername": "me", "smtpPassword": "hush\n"}, [*SECRETS, "smtpPassword"])
    loaded = stack.parse(raw | {"smtpUsername": "me", "smtpPassword": "hush"}, [*SECRETS, "smtpPassword"])
    assert loaded.mail
    assert loaded.mail.password == "hush"
    assert "hush" not in repr(loaded)


@pytest.mark.parametrize(
    ("key", "value", "allowed"),
    [
        ("smtpSmarthost", "smtp.example.com", "host:port of an SMTP server"),
        ("smtpFrom", "alerts", "an e-mail address"),
        ("pagerdutyUrl", "http://pager.example.com", "an https URL without login, query and fragment; http only for"),
        ("muteWindows", "at night", "true or false"),
    ],
)
def test_a_setting_of_the_wrong_form_is_a_problem(key: str, value: str, allowed: str) -> None:
    with pytest.raises(stack.SettingsError) as error:
        stack.parse(stack_config("production") | SECRETS | {key: value}, list(SECRETS))
    assert any(
        f'observability:{key}: "{value}" is not allowed; allowed: {allowed}' in one for one in error.value.problems
    )
