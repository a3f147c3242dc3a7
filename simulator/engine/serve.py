"""Serves the HTTP application of every program in the image."""

import structlog
import uvicorn
from fastapi import FastAPI

log = structlog.get_logger()


def serve(app: FastAPI, port: int) -> None:
    """Serve `app` on `port` until SIGTERM; logs.configure determines the output of logs."""
    log.info("listening", title=app.title, port=port)
    # A pod does not know its address in advance. The NetworkPolicy controls access.
    uvicorn.run(app, host="0.0.0.0", port=port, log_config=None, log_level=None)  # noqa: S104
