import os
import subprocess

import pytest
from opentelemetry.sdk.resources import Resource

from pocketflow_otel.export import vcs
from pocketflow_otel.export.vcs import VcsResourceDetector, _without_credentials


@pytest.fixture(autouse=True)
def git_alone(monkeypatch, tmp_path_factory):
    for variable in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    # A repository above the temporary directory is none of ours.
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path_factory.getbasetemp().parent))


def git(*arguments):
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false")
    finished = subprocess.run(["git", *identity, *arguments], check=True, capture_output=True, text=True)
    return finished.stdout.strip()


@pytest.fixture
def repository(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    git("init", "--initial-branch", "feature/x")
    (tmp_path / "app.py").write_text("1")
    git("add", "app.py")
    git("commit", "--message", "first")
    git("remote", "add", "origin", "https://user:s3cret@example.com/org/repo.git")
    return tmp_path


def detect():
    return dict(VcsResourceDetector().detect().attributes)


def test_a_clean_repository(repository):
    assert detect() == {
        "vcs.ref.head.name": "feature/x",
        "vcs.ref.head.revision": git("rev-parse", "HEAD"),
        "vcs.repository.url.full": "https://example.com/org/repo",
        "vcs.ref.head.dirty": False,
    }


def test_a_directory_below(repository, monkeypatch):
    (repository / "below").mkdir()
    monkeypatch.chdir(repository / "below")
    assert detect()["vcs.ref.head.name"] == "feature/x"


def test_a_changed_file(repository):
    (repository / "app.py").write_text("2")
    assert detect()["vcs.ref.head.dirty"] is True


def test_a_file_that_git_does_not_track(repository):
    (repository / "notes.txt").write_text("2")
    assert detect()["vcs.ref.head.dirty"] is False


def test_a_detached_head(repository):
    git("checkout", "--detach")
    attributes = detect()
    assert "vcs.ref.head.name" not in attributes
    assert attributes["vcs.ref.head.revision"] == git("rev-parse", "HEAD")


def test_a_repository_without_commit_and_remote(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    git("init", "--initial-branch", "main")
    assert detect() == {"vcs.ref.head.name": "main", "vcs.ref.head.dirty": False}


@pytest.mark.parametrize(
    ("remote", "shown"),
    [
        ("https://example.com/org/repo.git", "https://example.com/org/repo"),
        ("https://user:token@example.com/org/repo.git/", "https://example.com/org/repo"),
        ("https://token@example.com:8443/org/repo", "https://example.com:8443/org/repo"),
        ("https://user:p@ss@example.com/org/repo", "https://example.com/org/repo"),
        ("https://user:pa/ss@example.com/org/repo", None),
        ("https://example.com/org/repo?private_token=token", "https://example.com/org/repo"),
        ("ssh://git@example.com:2222/org/repo.git", "ssh://example.com:2222/org/repo"),
        ("ssh://user:token@[::1]:2222/org/repo.git", "ssh://[::1]:2222/org/repo"),
        ("git@example.com:org/repo.git", "ssh://example.com/org/repo"),
        ("example.com:org/repo.git", "ssh://example.com/org/repo"),
        ("git@example.com:/srv/repo.git", "ssh://example.com/srv/repo"),
        ("user:token@example.com:org/repo", "ssh://example.com/org/repo"),
        ("user:to/ken@example.com:org/repo", None),
        ("u:token@e:org/repo", None),
        ("/srv/git/repo.git", "/srv/git/repo.git"),
        ("../repo", "../repo"),
        ("file:///srv/git/repo.git", "file:///srv/git/repo"),
        ("C:/git/repo", "C:/git/repo"),
        ("", None),
    ],
)
def test_addresses_are_shown_without_credentials(remote, shown):
    assert _without_credentials(remote) == shown


def test_no_repository(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert detect() == {}


def test_no_git(repository, monkeypatch):
    monkeypatch.setenv("PATH", str(repository))
    assert detect() == {}


def fake_git(directory, monkeypatch, script):
    binaries = directory / "bin"
    binaries.mkdir()
    (binaries / "git").write_text("#!/bin/sh\n" + script)
    (binaries / "git").chmod(0o755)
    monkeypatch.setenv("PATH", str(binaries), prepend=os.pathsep)


def test_a_git_that_hangs(tmp_path, monkeypatch):
    fake_git(tmp_path, monkeypatch, "exec sleep 600\n")
    monkeypatch.setattr(vcs, "_TIMEOUT_SECONDS", 0.05)
    assert detect() == {}


@pytest.mark.parametrize("script", ["exit 128\n", "echo nonsense\n", "printf '# branch.head \\377'\n", ""])
def test_a_git_that_makes_no_sense(tmp_path, monkeypatch, script):
    fake_git(tmp_path, monkeypatch, script)
    assert detect() == {}


def test_the_working_directory_is_gone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    gone = tmp_path / "gone"
    gone.mkdir()
    os.chdir(gone)
    gone.rmdir()
    assert detect() == {}


def test_git_runs_without_prompts_and_locks_and_the_repositorys_own_programs(repository, monkeypatch):
    log = repository / "log"
    fake_git(
        repository,
        monkeypatch,
        f'echo "$GIT_TERMINAL_PROMPT $@" >> {log}\necho "# branch.oid a"\necho "# branch.head b"\n',
    )
    detect()
    assert log.read_text().splitlines() == [
        "0 --no-optional-locks -c core.fsmonitor=false status --porcelain=v2 --branch --untracked-files=no",
        "0 --no-optional-locks -c core.fsmonitor=false config --default  --get remote.origin.url",
    ]


def test_the_sdk_finds_it_by_name(repository, monkeypatch):
    monkeypatch.setenv("OTEL_EXPERIMENTAL_RESOURCE_DETECTORS", "vcs")
    attributes = Resource.create({"service.name": "app"}).attributes
    assert attributes["vcs.ref.head.name"] == "feature/x"
    assert attributes["service.name"] == "app"
