"""Builds or installs the backends that the tests send to, real ones, each of one version.

    python3 dev.py backends               all of them
    python3 dev.py backends jaeger tempo  some of them
    python3 dev.py backends --list        what there is, and where

They are kept in the user's cache, outside of this project, or where ``POCKETFLOW_OTEL_BACKENDS`` says, and are made
again when their version or the function that makes them changes. Go modules are checked against the public checksum
database, or against the checksums that the module they are for was published with.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import inspect
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import platformdirs

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
MANIFEST = HERE / "collector-build.yaml"

COLLECTOR = "0.158.0"
JAEGER = "1.76.0"
"""The release that is also 2.13.0: the module's path has no ``/v2``, so its versions go by the older numbers."""
TEMPO = "1.5.0"
COMPOSE = "2.40.3"
ROTEL = "0.0.1a15"
PHOENIX = "20.26.1"
MLFLOW = "3.17.2"
SPEEDSCOPE = "1.25.0"
MERMAID = "12.3.0"
NEWEST = "2026-11-19"
"""What the Python packages depend on is as it was on that day."""


class CannotInstallError(Exception):
    """A backend can't be had on this machine; the message says why."""


@dataclass(frozen=True)
class Backend:
    """Something that tests need, and how to come by it.

    Attributes:
        name: What it is called here.
        version: Which one.
        program: The file to start, relative to where it is installed.
        make: Puts it into an empty directory. Its source is part of what decides whether it is made again.
        needs: The commands that `make` calls.
        inputs: Files that it is made of.
    """

    name: str
    version: str
    program: str
    make: Callable[[Path], None]
    needs: tuple[str, ...] = ()
    inputs: tuple[Path, ...] = ()

    @property
    def place(self) -> Path:
        """Where it is installed, or will be."""
        made_of = [inspect.getsource(self.make), *(path.read_text(encoding="utf-8") for path in self.inputs)]
        recipe = hashlib.sha256("".join(made_of).encode()).hexdigest()[:10]
        return cache() / f"{self.name}-{self.version}-{recipe}"

    def install(self) -> Path:
        """Makes it, unless it is there, and returns the program.

        Raises:
            CannotInstallError: If this machine lacks what is needed, or a command failed.
        """
        done, program = self.place / "installed", self.place / self.program
        self.place.parent.mkdir(parents=True, exist_ok=True)
        # Tests run in several processes.
        with self.place.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (done.exists() and program.exists()):
                self._make()
                done.touch()
        return program

    def _make(self) -> None:
        missing = [command for command in self.needs if shutil.which(command) is None]
        if missing:
            raise CannotInstallError(f"{self.name} needs {' and '.join(missing)}, not found on the PATH")
        say(f"{self.name} {self.version}: installing it, once")
        shutil.rmtree(self.place, ignore_errors=True)
        self.place.mkdir()
        try:
            self.make(self.place)
        except (OSError, subprocess.CalledProcessError) as error:
            raise CannotInstallError(f"{self.name} could not be installed: {error}") from error


def cache() -> Path:
    """Where backends are kept."""
    named = os.environ.get("POCKETFLOW_OTEL_BACKENDS")
    return Path(named) if named else platformdirs.user_cache_path("pocketflow-otel") / "backends"


def say(message: str) -> None:
    """Tells what goes on, also from within a test."""
    print(f"backends: {message}", file=sys.__stderr__, flush=True)


