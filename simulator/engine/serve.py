"""How the programs of the image listen: one place for all of them."""

import structlog
import uvicorn
from fastapi import FastAPI

log = structlog.get_logger()


def serve(app: FastAPI, port: int) -> None:
    """Serve `app` on `port` until SIGTERM; logs go where logs.configure says."""
    log.info("listening", title=app.title, port=port)
    # A pod is reached at an address that it does not know beforehand; who may reach it is the NetworkPolicy's part.
    uvicorn.run(app, host="0.0.0.0", port=port, log_config=None, log_level=None)  # noqa: S104
