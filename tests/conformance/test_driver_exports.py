"""Every Driver exports images as smc.cloud.exports says."""

import pytest
from tests.conformance.clouds import eventually
from tests.conformance.site import Site

from smc.base.errors import SmcError, UserError
from smc.cloud.exports import ExportSpec, ExportState, Format


def test_an_image_is_exported(site: Site) -> None:
    image = site.imaged()
    spec = ExportSpec(image=image.id, format=Format.QCOW2, bucket="moved-servers", prefix="web")
    task = site.driver.exports.start(spec)

    def finished() -> bool:
        found = site.driver.exports.look(task)
        assert found is not None
        assert found.state is not ExportState.FAILED, found.why
        return found.state is ExportState.FINISHED

    eventually(finished)
    done = site.driver.exports.look(task)
    assert done is not None
    assert (done.task, done.percent, done.why) == (task, 100, "")


def test_what_is_not_there_is_not_exported(site: Site) -> None:
    with pytest.raises(SmcError):
        site.driver.exports.start(ExportSpec(image="m-none", bucket="moved-servers"))
    with pytest.raises(UserError) as refused:
        site.driver.exports.start(ExportSpec(image=site.imaged().id))
    assert refused.value.code == "MissingParameter.OSSBucket"
    assert site.driver.exports.look("t-none") is None
