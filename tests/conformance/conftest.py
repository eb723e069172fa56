"""The suite of the Driver runs for each cloud."""

from collections.abc import Iterator

import pytest
from tests.conformance.clouds import CLOUDS
from tests.conformance.site import Site

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
