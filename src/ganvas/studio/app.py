"""The studio's application: routes, guards, and what lives and ends with it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import AsyncIterator
from typing import Any, Literal

from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.openapi.utils import get_openapi
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles

from ganvas import __version__
from ganvas.studio import job_routes, model_routes, run_routes
from ganvas.studio.catalogue import Catalogue
from ganvas.studio.guard import Guard
from ganvas.studio.jobs import Jobs
from ganvas.studio.problems import ProblemError, add_handlers, describe_problems
from ganvas.studio.runs import Runs
from ganvas.studio.settings import Settings
from ganvas.studio.state import State, Streams, Studio
from ganvas.studio.telemetry import Telemetry, Timed
from ganvas.studio.uploads import BodyLimit
from ganvas.studio.workers import Pool


class Health(BaseModel):
    """The studio answers."""

    status: Literal["ok"]


def create_app(settings: Settings) -> FastAPI:
    """The studio as an ASGI application; its state is at ``app.state.studio``."""
    telemetry = Telemetry()
    pool = Pool(settings.limits, telemetry, settings.precision)
    state = State(
        settings=settings,
        telemetry=telemetry,
        catalogue=Catalogue(settings.runs),
        pool=pool,
        jobs=Jobs(pool, settings.limits),
        runs=Runs(settings.runs, settings.data),
        streams=Streams(settings.limits.streams),
        closing=threading.Event(),
    )

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        if settings.warm is not None:
            with contextlib.suppress(ProblemError):
                pool.warm(state.catalogue.find(settings.warm).path)
        yield
        state.closing.set()
        await run_in_threadpool(pool.close)
        await run_in_threadpool(state.jobs.close)

    # No pages of documentation: they would load scripts from elsewhere.
    app = FastAPI(
        title="ganvas studio",
        version=__version__,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.studio = state
    add_handlers(app)
    for router in (model_routes.router, job_routes.router, run_routes.router):
        app.include_router(router)
    _add_operations(app)
    _add_page(app, settings)
    app.add_middleware(BodyLimit, limits=settings.limits)
    app.add_middleware(Guard, settings=settings)
    app.add_middleware(Timed, telemetry=telemetry)
    app.openapi = lambda: _description(app)  # type: ignore[method-assign]
    return app


def _add_operations(app: FastAPI) -> None:
    @app.get("/healthz", tags=["operation"])
    def health() -> Health:
        """Whether the studio answers; needs no token."""
        return Health(status="ok")

    @app.get(
        "/metrics",
        tags=["operation"],
        response_class=PlainTextResponse,
        responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
    )
    def metrics(studio: Studio) -> Response:
        """Figures for Prometheus."""
        gauges = {
            "ganvas_drawings_waiting": ("Drawings that wait for a model.", float(studio.pool.waiting)),
            "ganvas_models_loaded": ("Models in memory.", float(studio.pool.loaded)),
            "ganvas_streams_open": ("Streams of events that pages listen to.", float(studio.streams.open)),
        }
        return Response(studio.telemetry.text(gauges), media_type="text/plain; version=0.0.4; charset=utf-8")


def _add_page(app: FastAPI, settings: Settings) -> None:
    page = StaticFiles(directory=settings.static, html=True, check_dir=False)

    # Last of all routes: a mount would answer wrong methods of the others.
    @app.get("/{path:path}", include_in_schema=False)
    async def static(request: Request, path: str) -> Response:
        if path.startswith("api/"):
            raise HTTPException(404)
        if not (settings.static / "index.html").is_file():
            raise ProblemError("no-page")
        response = await page.get_response(page.get_path(request.scope), request.scope)
        # The build names what it makes by its content, except for the page itself.
        response.headers["Cache-Control"] = (
            "public, max-age=31536000, immutable" if path.startswith("assets/") else "no-cache"
        )
        return response


def _description(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema is None:
        app.openapi_schema = get_openapi(
            title=app.title,
            version=app.version,
            description="Draw with models, translate pictures, and train. Errors are problem+json (RFC 9457).",
            routes=app.routes,
        )
        describe_problems(app.openapi_schema)
    return app.openapi_schema
