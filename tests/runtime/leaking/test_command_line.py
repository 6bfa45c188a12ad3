"""``pocketflow-otel run FLOW.yaml`` tells no secret, however it is told to run."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from corpora.secrets import SECRETS
from instrumentation.leaks import leaks
from runtime.leaking.documents import document
from runtime.leaking.figures import without_figures
from runtime.leaking.refusing import refusing

TESTS = Path(__file__).parents[2]
CHOSEN = [secret for secret in SECRETS if secret.name in {"seen-symbols", "seen-lines"}]


@pytest.mark.parametrize("secret", CHOSEN, ids=lambda secret: secret.name)
@pytest.mark.parametrize(
    ("options", "fails", "code"),
    [
        (["--format", "json"], False, 3),
        (["--format", "text", "--verbosity", "verbose"], True, 1),
        (["--dry-run"], False, 0),
        (["--input", "unknown=1"], False, 2),
    ],
    ids=["json", "text", "dry run", "wrong input"],
)
def test_the_command_tells_no_secret(secret, options, fails, code, tmp_path):
    inputs = {"given": secret.value, "nested": {"inside": [secret.value]}}
    (tmp_path / "inputs.json").write_text(json.dumps(inputs))
    with refusing() as servers:
        (tmp_path / "flow.yaml").write_text(yaml.safe_dump(document("${env.SERVICE_PASSWORD}", servers, fails=fails)))
        command = [sys.executable, "-m", "pocketflow_otel.cli", "run", "flow.yaml", "--input-file", "inputs.json"]
        done = subprocess.run(
            [*command, "--run-dir", "run", "--trace-dir", "traces", *options],
            cwd=tmp_path,
            env=os.environ | {"SERVICE_PASSWORD": secret.value, "PYTHONPATH": str(TESTS), "CARELESS_BUT_QUIET": "1"},
            capture_output=True,
            timeout=100,
            check=False,
        )
    assert done.returncode == code, done.stderr.decode()
    files = {str(path.relative_to(tmp_path)): path for path in tmp_path.rglob("*") if path.is_file()}
    told = {name: without_figures(path.read_bytes()) for name, path in files.items() if not name.startswith("inputs")}
    told |= {"stdout": done.stdout, "stderr": done.stderr}
    assert leaks(told, secret.value) == {}
    assert done.stdout or done.stderr
