"""Rules of the house that nobody would keep if no test did."""

import ast
import gc
import re
from pathlib import Path

import pytest
import yaml

from components import setting_values, versions
from rules import loader, routing
from tests.mock_engine import ROOT, STACKS, stack_config

# Folder -> top-level modules (beyond the standard library) that it may import. `components` allows only its data.
SDKS = {"pulumi", "pulumi_kubernetes", "pulumiverse_grafana"}
AWS = {"pulumi_aws", "boto3", "botocore", "mypy_boto3_eks", "mypy_boto3_s3"}
ALLOWED = {
    "components": {*SDKS, *AWS, "components", "rules", "pydantic", "pydantic_core", "kubernetes", "urllib3", "yaml"},
    "rules": {"rules", "pydantic", "yaml", "promql_parser"},
    "dashboards": {"dashboards", "grafana_foundation_sdk"},
    "policy": {"policy", "pulumi", "pulumi_policy", "yaml"},
}
FORBIDDEN = {
    "ops": {*SDKS, "pulumi_aws"},
    "simulator": {*SDKS, "components", "rules", "ops", "local", "pydantic_settings"},
    "instrumentation": {*SDKS, "components", "rules", "ops", "local", "simulator", "fastapi"},
}
DATA = {"components.versions", "components.quantities"}
LONGEST_FILE = 300
LONGEST_ENTRY_POINT = 80


def python_files(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def imports(file: Path) -> set[str]:
    """Modules that a file imports; `from components import versions` counts as components.versions."""
    found: set[str] = set()
    gc.disable()  # a finalizer that runs meanwhile makes CPython 3.11 refuse the tree (SystemError: recursion depth)
    try:
        tree = ast.parse(file.read_text())
    finally:
        gc.enable()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            inner = node.module in ("components", "rules", "dashboards", "local", "ops", "simulator")
            found |= {f"{node.module}.{alias.name}" for alias in node.names} if inner else {node.module}
    return found


@pytest.mark.parametrize("folder", ALLOWED)
def test_imports_only_what_it_may(folder: str) -> None:
    standard = __import__("sys").stdlib_module_names
    for file in python_files(folder):
        foreign = {name for name in imports(file) if name.split(".")[0] not in ALLOWED[folder] | set(standard)}
        assert not foreign, f"{file.relative_to(ROOT)} imports {foreign}"


@pytest.mark.parametrize("folder", FORBIDDEN)
def test_never_imports(folder: str) -> None:
    for file in python_files(folder):
        wrong = {name for name in imports(file) - DATA if name.split(".")[0] in FORBIDDEN[folder] | {"components"}}
        assert not wrong, f"{file.relative_to(ROOT)} imports {wrong}"


def test_only_settings_reads_the_configuration() -> None:
    readers = [
        file.relative_to(ROOT)
        for file in [*python_files("components"), ROOT / "__main__.py"]
        if "pulumi.runtime" in imports(file) or re.search(r"pulumi\.Config\b\(", file.read_text())
    ]
    assert readers == [Path("components/settings.py")]


def test_versions_are_data() -> None:
    assert imports(ROOT / "components/versions.py") == set()


@pytest.mark.parametrize(
    "folder", ["components", "rules", "dashboards", "ops", "local", "policy", "simulator", "instrumentation", "tests"]
)
def test_files_can_be_read_in_one_sitting(folder: str) -> None:
    long = {
        str(file.relative_to(ROOT)): len(file.read_text().splitlines())
        for file in python_files(folder)
        if len(file.read_text().splitlines()) > LONGEST_FILE
    }
    assert long == {}


def test_the_entry_point_is_a_table_of_contents() -> None:
    assert len((ROOT / "__main__.py").read_text().splitlines()) <= LONGEST_ENTRY_POINT


def test_no_code_compares_stack_names() -> None:
    """Tags have the name, and files of stacks; it is read in one place, and nothing depends on what it is."""
    for file in [*python_files("components"), *python_files("rules"), ROOT / "__main__.py"]:
        allowed = file == ROOT / "components/settings.py"
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
    known = declared | set(routing.load().secrets()) | set(setting_values.SECRETS)
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
    """Changing the number alone leaves the volumes that exist as they are."""
    text = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["config"][key]["description"]
    for part in ("expanded first", "kubectl patch pvc", "immutable"):
        assert part in text
    assert ("size limit of Prometheus" in text) is (key == "prometheusStorage")


def test_images_name_a_release() -> None:
    images = [value for name, value in vars(versions).items() if name.endswith("_IMAGE")]
    assert len(images) >= 8
    for image in images:
        assert re.fullmatch(r"[\w./-]+:v?\d+\.\d+\.\d+(-slim)?", image)
