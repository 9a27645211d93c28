"""Pictures from elsewhere: known by what they hold, and refused by their header before anything is unpacked."""

from __future__ import annotations

import io
from typing import BinaryIO

from fastapi import UploadFile
from PIL import Image, UnidentifiedImageError
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ganvas.studio.problems import ProblemError
from ganvas.studio.settings import Limits

# Pillow reads many more; these are what browsers and cameras write, and no decoder of another one is ever run.
KINDS = {"PNG": ".png", "JPEG": ".jpg", "WEBP": ".webp", "GIF": ".gif", "BMP": ".bmp"}
JSON_BYTES = 1 << 16
FORM_BYTES = 1 << 20


class BodyLimit:
    """ASGI middleware: a request is read as far as its route allows, and refused unread where it announces more."""

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self._app = app
        # Pictures travel in forms, which add a little.
        self._most = {
            "/translate": 2 * limits.picture_bytes + FORM_BYTES,
            "/files": limits.files_bytes + FORM_BYTES,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path: str = scope["path"]
        most = next((most for ending, most in self._most.items() if path.endswith(ending)), JSON_BYTES)
        told = f"the request has more than the {most:,} bytes that are taken here"
        announced = Headers(scope=scope).get("content-length", "")
        if announced.isdecimal() and int(announced) > most:
            raise ProblemError("too-large", told)
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > most:
                # FastAPI lets no other kind of error through while it reads.
                raise HTTPException(413, told)
            return message

        await self._app(scope, counted, send)


def kind_of(file: BinaryIO, name: str, limits: Limits) -> str:
    """The ending for what ``file`` holds, after checking that it is a picture of a size to work with.

    Raises:
        ProblemError: "not-a-picture", "too-large" or, of a strip, "invalid"; ``name`` stands in the line.
    """
    with opened(file, name, limits) as image:
        # A camera's JPEG with a second picture in it is a format of its own to Pillow (MPO).
        return KINDS.get(image.format or "", KINDS["JPEG"])


def opened(file: BinaryIO, name: str, limits: Limits) -> Image.Image:
    """The picture with its header read, and nothing else.

    Raises:
        ProblemError: as for :func:`kind_of`.
    """
    try:
        image = Image.open(file, formats=tuple(KINDS))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise _too_many_pixels(name, "far more", limits) from None
    except UnidentifiedImageError:
        raise ProblemError("not-a-picture", f"{name} is no picture: expected {', '.join(KINDS)}") from None
    except Exception as error:
        # On damaged files decoders fail with almost any type (OSError, SyntaxError, struct.error, ...).
        raise ProblemError("not-a-picture", f"{name} cannot be read as a picture ({error!s:.80})") from error
    width, height = image.size
    if width * height > limits.picture_pixels:
        raise _too_many_pixels(name, f"{width:,} x {height:,}", limits)
    if max(width, height) > limits.picture_aspect * min(width, height):
        raise ProblemError(
            "invalid",
            f"{name} is a strip of {width:,} x {height:,} pixels, and the longer side may be at most "
            f"{limits.picture_aspect} times the shorter: cut it into pieces",
        )
    return image


async def read_upload(file: UploadFile, name: str, limits: Limits) -> bytes:
    """The bytes of an uploaded picture.

    Raises:
        ProblemError: "too-large".
    """
    if (file.size or 0) > limits.picture_bytes:
        most = limits.picture_bytes >> 20
        raise ProblemError("too-large", f"{name} has {(file.size or 0) / 2**20:,.1f} MB, at most {most} are taken")
    return await file.read()


def picture(data: bytes, name: str, limits: Limits) -> Image.Image:
    """The picture of ``data``, not yet unpacked.

    Raises:
        ProblemError: as for :func:`kind_of`.
    """
    return opened(io.BytesIO(data), name, limits)


def _too_many_pixels(name: str, found: str, limits: Limits) -> ProblemError:
    return ProblemError(
        "too-large", f"{name} has {found} pixels, at most {limits.picture_pixels:,} are taken: make it smaller"
    )
