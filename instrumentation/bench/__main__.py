"""Command line of the benchmarks: `python -m instrumentation.bench --help`."""

import sys

import typer

from instrumentation.bench.bench_middleware import bench_middleware
from instrumentation.bench.load import load
from local.errors import LocalError

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
app.command("middleware")(bench_middleware)
app.command("load")(load)


def main() -> None:
    """Run the command line; of a LocalError only its text is printed."""
    try:
        app()
    except LocalError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
