"""Runs the cloud: opens its folder, goes on where it was left, and serves its API until it is told to end.

Machines are not children of this program's life: they run on when it ends, and it finds them again.
"""

import hashlib
import logging
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import uvicorn

from smc.base.errors import UserError
from smc.base.lock import alone
from smc.base.run import Run, run
from smc.localcloud import app
from smc.localcloud.catalogue import SystemImage, register
from smc.localcloud.cloud import Cloud
from smc.localcloud.exports import Exporter
from smc.localcloud.hypervisor import Hypervisor, Qemu
from smc.localcloud.layers import Layers
from smc.localcloud.machine import Accelerator
from smc.localcloud.power import Power
from smc.localcloud.seed import make_seed
from smc.localcloud.storage import Storage
from smc.localcloud.store import Store
from smc.localcloud.worker import Worker
from smc.rpc.dispatch import application

log = logging.getLogger(__name__)

RUNTIME = Path("/run/smc")  # for root; others have a folder of their own


def serve(
    folder: Path,
    host: str,
    port: int,
    keys: Mapping[str, str],
    accelerator: Callable[[], Accelerator],
    *,
    host_address: str = "127.0.0.1",
    images: Sequence[SystemImage] = (),
) -> None:
    """Serve until SIGINT or SIGTERM. `keys` are AccessKey ids with their secrets.

    Forwarded ports are bound on `host_address`, which is also the public address of all instances.
    """
    with running(folder, Qemu(accelerator), host_address=host_address, images=images) as cloud:
        endpoint = application(app.service(cloud, keys.get))
        uvicorn.run(endpoint, host=host, port=port, log_config=None, access_log=False, lifespan="off")


@contextmanager
def running(
    folder: Path,
    hypervisor: Hypervisor,
    *,
    host_address: str = "127.0.0.1",
    images: Sequence[SystemImage] = (),
    runtime: Path | None = None,
    run: Run = run,
) -> Iterator[Cloud]:
    """The cloud of a folder with its workers at work. Raises `UserError` when another process has it."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with ExitStack() as stack:
        in_use = UserError(
            f"Another process runs the local cloud of {folder}.",
            code="LocalCloud.InUse",
            hint="Use that one, or end it first.",
        )
        stack.enter_context(alone(folder / "cloud.lock", in_use))
        store = Store(folder / "cloud.db")
        stack.callback(store.close)
        layers = Layers(folder, run)
        layers.forget_unfinished()
        cloud = Cloud(
            folder=folder,
            runtime=runtime or runtime_folder(folder),
            store=store,
            layers=layers,
            hypervisor=hypervisor,
            make_seed=make_seed,
            host_address=host_address,
        )
        for image in images:
            log.info("image %s is %s", image.name, register(store, layers, image, cloud.now(), run))
        steps = {
            "storage": Storage(cloud).step,
            "power": Power(cloud).step,
            "exports": Exporter(cloud, run).step,
        }
        for name, step in steps.items():
            worker = Worker(name, step, cloud.bell)
            worker.start()
            stack.callback(worker.stop)
        yield cloud


def runtime_folder(folder: Path) -> Path:
    """A short path for the sockets of this folder's machines, the same at every start."""
    name = hashlib.sha256(bytes(folder.resolve())).hexdigest()[:8]
    path = _runtime_base() / name
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    return path


def _runtime_base() -> Path:
    if os.geteuid() == 0:
        return RUNTIME
    own = os.environ.get("XDG_RUNTIME_DIR")
    return Path(own) / "smc" if own else Path(tempfile.gettempdir()) / f"smc-{os.geteuid()}"
