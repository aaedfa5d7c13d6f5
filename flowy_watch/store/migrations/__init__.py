"""Alembic, run on a connection of ours."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection


def upgrade(connection: Connection, revision: str) -> None:
    """Run what is missing up to `revision` inside the caller's transaction."""
    command.upgrade(config(connection), revision)


def config(connection: Connection) -> Config:
    options = Config()
    options.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    options.attributes["connection"] = connection
    return options
