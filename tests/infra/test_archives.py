"""The source archives: the same bytes from the same tree, and all that a function needs."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import re
import shutil
import tomllib
import zipfile
from functools import cache
from pathlib import Path

import pytest

from almanac_emulation.functions import FUNCTIONS
from scripts.build_archives import KINDS, LEFT_OUT, archive, build, contents, functions

ROOT = Path(__file__).parents[2]
LOCK = ROOT / "requirements.lock"
REQUIREMENTS = ROOT / "functions" / "requirements.txt"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the archives of this tree."""
    folder = tmp_path_factory.mktemp("archives")
    build(ROOT, folder)
    return folder


def opened(built: Path, function: str) -> zipfile.ZipFile:
    manifest = json.loads((built / "archives.json").read_text("utf-8"))
    return zipfile.ZipFile(built / manifest[function]["file"])


def copy_of_the_sources(target: Path) -> Path:
    ignored = shutil.ignore_patterns("__pycache__")
    for folder in ("functions", "shared"):
        shutil.copytree(ROOT / folder, target / folder, ignore=ignored)
    return target


def all_bytes(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


# --- the same bytes -------------------------------------------------------------------------------


def test_times_modes_caches_and_the_order_of_files_make_no_difference(
    built: Path, tmp_path: Path
) -> None:
    tree = copy_of_the_sources(tmp_path / "tree")
    for number, path in enumerate(sorted(tree.rglob("*.py"), reverse=True)):
        text = path.read_bytes()
        path.unlink()  # written anew, so that the folder lists it elsewhere
        path.write_bytes(text)
        os.utime(path, (1_000_000_000 + number, 1_000_000_000 + number))
        path.chmod(0o600 if number % 2 else 0o755)
    cache = tree / "shared" / "almanac" / "__pycache__"
    cache.mkdir()
    (cache / "civil.cpython-311.pyc").write_bytes(b"compiled")
    (tree / "shared" / "almanac" / ".civil.py.swp").write_bytes(b"an editor's")
    build(tree, tmp_path / "again")
    assert all_bytes(tmp_path / "again") == all_bytes(built)


def test_the_order_in_which_files_are_found_makes_no_difference() -> None:
    files = contents(ROOT, "shard")
    assert archive(dict(reversed(files.items()))) == archive(files)


def test_nothing_of_this_machine_is_in_an_archive(built: Path) -> None:
    for function in FUNCTIONS:
        entries = opened(built, function).infolist()
        assert [entry.filename for entry in entries] == sorted(e.filename for e in entries)
        assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}
        assert {entry.external_attr >> 16 for entry in entries} == {0o100644}
        assert {entry.create_system for entry in entries} == {3}
        # what a compressor makes of the same bytes is its own affair
        assert {entry.compress_type for entry in entries} == {zipfile.ZIP_STORED}


def test_an_archive_is_named_by_its_content(built: Path) -> None:
    manifest = json.loads((built / "archives.json").read_text("utf-8"))
    for function, entry in manifest.items():
        digest = hashlib.sha256((built / entry["file"]).read_bytes()).hexdigest()
        assert entry == {"file": f"{function}-{digest[:16]}.zip", "sha256": digest}


def test_a_change_of_one_function_renames_its_archive_only(built: Path, tmp_path: Path) -> None:
    tree = copy_of_the_sources(tmp_path / "tree")
    with (tree / "functions" / "merge" / "main.py").open("a") as main:
        main.write("# changed\n")
    build(tree, tmp_path / "changed")
    before, after = all_bytes(built), all_bytes(tmp_path / "changed")
    assert {name.partition("-")[0] for name in before.keys() ^ after.keys()} == {"merge"}


def test_a_change_of_the_library_renames_all(built: Path, tmp_path: Path) -> None:
    tree = copy_of_the_sources(tmp_path / "tree")
    with (tree / "shared" / "almanac" / "civil.py").open("a") as module:
        module.write("# changed\n")
    build(tree, tmp_path / "changed")
    assert all_bytes(built).keys() & all_bytes(tmp_path / "changed").keys() == {"archives.json"}


def test_archives_of_an_earlier_build_go(tmp_path: Path) -> None:
    (tmp_path / "shard-0123456789abcdef.zip").write_bytes(b"old")
    manifest = build(ROOT, tmp_path)
    files = {entry["file"] for entry in manifest.values()}
    assert {path.name for path in tmp_path.iterdir()} == {*files, "archives.json"}


