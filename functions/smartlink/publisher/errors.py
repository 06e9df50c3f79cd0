"""The two ways in which publishing fails."""


class PublishRefused(ValueError):  # noqa: N818  (Refused and Unavailable are the families' names)
    """It will never be accepted as it is. `field` names the culprit, the text the fix.

    `conflict`: another message has this id; `status`: of the function's answer, if it was asked.
    """

    def __init__(self, field: str, problem: str, *, status: int | None = None) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field
        self.status = status

    @property
    def conflict(self) -> bool:
        """The message is fine by itself: what is stored under its id says something else."""
        return self.status == 409  # noqa: PLR2004


class PublishUnavailable(Exception):  # noqa: N818
    """It may work later; whether it was accepted is not known. Publish it again under `id`."""

    def __init__(self, problem: str, message_id: str) -> None:
        super().__init__(f"{problem}: publish it again later, under its id {message_id!r}")
        self.id = message_id
