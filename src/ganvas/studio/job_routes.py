"""Jobs of many pictures over HTTP."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path as FilePath
from typing import Annotated

from fastapi import APIRouter, Depends, File, Form, Path, Response, UploadFile
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent

from ganvas.inference.labels import class_index, listed
from ganvas.studio.catalogue import describe
from ganvas.studio.jobs import FailedFile, Job, JobProgress, stored_name
from ganvas.studio.model_routes import Name
from ganvas.studio.problems import ProblemError, Responses
from ganvas.studio.settings import Limits
from ganvas.studio.state import NO_PLACE, State, Studio, listening
from ganvas.studio.uploads import check_bytes, kind_of

LOOK_SECONDS = 0.1
router = APIRouter(prefix="/api", tags=["files"])
NO_JOB: Responses = {404: {"description": "No such job, or it has expired"}}


def _job(studio: Studio, id: Annotated[str, Path(pattern="^[0-9a-f]{32}$")]) -> Job:
    return studio.jobs.find(id)


OneJob = Annotated[Job, Depends(_job)]


@router.post(
    "/models/{name}/files",
    status_code=202,
    # Beyond the studio's own limit, which is told with what to do.
    form_limits={"max_files": 10 * Limits().files},
    responses={
        404: {"description": "No such model"},
        413: {"description": "Too many bytes or pixels"},
        415: {"description": "None is a picture"},
        503: {"description": "Too many jobs are kept; see Retry-After"},
    },
)
async def start(
    studio: Studio,
    name: Name,
    files: Annotated[list[UploadFile], File(description="pictures of any size", min_length=1)],
    label: Annotated[str | None, Form(max_length=255, description="the class, where the model takes one")] = None,
) -> JobProgress:
    """Translate many pictures; what is no picture is told of in the job's progress, and the rest goes on."""
    if len(files) > (most := studio.settings.limits.files):
        raise ProblemError("files-many", {"count": len(files), "most": most})
    entry = studio.catalogue.find(name)
    info = describe(entry)
    if info.task != "translate":
        raise ProblemError("draws-without-picture", {"model": name})
    if label is not None:
        class_index(name, info.class_names, label)
    elif info.class_names:
        raise ProblemError("label-needed", {"model": name, "known": listed(info.class_names)})
    return (await run_in_threadpool(_start, studio, entry.path, files, label)).progress


def _start(studio: State, model: FilePath, files: list[UploadFile], label: str | None) -> Job:
    folder = studio.jobs.open()
    names: dict[str, str] = {}
    refused: list[FailedFile] = []
    try:
        for number, file in enumerate(files, 1):
            given = (file.filename or f"picture {number}")[:255]
            try:
                name = _store(file, given, folder / "in", names, studio.settings.limits)
            except ProblemError as problem:
                refused.append(FailedFile(name=given, reason=problem.detail, **dict(problem.reason)))
                if len(refused) == len(files):
                    raise
            else:
                names[name] = given
        return studio.jobs.start(folder, model, names, label, refused)
    except BaseException:
        studio.jobs.abandon(folder)
        raise


def _store(file: UploadFile, given: str, folder: FilePath, names: dict[str, str], limits: Limits) -> str:
    """Put an upload into ``folder``, and return what it is called there."""
    called = f"'{given:.80}'"
    check_bytes(file, called, limits)
    ending = kind_of(file.file, called, limits)
    file.file.seek(0)
    name = stored_name(given, ending, names)
    with (folder / name).open("wb") as stored:
        shutil.copyfileobj(file.file, stored)
    return name


@router.get("/jobs/{id}", responses=NO_JOB)
def progress(job: OneJob) -> JobProgress:
    """How far a job is."""
    return job.progress


@router.get(
    "/jobs/{id}/events",
    response_class=EventSourceResponse,
    dependencies=[Depends(listening)],
    responses=NO_JOB | NO_PLACE,
)
async def events(studio: Studio, job: OneJob) -> AsyncIterator[ServerSentEvent]:
    """How far a job is, while it goes on: events "progress", then one "done" or "failed"."""
    told: JobProgress | None = None
    while True:
        now = job.progress
        if now != told:
            yield ServerSentEvent(event="progress" if now.state == "running" else now.state, data=now)
            told = now
        if now.state != "running" or studio.closing.is_set():
            return
        await asyncio.sleep(LOOK_SECONDS)


@router.get(
    "/jobs/{id}/result.zip",
    response_class=FileResponse,
    responses={200: {"content": {"application/zip": {}}}, **NO_JOB, 409: {"description": "Not finished, or failed"}},
)
def result(job: OneJob) -> FileResponse:
    """The translated pictures."""
    if job.state != "done":
        if job.state == "failed":
            raise ProblemError("job-failed", {"reason": job.message})
        raise ProblemError("job-running", {"done": job.done, "total": job.total})
    return FileResponse(job.result, media_type="application/zip", filename="ganvas.zip")


@router.delete("/jobs/{id}", status_code=204, response_class=Response, responses=NO_JOB)
def delete(studio: Studio, job: OneJob) -> Response:
    """Stop a job and delete its result."""
    studio.jobs.delete(job.id)
    return Response(status_code=204)
