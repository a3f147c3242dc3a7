"""Runs __main__.py, or another Pulumi program, on the mock engine."""

import asyncio
import json
import runpy
from collections.abc import Callable, Mapping
from typing import Any
from unittest.mock import patch

import pulumi
from pulumi.runtime import config as runtime_config
from pulumi.runtime.proto import source_pb2
from pulumi.runtime.settings import reset_options

from alerting.files import ROOT
from settings import stack_files
from settings import values as setting_values
from settings.eks import facts
from settings.parsing import PROJECT
from tools.recording.engine import KubernetesMocks, Recorded, RecordingMonitor

STACKS = ("local", "staging", "production")
SECRETS = {
    "jobQueueSlackUrl": "https://hooks.slack.com/services/T0/B0/hush-slack",
    "speccursorSlackUrl": "https://hooks.slack.com/services/T0/B1/hush-slack",
    "mediaSlackUrl": "https://hooks.slack.com/services/T0/B2/hush-slack",
    "mediaClusteringSlackUrl": "https://hooks.slack.com/services/T0/B3/hush-slack",
    "platformSlackUrl": "https://hooks.slack.com/services/T0/B4/hush-slack",
    "notificationWebhookUrl": "https://hooks.example.com/hush-webhook",
    "speccursorWebhookUrl": "https://hooks.example.com/hush-security",
    "jobQueuePagerdutyKey": "hushpagerdutyhushpagerdutyhushp0",
    "speccursorPagerdutyKey": "hushpagerdutyhushpagerdutyhushp1",
    "mediaPagerdutyKey": "hushpagerdutyhushpagerdutyhushp2",
    "mediaClusteringPagerdutyKey": "hushpagerdutyhushpagerdutyhushp3",
    "oncallPagerdutyKey": "hushpagerdutyhushpagerdutyhushp4",
    "deadMansSwitchUrl": "https://switch.example.com/hush-switch",
}
"""Well-formed values for the secrets of the channels, which the files of real stacks do not hold."""


def stack_config(stack: str) -> dict[str, str]:
    """A stack's configuration as the engine passes it: key without prefix -> text; defaults included."""
    values = stack_files.read(stack).values
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in values.items()}


def run_stack(stack: str, *, preview: bool = False, changes: Mapping[str, str] | None = None) -> Recorded:
    """What __main__.py registers for a stack, with `changes` to its configuration, and without a cluster or AWS."""
    changed = dict(changes or {})
    values = stack_config(stack) | (SECRETS if stack != "local" else {}) | changed
    hidden = [name for name in (*SECRETS, *setting_values.SECRETS) if name in values]
    secret = [f"{PROJECT}:{name}" for name in hidden if stack != "local" or name in changed]
    runtime_config.set_all_config({f"{PROJECT}:{key}": value for key, value in values.items()}, secret)
    with (
        patch("components.kubernetes.cluster_check.require_cluster", return_value="v1.34.0"),
        patch("components.eks.preflight.check", facts.offline),
        patch("components.eks.cluster_access.refusal", return_value=None),
    ):
        return run(lambda: runpy.run_path(str(ROOT / "__main__.py")), Recorded(), preview=preview, stack=stack)


def run(program: Callable[[], object], recorded: Recorded, *, preview: bool = False, stack: str = "local") -> Recorded:
    """Runs the function as a Pulumi program, and adds to `recorded` what it registers. Its errors are raised."""
    # Callers may use the automation API, which leaves its event loop and its stack behind.
    asyncio.set_event_loop(asyncio.new_event_loop())
    reset_options()
    pulumi.runtime.set_mocks(
        KubernetesMocks(), project=PROJECT, stack=stack, preview=preview, monitor=RecordingMonitor(recorded)
    )
    exports: dict[str, pulumi.Output[Any]] = {}

    # Without this decorator, the function would return before the program ends, and hide its errors.
    @pulumi.runtime.test
    async def wrapped() -> None:
        program()
        for name, value in exports.items():
            recorded.exports[name] = await pulumi.Output.from_input(value).future()

    with (
        patch("pulumi.export", exports.__setitem__),
        # Where in the program each resource is made: a quarter of the time, and nobody reads it.
        patch("pulumi.runtime.resource._get_stack_trace", source_pb2.StackTrace),
    ):
        wrapped()  # pyright: ignore[reportUnusedCoroutine] -- the decorator runs it
    return recorded


def reset() -> None:
    """Forgets the stack and the configuration of the last run."""
    reset_options()
    runtime_config.set_all_config({}, [])