# --- what is in them ------------------------------------------------------------------------------


def test_every_function_has_an_archive(built: Path) -> None:
    assert functions(ROOT) == sorted(FUNCTIONS)
    assert json.loads((built / "archives.json").read_text("utf-8")).keys() == set(FUNCTIONS)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_an_archive_holds_the_function_the_library_and_its_requirements(
    function: str, built: Path
) -> None:
    with opened(built, function) as zipped:
        names = set(zipped.namelist())
        main = zipped.read("main.py")
        requirements = zipped.read("requirements.txt")
    assert main == (ROOT / "functions" / function / "main.py").read_bytes()
    assert requirements == REQUIREMENTS.read_bytes()
    library = names - {"main.py", "requirements.txt"}
    assert {name.partition("/")[0] for name in library} == {"almanac"}
    assert not [
        name for name in library if name.startswith(tuple(f"almanac/{x}" for x in LEFT_OUT))
    ]
    assert "almanac/rules/zip_ranges.csv" in library
    assert "almanac/rules/statutory.yaml" in library
    assert "almanac/report/templates/page.html.j2" in library
    assert not [name for name in names if "__pycache__" in name or "test" in name]


@cache  # most files are in every archive
def imported(text: bytes) -> set[str]:
    """The modules of the library that a module imports, at its top or within functions."""
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def test_nothing_in_an_archive_imports_what_is_left_out(built: Path) -> None:
    lost = []
    for function in FUNCTIONS:
        with opened(built, function) as zipped:
            names = set(zipped.namelist())
            for name in (each for each in names if each.endswith(".py")):
                for module in imported(zipped.read(name)):
                    path = module.replace(".", "/")
                    there = {f"{path}.py", f"{path}/__init__.py"} & names
                    if module.partition(".")[0] == "almanac" and not there:
                        lost.append((name, module))
    assert lost == []


def test_the_emulators_are_neither_in_an_archive_nor_in_the_wheel(built: Path) -> None:
    assert (ROOT / "shared" / "almanac_emulation").is_dir()
    for function in FUNCTIONS:
        with opened(built, function) as zipped:
            assert not [name for name in zipped.namelist() if "emulat" in name]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    assert project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"] == ["shared/almanac"]


def test_what_is_left_out_exists() -> None:
    package = ROOT / "shared" / "almanac"
    assert [part for part in LEFT_OUT if not (package / part).exists()] == []


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    tree = copy_of_the_sources(tmp_path)
    stray = tree / "shared" / "almanac" / "rules" / "states.py.orig"
    stray.write_text("left behind")
    assert ".orig" not in KINDS
    with pytest.raises(ValueError, match=re.escape(str(stray))):
        contents(tree, "shard")


# --- requirements ---------------------------------------------------------------------------------


def requirements_in(path: Path) -> dict[str, str]:
    """Each requirement with its version, marker and hashes, by the package's name."""
    text = re.sub(r"^#.*\n", "", path.read_text("utf-8"), flags=re.MULTILINE)
    blocks = [block for block in re.split(r"\n(?=\S)", text.strip()) if block]
    return {block.partition("==")[0]: block.strip() for block in blocks}


def names_of(requirements: list[str]) -> set[str]:
    return {re.split(r"[^\w.-]", each)[0].lower() for each in requirements}


def test_the_functions_requirements_are_those_of_the_lock() -> None:
    # on which systems depends on what else asks for it
    locked, needed = (
        {name: re.sub(r" ; .*(?= \\)", "", block) for name, block in requirements_in(path).items()}
        for path in (LOCK, REQUIREMENTS)
    )
    assert {name: locked.get(name) for name in needed} == needed


def test_every_requirement_has_a_version_and_hashes_and_no_address() -> None:
    for block in requirements_in(REQUIREMENTS).values():
        assert re.match(r"[a-z0-9.-]+==[\w.]+ [^\n]*\\\n    --hash=sha256:[0-9a-f]{64}", block)
    text = REQUIREMENTS.read_text("utf-8")
    assert "://" not in text
    assert "index" not in text


def test_the_functions_need_the_library_and_its_cloud_extra_and_no_developer_s_tools() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    needed = set(requirements_in(REQUIREMENTS))
    wanted = names_of(project["project"]["dependencies"])
    wanted |= names_of(project["project"]["optional-dependencies"]["cloud"])
    assert wanted <= needed
    assert needed.isdisjoint(names_of(project["dependency-groups"]["dev"]))
