"""The two ways in which a probe does not confirm its assumption."""


class DiffersError(Exception):
    """The service does not do what is assumed. The text says what was seen."""


class UnansweredError(Exception):
    """Nobody here can tell. The text says why."""
