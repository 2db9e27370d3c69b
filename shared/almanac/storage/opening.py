"""Open a store by its name in the settings or on the command line."""

from __future__ import annotations

import re
from pathlib import Path

from almanac.errors import ConfigError, NotInstalled, RequestError
from almanac.storage.store import ObjectStore, check_name

_EXPECTED = "a store is gs://bucket[/prefix] or a folder"
# Cloud Storage's rules for names: 3 to 63 characters, up to 222 with dots.
_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:/")


def open_store(url: str) -> ObjectStore:
    """Open gs://bucket[/prefix], or a folder, which need not exist yet.

    The bucket is not contacted yet. Raises ConfigError for any other name, and if there are no
    credentials. STORAGE_EMULATOR_HOST works as Google's client defines it.
    """
    if not url or not url.isprintable():
        raise ConfigError(f"store {url!r}: {_EXPECTED}")
    if url.startswith("gs://"):
        return _bucket(url)
    if _SCHEME.match(url):
        raise ConfigError(f"store {url!r}: {_EXPECTED}")
    folder = Path(url)
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"store {url!r}: is a file; {_EXPECTED}")
    from almanac.storage.folder import FolderStore

    return FolderStore(folder)


def _bucket(url: str) -> ObjectStore:
    bucket, _, prefix = url.removeprefix("gs://").partition("/")
    prefix = prefix.removesuffix("/")
    if not _BUCKET.fullmatch(bucket):
        raise ConfigError(f"store {url!r}: {bucket!r} is not the name of a bucket; {_EXPECTED}")
    if prefix:
        try:
            check_name(prefix)
        except RequestError as error:
            raise ConfigError(f"store {url!r}: {error}") from None
    try:
        from almanac.storage.cloud import CloudStore

        return CloudStore(bucket, prefix)
    except ModuleNotFoundError as error:
        raise NotInstalled(f"store {url!r}", error.name) from None
