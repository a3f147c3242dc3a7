"""How the programs of the image listen and log: one place for both."""

import structlog
import uvicorn
from fastapi import FastAPI


def serve(app: FastAPI, port: int) -> None:
    """Serve `app` on `port` until SIGTERM; logs are JSON lines on standard output."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ]
    )
    structlog.get_logger("serve").info("listening", title=app.title, port=port)
    # A pod is reached at an address that it does not know beforehand; who may reach it is the NetworkPolicy's part.
    # Scrapes and probes would drown the log, hence no access log.
    uvicorn.run(app, host="0.0.0.0", port=port, access_log=False, log_level="warning")  # noqa: S104
