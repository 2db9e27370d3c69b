"""Google's client, configured for the store."""

from __future__ import annotations

import os
from typing import Any

from google.auth.exceptions import DefaultCredentialsError
from google.cloud.storage import Client  # type: ignore[import-untyped]
from requests.adapters import HTTPAdapter

from almanac.client_errors import in_words
from almanac.errors import ConfigError

CONNECTIONS = 32  # that many requests at once keep their connection


def new_client(**options: Any) -> Client:
    """Make a client for many threads; options are those of google.cloud.storage.Client.

    Without options it takes the credentials of the environment; with STORAGE_EMULATOR_HOST it
    needs none. Raises ConfigError if there are none.
    """
    # Without this the library fetches the bucket's metadata in another thread, for traces that are
    # not collected, and with a permission that the store does not need otherwise.
    os.environ.setdefault("DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA", "true")
    try:
        # No project: none of the store's requests names one.
        client = Client(**{"project": None, **options})
    except DefaultCredentialsError as error:
        raise ConfigError(f"Cloud Storage: {in_words(error)}") from None
    for scheme in ("https://", "http://"):  # plain http: an emulator
        client._http.mount(scheme, HTTPAdapter(pool_maxsize=CONNECTIONS))
    return client
