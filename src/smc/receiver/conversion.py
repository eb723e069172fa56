"""CONVERT: make the complete copy bootable, check its filesystems, and report what was done."""

import time
from collections.abc import Mapping
from pathlib import Path

import msgspec

from smc.base.errors import Broken
from smc.guest.journal import Journal
from smc.guest.volumes import Copy
from smc.model.plan import TargetPartition
from smc.model.report import Check, Level, Report
from smc.receiver import filesystems, layout, mounts
from smc.receiver.home import Kept
from smc.receiver.work import Reporting, partition_nodes

FINDINGS_KEPT = 1000  # characters of what the judge says


class Conversion(Reporting):
    """While it works the receiver's key is on no disk: a copied system may be hostile."""

    def work(self) -> None:
        home, run = self.bench.home, self.task.run
        kept = home.carried_over(run) if self.task.earlier else home.kept(run)
        if kept.report is None:
            with self.bench.home.key_hidden():
                kept = self._convert(kept)
        self.report = kept.report

    def _convert(self, kept: Kept) -> Kept:
        if not kept.proof:
            raise Broken(
                f"this instance does not hold a complete copy of run {kept.run}",
                code="Receiver.NothingToConvert",
                hint="Start the job again: it copies what is missing.",
            )
        began = time.monotonic()
        mounts.unmount_below(self.bench.mounts, self.bench.run)
        devices = self.bench.devices(self.plan)
        for disk in self.plan.disks:
            layout.show(disk, devices[disk.index], self.bench.run)
        nodes = partition_nodes(self.plan, devices)
        journal = Journal(kept.changes)

        def note(sentence: str) -> None:
            begun = msgspec.structs.replace(kept, changes=journal.changes, fresh=self.task.fresh)
            self.bench.home.keep(begun)
            self.note(sentence)

        try:
            with mounts.root(self.plan, nodes, self.bench.mounts / "root", self.bench.run) as root:
                copy = Copy(root=root, boot_disk=devices[self.plan.disks[0].index], partitions=nodes)
                converted = self.bench.convert(
                    copy,
                    self.plan,
                    note=note,
                    run=self.bench.run,
                    journal=journal,
                    image_check=self.task.image_check,
                    fresh=self.task.fresh,
                )
        finally:
            note("unmounting the copy")
        seconds = {**kept.seconds, "convert": time.monotonic() - began}
        began = time.monotonic()
        checks = self._check_filesystems(nodes)
        seconds["check"] = time.monotonic() - began
        report = Report(
            run=kept.run,
            changes=converted.changes,
            checks=(*converted.checks, *checks),
            proof=kept.proof,
            left_behind=self.plan.left_behind,
            differs=self.plan.warnings,
            seconds={stage: round(spent, 1) for stage, spent in seconds.items()},
            resent=kept.resent,
        )
        done = msgspec.structs.replace(kept, changes=(), report=report, fresh=self.task.fresh)
        self.bench.home.keep(done)
        return done

    def _check_filesystems(self, nodes: Mapping[str, Path]) -> list[Check]:
        found = []
        for disk in self.plan.disks:
            for part in disk.partitions:
                if part.mount_point:
                    self.note(f"checking the filesystem of {part.mount_point}")
                    wrong = filesystems.check(part, nodes[part.source], self.bench.run)
                    found.append(_verdict(part, wrong))
        return found


def _verdict(part: TargetPartition, wrong: str) -> Check:
    item = f"Filesystem of {part.mount_point}"
    if not wrong:
        return Check(
            item=item,
            level=Level.PASSED,
            finding=f"{filesystems.TOOLS[part.filesystem].judge} finds nothing wrong",
        )
    return Check(
        item=item,
        level=Level.CRITICAL,
        finding=wrong[:FINDINGS_KEPT],
        cure="Delete the job and create it again; if it stays so, the disks of the cloud are at fault.",
    )
