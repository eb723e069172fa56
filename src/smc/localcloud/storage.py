"""Makes the files match what is written: disks, snapshots, images, and what nobody needs any more.

The API writes what shall be; this worker does it, one thing after another, and writes that it is done.
Each thing can be done again after a crash at any point, so starting is the same as going on.
"""

import logging

from smc.base.errors import SmcError
from smc.localcloud import layers
from smc.localcloud.cloud import Cloud, with_changes
from smc.localcloud.layers import of_disk, of_snapshot
from smc.localcloud.things import (
    Disk,
    DiskStatus,
    Image,
    ImageStatus,
    Layer,
    Snapshot,
    SnapshotStatus,
)

log = logging.getLogger(__name__)

RETRY_SECONDS = 10.0


class Storage:
    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._store = cloud.store
        self._failed: dict[str, float] = {}

    def step(self) -> None:
        """Do all that can be done now. What fails keeps its state, is logged, and is tried again."""
        for disk in self._store.all(Disk):
            if disk.status is DiskStatus.CREATING and self._may_try(disk.id):
                self._create(disk)
            if disk.status is DiskStatus.RESETTING and self._may_try(disk.id):
                self._reset(disk)
        for snapshot in self._store.all(Snapshot):
            if snapshot.status is SnapshotStatus.PROGRESSING and self._may_try(snapshot.id):
                self._take(snapshot)
        for image in self._store.all(Image):
            if image.status is ImageStatus.CREATING:
                self._complete(image)
        self._collect()

    def _may_try(self, name: str) -> bool:
        return self._cloud.now() - self._failed.get(name, 0.0) > RETRY_SECONDS

    def _create(self, disk: Disk) -> None:
        name = of_disk(disk.id)
        self._store.put(Layer(id=name, parent=disk.base))
        try:
            self._cloud.layers.create(name, disk.size_gib, disk.base)
        except (SmcError, OSError) as e:
            log.error("disk %s cannot be made yet: %s", disk.id, e)
            self._failed[disk.id] = self._cloud.now()
            return
        self._ready(disk)

    def _reset(self, disk: Disk) -> None:
        name = of_disk(disk.id)
        try:
            self._cloud.layers.reset(name, disk.size_gib, disk.base)
        except (SmcError, OSError) as e:
            log.error("disk %s cannot be reset yet: %s", disk.id, e)
            self._failed[disk.id] = self._cloud.now()
            return
        self._store.put(Layer(id=name, parent=disk.base))
        self._ready(disk)

    def _ready(self, disk: Disk) -> None:
        with self._store.transaction():
            fresh = self._store.get(Disk, disk.id)
            if fresh:
                status = DiskStatus.IN_USE if fresh.instance else DiskStatus.AVAILABLE
                self._store.put(with_changes(fresh, status=status))
        self._cloud.stir()

    def _take(self, snapshot: Snapshot) -> None:
        disk, frozen = of_disk(snapshot.disk), of_snapshot(snapshot.id)
        try:
            self._cloud.layers.freeze(disk, frozen, snapshot.size_gib)
            parent = self._parent_before(disk, frozen)
            with self._store.transaction():
                self._store.put(Layer(id=frozen, parent=parent), Layer(id=disk, parent=frozen))
        except (SmcError, OSError) as e:
            log.error("snapshot %s: %s", snapshot.id, e)
            self._failed[snapshot.id] = self._cloud.now()
            if not self._cloud.layers.path(frozen).exists():  # else the disk waits for its new layer: try on
                self._note(snapshot, SnapshotStatus.FAILED)
        else:
            self._shorten(frozen)
            self._note(snapshot, SnapshotStatus.ACCOMPLISHED)
        self._cloud.stir()

    def _parent_before(self, disk: str, frozen: str) -> str:
        """What the disk stood on before it was frozen: read from its layer unless that was moved already."""
        moved = self._store.get(Layer, frozen)
        before = moved or self._store.get(Layer, disk)
        return before.parent if before else ""

    def _shorten(self, frozen: str) -> None:
        """A chain that became too long is rewritten as one file."""
        known = {layer.id: layer for layer in self._store.all(Layer)}
        if layers.depth(known, frozen) > layers.DEEPEST:
            try:
                self._cloud.layers.flatten(frozen)
            except (SmcError, OSError) as e:
                log.warning("%s stays a long chain: %s", frozen, e)
            else:
                self._store.put(Layer(id=frozen))

    def _note(self, snapshot: Snapshot, status: SnapshotStatus) -> None:
        with self._store.transaction():
            fresh = self._store.get(Snapshot, snapshot.id)
            if fresh:
                self._store.put(with_changes(fresh, status=status))

    def _complete(self, image: Image) -> None:
        """An image of snapshots needs no files of its own: it is there when they are."""
        with self._store.transaction():
            fresh = self._store.get(Image, image.id)
            if fresh is None:
                return
            found = [self._store.get(Snapshot, disk.snapshot) for disk in fresh.disks]
            if all(snapshot and snapshot.status is SnapshotStatus.ACCOMPLISHED for snapshot in found):
                self._store.put(with_changes(fresh, status=ImageStatus.AVAILABLE))
            elif not all(snapshot and snapshot.status is not SnapshotStatus.FAILED for snapshot in found):
                self._store.put(with_changes(fresh, status=ImageStatus.FAILED))

    def _collect(self) -> None:
        """Delete the files that nothing names and nothing stands on."""
        with self._store.transaction():
            named = {of_disk(disk.id) for disk in self._store.all(Disk)}
            named |= {disk.base for disk in self._store.all(Disk)}
            named |= {of_snapshot(snapshot.id) for snapshot in self._store.all(Snapshot)}
            named |= {disk.layer for image in self._store.all(Image) for disk in image.disks}
            gone = layers.unused(self._store.all(Layer), named)
        for layer in gone:
            self._cloud.layers.delete(layer.id)
            self._store.remove(layer)
