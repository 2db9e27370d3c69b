"""Every error that Almanac raises on purpose; each builds its own message.

AlmanacError
├── InputError                 the caller's mistake: exit code 2, the message is for a person
│   ├── ConfigError            a key of a configuration
│   ├── DatabaseError          not a database, damaged, no contacts table, ...
│   └── RequestError           a message or argument that can never succeed
├── TransientError             worth another try: locked, 5xx, lease taken
│   ├── DatabaseBusy
│   ├── LeaseTaken
│   └── SnapshotMoved          the database changed while it was planned
├── StorageError               an object store said no, for good
│   ├── NotFound
│   ├── PreconditionFailed     somebody else was first
│   └── Corrupt                size or checksum differ from what was written
├── Superseded                 another writer published a version first
└── OutcomeUnknown             a write whose answer was lost: read back and compare
"""

from __future__ import annotations


class AlmanacError(Exception):
    """Base of all errors that Almanac raises on purpose."""


class InputError(AlmanacError):
    """The caller's mistake; the message names the thing, what was found and what is expected."""


class ConfigError(InputError):
    """A configuration that cannot be used."""


class DatabaseError(InputError):
    """A file that is not a database Almanac can work with."""


class RequestError(InputError):
    """A message or an argument that can never succeed."""


class TransientError(AlmanacError):
    """Another try may succeed."""


class DatabaseBusy(TransientError):
    """Another program holds the database."""


class LeaseTaken(TransientError):
    """Another run of the organization is in flight."""


class SnapshotMoved(TransientError):
    """Somebody wrote to the database while it was being planned."""


class StorageError(AlmanacError):
    """An object store refused for good."""


class NotFound(StorageError):
    """No such object."""


class PreconditionFailed(StorageError):
    """The object is not at the generation that the caller named."""


class Corrupt(StorageError):
    """An object's size or checksum differs from what was written."""


class Superseded(AlmanacError):
    """Another writer published a version first: plan again from that one."""


class OutcomeUnknown(AlmanacError):
    """The answer to a write was lost: read back and compare, never assume."""
