"""Cloud Scheduler's part: something is called at a fixed interval while the bench looks on."""

import threading
import time
from collections.abc import Callable


class Ticks:
    """Calls at a fixed interval, with 0 back to back; a call that takes longer replaces the ticks
    it delays. The first error ends it, and is raised when the block ends."""

    def __init__(self, call: Callable[[], object], interval: float) -> None:
        self.began: list[float] = []
        self._call = call
        self._interval = interval
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ticks", daemon=True)
        self._failed: Exception | None = None

    def __enter__(self) -> "Ticks":  # noqa: PYI034  (its name is enough)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        if self._failed is not None:
            raise self._failed

    def _run(self) -> None:
        start = time.monotonic()
        while not self._stop.is_set():
            self.began.append(time.time())
            try:
                self._call()
            except Exception as error:  # noqa: BLE001  (the other thread raises it)
                self._failed = error
                return
            if self._interval:
                gone = (time.monotonic() - start) % self._interval
                self._stop.wait(self._interval - gone)
