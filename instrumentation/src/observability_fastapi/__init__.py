"""Request ids, metrics, JSON logs and traces for a FastAPI or Starlette service.

    from observability_fastapi import instrument

    app = FastAPI()
    instrument(app, service="orders")

The package's README.md documents names, settings and how requests are counted.
"""

from observability_fastapi.counting.exposition import Exposition
from observability_fastapi.counting.metrics import LABELS
from observability_fastapi.current import Request, add_request, current
from observability_fastapi.instrument import exposition, instrument
from observability_fastapi.settings import InstrumentationError, Label, Measured, Options

__all__ = [
    "LABELS",
    "Exposition",
    "InstrumentationError",
    "Label",
    "Measured",
    "Options",
    "Request",
    "add_request",
    "current",
    "exposition",
    "instrument",
]
