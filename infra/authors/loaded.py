"""A command's consumer, or one line that says why its module cannot be loaded."""

from infra.authors.errors import AuthorError
from infra.local.checkout import FUNCTIONS
from infra.local.loading import explain
from smartlink.bootstrap import load_consumer
from smartlink.consumer import Consumer


def loaded_consumer(command: str, module: str) -> Consumer:
    """Load it. Raises AuthorError, which names the command, the file and the line."""
    try:
        return load_consumer(command, module)
    except Exception as error:  # an author's module may raise anything
        message = f"{command} cannot be loaded: {explain(error, FUNCTIONS)}"
        raise AuthorError(message) from error
