"""The two ways in which publishing fails."""


class PublishRefused(ValueError):  # noqa: N818  (Refused and Unavailable are the families' names)
    """The message can never be accepted as it is. `field` names the wrong field; the text, the fix.

    `conflict` tells whether another message has this id. `status` is that of the function's answer,
    or None if the function was not called.
    """

    def __init__(self, field: str, problem: str, *, status: int | None = None) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field
        self.status = status

    @property
    def conflict(self) -> bool:
        """Whether the message is valid, but another message has its id."""
        return self.status == 409  # noqa: PLR2004


class PublishUnavailable(Exception):  # noqa: N818
    """The call failed, but may work later. Nobody knows whether the message was accepted.

    Publish it again under the same `id`.
    """

    def __init__(self, problem: str, message_id: str) -> None:
        super().__init__(f"{problem}: publish it again later, under its id {message_id!r}")
        self.id = message_id
