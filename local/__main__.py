"""Command line of the embedded default: `python -m local --help`. The Makefile's targets call it."""

import os
import shutil
import sys
import time
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from local import cluster, engine, node_process, toolchain
from local.errors import LocalError
from local.paths import KUBECONFIG, ROOT

ENGINE = ["pulumi", "pulumi-resource-kubernetes", "kubectl"]
"""The tools that a stack on any cluster needs."""

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
cluster_app = typer.Typer(no_args_is_help=True, help="The one-node Kubernetes of this checkout.")
app.add_typer(cluster_app, name="cluster")
app.add_typer(engine.app, name="engine")


@app.command()
def up() -> None:
    """Bring cluster and platform up, and print where everything is."""
    started = time.monotonic()
    _cluster()
    workspace = engine.workspace("local")
    summary = engine.up(workspace)
    _print_endpoints(engine.outputs(workspace)["endpoints"])
    print(f"{summary}; {time.monotonic() - started:.0f} s in all")


@app.command()
def preview(
    stack: Annotated[str, typer.Option("--stack", help="Stack, as in Pulumi.<stack>.yaml.")] = "local",
    offline: Annotated[bool, typer.Option("--offline", help="Without cluster, account and secrets (EKS).")] = False,
) -> None:
    """Show what `up` would change; the cluster has to be there."""
    _known(stack)
    if offline:
        engine.tell(engine.preview(engine.offline_workspace(stack)))
        return
    if stack == "local" and not os.environ.get("KUBE_CONTEXT") and node_process.current() is None:
        raise LocalError("there is no cluster to compare with; make up starts one, KUBE_CONTEXT=name names one")
    toolchain.ensure(ENGINE)
    engine.tell(engine.preview(engine.workspace(stack)))


@app.command()
def down() -> None:
    """Remove the platform and the cluster, or from a cluster of yours (KUBE_CONTEXT) the platform alone."""
    if os.environ.get("KUBE_CONTEXT"):
        workspace = engine.workspace("local")
        engine.destroy(workspace)
        shutil.rmtree(workspace.state)
    else:
        cluster.down()


@cluster_app.command("up")
def cluster_up() -> None:
    """Bring the cluster up; again changes nothing."""
    cluster.up()


@cluster_app.command("down")
def cluster_down() -> None:
    """Remove the cluster and all that this checkout made (the tool cache stays)."""
    cluster.down()


@app.command("toolchain")
def toolchain_command(names: Annotated[list[str] | None, typer.Argument()] = None) -> None:
    """Build what is missing (all tools, or those named) and print where each program is."""
    toolchain.ensure(names or None)
    for name in names or sorted(program for module in toolchain.MODULES for program in module.programs):
        print(f"{name}\t{toolchain.tool(name)}")


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []})
def kubectl(context: typer.Context) -> None:
    """Run kubectl against the cluster that `make up` uses."""
    program = str(toolchain.tool("kubectl"))
    named = os.environ.get("KUBE_CONTEXT")
    target = [f"--context={named}"] if named else [f"--kubeconfig={KUBECONFIG}"]
    os.execv(program, [program, *target, *context.args])  # noqa: S606


def _known(stack: str) -> None:
    known = sorted(file.name.split(".")[1] for file in ROOT.glob("Pulumi.*.yaml"))
    if stack not in known:
        raise LocalError(f"there is no stack {stack!r}; there are: {', '.join(known)}")


def _cluster() -> None:
    if os.environ.get("KUBE_CONTEXT"):
        toolchain.ensure(ENGINE)
        if not os.environ.get("SIMULATOR_IMAGE"):
            print("simulator and receiver are left out: build simulator/Dockerfile, push it, and set SIMULATOR_IMAGE")
    else:
        cluster.up()


def _print_endpoints(endpoints: dict[str, dict[str, Any]]) -> None:
    table = Table("endpoint", "after this command", "open", box=None, pad_edge=False)
    for name, endpoint in sorted(endpoints.items()):
        table.add_row(name, endpoint["open"], endpoint["external_url"])
    table.add_row("[dim]all of them[/dim]", "make open", "")
    Console(width=120).print(table)


def main() -> None:
    """Run the command line; a LocalError is printed as its text alone."""
    try:
        app()
    except LocalError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
