"""Request ids, metrics, JSON logs and traces for a FastAPI or Starlette service.

    from observability_fastapi import instrument

    app = FastAPI()
    instrument(app, service="orders")

The package's README.md documents names, settings and how requests are counted.
"""

from observability_fastapi.current import Request, current
from observability_fastapi.instrument import instrument
from observability_fastapi.metrics import LABELS, RequestMetrics
from observability_fastapi.settings import InstrumentationError, Options

__all__ = ["LABELS", "InstrumentationError", "Options", "Request", "RequestMetrics", "current", "instrument"]
