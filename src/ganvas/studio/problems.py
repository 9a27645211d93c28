"""Errors as ``application/problem+json`` (RFC 9457): one kind, one status, one line that says what to do."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from ganvas.errors import GanvasError

MEDIA_TYPE = "application/problem+json"
Responses = dict[int | str, dict[str, Any]]  # what FastAPI takes to describe answers
# Kind -> (status, title).
KINDS = {
    "unauthorised": (401, "A token is needed"),
    "forbidden": (403, "Not from there"),
    "not-found": (404, "Not found"),
    "superseded": (409, "A newer request took its place"),
    "conflict": (409, "Not now"),
    "too-large": (413, "Too large"),
    "not-a-picture": (415, "Not a picture"),
    "invalid": (422, "Cannot be done as asked"),
    "failed": (500, "The studio failed"),
    "not-here": (501, "Not on this system"),
    "busy": (503, "Too much at once"),
}


class Problem(BaseModel):
    """What went wrong."""

    type: str = Field(description=f"{', '.join(KINDS)}; about:blank for what HTTP itself has a name for")
    title: str
    status: int = Field(ge=400, le=599)
    detail: str = Field(description="one line for people")


class ProblemError(Exception):
    """Ends a request with a problem of one of :data:`KINDS`."""

    def __init__(self, kind: str, detail: str) -> None:
        # One line that can be sent, whatever was sent and stands in it: JSON has halves of letters, UTF-8 has none.
        self.detail = " ".join(detail.split()).encode("utf-8", "replace").decode()
        super().__init__(self.detail)
        self.kind = kind

    def response(self) -> Response:
        """The answer."""
        status, title = KINDS[self.kind]
        headers = {"Retry-After": "1"} if self.kind == "busy" else {}
        if self.kind == "unauthorised":
            headers["WWW-Authenticate"] = "Bearer"
        return _response(Problem(type=self.kind, title=title, status=status, detail=self.detail), headers)


def add_handlers(app: FastAPI) -> None:
    """Have every error of ``app`` answered by a problem."""

    @app.exception_handler(ProblemError)
    def _problem(request: Request, error: ProblemError) -> Response:
        return error.response()

    @app.exception_handler(GanvasError)
    def _ganvas(request: Request, error: GanvasError) -> Response:
        return ProblemError("invalid", str(error)).response()

    @app.exception_handler(RequestValidationError)
    def _validation(request: Request, error: RequestValidationError) -> Response:
        return ProblemError("invalid", _first(error.errors())).response()

    @app.exception_handler(HTTPException)
    def _http(request: Request, error: HTTPException) -> Response:
        known = {404: ("not-found", "there is nothing at this address"), 413: ("too-large", str(error.detail))}
        if error.status_code in known:
            return ProblemError(*known[error.status_code]).response()
        title = HTTPStatus(error.status_code).phrase
        problem = Problem(type="about:blank", title=title, status=error.status_code, detail=str(error.detail))
        return _response(problem, error.headers or {})


def _response(problem: Problem, headers: Mapping[str, str]) -> Response:
    return JSONResponse(problem.model_dump(), problem.status, headers, MEDIA_TYPE)


def _first(errors: Any) -> str:
    """The first of pydantic's findings on one line, the key as people write it."""
    problem = errors[0]
    where = ".".join(str(part) for part in problem["loc"][1:])
    message = str(problem["msg"]).removeprefix("Value error, ")
    return f"{where}: {message}" if where else message


def describe_problems(schema: dict[str, Any]) -> None:
    """Let an OpenAPI description say of every error that it is a problem."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    anything = {"description": "Something else was wrong", "content": content}
    for operations in schema["paths"].values():
        for operation in operations.values():
            for status, response in operation["responses"].items():
                if status.isdecimal() and int(status) >= 400:
                    response["content"] = content
                    if status == "422":
                        response["description"] = "Not as described here, or not what the model takes"
            operation["responses"]["default"] = anything
    components = schema.setdefault("components", {}).setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        components.pop(name, None)
    components["Problem"] = Problem.model_json_schema()
    # A form's field is there or not; nothing in a form is null.
    for name, component in components.items():
        if name.startswith("Body_"):
            for field in component["properties"].values():
                for choice in field.pop("anyOf", []):
                    if choice != {"type": "null"}:
                        field.update(choice)
