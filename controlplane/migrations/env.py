"""Alembic's entry: it is handed a connection by `controlplane.schema` and works on that one alone."""

from alembic import context

import controlplane.models  # noqa: F401 - fills the metadata
from controlplane.db import Base
from quotas.tables import metadata as ledger

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=[Base.metadata, ledger],
    include_name=lambda name, kind, _: kind != "table" or not str(name).startswith("procrastinate_"),
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
