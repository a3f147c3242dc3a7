"""Rules of the architecture: imports between packages, sizes of files and folders, and where facts are kept."""

import ast
import gc
import re
import sys
from collections.abc import Mapping
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
import yaml

from alerting import loader, routing
from settings import values, versions
from tests.mock_engine import ROOT, STACKS, stack_config

# Maps each package of this project to the others that it may import. All other imports point upwards.
LAYERS = {
    "alerting": set[str](),
    "dashboards": {"alerting"},
    "settings": {"alerting", "dashboards"},
    "components": {"settings", "alerting", "dashboards"},
    "bootstrap": {"components", "settings", "alerting"},
    "policy": set[str](),
    "local": {"settings", "alerting"},
    "engine": {"local", "settings", "alerting"},
    "ops": {"engine", "local", "settings", "alerting", "dashboards", "simulator"},
    "simulator": set[str](),
    "instrumentation": {"local"},
    "tools": {"ops", "engine", "local", "components", "settings", "alerting", "dashboards", "simulator"},
}
SDKS = {"pulumi", "pulumi_kubernetes", "pulumiverse_grafana"}
AWS = {"pulumi_aws", "boto3", "botocore", "mypy_boto3_eks", "mypy_boto3_s3"}
# These packages may import only the given libraries, because they are pure or only create resources.
LIBRARIES = {
    "alerting": {"pydantic", "yaml", "promql_parser"},
    "settings": {"pydantic", "yaml"},
    "dashboards": {"grafana_foundation_sdk"},
    "components": {*SDKS, *AWS, "kubernetes", "urllib3", "yaml"},
    "bootstrap": {"pulumi", "pulumi_aws"},
    "policy": {"pulumi", "pulumi_policy", "yaml"},
}
NO_SDK = ("ops", "simulator", "instrumentation", "local")
LONGEST_FILE = 300
LONGEST_ENTRY_POINT = 80
LARGEST_FOLDER = 20
"""Modules in one folder. A larger folder is hard to survey, and should be split by subject."""


def python_files(folder: str) -> list[Path]:
    programs = ROOT / "ops" / "bench_program"  # a Pulumi program, like __main__.py
    return [file for file in sorted((ROOT / folder).rglob("*.py")) if not file.is_relative_to(programs)]


