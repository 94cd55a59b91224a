"""The busy routes are found first and called as they are; the others, and the description, stay what they were."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.responses import JSONResponse, Response
from fastapi.testclient import TestClient
from pydantic import SecretStr
from starlette.routing import Route

from congdanso.ahead import ahead
from congdanso.app import BUSY, create
from congdanso.settings import Settings

if TYPE_CHECKING:
    from congdanso.brain import Brain

ASKED: list[str] = []


def note() -> None:
    ASKED.append("dependency")


def served() -> FastAPI:
    """Two routers, one in another, with a route that answers all that others do not."""
    inner, outer, app = APIRouter(), APIRouter(), FastAPI()

    @inner.post("/into/{account}/webhook", dependencies=[Depends(note)])
    async def busy(account: str, request: Request) -> Response:
        return JSONResponse({"account": account, "said": (await request.body()).decode()})

    @inner.post("/asks/nothing", dependencies=[Depends(note)])
    async def asks_nothing() -> Response:
        return JSONResponse({"asked": "nothing"})

    @inner.post("/wants")
    async def wants(request: Request, more: str) -> Response:
        return JSONResponse({"more": more, "method": request.method})

    @outer.get("/{anything:path}")
    async def rest(anything: str) -> dict[str, Any]:
        return {"rest": anything}

    outer.include_router(inner)
    app.include_router(outer)
    return app


def test_a_busy_route_is_called_without_what_describes_it() -> None:
    app = served()
    ahead(app, ["/into/{account}/webhook", "/asks/nothing"])
    ASKED.clear()
    with TestClient(app) as client:
        assert client.post("/asks/nothing").json() == {"asked": "nothing"}
        assert client.post("/into/bot-1/webhook", content="a").json() == {"account": "bot-1", "said": "a"}
        assert client.get("/elsewhere").json() == {"rest": "elsewhere"}
        assert client.post("/wants?more=1").json()["more"] == "1"
    assert ASKED == []


def test_another_method_is_answered_as_before() -> None:
    app = served()
    ahead(app, ["/into/{account}/webhook"])
    with TestClient(app) as client:
        assert client.delete("/into/bot-1/webhook").status_code == 405
        assert client.get("/into/bot-1/webhook").json() == {"rest": "into/bot-1/webhook"}


def test_the_description_stays_what_it_was() -> None:
    app, plain = served(), served()
    ahead(app, ["/into/{account}/webhook"])
    assert app.openapi() == plain.openapi()


@pytest.mark.parametrize("path", ["/wants", "/nowhere"])
def test_what_cannot_be_called_so_is_found_at_the_start(path: str) -> None:
    with pytest.raises(RuntimeError, match=path):
        ahead(served(), [path])


def test_where_messages_come_in_stands_in_front_of_the_whole_server(brain: Brain, tmp_path: Path) -> None:
    app = create(Settings(data_dir=tmp_path, secret_key=SecretStr("a key of the tests " * 3)), brain)
    first = app.router.routes[: len(BUSY)]
    assert {route.path for route in first if isinstance(route, Route)} == set(BUSY)
