"""Read CSV files that other programs wrote: one reader for every import (docs/imports.md)."""
