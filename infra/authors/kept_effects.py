"""What `once` remembers from one `make try ARGS=--keep` to the next."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from pydantic import TypeAdapter

from infra.authors.errors import AuthorError
from smartlink.adapters.in_memory import InMemoryEffects
from smartlink.domain.effect import Effect
from smartlink.domain.message import Version

_FILE = TypeAdapter(list[Effect])


class KeptEffects(InMemoryEffects):
    """The effects of one tenant, in a file that is written with each change.

    So what a run began and did not end is known to the next run, however this one ended.
    """

    def __init__(self, path: Path, tenant: str, lease: timedelta) -> None:
        """Read the file, if there is one. Raises AuthorError if it cannot be read.

        An effect without an end was broken off with its trial. It counts as begun a lease earlier,
        so that the next trial need not wait until its run has surely ended.
        """
        super().__init__()
        self._path = path
        self._tenant = tenant
        try:
            kept = _FILE.validate_json(path.read_bytes()) if path.exists() else []
        except (OSError, ValueError) as error:
            message = f"{path} cannot be read ({type(error).__name__}): remove it to begin anew."
            raise AuthorError(message) from None
        for effect in kept:
            over = effect if effect.ended else replace(effect, begun=effect.begun - lease)
            super().write(tenant, over, None)

    def write(self, tenant: str, effect: Effect, version: Version | None) -> Version | None:
        """See Effects."""
        written = super().write(tenant, effect, version)
        self._save()
        return written

    def delete(self, tenant: str, document: str, version: Version) -> None:
        """See Effects."""
        super().delete(tenant, document, version)
        self._save()

    def _save(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        draft = self._path.with_suffix(".draft")
        draft.touch(mode=0o600)
        draft.write_bytes(_FILE.dump_json(self.all(self._tenant), indent=2))
        draft.replace(self._path)
