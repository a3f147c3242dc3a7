"""Command line of the operations tools: `python -m ops --help`. The Makefile calls it."""

import logging
import signal
import sys

import structlog
import typer

from local.errors import LocalError
from ops.attack.command import attack
from ops.bench import bench
from ops.capacity.command import cost
from ops.deploy_dashboards import deploy_dashboards
from ops.drift.command import drift
from ops.drills.fire_alerts import fire_alerts
from ops.drills.kill_drill import kill_drill
from ops.errors import OpsError, UsageError
from ops.open_endpoints import open_endpoints
from ops.queries.check_queries import check_queries
from ops.replay.command import replay
from ops.replay.incident_command import capture
from ops.review.command import preview_summary
from ops.terminal import plain

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
app.command("fire-alerts")(fire_alerts)
app.command("kill-drill")(kill_drill)
app.command("attack")(attack)
app.command("open")(open_endpoints)
app.command("bench")(bench)
app.command("check-queries")(check_queries)
app.command("deploy-dashboards")(deploy_dashboards)
app.command("preview-summary")(preview_summary)
app.command("replay")(replay)
app.command("capture")(capture)
app.command("cost")(cost)
app.command("drift")(drift)


@app.callback()
def _tools() -> None:
    """Drill and check a running stack, and review a change before it is applied."""


def main() -> None:
    """Run the command line; an OpsError is printed without a traceback."""
    # Both signals raise KeyboardInterrupt, so that a drill switches its faults off and ends its port-forwards.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    try:
        app()
    except UsageError as error:
        print(f"error: {plain(str(error))}", file=sys.stderr)
        sys.exit(2)
    except (OpsError, LocalError) as error:
        print(f"error: {plain(str(error))}", file=sys.stderr)
        sys.exit(1)
    except OSError as error:
        if error.filename is None:
            raise
        print(f"error: {error.filename}: {error.strerror}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
