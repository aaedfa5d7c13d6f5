"""A real PostgreSQL server of our own, on a socket in a folder of its own."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL, create_engine, text

PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: int(folder.parent.name))


class Server:
    """Makes fresh databases; all of them go with the server."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._made = folder, 0

    def url(self, name: str) -> str:
        host = {"host": str(self._folder)}
        return URL.create("postgresql+psycopg", "postgres", database=name, query=host).render_as_string()

    def fresh(self, *, like: str = "template0") -> str:
        self._made += 1
        name = f"fresh_{self._made}"
        self._run(f"CREATE DATABASE {name} TEMPLATE {like}")
        return name

    def drop(self, name: str) -> None:
        self._run(f"DROP DATABASE {name} WITH (FORCE)")

    def _run(self, statement: str) -> None:
        engine = create_engine(self.url("postgres"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(statement))
        engine.dispose()


@contextmanager
def running() -> Iterator[Server]:
    """Initdb refuses root, so root lends the folder to `postgres`."""
    user = "postgres" if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="flowy-pg-"))
    if user:
        shutil.chown(folder, user, user)

    def run(program: str, *arguments: str) -> None:
        command = [str(PROGRAMS[-1] / program), "-D", str(folder / "data"), *arguments]
        with (folder.parent / f"{folder.name}.log").open("ab") as log:
            subprocess.run(command, check=True, user=user, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    try:
        run("initdb", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        options = f"-k {folder} -c listen_addresses='' -c fsync=off -c shared_buffers=16MB"
        run("pg_ctl", "-w", "-l", str(folder / "log"), "-o", options, "start")
        try:
            yield Server(folder)
        finally:
            run("pg_ctl", "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        (folder.parent / f"{folder.name}.log").unlink(missing_ok=True)
