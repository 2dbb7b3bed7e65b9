"""The partner of a soak: the simulated one, in a process of its own."""

import asyncio
import json
import subprocess
import sys
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.isthmus import Isthmus, Settings, free_port

PROGRAM = Path(__file__).parents[1] / "simulators" / "partner.py"

WORK = 0.05  # seconds


class Partner:
    """It takes each webhook once, and counts those that come again."""

    def __init__(self, port: int) -> None:
        self.port = port

    def ask(self, path: str) -> Any:
        """What it says of itself."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=30) as answer:
            return json.load(answer)

    def take(self, seconds: float) -> None:
        """Take so long for each webhook, so that some are always under way."""
        body = json.dumps({"status": 200, "delay": seconds, "times": 1 << 40}).encode()
        urllib.request.urlopen(f"http://127.0.0.1:{self.port}/behave", data=body, timeout=30).close()

    @property
    def accepted(self) -> int:
        """How many it took."""
        return int(self.ask("/counts").get("accepted", 0))


@asynccontextmanager
async def subscribed(api: Isthmus) -> AsyncIterator[Partner]:
    """A partner that is told of everything from now on."""
    port = free_port()
    body: Settings = {"url": f"http://127.0.0.1:{port}/hook", "types": ["*"]}
    made = await asyncio.to_thread(api.get, "/v1/subscriptions", True, body)
    command = [sys.executable, str(PROGRAM), "--secret", made["secret"], "--port", str(port), "--silent"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        assert process.stdout
        await asyncio.to_thread(process.stdout.readline)
        partner = Partner(port)
        await asyncio.to_thread(partner.take, WORK)
        yield partner
    finally:
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()
