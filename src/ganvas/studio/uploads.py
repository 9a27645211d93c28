"""Pictures from elsewhere: known by what they hold, and refused by their header before anything is unpacked."""

from __future__ import annotations

import io
from typing import BinaryIO

from fastapi import UploadFile
from PIL import Image, UnidentifiedImageError
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ganvas.studio.problems import ProblemError, ProblemInBody
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
        told = ProblemError("body-bytes", {"most": most})
        announced = Headers(scope=scope).get("content-length", "")
        if announced.isdecimal() and int(announced) > most:
            raise told
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > most:
                raise ProblemInBody(told)
            return message

        await self._app(scope, counted, send)


def kind_of(file: BinaryIO, name: str, limits: Limits) -> str:
    """The ending for what ``file`` holds, after checking that it is a picture of a size to work with.

    Raises:
        ProblemError: it is none, or too large, or a strip; ``name`` stands in the line.
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
        raise ProblemError("picture-bomb", {"picture": name, "most": limits.picture_pixels}) from None
    except UnidentifiedImageError:
        raise ProblemError("not-a-picture", {"picture": name, "kinds": ", ".join(KINDS)}) from None
    except Exception as error:
        # On damaged files decoders fail with almost any type (OSError, SyntaxError, struct.error, ...).
        raise ProblemError("unreadable-picture", {"picture": name, "reason": str(error)}) from error
    width, height = image.size
    size: dict[str, str | int] = {"picture": name, "width": width, "height": height}
    if width * height > limits.picture_pixels:
        raise ProblemError("picture-pixels", {**size, "most": limits.picture_pixels})
    if max(width, height) > limits.picture_side:
        raise ProblemError("picture-side", {**size, "most": limits.picture_side})
    if max(width, height) > limits.picture_aspect * min(width, height):
        raise ProblemError("picture-strip", {**size, "most": limits.picture_aspect})
    return image


def check_bytes(file: UploadFile, name: str, limits: Limits) -> None:
    """Refuse an uploaded picture of too many bytes.

    Raises:
        ProblemError: "picture-bytes".
    """
    found, most = (file.size or 0), limits.picture_bytes
    if found > most:
        raise ProblemError("picture-bytes", {"picture": name, "found": round(found / 2**20, 1), "most": most >> 20})


async def read_upload(file: UploadFile, name: str, limits: Limits) -> bytes:
    """The bytes of an uploaded picture.

    Raises:
        ProblemError: "picture-bytes".
    """
    check_bytes(file, name, limits)
    return await file.read()


def picture(data: bytes, name: str, limits: Limits) -> Image.Image:
    """The picture of ``data``, not yet unpacked.

    Raises:
        ProblemError: as for :func:`kind_of`.
    """
    return opened(io.BytesIO(data), name, limits)
