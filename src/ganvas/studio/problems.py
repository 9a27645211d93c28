"""Errors as ``application/problem+json`` (RFC 9457): one kind, one status, one line that says what to do, its code."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from ganvas.errors import NO_PARAMETERS, GanvasError, Parameters
from ganvas.studio.codes import CODES, KINDS, OTHER

MEDIA_TYPE = "application/problem+json"
Responses = dict[int | str, dict[str, Any]]  # what FastAPI takes to describe answers


class Reason(BaseModel):
    """Why something was refused, for who has words of their own for it."""

    code: str = Field("", description="stable name of the reason; empty where there is none, or nothing failed")
    parameters: dict[str, str | int | float] = Field({}, description="what the reason is about, by name")


class Problem(Reason):
    """What went wrong."""

    type: str = Field(description=f"{', '.join(KINDS)}; about:blank for what HTTP itself has a name for")
    title: str
    status: int = Field(ge=400, le=599)
    detail: str = Field(description="one line for people")


class ProblemError(Exception):
    """Ends a request with a problem of one of :data:`ganvas.studio.codes.CODES`, or of the model's own."""

    def __init__(self, code: str, parameters: Parameters = NO_PARAMETERS) -> None:
        self.kind, text = CODES[code]
        self.reason = _reason(code, parameters)
        self.detail = str(_sendable(text.format_map(parameters)))
        super().__init__(self.detail)

    @classmethod
    def of(cls, error: GanvasError) -> ProblemError:
        """What the package refused, with its own code where it has one."""
        problem = cls(OTHER, {"reason": str(error)})
        if error.code:
            problem.reason = _reason(error.code, error.parameters)
        return problem

    def response(self) -> Response:
        """The answer."""
        status, title = KINDS[self.kind]
        headers = {"Retry-After": "1"} if self.kind == "busy" else {}
        if self.kind == "unauthorised":
            headers["WWW-Authenticate"] = "Bearer"
        problem = Problem(type=self.kind, title=title, status=status, detail=self.detail, **dict(self.reason))
        return _response(problem, headers)


class ProblemInBody(HTTPException):
    """A problem that is found while FastAPI reads a body, which lets no other kind of error through."""

    def __init__(self, problem: ProblemError) -> None:
        super().__init__(KINDS[problem.kind][0])
        self.problem = problem


def _reason(code: str, parameters: Parameters) -> Reason:
    return Reason(code=code, parameters={name: _sendable(value) for name, value in parameters.items()})


def _sendable(value: str | int | float) -> str | int | float:
    """One line that can be sent, whatever was sent and stands in it: JSON has halves of letters, UTF-8 has none."""
    return " ".join(value.split()).encode("utf-8", "replace").decode() if isinstance(value, str) else value


def add_handlers(app: FastAPI) -> None:
    """Have every error of ``app`` answered by a problem."""

    @app.exception_handler(ProblemError)
    def _problem(request: Request, error: ProblemError) -> Response:
        return error.response()

    @app.exception_handler(GanvasError)
    def _ganvas(request: Request, error: GanvasError) -> Response:
        return ProblemError.of(error).response()

    @app.exception_handler(RequestValidationError)
    def _validation(request: Request, error: RequestValidationError) -> Response:
        return _first(error.errors()).response()

    @app.exception_handler(HTTPException)
    def _http(request: Request, error: HTTPException) -> Response:
        if isinstance(error, ProblemInBody):
            return error.problem.response()
        if error.status_code == 404:
            return ProblemError("no-address").response()
        title = HTTPStatus(error.status_code).phrase
        problem = Problem(type="about:blank", title=title, status=error.status_code, detail=str(error.detail))
        return _response(problem, error.headers or {})


def _response(problem: Problem, headers: Mapping[str, str]) -> Response:
    return JSONResponse(problem.model_dump(), problem.status, headers, MEDIA_TYPE)


def _first(errors: Any) -> ProblemError:
    """The first of pydantic's findings, the key as people write it."""
    found = errors[0]
    where = ".".join(str(part) for part in found["loc"][1:]) or "body"
    return ProblemError("bad-request", {"where": where, "reason": str(found["msg"]).removeprefix("Value error, ")})


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
