"""`python -m infra.simulator` serves until SIGTERM or SIGINT.

It prints its URLs on stdout as one line of JSON.
"""

import argparse
import asyncio
import json
import signal
import sys

from infra.simulator.link_api import TOKEN_PATH
from infra.simulator.options import SimulatorOptions
from infra.simulator.server import listening
from infra.simulator.simulator import Simulator


async def serve(host: str, port: int, options: SimulatorOptions) -> None:
    """Listen until a signal asks to stop."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with listening(Simulator(options), host, port) as url:
        sys.stdout.write(json.dumps({"baseUrl": url, "racTokenUrl": url + TOKEN_PATH}) + "\n")
        sys.stdout.flush()
        await stop.wait()


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(
        prog="infra.simulator", description="Smart Link, RAC and a TPD, in memory"
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True, help="0 takes a free port")
    parser.add_argument(
        "--options", type=SimulatorOptions.model_validate_json, default=SimulatorOptions()
    )
    arguments = parser.parse_args()
    asyncio.run(serve(arguments.host, arguments.port, arguments.options))


if __name__ == "__main__":
    main()
