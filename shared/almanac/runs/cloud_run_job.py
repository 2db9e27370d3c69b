"""A job of Cloud Run, started through Google's API."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from almanac.client_errors import in_words
from almanac.errors import ConfigError, OutcomeUnknown, StorageError, TransientError

if TYPE_CHECKING:
    from requests import Response, Session

_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_SECONDS = 30.0  # for a connection, and for the answer


class CloudRunJob:
    """A Job; name is projects/<project>/locations/<region>/jobs/<job>.

    session: for requests; by default one with the process's credentials, made when first needed.
    """

    def __init__(
        self,
        name: str,
        *,
        session: Session | None = None,
        endpoint: str = "https://run.googleapis.com",
    ) -> None:
        self._name = name
        self._url = f"{endpoint}/v2/{name}:run"
        self._session = session
        self._lock = threading.Lock()

    def start(self, arguments: Sequence[str]) -> None:
        """See `Job`. The arguments follow the job's own command.

        Raises StorageError, ConfigError where a retry is useless until an operator acts.
        """
        from google.auth.exceptions import GoogleAuthError
        from requests import ConnectTimeout, RequestException

        body: dict[str, Any] = {
            "overrides": {"taskCount": 1, "containerOverrides": [{"args": [*arguments]}]}
        }
        try:
            answer = self._made().post(self._url, json=body, timeout=_SECONDS)
        except (ConnectTimeout, GoogleAuthError) as error:
            raise TransientError(f"{self._name}: not started: {in_words(error)}") from error
        except RequestException as error:
            raise OutcomeUnknown(f"{self._name}: its start", in_words(error)) from error
        self._check(answer)

    def _check(self, answer: Response) -> None:
        from requests import HTTPError

        if answer.ok:
            return
        said = in_words(HTTPError(answer.text[:500], response=answer))
        reason = f"{self._name}: not started: {said}"
        if answer.status_code == 403:
            role = "Cloud Run Jobs Executor With Overrides"
            raise StorageError(f"{reason}; the account needs the role {role} on it")
        if answer.status_code == 429:
            raise TransientError(reason)
        if answer.status_code >= 500:
            raise OutcomeUnknown(f"{self._name}: its start", said)
        raise StorageError(reason)

    def _made(self) -> Session:
        with self._lock:
            if self._session is None:
                self._session = _authorized()
            return self._session


def _authorized() -> Session:
    import google.auth
    from google.auth.exceptions import DefaultCredentialsError
    from google.auth.transport.requests import AuthorizedSession

    try:
        credentials, _ = google.auth.default(scopes=[_SCOPE])
    except DefaultCredentialsError as error:
        raise ConfigError(f"Cloud Run: {in_words(error)}") from error
    session: Session = AuthorizedSession(credentials)  # type: ignore[no-untyped-call]
    return session
