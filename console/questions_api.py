"""The API of questions, beside that of announcements: what officers have to answer, one officer's acts each time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, FastAPI, Query, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from bot.questions.desk import LONGEST, Ended, Question, Questions
from console.acting import Callers, Who, known_to

PREFIX: Final = "/api/questions"
REFUSALS: Final[dict[int | str, dict[str, Any]]] = {
    400: {"description": "the body is no JSON"},
    401: {"description": "nobody is named"},
    403: {"description": "the form token is missing"},
    409: {"description": "somebody answered or closed it before; its state is named"},
    422: {"description": "refused, each problem in a sentence"},
}
Number = Annotated[int, Field(ge=1, le=2**63 - 1)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)


class Answer(_Body):
    """What the citizen is told, as plain text; the office's name and the question are put above it."""

    text: Annotated[str, Field(max_length=2 * LONGEST)]


class Reason(_Body):
    """Why it is closed without an answer; the citizen is not told."""

    reason: Annotated[str, Field(max_length=500)]


class Shown(BaseModel):
    """A question. Nothing of it says who asked."""

    id: int
    unit: str
    text: str
    kind: Literal["officer", "unknown", "unclear"]
    state: Literal["open", "answered", "closed"]
    created_at: datetime
    answered_at: datetime | None
    answered_by: str | None
    answer: str | None
    delivery: (
        Literal["queued", "waiting_for_visit", "sent", "outside_window", "stopped", "rejected", "unreachable"] | None
    )
    note: str | None


@dataclass(frozen=True, slots=True)
class Rooms:
    """What the API stands on."""

    callers: Callers
    questions: Questions


def router(rooms: Rooms) -> APIRouter:
    """Return the routes, all under `/api/questions`."""
    known = Depends(known_to(rooms.callers))
    routes = APIRouter(prefix=PREFIX, tags=["questions"], responses=REFUSALS, dependencies=[known])
    questions = rooms.questions

    @routes.get("")
    async def listing(
        officer: Who,
        unit: Annotated[str | None, Query(max_length=64)] = None,
        state: Literal["open", "answered", "closed"] = "open",
        kind: Literal["officer", "unknown", "unclear"] | None = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 200,
    ) -> list[Shown]:
        """The questions of the officer's unit and below, the longest waiting first."""
        found = await questions.listing(officer.login, unit=unit, state=state, kind=kind, limit=limit)
        return [_shown(q) for q in found]

    @routes.get("/{number}")
    async def show(officer: Who, number: Number) -> Shown:
        """One question, and what became of its answer."""
        return _shown(await questions.find(officer.login, number))

    @routes.post("/{number}/answer")
    async def answer(officer: Who, number: Number, body: Answer) -> Shown:
        """Answer it, once; the answer leaves in the conversation where it was asked."""
        return _shown(await questions.answer(officer.login, number, body.text))

    @routes.post("/{number}/close")
    async def close(officer: Who, number: Number, body: Reason) -> Shown:
        """End it without an answer."""
        return _shown(await questions.close(officer.login, number, body.reason))

    return routes


def refuse(app: FastAPI) -> None:
    """Teach an application how an ended question looks; other refusals look as those of announcements do."""

    async def ended(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, Ended)
        return JSONResponse({"problems": list(error.problems), "state": error.state}, status_code=409)

    app.add_exception_handler(Ended, ended)


def _shown(question: Question) -> Shown:
    return Shown.model_validate(question.as_json())
