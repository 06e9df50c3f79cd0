"""The two addresses of a function: its own host, or its name as a path on a host that others share.

`https://REGION-PROJECT.cloudfunctions.net/console` takes the path off before the function sees it;
other proxies leave it on. All links are made from what was found here.
"""

from collections.abc import Callable, Iterable
from typing import Any

_SHARED = ".cloudfunctions.net"
Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Prefix:
    """Tells the application under which path it is reached."""

    def __init__(self, app: Wsgi, name: str) -> None:
        """`name`: the function's."""
        self._app = app
        self._path = f"/{name}"

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:  # noqa: ANN401
        """See WSGI."""
        path = environ.get("PATH_INFO", "")
        host = environ.get("HTTP_HOST", "").partition(":")[0]
        if path == self._path or path.startswith(f"{self._path}/"):
            environ = {
                **environ,
                "SCRIPT_NAME": self._path,
                "PATH_INFO": path[len(self._path) :] or "/",
            }
        elif host.endswith(_SHARED):
            environ = {**environ, "SCRIPT_NAME": self._path}
        return self._app(environ, start_response)
