"""Copies between buckets that Cloud Storage makes itself (`rewriteTo`)."""

from __future__ import annotations

import mimetypes
from typing import TYPE_CHECKING

from almanac.storage.cloud_errors import carried_out
from almanac.storage.patience import Patience
from almanac.storage.store import ObjectInfo

if TYPE_CHECKING:
    from google.cloud.storage import Blob  # type: ignore[import-untyped]


def rewrite(
    source: Blob,
    target: Blob,
    info: ObjectInfo,
    if_generation: int,
    patience: Patience,
    longest: float,
) -> None:
    """Copy the generation that info names; target then has what Cloud Storage says of the copy.

    Between regions one answer covers a part of a large object, and a token goes on from there.
    longest: seconds for one answer. Raises the errors of carried_out.
    """
    original = source.bucket.blob(source.name, generation=info.generation)
    target.content_type = content_type(info.name)
    token: str | None = None

    def attempt() -> None:
        nonlocal token
        while True:
            token, _, _ = target.rewrite(
                original,
                token=token,
                if_generation_match=if_generation,
                timeout=patience.timeout(longest),
                retry=None,
            )
            if token is None:
                return

    carried_out(target.bucket.name, info.name, patience, attempt)


def content_type(name: str) -> str:
    """Return the type that an object is stored with."""
    return mimetypes.guess_type(name)[0] or "application/octet-stream"
