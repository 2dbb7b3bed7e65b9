"""Two processes' workers on one database: a link is one lane, whoever sends, and a message goes once."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.gateway.links.conftest import Ehr, House
from tests.gateway.links.said import oru
from tests.store_contract.conftest import KEY, InSchema


@pytest_asyncio.fixture
async def houses(postgres_server: object, tmp_path: Path) -> AsyncIterator[tuple[House, House]]:
    """Two of them on one database."""
    stores = [InSchema(tmp_path, KEY), InSchema(tmp_path, KEY)]
    for one in stores:
        await one.open()
    both = (House(stores[0]), House(stores[1]))
    yield both
    for house in both:
        await house.stop()
    for one in stores:
        await one.close()


@pytest.mark.parametrize("acks", ["AA", "AR"])
async def test_one_lane(houses: tuple[House, House], ehr: Ehr, acks: str) -> None:
    """In order and each once, also where a try has to be repeated."""
    if acks == "AR":
        ehr.behaves(**{"as": "AR", "times": 1})
    for house in houses:
        house.destination(mllp=f"127.0.0.1:{ehr.port}")
        house.route(to=("lab",))
        await house.start()
    one, other = houses
    await one.hear(*(oru(number) for number in range(1, 11)))
    await other.hear(*(oru(number) for number in range(11, 21)))
    await one.until(lambda: len(ehr.received()) == 20)

    assert [oru(number) for number in range(1, 21)] == ehr.received()
    assert 0 == ehr.counts().get("duplicates", 0)
    assert 1 == len(await one.subscriptions())
