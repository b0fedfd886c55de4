"""The database's schema: bringing it up to date, and telling whether it is."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine

from controlplane.db import make_engine

_SCRIPTS = Path(__file__).parent / "migrations"


def upgrade(url: str) -> None:
    """Run every migration that the database at `url` lacks. The connecting role must own the schema."""
    engine = make_engine(url, role=None)
    config = _config()
    try:
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    finally:
        engine.dispose()


def revisions(engine: Engine) -> tuple[str | None, str | None]:
    """Return the revision that the database is at and the one that this version of Steppe needs."""
    with engine.connect() as connection:
        current = MigrationContext.configure(connection).get_current_revision()
    return current, ScriptDirectory.from_config(_config()).get_current_head()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS))
    return config
