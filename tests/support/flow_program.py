"""A tiny package for the tests of `scripts/flow`, with one of everything that it finds."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

FILES = {
    "__init__.py": '"""A shop."""\nfrom tiny.stock.shelf import Shelf as Shelf\n',
    "stock/__init__.py": "",
    "stock/shelf.py": '''
        from __future__ import annotations
        from typing import Protocol

        class Store(Protocol):
            def read(self, key: str) -> bytes: ...

        class Folder:
            def read(self, key: str) -> bytes:
                return b""

        class Shelf:
            def __init__(self, store: Store) -> None:
                self.store = store

            @property
            def label(self) -> Label:
                return Label()

            def take(self, count: int = 1) -> bytes:
                """Return the bytes.

                count: how many, at least 1

                Raises ValueError if there are none.
                """
                return self.store.read("key")

        class Label:
            def text(self) -> str:
                return ""
        ''',
    "steps.py": '''
        from tiny import Shelf
        from tiny.stock.shelf import Folder

        def by_hand(shelf: Shelf | None, depth: int) -> None:
            """Take.

            Args:
                shelf: The shelf to take from.
                depth: How deep.

            Returns:
                Nothing at all.
            """
            if shelf and depth > 1 or depth < 0:
                by_hand(shelf, depth - 1)
            for each in [shelf]:
                each.take()
            shelf.label.text()
            sorted([], key=rank)

        def rank(value: int) -> int:
            return value

        def forgotten() -> None:
            unknown.anything()

        HANDLERS = {"take": by_hand}
        ''',
    "main.py": """
        from tiny.steps import HANDLERS

        def main() -> None:
            HANDLERS["take"](None, 1)

        if __name__ == "__main__":
            main()
        """,
    "broken.py": "def (:\n",
    "left.py": "import tiny.right\n",
    "right.py": "from tiny import left\n",
}


def write_program(folder: Path) -> Path:
    for name, text in FILES.items():
        file = folder / "tiny" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(dedent(text), encoding="utf-8")
    return folder / "tiny"
