"""A received copy becomes a container image; skopeo, umoci, rsync and runc judge."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.kernel.loop_disks import tool
from tests.kernel.nasty_tree import make_nasty_tree
from tests.kernel.registries import PASSWORD, USER, registry, run_in, unpack
from tests.kernel.test_receiver import World, free_port, world

from smc.center.containers.layout import Layout
from smc.model.progress import Phase
from smc.receiver.containers.image import MANIFEST_TYPE, describe
from smc.receiver.containers.layers import write_layers
from smc.receiver.containers.tree import members
from smc.wire.orders import ContainerTarget, TaskKind

pytestmark = pytest.mark.kernel

RUN = "j-1.1"
NAMES = "team/copy"


@pytest.fixture
def copied(tmp_path: Path) -> Iterator[World]:
    """A source whose copy is complete at the receiver."""
    with world(tmp_path) as made:
        make_small_system(made.sources["0_2"])
        make_nasty_tree(made.sources["1_1"])
        made.start()
        made.give(TaskKind.REPLICATE)
        made.center.await_phase(Phase.LISTENING, RUN)
        made.send()
        made.center.await_phase(Phase.SYNCED, RUN)
        yield made


def make_small_system(root: Path) -> None:
    """Just so much that a container can run a script; and what must not come along."""
    for name in ("bin", "dev", "proc", "sys", "tmp", "smc"):
        (root / name).mkdir()
    shutil.copy2("/bin/busybox", root / "bin" / "busybox")
    os.link(root / "bin" / "busybox", root / "bin" / "sh")
    (root / "smc" / "credentials.json").write_text("secret")
    (root / "dev" / "hidden").write_text("below /dev of the source")


def is_known(line: str) -> bool:
    """What rsync names and an archive cannot have: sockets, labels, attributes without a value."""
    times_of_folders = line.startswith(".d..t......")  # umoci sets those of the root before its content
    return (
        times_of_folders
        or "socket" in line
        or line
        in (
            ".f........x attributes/able",  # security.selinux
            ".f........x attributes/plain",  # user.empty
            ".L........x attributes/labelled link -> plain",  # umoci sets none of a link
        )
    )


def push(here: World, target: ContainerTarget) -> None:
    here.center.give(TaskKind.CONTAIN, RUN, here.plan, here.port, target)


def test_the_copy_is_pushed_and_runs_as_a_container(copied: World) -> None:
    with registry(copied.folder / "registry", free_port(), closed=True) as url:
        push(copied, ContainerTarget(repository=NAMES, tag="v1", url=url, user=USER, password=PASSWORD))
        copied.center.await_phase(Phase.CONVERTED, RUN, 120)
        told = copied.center.reports[-1].container
        assert told is not None
        assert told.reference == f"{url.removeprefix('http://')}/{NAMES}:v1"
        assert told.digest in tool(
            "skopeo",
            "inspect",
            "--tls-verify=false",
            f"--creds={USER}:{PASSWORD}",
            f"docker://{told.reference}",
        )
        bundle = unpack(url, f"{NAMES}:v1", copied.folder, user=USER)
    for name, at in (("0_2", "."), ("1_1", "srv/data")):
        # sockets are no part of an archive, and what a runtime mounts is left to it
        listed = tool(
            *("rsync", "-aHAXSn", "--numeric-ids", "--checksum", "--delete", "-i"),
            *("--exclude=/dev/*", "--exclude=/smc", "--exclude=/srv/data", "--exclude=/lost+found"),
            *(f"{copied.sources[name]}/", f"{bundle}/rootfs/{at}/"),
        )
        assert not [line for line in listed.splitlines() if not is_known(line)]
    assert not (bundle / "rootfs" / "smc").exists()
    assert os.listdir(bundle / "rootfs" / "dev") == []  # noqa: PTH208
    assert (
        run_in(bundle, f"smc-test-{os.getpid()}", "busybox cat /etc/hostname; echo $container")
        == "source\noci\n"
    )


def test_a_killed_push_goes_on_behind_the_last_layer(copied: World, monkeypatch: pytest.MonkeyPatch) -> None:
    with registry(copied.folder / "registry", free_port()) as url:
        monkeypatch.setenv("LAYER_BYTES", str(1 << 20))
        for program in copied.programs:
            program.kill()
            program.wait(20)
        program = copied.start()
        push(copied, ContainerTarget(repository=NAMES, tag="v1", url=url))
        copied.center.await_progress(lambda said: "pushing" in said.note, 60)
        program.kill()
        program.wait(20)
        copied.start()
        copied.center.await_phase(Phase.CONVERTED, RUN, 120)
        told = copied.center.reports[-1].container
        assert told is not None and told.layers > 1
        bundle = unpack(url, f"{NAMES}:v1", copied.folder)
        assert (bundle / "rootfs" / "bin" / "sh").stat().st_nlink == 2


def test_a_registry_that_refuses_ends_the_run_with_what_to_do(copied: World) -> None:
    with registry(copied.folder / "registry", free_port(), closed=True) as url:
        push(copied, ContainerTarget(repository=NAMES, tag="v1", url=url, user=USER, password="wrong"))
        failure = copied.center.await_phase(Phase.FAILED, RUN, 60).failure
    assert failure is not None
    assert (failure.kind, failure.code) == ("UserError", "Registry.Forbidden")
    assert NAMES in failure.hint


def test_what_the_center_keeps_is_a_layout_that_others_read(tmp_path: Path) -> None:
    """Pushed in chunks over its own registry interface (tests/unit/center has that), read by skopeo."""
    tree = tmp_path / "tree"
    tree.mkdir()
    make_small_system(tree)
    (tree / "etc").mkdir()
    (tree / "etc" / "hostname").write_text("source\n")
    kept = Layout(tmp_path / "kept")

    def put(data: bytes, digest: str) -> None:
        upload = kept.begin()
        kept.append(upload, 0, data)
        kept.finish(upload, digest)

    layers = tuple(write_layers(members({"/": tree}), lambda: Put(put)))
    image = describe(layers, created="2026-11-26T10:00:00Z", labels={})
    put(image.config, image.config_digest)
    assert kept.tag("v1", image.manifest, MANIFEST_TYPE) == image.digest
    bundle = unpack("", "copy:v1", tmp_path, layout=kept.folder)
    assert (bundle / "rootfs" / "etc" / "hostname").read_text() == "source\n"


class Put:
    """An upload that goes out in one piece."""

    def __init__(self, put: Callable[[bytes, str], None]) -> None:
        self._put, self._data = put, b""

    def write(self, data: bytes) -> None:
        self._data += data

    def finish(self, digest: str) -> None:
        self._put(self._data, digest)
