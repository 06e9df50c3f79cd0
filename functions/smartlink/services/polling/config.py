"""Reads the retry policy from `totvsAppConfig_v2.json`, or from its last valid generation."""

import threading

from smartlink.domain.config import ConfigError, parse_config
from smartlink.domain.retry import RetryPolicy
from smartlink.observability import ERROR, INFO, WARNING, event
from smartlink.ports import ConfigFile, ConfigSource, LastGoodConfig, PortError


class Config:
    """Looks at the file in each poll, and downloads it only when its generation has changed.

    If the file is missing, unreadable or invalid, each poll logs an error and the last valid
    generation stays in force. The database keeps that generation, so a new process has it too. If
    there has never been a valid one, the defaults are in force.
    """

    def __init__(self, source: ConfigSource, last_good: LastGoodConfig) -> None:
        self._source = source
        self._last_good = last_good
        self._policy: RetryPolicy | None = None
        self._seen: str | None = None  # the generation read last, good or bad
        self._problem: str | None = None  # what is wrong with that generation
        self._saved: str | None = None
        self._unsaved: ConfigFile | None = None  # valid, but the database has not taken it yet
        self._lock = threading.Lock()

    def policy(self) -> RetryPolicy:
        """Returns the policy to use from now on."""
        with self._lock:
            try:
                file = self._source.read(self._seen)
            except PortError as error:
                return self._fall_back(f"totvsAppConfig_v2.json cannot be read: {error}")
            if file is not None:
                self._take(file)
            if self._unsaved is not None:
                self._save(self._unsaved)
            if self._problem is not None:
                return self._fall_back(self._problem)
            return self._policy or self._fall_back("totvsAppConfig_v2.json was never read")

    def _take(self, file: ConfigFile) -> None:
        self._seen = file.generation
        try:
            self._policy = parse_config(file.data, file.generation)
        except ConfigError as error:
            self._problem = f"{error} (generation {file.generation})"
            return
        self._problem = None
        event("config_read", "Configuration read", INFO, generation=file.generation)
        self._unsaved = file

    def _save(self, file: ConfigFile) -> None:
        try:
            stored = self._last_good.load() if self._saved is None else None
            if (stored.generation if stored else self._saved) != file.generation:
                self._last_good.save(file)
            self._saved, self._unsaved = file.generation, None
        except PortError as error:
            text = f"The last good configuration was not saved: {error}"
            event("config_not_saved", text, WARNING, generation=file.generation)

    def _fall_back(self, problem: str) -> RetryPolicy:
        if self._policy is None:
            self._policy = self._recall()
        kept = self._policy or RetryPolicy()
        text = f"{problem}; in force: generation {kept.generation}"
        event("config_invalid", text, ERROR, generation=kept.generation)
        return kept

    def _recall(self) -> RetryPolicy | None:
        try:
            stored = self._last_good.load()
            return parse_config(stored.data, stored.generation) if stored else None
        except (PortError, ConfigError) as error:
            text = f"The last good configuration cannot be read: {error}"
            event("config_not_recalled", text, ERROR)
            return None
