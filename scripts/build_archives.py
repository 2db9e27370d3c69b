"""Build what the functions are deployed from: one zip for each, named by its content.

    python scripts/build_archives.py [FOLDER]        (default: dist/functions)

`make archives` writes FOLDER/<function>-<16 digits of its SHA-256>.zip, and archives.json, which
tells Terraform their names; zips of earlier builds go. A zip holds main.py, the library without
what only the command line needs, and requirements.txt. The same tree gives the same bytes on any
machine: entries are sorted, times and modes fixed, and nothing is compressed, since what comes of
that depends on the version of zlib. Only Python's standard library is needed.
"""

from __future__ import annotations

import hashlib
import io
import json
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "dist" / "functions"
MANIFEST = "archives.json"
MAIN = "main.py"
REQUIREMENTS = "requirements.txt"

# Of the library: what no step of a run imports.
LEFT_OUT = {"commands", "generation"}
# Anything else in the library is somebody's mistake: a file that would be missing in the cloud,
# or one that has no business there.
KINDS = {".py", ".csv", ".j2"}

_DIGITS = 16  # of the hash, in the name
_TIME = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip knows
_MODE = 0o100644  # a file that everybody may read
_UNIX = 3  # the system that modes are understood by


def functions(root: Path) -> list[str]:
    """The names of the functions: the folders that have a main.py."""
    return sorted(path.parent.name for path in (root / "functions").glob(f"*/{MAIN}"))


def contents(root: Path, function: str) -> dict[str, Path]:
    """The files of the function's archive by their names in it, in no order.

    Raises ValueError for a file in the library of a kind that is not known.
    """
    files = {
        MAIN: root / "functions" / function / MAIN,
        REQUIREMENTS: root / "functions" / REQUIREMENTS,
    }
    package = root / "shared" / "almanac"
    for path in _library(package):
        if path.suffix not in KINDS:
            raise ValueError(
                f"{path}: is of a kind that no archive holds; move it away, or add "
                f"{path.suffix!r} to KINDS in scripts/build_archives.py"
            )
        files[f"almanac/{path.relative_to(package).as_posix()}"] = path
    return files


def _library(package: Path) -> Iterator[Path]:
    for path in package.rglob("*"):
        parts = path.relative_to(package).parts
        hidden = any(part.startswith(".") or part == "__pycache__" for part in parts)
        if path.is_file() and not hidden and parts[0] not in LEFT_OUT:
            yield path


def archive(files: dict[str, Path]) -> bytes:
    """A zip of the files; the same for the same names and contents."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as target:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, _TIME)
            entry.create_system = _UNIX
            entry.external_attr = _MODE << 16
            target.writestr(entry, files[name].read_bytes())
    return buffer.getvalue()


def build(root: Path, folder: Path) -> dict[str, dict[str, str]]:
    """Write the archives of all functions and the manifest; gives the manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.zip"):
        old.unlink()
    manifest = {}
    for function in functions(root):
        data = archive(contents(root, function))
        digest = hashlib.sha256(data).hexdigest()
        file = f"{function}-{digest[:_DIGITS]}.zip"
        (folder / file).write_bytes(data)
        manifest[function] = {"file": file, "sha256": digest}
    text = json.dumps(manifest, indent=2, sort_keys=True) + "\n"
    (folder / MANIFEST).write_text(text, encoding="utf-8", newline="\n")
    return manifest


def main(folder: Path) -> int:
    try:
        manifest = build(ROOT, folder)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    for entry in manifest.values():
        size = (folder / entry["file"]).stat().st_size
        print(f"{folder / entry['file']}  {size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER))
