"""The migrations and the models must describe the same database."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

import controlplane.models  # noqa: F401 - fills the metadata
from controlplane.db import Base, make_engine
from quotas.tables import metadata as ledger


def test_the_migrations_make_what_the_models_say(url: str) -> None:
    engine = make_engine(url, role=None)
    options = {"include_name": lambda name, kind, _: kind != "table" or not str(name).startswith("procrastinate_")}
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, [Base.metadata, ledger]) == []
    engine.dispose()
