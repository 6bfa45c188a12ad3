"""The resource detector named ``vcs``: which version of a program ran, as git tells it."""

from __future__ import annotations

import os
import re
import subprocess
import time
from typing import Final
from urllib.parse import urlsplit

from opentelemetry.sdk.resources import Resource, ResourceDetector

from pocketflow_otel import semconv

_TIMEOUT_SECONDS: Final = 2.0
# user@host:path, which is not a URL; one letter before the colon is a Windows drive.
_SCP_FORM: Final = re.compile(r"(?:[^/]*@)?([^/:@]{2,}):(?!//)/*(.+)")


class VcsResourceDetector(ResourceDetector):
    """Tells branch, revision, repository and whether tracked files are changed, for the current working directory.

    Without git or a repository, or if git takes more than two seconds, it tells nothing.
    """

    def __init__(self) -> None:
        super().__init__(raise_on_error=False)

    def detect(self) -> Resource:
        """Asks git."""
        try:
            return Resource(_attributes(time.monotonic() + _TIMEOUT_SECONDS))
        except Exception:  # noqa: BLE001 - a resource is worth less than the program that it describes
            return Resource.get_empty()


def _attributes(deadline: float) -> dict[str, str | bool]:
    status = _git(deadline, "status", "--porcelain=v2", "--branch", "--untracked-files=no").splitlines()
    branch = dict(line.removeprefix("# ").split(" ", 1) for line in status if line.startswith("# branch."))
    attributes: dict[str, str | bool] = {semconv.VCS_DIRTY: any(not line.startswith("#") for line in status)}
    if branch["branch.head"] != "(detached)":
        attributes[semconv.VCS_HEAD_NAME] = branch["branch.head"]
    if branch["branch.oid"] != "(initial)":
        attributes[semconv.VCS_HEAD_REVISION] = branch["branch.oid"]
    url = _without_credentials(_git(deadline, "config", "--default", "", "--get", "remote.origin.url").strip())
    if url:
        attributes[semconv.VCS_REPOSITORY_URL] = url
    return attributes


def _git(deadline: float, *arguments: str) -> str:
    # Without locks, which could be in a user's way, and without the program that a repository names to watch its files.
    command = ("git", "--no-optional-locks", "-c", "core.fsmonitor=false", *arguments)
    return subprocess.run(  # noqa: S603 - the arguments are ours
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
        env={**os.environ, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"},
        timeout=max(deadline - time.monotonic(), 0),
        text=True,
        encoding="utf-8",
        errors="replace",
    ).stdout


def _without_credentials(remote: str) -> str | None:
    """Makes a remote's address one that may be shown, without ``.git`` as the conventions have it."""
    if "://" in remote:
        return _shown_url(remote)
    match = _SCP_FORM.fullmatch(remote)
    if match:
        remote = f"ssh://{match[1]}/{match[2]}".removesuffix("/").removesuffix(".git")
    # What is left before an at sign may be anything.
    return remote if remote and "@" not in remote else None


def _shown_url(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        # A password with a slash in it: what is behind the slash would be taken for the path.
        return None
    host = parts.netloc.rpartition("@")[2].removesuffix(port)
    return f"{parts.scheme}://{host}{port}{parts.path}".removesuffix("/").removesuffix(".git")
