"""The error of a push that no function of this relay can ever process."""


class PushError(ValueError):
    """The push is not for this function. The text names what is wrong with it."""
