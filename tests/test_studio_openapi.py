"""The studio's answers are those that its OpenAPI description promises, whatever is sent (schemathesis sends it)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis.checks import CHECKS
from starlette.types import ASGIApp, Receive, Scope, Send

from ganvas.studio.app import create_app
from ganvas.studio.runs import Runs
from ganvas.studio.settings import Settings
from ganvas.studio.state import State
from studio_help import HERE, png, until
from test_studio_runs import write_run
from test_translate import make_model, picture

MODEL, RUN = "file:tiny", "begun"
# A description cannot say which bytes are pictures, which keys a recipe has, which paths are data.
BEYOND_A_SCHEMA = {
    ("POST", "/api/models/{name}/translate"),
    ("POST", "/api/models/{name}/files"),
    ("POST", "/api/models/{name}/sample"),
    ("POST", "/api/runs"),
}


class Here:
    """The test client calls itself testserver, which no browser here would, and ends the studio after each request."""

    def __init__(self, app: FastAPI) -> None:
        self._app: ASGIApp = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            for part in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{part}.complete"})
        else:
            others = [header for header in scope["headers"] if header[0] != b"host"]
            scope["headers"] = [*others, (b"host", HERE.partition("//")[2].encode())]
            await self._app(scope, receive, send)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FastAPI]:
    runs = tmp_path_factory.mktemp("described") / "runs"
    make_model(runs / "tiny.safetensors")
    (write_run(runs / RUN, 100, 200) / "samples").mkdir()
    picture(9, 9).save(runs / RUN / "samples" / "0000000200.png")
    app = create_app(Settings(runs=runs, warm=None))
    # A stream of events ends with the studio; here, after its first look.
    app.state.studio.closing.set()
    yield app
    app.state.studio.pool.close()
    app.state.studio.jobs.close()


@pytest.fixture(scope="module")
def schema(app: FastAPI) -> Any:
    return schemathesis.openapi.from_asgi("/openapi.json", Here(app))


def finished_job(state: State) -> str:
    """The id of a job that has ended, of one picture."""
    folder = state.jobs.open()
    picture(9, 9).save(folder / "in" / "a.png")
    job = state.jobs.start(folder, state.catalogue.find(MODEL).path, {"a.png": "a.png"}, None)
    until(lambda: job.ended is not None)
    return job.id


OPERATIONS = [
    (method.upper(), path) for path, methods in create_app(Settings()).openapi()["paths"].items() for method in methods
]


def test_every_address_is_described() -> None:
    assert len(OPERATIONS) == 21
    assert ("POST", "/api/models/{name}/translate") in OPERATIONS


@pytest.mark.parametrize(("method", "path"), OPERATIONS, ids=lambda part: part)
def test_answers_are_those_that_are_described(
    schema: Any, method: str, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Runs, "_launch", lambda *_: None)
    operation = schema[path][method]
    left_out = [CHECKS.get_one("positive_data_acceptance")] if (method, path) in BEYOND_A_SCHEMA else []
    number = 0

    @seed(0)
    @settings(
        max_examples=6,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def check(case: Any) -> None:
        nonlocal number
        number += 1
        # Of names that are made up there are none: every other time it is one that there is.
        if number % 2 and "name" in case.path_parameters and "recipes" not in path:
            case.path_parameters["name"] = MODEL if "models" in path else RUN
        response = case.call_and_validate(excluded_checks=left_out)
        # Each answer that can be foreseen is described by its own status; "default" is for what the guards refuse.
        assert str(response.status_code) in operation.definition.raw["responses"]

    check()


DRAWING = png(picture(9, 9))
RIGHT = [
    ("POST", "/api/models/{name}/translate", {"name": MODEL}, {"picture": DRAWING, "page": "a"}, 200),
    ("POST", "/api/models/{name}/files", {"name": MODEL}, {"files": [DRAWING]}, 202),
    ("POST", "/api/models/{name}/sample", {"name": "digits-gan"}, {"count": 2, "seed": 1}, 200),
    ("GET", "/api/models/{name}/examples/{number}.png", {"name": "sketch2color", "number": 0}, None, 200),
    ("GET", "/api/jobs/{id}", {"id": finished_job}, None, 200),
    ("GET", "/api/jobs/{id}/events", {"id": finished_job}, None, 200),
    ("GET", "/api/jobs/{id}/result.zip", {"id": finished_job}, None, 200),
    ("DELETE", "/api/jobs/{id}", {"id": finished_job}, None, 204),
    ("GET", "/api/recipes/{name}", {"name": "digits-cgan"}, None, 200),
    ("GET", "/api/runs/{name}/samples/{images}.png", {"name": RUN, "images": 200}, None, 200),
]


@pytest.mark.parametrize(
    ("method", "path", "parameters", "body", "status"), RIGHT, ids=[f"{one[0]} {one[1]}" for one in RIGHT]
)
def test_what_chance_never_asks_for_rightly_is_answered_as_described(
    app: FastAPI, schema: Any, method: str, path: str, parameters: dict[str, Any], body: Any, status: int
) -> None:
    found = {key: value(app.state.studio) if callable(value) else value for key, value in parameters.items()}
    wanted: dict[str, Any] = {"path_parameters": found}
    if body is not None:
        wanted["body"] = body
        wanted["media_type"] = "application/json" if path.endswith("/sample") else "multipart/form-data"
    response = schema[path][method].Case(**wanted).call_and_validate()
    assert response.status_code == status
    assert response.content or status == 204
