"""Every error that Almanac raises on purpose; each builds its own message.

AlmanacError
├── InputError                 invalid input: exit code 2, the message is for the user
│   ├── ConfigError            a key of a configuration
│   │   └── NotInstalled       a library of the extra `cloud`
│   ├── DatabaseError          not a database, damaged, no contacts table, ...
│   └── RequestError           a message or argument that can never succeed
├── TransientError             a retry may succeed: locked, 5xx, lease taken
│   ├── DatabaseBusy
│   ├── LeaseTaken
│   └── SnapshotMoved          the database changed while it was planned
├── SeveralContacts            a text means more than one contact
├── StorageError               a permanent error of an object store
│   ├── NotFound
│   ├── PreconditionFailed     another writer was first
│   └── Corrupt                size or checksum differ from what was written
├── Superseded                 another writer published a version first
└── OutcomeUnknown             the answer to a write was lost: read back and compare
"""

from __future__ import annotations


class AlmanacError(Exception):
    """Base of all errors that Almanac raises on purpose."""


class InputError(AlmanacError):
    """Invalid input; the message names it, what was found and what is expected."""


class ConfigError(InputError):
    """An invalid configuration."""


class NotInstalled(ConfigError):
    """A library of the extra `cloud` is missing.

    what needs it; library: its name, as Python knows it.
    """

    def __init__(self, what: str, library: str | None) -> None:
        super().__init__(
            f"{what}: {library} is not installed; install almanac[cloud], in a copy of the "
            "repository with pipx install --force '.[cloud]'"
        )


class DatabaseError(InputError):
    """A file that is not a database Almanac can work with."""


class RequestError(InputError):
    """A message or an argument that can never succeed."""


class TransientError(AlmanacError):
    """A retry may succeed."""


class DatabaseBusy(TransientError):
    """Another program has locked the database."""


class LeaseTaken(TransientError):
    """Another run of the organization is active."""


class SnapshotMoved(TransientError):
    """Another program wrote to the database while it was planned."""


class SeveralContacts(AlmanacError):
    """A text means several contacts; the message lists them."""


class StorageError(AlmanacError):
    """A permanent error of an object store."""


class NotFound(StorageError):
    """No such object."""


class PreconditionFailed(StorageError):
    """The object does not have the generation that the caller named."""


class Corrupt(StorageError):
    """The size or checksum of an object differs from what was written."""


class Superseded(AlmanacError):
    """Another writer published a version first: plan again from that one."""


class OutcomeUnknown(AlmanacError):
    """The answer to a write was lost: read back and compare, do not assume.

    what was to be changed, reason: why there is no answer, shown_by: the command that shows it.
    """

    def __init__(self, what: str, reason: str = "", shown_by: str = "") -> None:
        self.what, self.reason = what, reason
        text = f"{what}: it may have been changed, or not ({reason})" if reason else what
        super().__init__(f"{text}; {shown_by} shows it" if shown_by else text)

    def as_not_written(self) -> TransientError:
        """Return the error to raise instead once a read-back has shown that nothing changed."""
        return TransientError(f"{self.what}: was not changed: {self.reason or 'no answer'}")
