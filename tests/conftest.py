"""Fixtures that run components, or the whole program, on the mock engine, and a small program on the real one."""

import asyncio
import gc
import runpy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pulumi
import pytest
from pulumi.runtime import config as runtime_config
from pulumi.runtime.settings import reset_options

from components import setting_values
from components.eks import facts
from local.workspace import Workspace
from tests.mock_engine import ROOT, SECRETS, KubernetesMocks, Recorded, RecordingMonitor, stack_config

# The first example of a test also pays for imports; how long one may take says nothing about the code.
hypothesis.settings.register_profile("platform", deadline=None)
hypothesis.settings.load_profile("platform")


@pytest.fixture
def recorded() -> Recorded:
    """Filled by the resources that the test creates."""
    return Recorded()


@pytest.fixture(params=[False, True], ids=["up", "preview"])
def preview(request: pytest.FixtureRequest) -> bool:
    """Each test that takes this runs twice: as an update and as a preview."""
    return request.param


@pytest.fixture
def engine(recorded: Recorded, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Recorded]]:
    """`engine(program)` runs the function as a Pulumi program and gives what it registered; errors are raised."""

    def run(program: Callable[[], object], *, preview: bool = False, stack: str = "local") -> Recorded:
        # The automation API, which other tests use, leaves its event loop and its stack behind.
        asyncio.set_event_loop(asyncio.new_event_loop())
        reset_options()
        pulumi.runtime.set_mocks(
            KubernetesMocks(), project="observability", stack=stack, preview=preview, monitor=RecordingMonitor(recorded)
        )

        exports: dict[str, pulumi.Output[Any]] = {}
        monkeypatch.setattr("pulumi.export", exports.__setitem__)

        # Without this decorator a test ends before the program does, and passes.
        @pulumi.runtime.test
        async def wrapped() -> None:
            program()
            for name, value in exports.items():
                recorded.exports[name] = await pulumi.Output.from_input(value).future()

        wrapped()
        return recorded

    yield run
    reset_options()
    runtime_config.set_all_config({}, [])


@pytest.fixture
def program(engine: Callable[..., Recorded], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Recorded]:
    """`program(stack)` runs __main__.py with a stack's configuration, without a cluster and without AWS."""

    def run(stack: str = "local", *, preview: bool = False, **changes: str) -> Recorded:
        monkeypatch.setattr("components.cluster_check.require_cluster", lambda *_: "v1.34.0")
        monkeypatch.setattr("components.eks.preflight.check", facts.offline)
        values = stack_config(stack) | (SECRETS if stack != "local" else {}) | changes
        hidden = [key for key in (*SECRETS, *setting_values.SECRETS) if key in values]
        secret = [f"observability:{key}" for key in hidden if stack != "local" or key in changes]
        runtime_config.set_all_config({f"observability:{key}": value for key, value in values.items()}, secret)
        return engine(lambda: runpy.run_path(str(ROOT / "__main__.py")), preview=preview, stack=stack)

    return run


@pytest.fixture
def collected() -> Iterator[None]:
    """The automation API leaves loops and channels to the garbage collector; here, not in whatever test comes next."""
    yield
    gc.collect()


@pytest.fixture
def small_stack(tmp_path: Path, collected: None) -> Callable[..., Workspace]:
    """`small_stack(program, key="value")`: that program, in a folder of its own, as a stack for the real engine."""
    (tmp_path / "Pulumi.yaml").write_text("name: small\nruntime: python\n")

    def make(program: str, **config: str) -> Workspace:
        (tmp_path / "__main__.py").write_text(program)
        keyed = {f"small:{key}": value for key, value in config.items()}
        return Workspace(stack="dev", root=tmp_path, state=tmp_path / ".state", config=keyed)

    return make
