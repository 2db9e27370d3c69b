"""Contact issues: only rows that differ are written (semantics: Contacts)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from almanac.frames import Ids, Mask
from almanac.joins import positions

ISSUES = pa.schema([("contact_id", pa.int64()), ("issue", pa.string()), ("detail", pa.string())])


@dataclass(frozen=True)
class IssueChanges:
    """The rows of contact_issues to delete, and those to write: new ones, or new details."""

    gone: pa.Table  # contact_id, issue
    written: pa.Table  # contact_id, issue, detail


def issue_changes(stored: pa.Table, found: pa.Table, scope: Ids) -> IssueChanges:
    """Return the differences between stored and found issues of contacts in scope."""
    mine = positions(scope, stored["contact_id"].to_numpy()) >= 0
    stored = stored.filter(pa.array(mine))
    stored_keys, found_keys = _keys(stored), _keys(found)
    gone = stored.filter(pc.invert(pc.is_in(stored_keys, value_set=found_keys)))
    at = pc.index_in(found_keys, value_set=stored_keys)
    before = stored["detail"].combine_chunks().take(at)
    same = pc.fill_null(pc.equal(before, found["detail"].combine_chunks()), False)
    written = found.filter(pc.invert(same))
    return IssueChanges(gone.select(["contact_id", "issue"]), written)


def _keys(table: pa.Table) -> pa.Array:
    ids = table["contact_id"].combine_chunks().cast(pa.string())
    return pc.binary_join_element_wise(ids, table["issue"].combine_chunks(), " ")


def count_by_issue(found: pa.Table) -> dict[str, int]:
    """Return the number of contacts with each issue."""
    issues, counts = np.unique(
        found["issue"].to_numpy(zero_copy_only=False).astype(str), return_counts=True
    )
    return {str(issue): int(count) for issue, count in zip(issues, counts, strict=True)}


def issue_rows(ids: Ids, found: list[tuple[str, Mask, tuple[pa.Array, ...]]]) -> pa.Table:
    """Return all issues as rows by contact and issue.

    found: in the order of issues, each with the contacts that have it, and the columns of texts or
    codes that are its detail.
    """
    parts = []
    for issue, has, detail in found:
        rows = np.flatnonzero(has)
        if len(rows) == 0:
            continue
        parts_of = [texts.take(pa.array(rows)).cast(pa.string()) for texts in detail]
        texts = pa.array([""] * len(rows))
        if parts_of:
            texts = pc.binary_join_element_wise(*parts_of, " / ")
        parts.append(
            pa.table(
                {
                    "contact_id": pa.array(ids[rows]),
                    "issue": pa.array([issue] * len(rows), pa.string()),
                    "detail": pc.utf8_slice_codeunits(texts, 0, 200),
                }
            )
        )
    if not parts:
        return ISSUES.empty_table()
    return pa.concat_tables(parts).sort_by([("contact_id", "ascending"), ("issue", "ascending")])
