"""The service that `load` measures: `python -m instrumentation.bench.load_service plain|instrumented PORT`.

A few routes that answer JSON and wait for nothing, so that the cost of the package shows.
"""

import sys

import uvicorn
from fastapi import FastAPI
from observability_fastapi import instrument

ROUTES = 20
"""Routes beside the one that is asked; services have tens of them."""


def bare(routes: int) -> FastAPI:
    """A service that answers `/items/{number}`, the last of its routes, after `routes` others."""
    app = FastAPI()

    async def read(number: str) -> dict[str, str]:
        return {"number": number}

    for route in range(routes):
        app.add_api_route(f"/route{route}/{{number}}", read)
    app.add_api_route("/items/{number}", read)
    return app


def application(variant: str) -> FastAPI:
    """The service; `instrumented` has the package with everything switched on but the sending of spans."""
    app = bare(ROUTES)
    if variant == "instrumented":
        instrument(app, "load", projects=("atlas",))
    return app


def instrumented() -> FastAPI:
    """The service with the package, for servers that call a factory."""
    return application("instrumented")


if __name__ == "__main__":
    uvicorn.run(application(sys.argv[1]), host="127.0.0.1", port=int(sys.argv[2]), log_config=None, access_log=False)