def run(*command: str | Path, cwd: Path, **variables: str) -> None:
    """Runs a command, and shows what it printed if it failed."""
    done = subprocess.run(
        command, cwd=cwd, env=os.environ | variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    if done.returncode:
        say(done.stdout.decode("utf-8", "replace")[-4000:])
    done.check_returncode()


def make_collector(place: Path) -> None:
    """Builds the Collector out of the parts in the manifest."""
    run("go", "install", f"go.opentelemetry.io/collector/cmd/builder@v{COLLECTOR}", cwd=place, GOBIN=str(place))
    sources, manifest = place / "sources", place / "manifest.yaml"
    manifest.write_text(
        f"{MANIFEST.read_text(encoding='utf-8')}\n".replace("dist:", f"dist:\n  output_path: {sources}")
    )
    run(place / "builder", f"--config={manifest}", cwd=place)
    shutil.move(sources / "otelcol", place)


def make_jaeger(place: Path) -> None:
    """Builds Jaeger, without its pages, which are not in the module."""
    sources = module_sources("github.com/jaegertracing/jaeger", JAEGER, place)
    run("go", "build", "-mod=mod", "-o", place / "jaeger", "./cmd/jaeger", cwd=sources, CGO_ENABLED="0")
    shutil.rmtree(sources)


def make_tempo(place: Path) -> None:
    """Builds Tempo, with what makes a version of its time fit for the Go of today."""
    sources = module_sources("github.com/grafana/tempo", TEMPO, place)
    # Its codec has to be registered after that of gRPC, which it replaces: Go once ordered initialisation otherwise.
    codec, before = sources / "pkg/gogocodec/gogocodec.go", '"google.golang.org/grpc/encoding"\n'
    codec.write_text(codec.read_text().replace(before, f'{before}\t_ "google.golang.org/grpc/encoding/proto"\n'))
    # Its `golang.org/x/net` reaches into the standard library, which Go refuses since unless told.
    build = ("go", "build", "-mod=mod", "-ldflags=-checklinkname=0", "-o", place / "tempo", "./cmd/tempo")
    run(*build, cwd=sources, CGO_ENABLED="0")
    shutil.rmtree(sources)


def module_sources(module: str, version: str, place: Path) -> Path:
    """Copies a Go module, to be built as the main one with the replacements and checksums it was published with.

    `go install` refuses modules that replace others.
    """
    run("go", "mod", "download", f"{module}@v{version}", cwd=place)
    modules = subprocess.run(["go", "env", "GOMODCACHE"], capture_output=True, text=True, check=True).stdout.strip()
    sources = place / "sources"
    # Without the modes: those of the cache are read-only.
    shutil.copytree(Path(modules) / f"{module}@v{version}", sources, copy_function=shutil.copyfile)
    for directory, _, _ in os.walk(sources):
        Path(directory).chmod(0o755)
    return sources


def make_compose(place: Path) -> None:
    """Builds Docker Compose, which needs no Docker to read files."""
    sources = module_sources("github.com/docker/compose/v2", COMPOSE, place)
    run("go", "build", "-mod=mod", "-o", place / "compose", "./cmd", cwd=sources, CGO_ENABLED="0")
    shutil.rmtree(sources)


def make_prometheus(place: Path) -> None:
    """Unpacks Debian's package, so that no service of it is started."""
    update_packages(place)
    run("apt-get", "download", "prometheus", cwd=place)
    (package,) = place.glob("prometheus_*.deb")
    run("dpkg", "-x", package, place, cwd=place)


def make_chromium(place: Path) -> None:
    """Installs Debian's package, with the many libraries it needs."""
    update_packages(place)
    run("apt-get", "install", "--yes", "--no-install-recommends", "chromium", cwd=place)


def make_postgres(place: Path) -> None:
    """Unpacks Debian's package, so that no service of it is started, and installs the libraries it needs."""
    update_packages(place)
    run("apt-get", "download", "postgresql-15", cwd=place)
    (package,) = place.glob("postgresql-15_*.deb")
    asked = ("dpkg-deb", "--field", package, "Depends")
    depends = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip().split(", ")
    libraries = [name.split(" ")[0] for name in depends if name.startswith(("lib", "zlib"))]
    run("apt-get", "install", "--yes", "--no-install-recommends", *libraries, cwd=place)
    run("dpkg", "-x", package, place, cwd=place)


def make_mariadb(place: Path) -> None:
    """Installs Debian's packages of the programs alone, which bring no service."""
    update_packages(place)
    packages = ("mariadb-server-core", "mariadb-client-core")
    run("apt-get", "install", "--yes", "--no-install-recommends", *packages, cwd=place)


def update_packages(place: Path) -> None:
    """Has Debian's packages looked up anew, which takes root: old ones are gone soon after a new one is there."""
    if os.geteuid() == 0:
        run("apt-get", "update", cwd=place)


def make_rotel(place: Path) -> None:
    make_environment(place, f"rotel=={ROTEL}")


def make_phoenix(place: Path) -> None:
    make_environment(place, f"arize-phoenix=={PHOENIX}")


def make_mlflow(place: Path) -> None:
    make_environment(place, f"mlflow=={MLFLOW}")


def make_environment(place: Path, *packages: str) -> None:
    """Installs Python packages into an environment of their own, with their dependencies as they were on that day."""
    uv = (sys.executable, ROOT / "dev.py", "uv")
    run(*uv, "venv", "--quiet", "--clear", place, cwd=ROOT)
    run(*uv, "pip", "install", "--quiet", "--python", place, "--exclude-newer", NEWEST, *packages, cwd=ROOT)


def make_speedscope(place: Path) -> None:
    """Unpacks the page, as it is published."""
    run("npm", "pack", "--silent", f"speedscope@{SPEEDSCOPE}", cwd=place)
    run("tar", "-xzf", f"speedscope-{SPEEDSCOPE}.tgz", cwd=place)


def make_mermaid(place: Path) -> None:
    """Unpacks the script that pages draw with, as it is published."""
    run("npm", "pack", "--silent", f"mermaid@{MERMAID}", cwd=place)
    run("tar", "-xzf", f"mermaid-{MERMAID}.tgz", cwd=place)


BACKENDS = {
    backend.name: backend
    for backend in (
        Backend("collector", COLLECTOR, "otelcol", make_collector, ("go",), (MANIFEST,)),
        Backend("jaeger", JAEGER, "jaeger", make_jaeger, ("go",)),
        Backend("tempo", TEMPO, "tempo", make_tempo, ("go",)),
        Backend("compose", COMPOSE, "compose", make_compose, ("go",)),
        Backend("prometheus", "debian", "usr/bin/prometheus", make_prometheus, ("apt-get", "dpkg")),
        Backend("chromium", "debian", "/usr/bin/chromium", make_chromium, ("apt-get",)),
        Backend("postgres", "15", "usr/lib/postgresql/15/bin/postgres", make_postgres, ("apt-get", "dpkg")),
        Backend("mariadb", "debian", "/usr/sbin/mariadbd", make_mariadb, ("apt-get",)),
        Backend("rotel", ROTEL, "bin/python", make_rotel),
        Backend("phoenix", PHOENIX, "bin/phoenix", make_phoenix),
        Backend("mlflow", MLFLOW, "bin/mlflow", make_mlflow),
        Backend("speedscope", SPEEDSCOPE, "package/dist/release/index.html", make_speedscope, ("npm", "tar")),
        Backend("mermaid", MERMAID, "package/dist/mermaid.min.js", make_mermaid, ("npm", "tar")),
    )
}


def main(arguments: Sequence[str]) -> int:
    """Installs what the arguments ask for; returns the exit code."""
    parser = argparse.ArgumentParser(prog="dev.py backends", description="Builds or installs backends for the tests.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(BACKENDS)}; all, if none is named")
    parser.add_argument("--list", action="store_true", help="tell what there is, and where")
    asked = parser.parse_args(arguments)
    unknown = [name for name in asked.names if name not in BACKENDS]
    if unknown:
        parser.error(f"no backend is called {', '.join(unknown)}; there are {', '.join(BACKENDS)}")
    failed = 0
    for backend in (BACKENDS[name] for name in asked.names or BACKENDS):
        if asked.list:
            print(f"{backend.name:12}{backend.version:12}{backend.place}")
            continue
        try:
            print(f"{backend.name:12}{backend.version:12}{backend.install()}", flush=True)
        except CannotInstallError as error:
            failed = 1
            say(str(error))
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
