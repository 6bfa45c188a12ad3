"""Databases on this machine, started for a test as an unprivileged user: neither PostgreSQL nor MariaDB likes root."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from backends.servers import free_port, listening, running

PASSWORD = "pw-Kz41-loopback"
_USER = "nobody"


@dataclass(frozen=True)
class Served:
    """A database that answers.

    Attributes:
        port: Where, on 127.0.0.1.
        user: Who may do everything in it.
        database: The one that is there.
    """

    port: int
    user: str
    database: str

    def config(self, **more: object) -> dict[str, object]:
        """What a document says of it, in ``connections``."""
        return {
            "host": "127.0.0.1",
            "port": self.port,
            "user": self.user,
            "password": PASSWORD,
            "database": self.database,
            **more,
        }


@contextmanager
def postgres(program: Path) -> Iterator[Served]:
    """An empty PostgreSQL, with its own password for its only user."""
    with _folder() as folder:
        password = folder / "password"
        password.write_text(PASSWORD)
        shutil.chown(password, *_owner())
        data, port = folder / "data", free_port()
        bin_folder = _reachable(program, folder)
        initdb = (bin_folder / "initdb", "-D", data, "-U", "owner", "-E", "UTF8", "--locale=C", "--no-sync")
        _run(*initdb, "--auth=scram-sha-256", f"--pwfile={password}", cwd=folder)
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": port,
            "unix_socket_directories": "",
            "fsync": "off",
            "jit": "off",
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        log = folder / "postgres.log"
        with running(
            [*_as_user(), bin_folder / "postgres", "-D", data, *options],
            log,
            lambda: "ready to accept" in log.read_text(),
        ):
            yield Served(port, "owner", "postgres")


@contextmanager
def mariadb(program: Path) -> Iterator[Served]:
    """An empty MariaDB, with its own password for its only user."""
    with _folder() as folder:
        data, port, start = folder / "data", free_port(), folder / "start.sql"
        start.write_text(
            "CREATE DATABASE trial CHARACTER SET utf8mb4;\n"
            f"CREATE USER owner@'127.0.0.1' IDENTIFIED BY '{PASSWORD}';\n"
            "GRANT ALL ON *.* TO owner@'127.0.0.1';\n"
        )
        shutil.chown(start, *_owner())
        install = (shutil.which("mariadb-install-db") or "mariadb-install-db", "--no-defaults", f"--datadir={data}")
        _run(*install, "--auth-root-authentication-method=normal", "--skip-test-db", cwd=folder)
        settings = {
            "datadir": data,
            "port": port,
            "bind-address": "127.0.0.1",
            "socket": folder / "mariadb.sock",
            "pid-file": folder / "mariadb.pid",
            "init-file": start,
            "innodb-flush-method": "nosync",
            "skip-name-resolve": 1,
        }
        options = [f"--{name}={value}" for name, value in settings.items()]
        log = folder / "mariadb.log"
        # It listens once the file has been run.
        with running([*_as_user(), program, "--no-defaults", *options], log, lambda: listening(port)):
            yield Served(port, "owner", "trial")


@contextmanager
def _folder() -> Iterator[Path]:
    """A folder that the user can reach: those of pytest are closed to others."""
    with tempfile.TemporaryDirectory(prefix="pocketflow-otel-", ignore_cleanup_errors=True) as name:
        shutil.chown(name, *_owner())
        yield Path(name)


def _reachable(program: Path, folder: Path) -> Path:
    """The folder of PostgreSQL's programs, where the user can reach it: a cache of root's is closed to others."""
    if os.geteuid() != 0:
        return program.parent
    shutil.copytree(program.parents[4], folder / "usr", symlinks=True)
    return folder / "usr" / program.parent.relative_to(program.parents[4])


def _owner() -> tuple[str | int, str | int]:
    return (_USER, "nogroup") if os.geteuid() == 0 else (os.geteuid(), os.getegid())


def _as_user() -> list[str]:
    return ["setpriv", f"--reuid={_USER}", "--regid=nogroup", "--clear-groups"] if os.geteuid() == 0 else []


def _run(*command: str | Path, cwd: Path) -> None:
    done = subprocess.run([*_as_user(), *command], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command[0]}: {done.stdout}{done.stderr}"
