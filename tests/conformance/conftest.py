"""What the suites share: clouds for the Driver's, a center with the official SDK for the API's."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from alibabacloud_smc20190601.client import Client
from tests.conformance.clouds import CLOUDS
from tests.conformance.site import Site
from tests.conformance.smc_sdk import client_of
from tests.unit.center.running import Center, center

from smc.cloud.driver import Driver


@pytest.fixture(params=CLOUDS, scope="module")
def driver(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Driver]:
    with CLOUDS[request.param](tmp_path_factory.mktemp(request.param)) as driver:
        yield driver


@pytest.fixture
def site(driver: Driver, request: pytest.FixtureRequest) -> Site:
    site = Site(driver)
    request.addfinalizer(site.clear)
    return site


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Center]:
    with center(tmp_path, agents=False) as running:
        yield running


@pytest.fixture
def sdk(running: Center) -> Client:
    return client_of(running)


@pytest.fixture
def source(running: Center) -> str:
    return running.import_server().source_id


@pytest.fixture(scope="module")
def refusing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Client, str]]:
    """One center for requests that leave nothing behind, and a source of it."""
    with center(tmp_path_factory.mktemp("center"), agents=False) as running:
        yield client_of(running), running.import_server().source_id
