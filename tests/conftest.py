"""Fixtures that run components or the whole program on the mock engine, and small programs on the real one."""

import functools
import gc
import os
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import httpx
import hypothesis
import pytest
from botocore.loaders import JSONFileLoader, create_loader
from xdist.remote import Producer

from alerting.files import ROOT
from engine.workspace import Workspace
from local import toolchain
from local.errors import LocalError
from local.paths import STATE
from tests.backends.opensearch import OpenSearchNode
from tests.scheduling import SLOW, ByServer, in_order
from tools.recording import program as recording
from tools.recording.engine import Recorded

# The first example of a test includes its imports, so a deadline per example would say nothing about the code.
hypothesis.settings.register_profile("platform", deadline=None)
hypothesis.settings.register_profile("thorough", parent=hypothesis.settings.get_profile("platform"), max_examples=1000)
hypothesis.settings.load_profile("platform")
# Neither a test nor a process that it starts may build a tool; a missing tool is an error that names it.
os.environ[toolchain.NO_BUILD] = "1"
# Programs in Go that run for seconds spend a fifth of them on collecting garbage. Where memory is short, they do.
os.environ.setdefault("GOGC", "400")
os.environ.setdefault("GOMEMLIMIT", "1GiB")
# Programs of Pulumi make hundreds of thousands of objects that stay. Collecting garbage rarely saves a twentieth.
gc.set_threshold(20_000, 20, 50)
# Tests must not see variables of the `make` that runs them, nor the user's clusters, accounts, backend and plugins.
# The passphrase stays, because the state of the running stack may be encrypted with it.
_VARIABLES = {
    "ALERTMANAGER_URL",
    "ARGS",
    "CLUSTER",
    "IMAGE_REGISTRY",
    "STACK",
    "OFFLINE",
    "MAKEFLAGS",
    "MFLAGS",
    "MAKELEVEL",
    "MAKEOVERRIDES",
}
_PREFIXES = ("AWS_", "KUBE", "PULUMI_", "SIMULATOR_", "OTEL_", "PROMETHEUS_MULTIPROC", "GRAFANA_URL", "GRAFANA_API")
for _name in list(os.environ):
    if _name in _VARIABLES or (_name.startswith(_PREFIXES) and "PASSPHRASE" not in _name):
        del os.environ[_name]
os.environ["PULUMI_HOME"] = str(STATE / "home-without-plugins")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByServer:
    """Tests that share a server run in one worker."""
    return ByServer(config, log)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks the tests of slow files, and sorts all."""
    for item in items:
        if item.path.relative_to(ROOT).as_posix() in SLOW:
            item.add_marker("slow")
    items[:] = in_order(items)


def pytest_collection_finish() -> None:
    """Excludes the objects that exist before the first test from garbage collection."""
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(call: pytest.CallInfo[None]) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Reports a missing tool in one line, without a traceback."""
    report = yield
    error = call.excinfo and call.excinfo.value
    if isinstance(error, LocalError) and toolchain.NO_BUILD in str(error):
        report.longrepr = str(error)
    return report


@pytest.fixture(scope="session", autouse=True)
def _expensive_results_are_kept() -> Iterator[None]:
    """Caches what would be computed again and again, and depends on its arguments only.

    botocore parses a service's model for each session, and httpx the machine's certificates for each request. Tests of
    AWS and of HTTP would spend most of their time there.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(JSONFileLoader, "load_file", staticmethod(functools.cache(JSONFileLoader().load_file)))
        patch.setattr("botocore.session.create_loader", functools.cache(create_loader))
        patch.setattr("httpx._transports.default.create_ssl_context", functools.cache(httpx.create_ssl_context))
        yield


@pytest.fixture(scope="session")
def opensearch_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenSearchNode]:
    """A real OpenSearch node without the security plugin.

    It takes seconds to start, so tests that use it belong to the xdist group "opensearch" and share one.
    """
    with OpenSearchNode(tmp_path_factory.mktemp("opensearch")) as running:
        yield running


@pytest.fixture
def recorded() -> Recorded:
    """Collects the resources that the test creates."""
    return Recorded()


@pytest.fixture(params=[False, True], ids=["up", "preview"])
def preview(request: pytest.FixtureRequest) -> bool:
    """Runs each test that uses it twice: as an update and as a preview."""
    return request.param


@pytest.fixture
def engine(recorded: Recorded) -> Iterator[Callable[..., Recorded]]:
    """`engine(program)` runs the function as a Pulumi program and gives what it registered; errors are raised."""
    yield lambda program, **options: recording.run(program, recorded, **options)
    recording.reset()


_RUNS: dict[tuple[str, bool, frozenset[tuple[str, str]]], Recorded] = {}


@pytest.fixture
def program(request: pytest.FixtureRequest) -> Iterator[Callable[..., Recorded]]:
    """`program(stack)` runs __main__.py with a stack's configuration, without a cluster and without AWS.

    A run takes seconds, so the tests of a process share the recorded resources and must not change them. A test that
    uses monkeypatch gets runs of its own.
    """
    patched = "monkeypatch" in request.fixturenames

    def run(stack: str = "local", *, preview: bool = False, **changes: str) -> Recorded:
        key = (stack, preview, frozenset(changes.items()))
        if not patched and key in _RUNS:
            return _RUNS[key]
        found = recording.run_stack(stack, preview=preview, changes=changes)
        found.resources = tuple(found.resources)
        if not patched:
            _RUNS[key] = found
        return found

    yield run
    recording.reset()


@pytest.fixture
def collected() -> Iterator[None]:
    """Collects the loops and channels that the automation API leaves behind, so that no later test is blamed."""
    yield
    gc.collect()


@pytest.fixture
def small_stack(tmp_path: Path, collected: None) -> Callable[..., Workspace]:
    """`small_stack(program, key="value")` gives a stack for the real engine that runs the program in its own folder."""
    (tmp_path / "Pulumi.yaml").write_text("name: small\nruntime: python\n")

    def make(program: str, **config: str) -> Workspace:
        (tmp_path / "__main__.py").write_text(program)
        keyed = {f"small:{key}": value for key, value in config.items()}
        return Workspace(stack="dev", root=tmp_path, state=tmp_path / ".state", config=keyed)

    return make
