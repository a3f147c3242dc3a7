"""Gives what stacks deploy to the programs that read it, and collects what these refuse."""

import os
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from engine import rule_checks
from local.toolchain import tool
from settings.apps import PROMETHEUS_RULES
from settings.deployed import Deployed
from tests.mock_engine import Recorded

_TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount/token"
_POD = "10.0.0.1"
"""Stands for all that Kubernetes fills in when a pod starts."""
# A collector with X-Ray asks for credentials at its start; this machine must not be asked for its own.
_CREDENTIALS = {"AWS_ACCESS_KEY_ID": "none", "AWS_SECRET_ACCESS_KEY": "none", "AWS_EC2_METADATA_DISABLED": "true"}


def refusals(stacks: Sequence[Recorded], folder: Path) -> list[str]:
    """Everything that a program refuses, with the program's name and its message."""
    checked = rule_checks.of_texts([_deployed(one) for one in stacks])
    assert not checked.absent
    found = [*checked.problems, *_prometheus_files(stacks, folder)]
    for number, one in enumerate(stacks):
        own = folder / str(number)
        found += _flags("prometheus", one, own, "Error loading config")
        found += _flags("alertmanager", one, own, "Loading configuration file failed")
        found += _embedded_alertmanager(one, own)
        found += _file("loki", "loki", one, own, "-verify-config")
        found += _file("jaeger", "jaeger", one, own, "validate")
        found += _file("otel-agent", "otelcol-contrib", one, own, "validate")
        found += _file("otel-gateway", "otelcol-contrib", one, own, "validate")
        found += _file("otel-events", "otelcol-contrib", one, own, "validate")
    return found


def _deployed(recorded: Recorded) -> Deployed:
    alertmanager = recorded.one("Secret", "alertmanager-config").inputs["stringData"]
    return Deployed(
        prometheus=recorded.one("ConfigMap", "prometheus-rules").inputs["data"],
        loki=recorded.one("ConfigMap", "loki-rules").inputs["data"],
        alertmanager=alertmanager["alertmanager.yml"],
        templates=next(text for name, text in alertmanager.items() if name != "alertmanager.yml"),
    )


def _container(recorded: Recorded, app: str) -> dict[str, Any]:
    (pod,) = (one.pod for one in recorded.pods if one.object_name == app and one.pod)
    return next(one for one in pod["spec"]["containers"] if one["name"] == app)


def _said(command: Sequence[object], environment: dict[str, str] | None = None) -> tuple[int, str]:
    done = subprocess.run(
        list(map(str, command)),
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    return done.returncode, done.stdout + done.stderr


def _prometheus_files(stacks: Sequence[Recorded], folder: Path) -> Iterator[str]:
    """All in one call. promtool looks for the token, which is in every pod."""
    token = folder / "token"
    token.write_text("")
    files: list[Path] = []
    for number, one in enumerate(stacks):
        own = folder / str(number)
        own.mkdir(parents=True)
        text = one.one("ConfigMap", "prometheus-config").inputs["data"]["prometheus.yml"]
        files.append(own / "prometheus.yml")
        files[-1].write_text(text.replace(_TOKEN, str(token)).replace(PROMETHEUS_RULES, str(own)))
    status, said = _said([tool("promtool"), "check", "config", *files])
    if status:
        yield f"promtool: {said}"


def _flags(app: str, recorded: Recorded, folder: Path, reached: str) -> Iterator[str]:
    """The program reads its flags, and then misses its configuration, unless it refuses the flags."""
    arguments = _container(recorded, app)["args"]
    away = {"--config.file=": folder / "missing", "--storage.tsdb.path=": folder, "--storage.path=": folder}
    # Alertmanager would wait for its peers, and both would listen.
    away |= {"--cluster.listen-address=": "", "--web.listen-address=": "127.0.0.1:0"}
    changed = [
        next((f"{start}{end}" for start, end in away.items() if argument.startswith(start)), argument)
        for argument in arguments
        if not argument.startswith("--cluster.peer=")
    ]
    _, said = _said([tool(app), *changed])
    if reached not in said:
        yield f"{app}: {said[-500:]}"


def _embedded_alertmanager(recorded: Recorded, folder: Path) -> Iterator[str]:
    """The embedded cluster's version, which is older than the one whose amtool judges the same files."""
    for name, text in recorded.one("Secret", "alertmanager-config").inputs["stringData"].items():
        (folder / name).write_text(text)
    options = ("--cluster.listen-address=", "--web.listen-address=127.0.0.1:0", f"--storage.path={folder}")
    command = [tool("alertmanager"), f"--config.file={folder / 'alertmanager.yml'}", *options]
    said: list[str] = []
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        for line in process.stderr:
            said.append(line)
            if "Completed loading of configuration file" in line or "Loading configuration file failed" in line:
                break
        process.kill()
    if "Completed loading" not in said[-1]:
        yield f"alertmanager: {''.join(said)[-500:]}"


def _file(app: str, program: str, recorded: Recorded, folder: Path, how: str) -> Iterator[str]:
    container = _container(recorded, app)
    (text,) = recorded.one("ConfigMap", f"{app}-config").inputs["data"].values()
    file = folder / f"{app}.yaml"
    file.write_text(text.replace(f"/var/lib/{app}", str(folder)))
    arguments = [
        f"{argument.partition('=')[0]}={file}" if argument.startswith(("--config=", "-config.file=")) else argument
        for argument in container["args"]
    ]
    environment = {one["name"]: one.get("value", _POD) for one in container.get("env", ())}
    status, said = _said([tool(program), how, *arguments], _CREDENTIALS | environment)
    if status:
        yield f"{app}: {said[-1500:]}"
