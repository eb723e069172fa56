"""The local cloud with a fake hypervisor and a fake qemu-img, at work on a port of loopback."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from tests.unit.localcloud.fake_qemu_img import FakeQemuImg

from smc.localcloud import app
from smc.localcloud.catalogue import SystemImage
from smc.localcloud.main import running
from smc.localcloud.memory import FakeHypervisor
from smc.rpc.dispatch import application
from smc.rpc.serving import serving


class Access(msgspec.Struct, frozen=True, kw_only=True):
    endpoint: str
    access_key_id: str = "AK"
    access_key_secret: str = "secret"
    region: str = "local"
    zone: str = "local-a"


@contextmanager
def local_cloud(folder: Path, hypervisor: FakeHypervisor | None = None) -> Iterator[Access]:
    """With one public Debian image, `intermediate`."""
    disk = folder / "intermediate.qcow2"
    disk.write_text("intermediate")
    image = SystemImage(name="intermediate", files=(disk,), platform="Debian")
    with (
        running(
            folder / "cloud",
            hypervisor or FakeHypervisor(),
            images=[image],
            runtime=folder / "run",
            run=FakeQemuImg(),
        ) as cloud,
        serving(application(app.service(cloud, {"AK": "secret"}.get))) as port,
    ):
        yield Access(endpoint=f"127.0.0.1:{port}")
