"""Recipes give disks that hold together, and mmdebstrap is told what to do in the right order."""

import io
import tarfile
from itertools import pairwise
from pathlib import Path

import pytest
from demo import sample_content

from smc.base.errors import Broken
from smc.base.units import GIB, MIB
from smc.localcloud import appliance, apt, bake
from smc.localcloud.apt import Distribution, Source
from smc.localcloud.machine import NIC_SLOT
from smc.localcloud.recipe import DiskRecipe, Kind, Recipe, Volume, partition_script, place

RECIPES = [appliance.recipe(), sample_content.recipe("ssh-ed25519 AAAA judge")]
DEBIAN = Distribution(
    id="debian",
    codename="bookworm",
    kernel="linux-image-cloud-amd64",
    sources=(Source(uri="http://mirror.example/debian", suite="bookworm", components=("main",)),),
)


def each_recipe() -> pytest.MarkDecorator:
    return pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.kind)


@each_recipe()
def test_partitions_are_aligned_and_do_not_overlap(recipe: Recipe) -> None:
    for disk in recipe.disks:
        placed = place(disk)
        assert all(p.start % MIB == 0 and p.size % MIB == 0 and p.size > 0 for p in placed)
        assert all(a.start + a.size <= b.start for a, b in pairwise(placed))
        assert placed[-1].start + placed[-1].size <= disk.size_gib * GIB - MIB


@each_recipe()
def test_what_fstab_mounts_is_what_the_disks_carry(recipe: Recipe) -> None:
    fstab = next(file.content for file in recipe.files if file.path == "/etc/fstab")
    mounted = {word.removeprefix("UUID=") for word in fstab.split() if word.startswith("UUID=")}
    assert mounted == {volume.uuid for disk in recipe.disks for volume in disk.volumes if volume.uuid}


def test_disks_of_two_systems_can_stand_side_by_side() -> None:
    uuids = [v.uuid for recipe in RECIPES for disk in recipe.disks for v in disk.volumes if v.uuid]
    assert len(set(uuids)) == len(uuids)


def test_the_partition_script_counts_in_sectors() -> None:
    disk = DiskRecipe(
        name="d", size_gib=1, volumes=(Volume(kind=Kind.BIOS_BOOT, size_mib=1), Volume(kind=Kind.EXT4))
    )
    assert partition_script(place(disk)).splitlines() == [
        "label: gpt",
        f"start=2048, size=2048, type={Kind.BIOS_BOOT.value}",
        f"start=4096, size={(1024 - 3) * 2048}, type={Kind.EXT4.value}",
    ]


@pytest.mark.parametrize("sizes", [(2048,), (0, 0)])
def test_volumes_that_do_not_fit_are_refused(sizes: tuple[int, ...]) -> None:
    volumes = tuple(Volume(kind=Kind.EXT4, size_mib=size) for size in sizes)
    with pytest.raises(Broken):
        place(DiskRecipe(name="d", size_gib=1, volumes=volumes))


@each_recipe()
def test_mmdebstrap_gets_the_hosts_suite_mirrors_and_options(recipe: Recipe) -> None:
    words = bake.mmdebstrap(
        recipe, DEBIAN, ["mke2fs here"], Path("/w"), Path("/p"), ['Acquire::Check-Date "false";']
    )
    assert words[-3:] == ["bookworm", "/dev/null", "deb http://mirror.example/debian bookworm main"]
    assert '--aptopt=Acquire::Check-Date "false";' in words
    assert "linux-image-cloud-amd64" in next(w for w in words if w.startswith("--include="))


def test_filesystems_are_written_after_all_else() -> None:
    words = bake.mmdebstrap(RECIPES[0], DEBIAN, ["mke2fs here"], Path("/w"), Path("/p"), [])
    hooks = [word for word in words if word.startswith("--customize-hook=")]
    assert hooks[-1] == "--customize-hook=mke2fs here"
    assert "rm -rf" in hooks[-2]


def test_the_archive_of_files_leaves_the_systems_own_folders_alone() -> None:
    with tarfile.open(fileobj=io.BytesIO(bake._archive(RECIPES[1]))) as archive:
        entries = {entry.name: entry for entry in archive}
    assert not {"etc", "usr", "var", "root", "lib"} & set(entries)
    assert entries["usr/local/sbin/writer"].mode == 0o755
    assert all((entry.uid, entry.gid) == (0, 0) for entry in entries.values())


def test_a_finished_build_is_used_again_without_building(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apt, "host_distribution", lambda: DEBIAN)
    assert bake.baked(RECIPES[0], cache=tmp_path) is None
    built = bake._place_of(RECIPES[0], DEBIAN, tmp_path)
    built.folder.mkdir(parents=True)
    assert bake.baked(RECIPES[0], cache=tmp_path) == built
    assert bake.bake(RECIPES[0], cache=tmp_path) == built


def test_a_change_of_the_recipe_is_another_build(tmp_path: Path) -> None:
    folders = {bake._place_of(recipe, DEBIAN, tmp_path).folder for recipe in RECIPES}
    assert len(folders) == 2


def test_a_build_that_fails_leaves_nothing_that_looks_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*words: object) -> None:
        raise Broken("the mirror is gone")

    monkeypatch.setattr(apt, "host_distribution", lambda: DEBIAN)
    monkeypatch.setattr(bake, "_build", fail)
    with pytest.raises(Broken):
        bake.bake(RECIPES[0], cache=tmp_path)
    assert bake.baked(RECIPES[0], cache=tmp_path) is None
    assert not list(tmp_path.rglob(".work-*"))


def test_the_copys_nic_has_another_name_than_the_samples() -> None:
    assert f"iface ens{NIC_SLOT} " not in sample_content.INTERFACES
