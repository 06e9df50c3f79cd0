"""`totvsAppConfig_v2.json` for operators: reads its generations and writes a new one."""

from smartlink.adapters.google.storage import ConfigObject
from smartlink.domain.config import MAX_BYTES
from smartlink.operations.ports import ConfigGenerations, Generation
from smartlink.ports import ConfigFile, NotFound


class ConfigObjectGenerations(ConfigObject):
    """The relay's adapter, and the writes that only an operator's account may make."""

    def current(self) -> ConfigFile | None:
        """Returns the file as it is now; None if there is none."""
        try:
            return self.read(None)
        except NotFound:
            return None

    def write(self, data: bytes, replaces: str | None) -> None:
        """Writes a new generation if the generation `replaces` is still current (None: no file)."""
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
        """Returns the generations that the bucket keeps, the newest first.

        A bucket without versioning keeps only one.
        """

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
        """Returns the file as it was at a generation. Raises NotFound."""
        blob = self._bucket.blob(self._name, int(generation))
        return ConfigFile(generation, self._bucket.download(blob, MAX_BYTES))


_: type[ConfigGenerations] = ConfigObjectGenerations
