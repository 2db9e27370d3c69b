"""From the name of a store to the store."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from almanac.errors import ConfigError
from almanac.storage.cloud import CloudStore
from almanac.storage.folder import FolderStore
from almanac.storage.opening import open_store
from tests.support.storage_stores import storage_emulator


@pytest.fixture
def no_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An account without a login, off Google's machines."""
    for name in ("GOOGLE_APPLICATION_CREDENTIALS", "STORAGE_EMULATOR_HOST"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path / "gcloud"))
    monkeypatch.setenv("NO_GCE_CHECK", "true")


def test_a_folder_need_not_exist_yet(tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "new"))
    assert isinstance(store, FolderStore)
    assert store.root == tmp_path / "new"
    assert not store.root.exists()


@pytest.mark.parametrize(("rest", "object_name"), [("", "x"), ("/", "x"), ("/a/b/", "a/b/x")])
def test_with_the_emulators_variable_a_bucket_needs_no_credentials(
    rest: str, object_name: str, monkeypatch: pytest.MonkeyPatch, no_credentials: None
) -> None:
    emulator, client = storage_emulator()
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", emulator.url)
    bucket = f"agency-{rest.count('/')}"
    emulator.create_bucket(bucket)
    store = open_store(f"gs://{bucket}{rest}")
    assert isinstance(store, CloudStore)
    info = store.write("x", b"data", if_generation=0)
    assert store.read("x").data == b"data"
    assert client.bucket(bucket).get_blob(object_name).generation == info.generation
    store.close()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "gs://",
        "gs:///prefix",
        "gs://a",
        "gs://Agency",
        "gs://agency_",
        "gs://agency bucket",
        "gs://agency//prefix",
        "gs://agency/../prefix",
        "gs://agency/.hidden",
        "gs://agency/a\nb",
        "gs:/agency",
        "s3://agency",
        "file:///srv/store",
        "https://storage.googleapis.com/agency",
        "folder\x00",
    ],
)
def test_what_is_no_store_is_named_with_what_is(url: str) -> None:
    with pytest.raises(ConfigError, match=r"store '.*': ") as caught:
        open_store(url)
    assert repr(url) in str(caught.value)


def test_a_file_is_no_store(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="is a file; a store is gs://"):
        open_store(str(tmp_path / "file"))


def test_without_credentials_the_error_says_so(no_credentials: None) -> None:
    with pytest.raises(ConfigError, match="no usable credentials"):
        open_store("gs://agency-206")


def test_a_folder_does_not_cost_the_import_of_googles_library() -> None:
    code = (
        "import sys; from almanac.storage.opening import open_store; open_store('.');"
        "sys.exit(any(name in sys.modules for name in ('google.cloud.storage', 'requests')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
