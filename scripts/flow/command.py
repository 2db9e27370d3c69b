"""The command line of `python scripts/flow`."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from rich.console import Console

from scripts.flow.architecture import write_diagrams
from scripts.flow.complexity import complexity_page, most_complex, print_complexity
from scripts.flow.document import document_of
from scripts.flow.mermaid import module_diagrams, room_diagrams
from scripts.flow.model import Flow, FlowError
from scripts.flow.page import write_page
from scripts.flow.reading import read_flow
from scripts.flow.server import open_server

OK, COMPLEX, WRONG = 0, 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Read, write, and serve if asked to; return the exit code."""
    options = _parser().parse_args(arguments)
    console = Console(soft_wrap=True, highlight=False)
    try:
        if options.diagrams is not None:
            write_diagrams(options.diagrams, options.paths[0])
            return OK
        flow = _make(options, console)
        if options.serve:
            _serve(options.out, options.port, console)
    except FlowError as error:
        print(f"error: {error}", file=sys.stderr)
        return WRONG
    worst = [each for each in most_complex(flow) if each.complexity > options.max_complexity]
    for each in worst:
        print(f"{each.id}: complexity {each.complexity} is above {options.max_complexity}")
    return COMPLEX if worst else OK


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python scripts/flow", description=__doc__)
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="packages or files")
    target = parser.add_mutually_exclusive_group(required=True)
    target.add_argument("-o", "--out", type=Path, metavar="DIR", help="where the page goes")
    target.add_argument(
        "--diagrams",
        type=Path,
        metavar="FILE",
        help="instead of a page, rewrite the diagrams of a Markdown file for the first PATH",
    )
    parser.add_argument("--serve", action="store_true", help="show the page in the browser")
    parser.add_argument("--port", type=int, default=8000, help="of --serve; 0 takes a free one")
    parser.add_argument(
        "--max-complexity",
        type=int,
        default=sys.maxsize,
        metavar="N",
        help="exit with 1 if a function is more complex",
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="say what takes how long")
    return parser


def _make(options: argparse.Namespace, console: Console) -> Flow:
    said: Callable[[str], None] = console.print if options.verbose else lambda _: None
    began, processor = time.perf_counter(), time.process_time()
    flow = read_flow(options.paths)
    for problem in flow.problems:
        print(f"warning: {problem}", file=sys.stderr)
    said(f"read in {time.perf_counter() - began:.1f} s")
    said(f"calls resolved: {flow.resolved} of {flow.resolved + flow.unresolved}")
    for group in flow.recursive:
        said(f"recursive: {', '.join(group)}")
    for each in sorted(flow.uncalled):
        said(f"no caller: {each}")
    try:
        _write(flow, options.out)
    except OSError as error:
        raise FlowError(f"{options.out}: cannot be written ({error.strerror})") from None
    print_complexity(flow, console)
    console.print(
        f"{len(flow.modules)} modules, {len(flow.functions())} functions, {len(flow.calls)} calls "
        f"in {options.out / 'index.html'}: {time.perf_counter() - began:.1f} s, "
        f"{time.process_time() - processor:.1f} s of processor time"
    )
    return flow


def _write(flow: Flow, out: Path) -> None:
    document = document_of(flow)
    out.mkdir(parents=True, exist_ok=True)
    with (out / "flow.json").open("w", encoding="utf-8") as file:
        json.dump(document, file, separators=(",", ":"))
    write_page(out / "index.html", document)
    (out / "complexity.md").write_text(complexity_page(flow), encoding="utf-8")
    for folder, diagrams in (
        ("modules", module_diagrams(flow)),
        ("capabilities", room_diagrams(flow)),
    ):
        place = out / "mermaid" / folder
        place.mkdir(parents=True, exist_ok=True)
        for old in place.glob("*.mmd"):
            old.unlink()
        for name, text in diagrams.items():
            (place / f"{name.replace('/', '.')}.mmd").write_text(text, encoding="utf-8")


def _serve(folder: Path, port: int, console: Console) -> None:
    with open_server(folder, port) as server, suppress(KeyboardInterrupt):
        console.print(f"http://127.0.0.1:{server.server_port}/ (Ctrl-C ends it)")
        server.serve_forever()


def run() -> None:
    """End the process quietly also if the reader of its output has gone."""
    try:
        sys.exit(main())
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
