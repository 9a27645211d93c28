"""Recipes and runs over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path as FilePath
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Header, Path, Query
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import BaseModel, Field

from ganvas.config import load_recipe, recipe_names
from ganvas.errors import nearest
from ganvas.studio.catalogue import is_inside
from ganvas.studio.model_routes import Strict
from ganvas.studio.problems import ProblemError, Responses
from ganvas.studio.run_stats import StatsRecord, StatsTail, all_records
from ganvas.studio.runs import NAME, RunInfo
from ganvas.studio.state import NO_PLACE, Studio, listening
from ganvas.training.folder import SAMPLES, STATS

LOOK_SECONDS = 0.5
MOST_IMAGES = 10**10 - 1
router = APIRouter(prefix="/api", tags=["training"])
NO_RECIPE: Responses = {404: {"description": "No such recipe"}}
NO_RUN: Responses = {404: {"description": "No such run"}}
NOT_NOW: Responses = {409: {"description": "The run is in another state"}}
RecipeName = Annotated[str, Path(min_length=1, max_length=100)]
RunName = Annotated[str, Path(min_length=1, max_length=255)]
Key = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*(\.[a-z0-9_]+)*$", max_length=100)]
Text = Annotated[str, Field(max_length=4096)]
Value = bool | int | float | Text | Annotated[list[bool | int | float | Text], Field(max_length=64)]


class RecipeInfo(BaseModel):
    """A shipped recipe."""

    name: str
    description: str
    task: str


class RecipeDetail(BaseModel):
    """A recipe with every key spelled out, and what each may be."""

    recipe: dict[str, Any]
    json_schema: dict[str, Any] = Field(alias="schema", description="JSON schema of the recipe")


class RunRequest(Strict):
    """A run to start."""

    name: str = Field(pattern=NAME)
    recipe: str = Field(json_schema_extra={"enum": list[Any](recipe_names())}, description="a shipped recipe")
    settings: dict[Key, Value] = Field({}, max_length=200, examples=[{"train.total_images": 1000}])
    data: Text | None = Field(None, min_length=1, description="a path on the studio's machine; null: the recipe's")


class RunDetail(RunInfo):
    """A run with its curves."""

    stats: list[StatsRecord]
    samples: list[int] = Field(description="images seen at each sheet of samples, in order")


class SampleNews(BaseModel):
    """A new sheet of samples is there."""

    images: int


def _run(studio: Studio, name: RunName) -> RunInfo:
    return studio.runs.find(name)


@router.get("/recipes")
def list_recipes() -> list[RecipeInfo]:
    """The shipped recipes."""
    loaded = [load_recipe(name) for name in recipe_names()]
    return [RecipeInfo.model_validate(recipe.model_dump(include={"name", "description", "task"})) for recipe in loaded]


@router.get("/recipes/{name}", responses=NO_RECIPE)
def read_recipe(name: RecipeName) -> RecipeDetail:
    """A recipe with every key spelled out, and the schema to make a form of."""
    _check_recipe(name, "no-recipe")
    recipe = load_recipe(name)
    return RecipeDetail(recipe=recipe.model_dump(mode="json"), schema=type(recipe).model_json_schema())


@router.get("/runs")
def list_runs(studio: Studio) -> list[RunInfo]:
    """The runs in the folder, however they were started."""
    return studio.runs.all()


@router.post(
    "/runs",
    status_code=201,
    responses={409: {"description": "The name is taken"}, 413: {"description": "Too many bytes"}},
)
def start_run(studio: Studio, wanted: Annotated[RunRequest, Body()]) -> RunInfo:
    """Start a run, as a process that goes on without the page and without the studio."""
    _check_recipe(wanted.recipe, "unknown-recipe")
    return studio.runs.start(wanted.name, wanted.recipe, wanted.settings, wanted.data)


@router.get("/runs/{name}", responses=NO_RUN)
def read_run(studio: Studio, name: RunName) -> RunDetail:
    """A run with its curves and which samples there are."""
    info = studio.runs.find(name)
    folder = studio.runs.path(name)
    return RunDetail(**info.model_dump(), stats=all_records(folder / STATS), samples=_samples(folder))


@router.get(
    "/runs/{name}/events",
    response_class=EventSourceResponse,
    dependencies=[Depends(listening)],
    responses=NO_RUN | NO_PLACE,
)
async def run_events(
    studio: Studio,
    # Looked up before the stream begins, when there still can be a problem.
    found: Annotated[RunInfo, Depends(_run)],
    after: Annotated[int, Query(ge=-1, le=MOST_IMAGES, description="images of the last record that is known")] = -1,
    last_event_id: Annotated[str | None, Header(max_length=20)] = None,
) -> AsyncIterator[ServerSentEvent]:
    """What happens in a run: "stats" with a record, "sample" with images, "state" with a run's info."""
    if last_event_id is not None and last_event_id.isdecimal():
        after = max(after, int(last_event_id))
    known, name = found, found.name
    folder = studio.runs.folder / name
    yield ServerSentEvent(event="state", data=known)
    tail = StatsTail(folder / STATS)
    shown = {images for images in await run_in_threadpool(_samples, folder) if images <= after}
    while not studio.closing.is_set():
        for record in await run_in_threadpool(tail.read):
            if record.images > after:
                yield ServerSentEvent(event="stats", data=record, id=str(record.images))
        for images in await run_in_threadpool(_samples, folder):
            if images not in shown:
                shown.add(images)
                yield ServerSentEvent(event="sample", data=SampleNews(images=images))
        try:
            info = await run_in_threadpool(studio.runs.find, name)
        except ProblemError:
            return  # its folder was deleted
        if info != known:
            if info.images < known.images:
                # Resumed from a checkpoint further back: what follows is told again.
                after = min(after, info.images)
            yield ServerSentEvent(event="state", data=info)
            known = info
        await asyncio.sleep(LOOK_SECONDS)


@router.get(
    "/runs/{name}/samples/{images}.png",
    response_class=FileResponse,
    responses={200: {"content": {"image/png": {}}}, 404: {"description": "No such run or samples"}},
)
def sample_sheet(studio: Studio, name: RunName, images: Annotated[int, Path(ge=0, le=MOST_IMAGES)]) -> FileResponse:
    """The fixed samples as they were after so many images."""
    folder = studio.runs.path(name)
    file = FilePath(SAMPLES) / f"{images:010d}.png"
    if not is_inside(folder, file):
        raise ProblemError("no-samples", {"run": name, "images": images})
    return FileResponse(folder / file, media_type="image/png")


@router.post("/runs/{name}/stop", responses=NO_RUN | NOT_NOW)
def stop_run(studio: Studio, name: RunName) -> RunInfo:
    """Ask a run to save and end; it does so after the step at hand."""
    return studio.runs.stop(name)


@router.post("/runs/{name}/resume", responses=NO_RUN | NOT_NOW)
def resume_run(studio: Studio, name: RunName) -> RunInfo:
    """Go on with a run that was stopped or has failed."""
    return studio.runs.resume(name)


def _check_recipe(name: str, code: str) -> None:
    """Only shipped recipes: a name is never taken for a file."""
    if name not in recipe_names():
        raise ProblemError(code, {"recipe": name, "hint": nearest(name, recipe_names())})


def _samples(folder: FilePath) -> list[int]:
    return sorted(int(path.stem) for path in (folder / SAMPLES).glob("*.png") if path.stem.isdecimal())
