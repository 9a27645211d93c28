"""Models over HTTP: which there are, drawing with them, examples to start from."""

from __future__ import annotations

import base64
import io
import time
from typing import Annotated, Any, Self

from fastapi import APIRouter, File, Form, Path, Request, Response, UploadFile
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse
from PIL import Image
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from ganvas.exporting.description import examples_for
from ganvas.inference import Model
from ganvas.studio.catalogue import ModelInfo, header_of
from ganvas.studio.problems import ProblemError
from ganvas.studio.state import Studio, drawn
from ganvas.studio.uploads import picture as read_picture
from ganvas.studio.uploads import read_upload

MOST = 64
MOST_SEED = 2**53 - 1  # the largest whole number that JavaScript knows exactly
router = APIRouter(prefix="/api/models", tags=["models"])
Name = Annotated[str, Path(min_length=1, max_length=300)]


def _whole(value: Any) -> Any:
    """JSON has one kind of numbers: 3.0 is a whole one. Text is none."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Whole = Annotated[int, BeforeValidator(_whole), Field(strict=True)]
Seed = Annotated[Whole, Field(ge=0, le=MOST_SEED)]


class Strict(BaseModel):
    """A request: unknown keys are mistakes."""

    model_config = ConfigDict(extra="forbid")


class Between(Strict):
    """A walk from the noise of the request's seed to the one of this seed."""

    seed: Seed
    steps: Whole = Field(ge=2, le=32)


class SampleRequest(Strict):
    """What to draw: pictures, or with ``between`` a walk, or with ``same_noise`` one noise under all labels."""

    labels: list[Whole | Annotated[str, Field(max_length=255)]] | None = Field(
        None, min_length=1, max_length=MOST, description="classes by name or index; null: all in turn, or none"
    )
    count: Annotated[Whole, Field(ge=1, le=MOST)] | None = Field(None, description="default: one for each label")
    seed: Seed = 0
    between: Between | None = None
    same_noise: bool = Field(False, strict=True)
    page: Annotated[str, Field(min_length=1, max_length=64)] | None = Field(
        None, description="the open page: latest wins"
    )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.between is not None) + self.same_noise + (self.count is not None) > 1:
            raise ValueError("give one of count, between and same_noise")
        return self


class SampledPicture(BaseModel):
    """A drawn picture."""

    label: str = Field(description="the class's name; empty where the model takes none")
    png: str = Field(description="the file in base64")


class Sampled(BaseModel):
    """Drawn pictures, in the order asked for."""

    pictures: list[SampledPicture]


@router.get("")
def list_models(studio: Studio) -> list[ModelInfo]:
    """The models there are: shipped, of the runs, and model files in the runs folder."""
    return studio.catalogue.models()


@router.post(
    "/{name}/warm", status_code=202, response_class=Response, responses={404: {"description": "No such model"}}
)
def warm(studio: Studio, name: Name) -> Response:
    """Load the model, so that the first drawing comes as fast as all others."""
    studio.pool.warm(studio.catalogue.find(name).path)
    return Response(status_code=202)


@router.get(
    "/{name}/examples/{number}.png",
    response_class=FileResponse,
    responses={200: {"content": {"image/png": {}}}, 404: {"description": "No such model or example"}},
)
def example(studio: Studio, name: Name, number: Annotated[int, Path(ge=0, le=999)]) -> FileResponse:
    """A source to try the model with, drawn for ganvas."""
    found = examples_for(header_of(studio.catalogue.find(name)))
    if number >= len(found):
        raise ProblemError("no-example", {"number": number, "count": len(found)})
    return FileResponse(found[number], media_type="image/png")


@router.post(
    "/{name}/translate",
    response_class=Response,
    responses={
        200: {
            "content": {"image/png": {"schema": {"type": "string", "format": "binary"}}},
            "headers": {"X-Ganvas-Milliseconds": {"description": "spent here", "schema": {"type": "number"}}},
        },
        404: {"description": "No such model"},
        409: {"description": "A newer request of the same page came first"},
        413: {"description": "Too many bytes or pixels"},
        415: {"description": "Not a picture"},
        503: {"description": "Too many drawings wait; see Retry-After"},
    },
)
async def translate(
    request: Request,
    studio: Studio,
    name: Name,
    picture: Annotated[UploadFile, File(description="PNG, JPEG, WebP, GIF or BMP; a label map in its colours")],
    hints: Annotated[UploadFile | None, File(description="dabs of colour, transparent elsewhere, as large")] = None,
    label: Annotated[str | None, Form(max_length=255, description="the class, where the model takes one")] = None,
    variation: Annotated[
        int | None, Form(ge=0, le=MOST_SEED, description="a seed: by dropout, noise and other hues")
    ] = None,
    page: Annotated[str | None, Form(min_length=1, max_length=64, description="the open page: latest wins")] = None,
) -> Response:
    """Translate a picture; the result is a PNG of the same size."""
    begun = time.perf_counter()
    path = studio.catalogue.find(name).path
    limits = studio.settings.limits
    # Not in the event loop: a header may be as long as the file.
    data = await read_upload(picture, "the picture", limits)
    source = await run_in_threadpool(read_picture, data, "the picture", limits)
    dabs = None
    if hints is not None:
        dabs = await run_in_threadpool(read_picture, await read_upload(hints, "the hints", limits), "the hints", limits)

    def work(model: Model) -> bytes:
        if variation is None:
            return _png(model.translate(source, hints=dabs, label=label))
        return _png(model.variations(source, 1, seed=variation, hints=dabs, label=label)[0])

    result = await drawn(request, studio.pool.submit(path, work, page=page))
    spent = f"{(time.perf_counter() - begun) * 1000:.1f}"
    return Response(result, media_type="image/png", headers={"X-Ganvas-Milliseconds": spent})


@router.post(
    "/{name}/sample",
    responses={
        404: {"description": "No such model"},
        409: {"description": "A newer request of the same page came first"},
        503: {"description": "Too many drawings wait; see Retry-After"},
    },
)
async def sample(request: Request, studio: Studio, name: Name, wanted: SampleRequest) -> Sampled:
    """Draw from labels and noise; the same request gives the same pictures."""
    path = studio.catalogue.find(name).path
    return await drawn(request, studio.pool.submit(path, lambda model: _sampled(model, wanted), page=wanted.page))


def _sampled(model: Model, wanted: SampleRequest) -> Sampled:
    names = model.class_names
    labels = wanted.labels if wanted.labels is not None else (list(range(len(names)))[:MOST] or None)
    if wanted.between is not None:
        walk = wanted.between
        first = None if labels is None else labels[0]
        pictures = model.walk(first, walk.steps, seed=wanted.seed, to_seed=walk.seed)
        labels = None if first is None else [first]
    elif wanted.same_noise:
        pictures = model.same_noise(labels, seed=wanted.seed)
    else:
        pictures = model.sample(labels, count=wanted.count, seed=wanted.seed)
    told = [""] if labels is None else [names[model.class_index(label)] for label in labels]
    return Sampled(
        pictures=[
            SampledPicture(label=told[place % len(told)], png=base64.b64encode(_png(image)).decode())
            for place, image in enumerate(pictures)
        ]
    )


def _png(image: Image.Image) -> bytes:
    """As a PNG soon rather than small: it travels no further than to the next program, mostly."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()
