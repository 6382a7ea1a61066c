"""The errors that a user may meet: each message says what was expected, received and to be done."""


class NasError(Exception):
    """A failure with a one-line explanation; the command line prints it and exits with 1."""

    exit_code = 1


class UsageError(NasError, ValueError):
    """What the user typed or passed cannot work; the command line exits with 2."""

    exit_code = 2


class SpecError(UsageError):
    """An architecture that cannot exist: unknown layer, value out of range, map too small."""


class DataError(UsageError):
    """A data set that cannot be used: missing, unreadable, one class, labels out of range."""


class RunError(NasError):
    """A run folder that cannot be used as asked: missing, locked by another process, damaged."""


class CloudError(NasError):
    """AWS refuses or cannot be reached; `code` is its own name for the error, or "".

    Attributes:
        code: Such as "ThrottlingException" or "ResourceLimitExceeded".
    """

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class LockedError(RunError):
    """Another process holds the run; the message names it where it is known."""


class DamageError(RunError):
    """Something in a run folder is not as it was written."""