def imports(file: Path) -> set[str]:
    """Names that a file imports: `from settings import versions` gives settings.versions."""
    found: set[str] = set()
    gc.disable()  # a finalizer that runs during ast.parse makes CPython 3.11 fail (SystemError: recursion depth)
    try:
        tree = ast.parse(file.read_text())
    finally:
        gc.enable()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            package = [*file.relative_to(ROOT).parts[: -node.level], ""] if node.level else [""]
            found |= {f"{'.'.join(package)}{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("folder", LAYERS)
def test_packages_import_only_lower_layers(folder: str) -> None:
    for file in python_files(folder):
        ours = {name.split(".")[0] for name in imports(file)} & LAYERS.keys()
        assert ours <= {folder, *LAYERS[folder]}, f"{file.relative_to(ROOT)} imports {ours}"


def test_the_layers_have_no_circle() -> None:
    TopologicalSorter(LAYERS).prepare()  # raises CycleError


def test_the_modules_have_no_circle() -> None:
    files = {_module(file): file for folder in LAYERS for file in python_files(folder)}
    graph = {
        name: {found for one in imports(file) if (found := _known(one, files)) not in (None, name)}
        for name, file in files.items()
    }
    TopologicalSorter(graph).prepare()  # raises CycleError


def _module(file: Path) -> str:
    name = ".".join(file.relative_to(ROOT).with_suffix("").parts)
    return name.removeprefix("instrumentation.src.").removesuffix(".__init__")


def _known(name: str, files: Mapping[str, Path]) -> str | None:
    """The module that contains an imported name: settings.sizes for `from settings.sizes import CPU`."""
    return next((one for one in (name, name.rpartition(".")[0]) if one in files), None)


@pytest.mark.parametrize("folder", LIBRARIES)
def test_imports_only_the_libraries_of_its_layer(folder: str) -> None:
    allowed = {*LIBRARIES[folder], *LAYERS, *sys.stdlib_module_names}
    for file in python_files(folder):
        foreign = {name for name in imports(file) if name.split(".")[0] not in allowed}
        assert not foreign, f"{file.relative_to(ROOT)} imports {foreign}"


@pytest.mark.parametrize("folder", NO_SDK)
def test_never_imports_an_sdk(folder: str) -> None:
    for file in python_files(folder):
        wrong = {name for name in imports(file) if name.split(".")[0] in {*SDKS, "pulumi_aws"}}
        assert not wrong, f"{file.relative_to(ROOT)} imports {wrong}"


def test_no_folder_has_too_many_modules() -> None:
    folders = {file.parent for top in (*LAYERS, "tests") for file in python_files(top)}
    large = {
        str(folder.relative_to(ROOT)): count
        for folder in folders
        if (count := len([file for file in folder.glob("*.py") if file.name != "__init__.py"])) > LARGEST_FOLDER
    }
    assert large == {}


def test_only_settings_reads_the_configuration() -> None:
    readers = [
        file.relative_to(ROOT)
        for file in [*python_files("components"), ROOT / "__main__.py"]
        if any(one.startswith("pulumi.runtime.") for one in imports(file))
        or re.search(r"pulumi\.Config\b\(", file.read_text())
    ]
    assert readers == [Path("components/configuration.py")]


def test_the_folder_of_the_project_is_found_in_one_place() -> None:
    above = re.compile(r"__file__\)(\.resolve\(\))?\.(parents\[[1-9]|parent\.parent)")
    files = [file for folder in (*LAYERS, "tests") for file in python_files(folder)]
    found = {str(file.relative_to(ROOT)) for file in files if above.search(file.read_text())}
    # The policy pack and bootstrap/ run in folders of their own, and the simulator in an image without alerting/.
    simulator = {"simulator/systems/contract.py", "simulator/systems/series_files.py"}
    assert found == {"alerting/files.py", "bootstrap/__main__.py", "policy/__main__.py", *simulator}


def test_versions_are_data() -> None:
    assert imports(ROOT / "settings/versions.py") == set()


@pytest.mark.parametrize("folder", [*LAYERS, "tests"])
def test_no_file_is_too_long(folder: str) -> None:
    long = {
        str(file.relative_to(ROOT)): len(file.read_text().splitlines())
        for file in python_files(folder)
        if len(file.read_text().splitlines()) > LONGEST_FILE
    }
    assert long == {}


def test_the_entry_point_is_short() -> None:
    assert len((ROOT / "__main__.py").read_text().splitlines()) <= LONGEST_ENTRY_POINT


def test_no_code_compares_stack_names() -> None:
    """Only components/configuration.py reads the name, for tags and the stack's file; no code depends on its value."""
    for file in [
        *python_files("components"),
        *python_files("alerting"),
        *python_files("settings"),
        ROOT / "__main__.py",
    ]:
        allowed = file == ROOT / "components/configuration.py"
        assert file.read_text().count("get_stack") == int(allowed), file
        assert not re.search(r"stack(_name)? *[!=]= *[\"']", file.read_text()), file


def test_every_alert_has_a_scenario_that_fires_and_one_that_is_silent() -> None:
    fires: set[str] = set()
    silent: set[str] = set()
    for file in (ROOT / "tests/rules").rglob("*.test.yaml"):
        for scenario in yaml.safe_load(file.read_text())["tests"]:
            for check in scenario.get("alert_rule_test", []):
                (fires if check["exp_alerts"] else silent).add(check["alertname"])
    alerts = set(loader.load().rules())
    assert alerts - fires == set()
    assert alerts - silent == {"Watchdog"}


def test_stack_files_only_pick_known_values() -> None:
    declared = set(yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["config"])
    known = declared | set(routing.load().secrets()) | set(values.SECRETS)
    for stack in STACKS:
        assert set(stack_config(stack)) <= known, stack


@pytest.mark.parametrize(
    "key",
    [
        "prometheusStorage",
        "alertmanagerStorage",
        "lokiStorage",
        "jaegerStorage",
        "collectorStorage",
    ],
)
def test_storage_settings_say_how_a_running_volume_grows(key: str) -> None:
    """A new number alone does not change existing volumes, so the description explains how to expand them."""
    text = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["config"][key]["description"]
    for part in ("Expand the volume", "first", "kubectl patch pvc", "immutable"):
        assert part in text


def test_images_name_a_release() -> None:
    images = [value for name, value in vars(versions).items() if name.endswith("_IMAGE")]
    assert len(images) >= 8
    for image in images:
        assert re.fullmatch(r"[\w./-]+:v?\d+\.\d+\.\d+(-slim)?", image)
