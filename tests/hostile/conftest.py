"""What hostile tests look at besides the world: the lines that go to Cloud Logging."""

from tests.scenarios.conftest import Logged, logged

__all__ = ["Logged", "logged"]
