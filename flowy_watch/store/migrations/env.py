"""Alembic's entry: migrate the connection it is handed, in that connection's transaction."""

from alembic import context
from sqlmodel import SQLModel

from flowy_watch.store import tables

assert tables  # imported so that the metadata is whole

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=SQLModel.metadata,
    render_as_batch=True,
    transactional_ddl=True,
)
context.run_migrations()
