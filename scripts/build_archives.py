"""Build the source archives of the functions: one zip for each, named by its content.

    python scripts/build_archives.py [FOLDER]        (default: dist/functions)

`make archives` writes FOLDER/<function>-<16 digits of its SHA-256>.zip, and archives.json, from
which Terraform reads their names; it deletes zips of earlier builds. A zip holds main.py, the
library without what only the command line needs, and requirements.txt. The same tree gives the same
bytes on any machine: entries are sorted, times and modes are fixed, and nothing is compressed,
since the result would depend on the version of zlib. Needs only Python's standard library.
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

# The parts of the library that no step of a run imports, and modules about generated agencies.
LEFT_OUT = {
    "commands",
    "generation",
    "serve",
    "statistics/agency_shape.py",
    "statistics/contact_shape.py",
}
# The kinds of files in the library. Any other is an error: either a data file that would be missing
# in the cloud, or one that does not belong there.
KINDS = {".py", ".csv", ".j2", ".yaml"}

_DIGITS = 16  # of the hash, in the name
_TIME = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can have
_MODE = 0o100644  # readable by all users
_UNIX = 3  # the system that defines the modes


def functions(root: Path) -> list[str]:
    """Return the names of the functions: the folders with a main.py."""
    return sorted(path.parent.name for path in (root / "functions").glob(f"*/{MAIN}"))


def contents(root: Path, function: str) -> dict[str, Path]:
    """Return the files of the function's archive by their names in it, in no order.

    Raises ValueError for a file in the library of an unknown kind.
    """
    files = {
        MAIN: root / "functions" / function / MAIN,
        REQUIREMENTS: root / "functions" / REQUIREMENTS,
    }
    package = root / "shared" / "almanac"
    for path in _library(package):
        if path.suffix not in KINDS:
            raise ValueError(
                f"{path}: a file of an unknown kind; move it away, or add "
                f"{path.suffix!r} to KINDS in scripts/build_archives.py"
            )
        files[f"almanac/{path.relative_to(package).as_posix()}"] = path
    return files


def _library(package: Path) -> Iterator[Path]:
    for path in package.rglob("*"):
        inside = path.relative_to(package)
        hidden = any(part.startswith(".") or part == "__pycache__" for part in inside.parts)
        left_out = LEFT_OUT & {inside.parts[0], inside.as_posix()}
        if path.is_file() and not hidden and not left_out:
            yield path


def archive(files: dict[str, Path]) -> bytes:
    """Return a zip of the files; the same for the same names and contents."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as target:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, _TIME)
            entry.create_system = _UNIX
            entry.external_attr = _MODE << 16
            target.writestr(entry, files[name].read_bytes())
    return buffer.getvalue()


def build(root: Path, folder: Path) -> dict[str, dict[str, str]]:
    """Write the archives of all functions and the manifest; return the manifest."""
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
