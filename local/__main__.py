"""Command line of the local cluster and its tools: `python -m local --help`."""

import os
from typing import Annotated

import typer

from local import choice, image_registry, simulator_image, toolchain
from local.errors import run_command_line
from local.paths import KUBECONFIG
from local.progress import say

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
cluster_app = typer.Typer(no_args_is_help=True, help="Manage the Kubernetes of this checkout.")
app.add_typer(cluster_app, name="cluster")


@cluster_app.command("up")
def cluster_up() -> None:
    """Start the cluster that `make up` would choose; does nothing if it runs."""
    chosen = choice.choose()
    say(str(chosen))
    choice.up(chosen)


@cluster_app.command("down")
def cluster_down() -> None:
    """Remove the cluster and everything else that this checkout created, except the tool cache."""
    choice.down()


@app.command("toolchain")
def toolchain_command(names: Annotated[list[str] | None, typer.Argument()] = None) -> None:
    """Build the missing tools (all, or those given) and print the path of each program."""
    toolchain.ensure(names or None)
    for name in names or sorted(program for module in toolchain.MODULES for program in module.programs):
        print(f"{name}\t{toolchain.tool(name)}")


@app.command("simulator-image")
def simulator_image_command(
    push: Annotated[str, typer.Option(help="Registry and name, such as registry.example.com/team/simulator.")],
) -> None:
    """Make the image of the simulator and the receiver, and push it to a registry."""
    reference = simulator_image.push(push)
    print(f"pushed; to use it: SIMULATOR_IMAGE={reference} KUBE_CONTEXT=name make up")


@app.command("fill-registry")
def fill_registry(
    registry: Annotated[str, typer.Argument(help="Registry, and a folder in it, such as 127.0.0.1:5000/mirror.")],
) -> None:
    """Push all images of the embedded cluster to a registry, from which another one can start without a build."""
    image_registry.fill(registry)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []})
def kubectl(context: typer.Context) -> None:
    """Run kubectl against the cluster that `make up` uses."""
    program = str(toolchain.tool("kubectl"))
    named = os.environ.get("KUBE_CONTEXT")
    target = [f"--context={named}"] if named else [f"--kubeconfig={KUBECONFIG}"]
    os.execv(program, [program, *target, *context.args])  # noqa: S606


if __name__ == "__main__":
    run_command_line(app)
