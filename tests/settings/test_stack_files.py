"""Mistakes in a stack file's YAML are told in one line that names the file; values stay as they are written."""

from pathlib import Path

import pytest
import yaml

from engine.workspace import _write  # pyright: ignore[reportPrivateUsage]
from settings import stack_files
from settings.stack_files import StackFileError

GOOD = 'config:\n  observability:clusterName: "c"\n'


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (GOOD + "\tx: 1\n", "not valid YAML: "),
        (GOOD + "   x: 1\n", "not valid YAML: "),
        ("config: [a, , b]\n", "not valid YAML: "),
        (GOOD + "<<<<<<< HEAD\n", "not valid YAML: "),
        (GOOD + "  observability:clusterName: d\n", "not valid YAML: key 'observability:clusterName' appears twice"),
        ("- a\n", "must be a mapping"),
        ("text\n", "must be a mapping"),
        ("config: [a]\n", "config: must be a mapping"),
        (GOOD + "  observabilty:lokiRetention: 400d\n", "config.observabilty:lokiRetention: unknown prefix observabilty; did you mean observability:lokiRetention?"),  # noqa: E501
        (GOOD + "  Observability:lokiMemory: 5Gi\n", "config.Observability:lokiMemory: unknown prefix Observability; did you mean observability:lokiMemory?"),  # noqa: E501
    ],
)  # fmt: skip
def test_one_line_names_the_file_and_the_mistake(text: str, problem: str, tmp_path: Path) -> None:
    (tmp_path / "Pulumi.dev.yaml").write_text(text)
    with pytest.raises(StackFileError) as refused:
        stack_files.read("dev", tmp_path)
    (line,) = str(refused.value).splitlines()
    assert line.startswith(f"Pulumi.dev.yaml: {problem}")


def test_another_encoding_a_folder_and_a_link_are_refused_too(tmp_path: Path) -> None:
    file = tmp_path / "Pulumi.dev.yaml"
    for make, problem in (
        (lambda: file.write_text(GOOD, encoding="utf-16"), "not UTF-8: "),
        (file.mkdir, "cannot be read: Is a directory"),
        (lambda: file.symlink_to(tmp_path / "away"), "is a symbolic link; allowed: a file"),
    ):
        make()
        with pytest.raises(StackFileError, match=f"^Pulumi.dev.yaml: {problem}"):
            stack_files.read("dev", tmp_path)
        file.rmdir() if file.is_dir() else file.unlink()


@pytest.mark.parametrize("prefix", ["aws", "pulumi", "kubernetes", "observability-agent-tools"])
def test_keys_of_others_pass(prefix: str, tmp_path: Path) -> None:
    (tmp_path / "Pulumi.dev.yaml").write_text(f"{GOOD}  {prefix}:region: eu-central-1\n")
    assert f"{prefix}:region" in stack_files.read("dev", tmp_path).own


@pytest.mark.parametrize("text", ["012345678901", "0198765432", "1e3", "0o17", "true", "null", "~", "1_000", "12:30"])
def test_a_quoted_text_stays_a_text_in_the_copy_for_the_engine(text: str, tmp_path: Path) -> None:
    """The engine reads YAML 1.2; a text without quotes would become a number there."""
    _write(tmp_path / "copy.yaml", {"config": {"observability:awsAccountId": text, "n": 3, "b": True}})
    copy = (tmp_path / "copy.yaml").read_text()
    assert f'"{text}"' in copy
    assert yaml.safe_load(copy) == {"config": {"observability:awsAccountId": text, "n": 3, "b": True}}
