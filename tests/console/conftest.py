"""A wired server whose console can be used, and officers of three kinds."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from pydantic import SecretStr

from congdanso.app import create
from congdanso.settings import Settings

if TYPE_CHECKING:
    from congdanso.app import Server
    from congdanso.brain import Brain

PASSWORD = "rừng xanh suối trong 12"


@pytest.fixture
async def server(database_url: str, tmp_path: Path, brain: Brain) -> AsyncIterator[Server]:
    settings = Settings(data_dir=tmp_path / "var", database_url=database_url, secret_key=SecretStr("test-key" * 5))
    app = create(settings, brain)
    async with app.router.lifespan_context(app):
        wired: Server = app.state.server
        wired.app = app  # type: ignore[attr-defined]
        yield wired


@pytest.fixture
async def browser(server: Server) -> AsyncIterator[httpx.AsyncClient]:
    """An officer's browser without the browser: keeps cookies, follows nothing by itself."""
    transport = httpx.ASGITransport(server.app)  # type: ignore[attr-defined]
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as opened:
        yield opened


Enter = Callable[..., Awaitable[str]]


@pytest.fixture
def enter(server: Server, browser: httpx.AsyncClient) -> Enter:
    """Make an officer with a password and log them in; return the token that their forms carry."""

    async def work(name: str = "Nguyễn Thị Lan", unit: str = "phu-thong", role: str = "officer") -> str:
        officer, link = await server.accounts.add(name, unit, role)
        await server.accounts.use_link(link, PASSWORD)
        page = await browser.get("/console/login")
        answer = await browser.post(
            "/console/login", data={"login": officer.login, "password": PASSWORD, "form": form_of(page.text)}
        )
        assert answer.status_code == 303, answer.text
        return form_of((await browser.get("/console/packs")).text)

    return work


def form_of(page: str) -> str:
    """Return the form token of a page."""
    return page.split('name="form" value="', 1)[1].split('"', 1)[0]
