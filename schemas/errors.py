"""The two errors with which bad input ends a command. Their message is the one line that the user sees."""


class UsageError(Exception):
    """A recipe, key, value or path that cannot be used as given. The command exits with status 2."""

    exit_status = 2


class DataError(Exception):
    """Data, an artifact or a model that is not what it should be. The command exits with status 1."""

    exit_status = 1
