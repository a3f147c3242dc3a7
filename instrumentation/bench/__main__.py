"""Command line of the benchmarks: `python -m instrumentation.bench --help`."""

import typer

from instrumentation.bench.bench_middleware import bench_middleware
from instrumentation.bench.load import load
from instrumentation.bench.scrapes import scrapes
from instrumentation.bench.soak import soak
from local.errors import run_command_line

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
app.command("middleware")(bench_middleware)
app.command("load")(load)
app.command("scrapes")(scrapes)
app.command("soak")(soak)


if __name__ == "__main__":
    run_command_line(app)
