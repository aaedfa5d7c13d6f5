"""Every exception of ours: what happened to what, whether trying again helps, and never a secret."""

from collections.abc import Mapping
from datetime import timedelta


class FlowyWatchError(Exception):
    """One clear line for the person at the terminal; the base of all others."""


class WrongUsage(FlowyWatchError):
    """A command was given what cannot be meant."""


class SettingsError(FlowyWatchError):
    """The configuration is wrong. Names the option, never shows its value."""


class NoSettings(SettingsError):
    """There is no configuration at all: no file where it is looked for, and no variable."""


class SourceError(FlowyWatchError):
    """Usage could not be read, or not believed. Nothing of that reading is stored."""


class CredentialRefused(SourceError):
    """The source refuses our credential: no retry helps until a person replaces it."""


class Interrupted(FlowyWatchError):
    """A poll was cut short because its process ends or reads its configuration again: it says nothing of the source."""


class StoreError(FlowyWatchError):
    """The database could not be opened, is newer than this version, or refused a write."""


class AlreadyRunning(FlowyWatchError):
    """Another daemon watches this database."""


class NotFound(FlowyWatchError):
    """No such alert, silence, key or channel."""


class ChannelError(FlowyWatchError):
    """A notification did not get through."""


class Refused(ChannelError):
    """Refused for good: the same message will be refused again. A person must change something."""


class TryLater(ChannelError):
    """Not now. `retry_after` is the other side's own wish, obeyed to the second; None leaves the pause to us.

    `settled` are recipients with whom it is over, so that the next try must be the very same message to the others:
    each with the reason why it was refused for good, which is empty for those who have it.
    """

    def __init__(
        self, reason: str, *, retry_after: timedelta | None = None, settled: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(reason)
        self.retry_after, self.settled = retry_after, dict(settled or {})


class Doubtful(ChannelError):
    """The bytes left and no answer of use came: it may have arrived. Settled before any resend where the channel can.

    `retry_after` is the other side's own wish. `answered`: it is done with the message, whatever became of that.
    `settled` is as in `TryLater`.
    """

    def __init__(
        self,
        reason: str,
        *,
        retry_after: timedelta | None = None,
        answered: bool = False,
        settled: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(reason)
        self.retry_after, self.answered, self.settled = retry_after, answered, dict(settled or {})
