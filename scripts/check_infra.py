"""Check the Terraform in infra/: format, validate, and its tests; no project and no credentials.

    python scripts/check_infra.py [FOLDER]        (default: infra, and its examples)

Terraform gets the schema of Google's provider from the registry. If that cannot be reached, TFCHECK
names a folder with `tfcheck.py` and `schema-*.json`, which serve the schema from a file;
infra/tests/supplement.json adds the few resources that it lacks. Without either nothing is checked,
which is a failure if CI=true.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
INFRA = ROOT / "infra"


def missing() -> str | None:
    """Return why nothing can be checked here; None if it can."""
    if shutil.which("terraform") is None:
        return "terraform is not installed"
    return None if _tfcheck() or _registry() else "no registry and no TFCHECK"


def check(folder: Path, commands: Sequence[str] = ("validate", "test")) -> tuple[bool, str]:
    """Return whether the Terraform in the folder passes fmt, init and the commands; the output."""
    if (tfcheck := _tfcheck()) is None:
        return _by_registry(folder, commands)
    with tempfile.TemporaryDirectory() as made:
        schema = Path(made) / "schema.json"
        schema.write_text(json.dumps(_schema(tfcheck)), "utf-8")
        command = [sys.executable, str(tfcheck / "tfcheck.py"), str(schema), str(folder), *commands]
        return _run(command, {**os.environ, "TMPDIR": made, "TF_DATA_DIR": made})


def _tfcheck() -> Path | None:
    named = os.environ.get("TFCHECK")
    folder = Path(named).absolute() if named else None
    return folder if folder and (folder / "tfcheck.py").is_file() else None


def _schema(tfcheck: Path) -> object:
    """Return the provider's schema, with the resources that the file lacks."""
    document = json.loads(max(tfcheck.glob("schema-*.json")).read_text("utf-8"))
    resources = next(iter(document["provider_schemas"].values()))["resource_schemas"]
    for name, schema in json.loads((INFRA / "tests" / "supplement.json").read_text()).items():
        resources.setdefault(name, schema)
    return document


def _registry() -> bool:
    """Return whether Terraform can find the provider."""
    with tempfile.TemporaryDirectory() as made:
        shutil.copy(INFRA / "versions.tf", made)
        environment = {**os.environ, "TF_DATA_DIR": f"{made}/data"}
        return _run(["terraform", f"-chdir={made}", *_INIT], environment)[0]


_INIT = ("init", "-backend=false", "-input=false", "-no-color")


def _by_registry(folder: Path, commands: Sequence[str]) -> tuple[bool, str]:
    with tempfile.TemporaryDirectory() as made:
        environment = {**os.environ, "TF_DATA_DIR": made}
        at = ["terraform", f"-chdir={folder}"]
        steps = [["terraform", "fmt", "-check", "-recursive", "-diff", str(folder)], [*at, *_INIT]]
        said = ""
        for step in [*steps, *([*at, each, "-no-color"] for each in commands)]:
            passed, output = _run(step, environment)
            said += output
            if not passed:
                return False, said
        return True, said


def _run(command: Sequence[str], environment: dict[str, str]) -> tuple[bool, str]:
    done = subprocess.run(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode == 0, done.stdout


def main(folders: Sequence[Path]) -> int:
    if (reason := missing()) is not None:
        in_ci = os.environ.get("CI") == "true"
        print(f"infra/ is not checked: {reason}", file=sys.stderr)
        return 1 if in_ci else 0
    for folder in folders:
        tests = ["test"] if (folder / "tests").is_dir() else []
        passed, said = check(folder, ["validate", *tests])
        if not passed:
            print(said, file=sys.stderr)
            return 1
        last = said.strip().splitlines()[-1] if tests else "valid"
        print(f"{os.path.relpath(folder)}: {last}")
    return 0


if __name__ == "__main__":
    named = [Path(each).resolve() for each in sys.argv[1:]]
    sys.exit(main(named or [INFRA, *sorted((INFRA / "examples").iterdir())]))
