"""The folder in which the user has the planned rows of a file kept: see decision 0075."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path

from almanac.errors import InputError


@dataclass(frozen=True)
class CacheFolder:
    """Where they are kept. named: what the user named the folder by; remarks: of a run, for the
    user."""

    database: Path
    folder: Path
    named: str = "--cache"
    remarks: list[str] = field(default_factory=list, compare=False)

    def check(self) -> None:
        """Raise InputError if nothing can be kept in the folder."""
        if not self.folder.is_dir():
            raise InputError(f"{self.named}: {self.folder}: is no folder; create it first")
        if not os.access(self.folder, os.R_OK | os.W_OK | os.X_OK):
            raise InputError(f"{self.named}: {self.folder}: the folder is not writable")

    @property
    def path(self) -> Path:
        """The file for the columns, by a name with a digest of the database's path."""
        digest = hashlib.sha256(os.fsencode(self.database.resolve())).hexdigest()[:16]
        return self.folder / f"{self.database.stem}-{digest}.planned-rows"

    def remark(self, text: str) -> None:
        """Have a line for the user."""
        self.remarks.append(f"{self.named}: {self.path}: {text}")
