"""The program as a picture: python scripts/flow PATHS -o DIR [--serve] (docs/flow.md)."""

from __future__ import annotations

import sys
from pathlib import Path

# The folder of this file comes first on the path; what is imported is named from the repository.
sys.path[0] = str(Path(__file__).resolve().parents[2])

from scripts.flow.command import run  # noqa: E402

run()
