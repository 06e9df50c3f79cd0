"""`totvsAppConfig_v2.json` for operators: its generations, and a new one."""

from smartlink.adapters.google.storage import ConfigObject
from smartlink.domain.config import MAX_BYTES
from smartlink.operations.ports import ConfigGenerations, Generation
from smartlink.ports import ConfigFile, NotFound


class ConfigObjectGenerations(ConfigObject):
    """The relay's adapter, and the writes that its own account has no right to."""

    def current(self) -> ConfigFile | None:
        """The file as it is now, or None."""
        try:
            return self.read(None)
        except NotFound:
            return None

    def write(self, data: bytes, replaces: str | None) -> None:
        """Write a new generation, if the one it `replaces` (None: no file) is still current."""
        generation = int(replaces) if replaces else 0

        def once(timeout: float) -> None:
            self._bucket.blob(self._name).upload_from_string(
                data,
                content_type="application/json",
                if_generation_match=generation,
                timeout=timeout,
                retry=None,
            )

        self._bucket.call(f"write {self._name}", once)

    def generations(self) -> list[Generation]:
        """What the bucket keeps, the newest first; a bucket without versions keeps one."""

        def once(timeout: float) -> list[Generation]:
            blob = self._bucket.blob(self._name)
            listed = blob.client.list_blobs(
                blob.bucket, prefix=self._name, versions=True, timeout=timeout, retry=None
            )
            return [
                Generation(str(it.generation), it.updated, it.time_deleted is None)
                for it in listed
                if it.name == self._name
            ]

        listed = self._bucket.call(f"list the generations of {self._name}", once)
        return sorted(listed, key=lambda it: int(it.number), reverse=True)

    def at(self, generation: str) -> ConfigFile:
        """The file as it was at a generation. Raises NotFound."""
        blob = self._bucket.blob(self._name, int(generation))
        return ConfigFile(generation, self._bucket.download(blob, MAX_BYTES))


_: type[ConfigGenerations] = ConfigObjectGenerations
