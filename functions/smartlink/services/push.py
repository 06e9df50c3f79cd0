"""What a Pub/Sub delivery that this relay can never work off raises, whichever function gets it."""


class PushError(ValueError):
    """The delivery is none for this function; the text names what is wrong with it."""
