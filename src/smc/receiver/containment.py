"""CONTAIN: push the complete copy as a container image, layer by layer, and report what was pushed."""

import logging
import time
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from smc.base.errors import Broken, TargetWriteError, Transient
from smc.base.secret import Secret
from smc.base.units import readable_size
from smc.guest import cleanup
from smc.guest.journal import Journal
from smc.guest.root import Root
from smc.model.plan import trees_of
from smc.model.report import ContainerImage, Report
from smc.receiver import layout, mounts
from smc.receiver.containers.image import MANIFEST_TYPE, Image, describe
from smc.receiver.containers.layers import Layer, write_layers
from smc.receiver.containers.registry import Registry
from smc.receiver.containers.tokens import Credentials
from smc.receiver.containers.tree import members
from smc.receiver.home import Kept
from smc.receiver.work import Reporting, partition_nodes
from smc.wire.orders import ContainerTarget
from smc.wire.trust import pinned_context

log = logging.getLogger(__name__)

OF_CENTER = "/receiver/v1/registry"
AGAIN_SECONDS = 10.0
PATIENCE_SECONDS = 1800.0  # without a layer that arrived


class Containment(Reporting):
    """What is at the registry stays there: after a cut it goes on with the next layer."""

    def work(self) -> None:
        kept = self.bench.home.kept(self.task.run)
        if kept.report is None:
            kept = self._push(self._prepared(kept))
        self.report = kept.report

    @property
    def target(self) -> ContainerTarget:
        if self.task.container is None:
            raise Broken("the center gave no registry for the container image")
        return self.task.container

    def _prepared(self, kept: Kept) -> Kept:
        """The copy without what must not come along; nothing else of it is changed."""
        if not kept.proof:
            raise Broken(
                f"this instance does not hold a complete copy of run {kept.run}",
                code="Receiver.NothingToConvert",
                hint="Start the job again: it copies what is missing.",
            )
        if kept.layers:
            return kept
        mounts.unmount_below(self.bench.mounts, self.bench.run)
        journal = Journal(kept.changes)
        try:
            with mounts.root(self.plan, self._nodes(), self.bench.mounts / "root", self.bench.run) as root:
                cleanup.clean(Root(root, journal))
        except OSError as e:
            raise TargetWriteError(f"the copy cannot be changed: {e}", code="Guest.Unusable") from e
        prepared = msgspec.structs.replace(kept, changes=journal.changes)
        self.bench.home.keep(prepared)
        return prepared

    def _push(self, kept: Kept) -> Kept:
        began = progressed = time.monotonic()
        while True:
            before = len(kept.layers)
            try:
                image, kept = self._push_once(kept)
                break
            except Transient as e:
                kept = self.bench.home.kept(self.task.run)
                if len(kept.layers) > before:
                    progressed = time.monotonic()
                if time.monotonic() - progressed > PATIENCE_SECONDS:
                    raise
                self.note(f"{e.message}; trying again")
                if self.stopping.wait(AGAIN_SECONDS):
                    raise
        report = Report(
            run=kept.run,
            changes=kept.changes,
            proof=kept.proof,
            left_behind=self.plan.left_behind,
            differs=self.plan.warnings,
            seconds={**kept.seconds, "push": round(time.monotonic() - began, 1)},
            resent=kept.resent,
            container=_told(self.target, kept.layers, image),
        )
        done = msgspec.structs.replace(kept, changes=(), report=report)
        self.bench.home.keep(done)
        return done

    def _push_once(self, kept: Kept) -> tuple[Image, Kept]:
        mounts.unmount_below(self.bench.mounts, self.bench.run)
        place = self.bench.mounts / "trees"
        with (
            mounts.trees(self.plan, self._nodes(), place, self.bench.run) as places,
            self._registry() as registry,
            closing(members(self._by_mount_point(places))) as found,
        ):
            most = self.bench.layer_bytes
            for layer in write_layers(found, registry.upload, kept.layers, most=most, check=self._show):
                kept = msgspec.structs.replace(kept, layers=(*kept.layers, layer))
                self.bench.home.keep(kept)
            image = self._described(kept.layers)
            registry.put(image.config, image.config_digest)
            registry.tag(self.target.tag, image.manifest, MANIFEST_TYPE)
        return image, kept

    def _described(self, layers: tuple[Layer, ...]) -> Image:
        created = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return describe(layers, created=created, labels=self.target.labels)

    def _show(self, read: int) -> None:
        if self.stopping.is_set():
            raise Transient("the push was ended", code="Run.Stopped")
        sentence = f"pushing the container image: {readable_size(read)} read"
        if sentence != self.progress.note:
            self.show(note=sentence)

    def _nodes(self) -> dict[str, Path]:
        devices = self.bench.devices(self.plan)
        for disk in self.plan.disks:
            layout.show(disk, devices[disk.index], self.bench.run)
        return partition_nodes(self.plan, devices)

    def _by_mount_point(self, places: Mapping[str, Path]) -> dict[str, Path]:
        return {
            tree.mount_point: places[tree.name]
            for disk in self.plan.disks
            for part in disk.partitions
            for tree in trees_of(part)
            if tree.name in places and tree.mount_point
        }

    def _registry(self) -> Registry:
        target = self.target
        if target.url:
            credentials = Credentials(user=target.user, password=Secret(target.password))
            known = credentials if target.user else None
            return Registry(target.url, target.repository, known, ca=target.ca)
        enrolled = self.bench.home.enrolment()
        if enrolled is None:
            raise Broken("the receiver is not enrolled", code="Receiver.NotEnrolled")
        return Registry(
            enrolled.url + OF_CENTER,
            target.repository,
            Credentials(token=Secret(enrolled.credential)),
            context=pinned_context(enrolled.ca),
        )


def _told(target: ContainerTarget, layers: tuple[Layer, ...], image: Image) -> ContainerImage:
    host = target.url.partition("://")[2].rstrip("/")
    return ContainerImage(
        reference=f"{host}/{target.repository}:{target.tag}".lstrip("/"),
        digest=image.digest,
        size=sum(layer.size for layer in layers),
        layers=len(layers),
    )
