"""Sizes of the target disks, in either generation of parameters."""

from msgspec.structs import replace

from smc.base.errors import UserError
from smc.center.api import layout
from smc.center.api.asked.draft import Asking, Draft
from smc.center.api.job_parameters import JobParameters, NewDisks
from smc.center.api.words import invalid, unsupported
from smc.model.server import Server


def check_disks(asking: Asking, draft: Draft) -> Draft:
    _refuse_parts(asking.sent)
    return replace(draft, sizes_gib=draft.sizes_gib | sizes_sent(asking.sent, asking.source.server))


def _refuse_parts(sent: JobParameters) -> None:
    new = sent.disks or NewDisks()
    disks = [disk for disk in (new.system, *new.data) if disk is not None]
    parts = [*sent.system_disk_part]
    parts += [part for data_disk in sent.data_disk for part in data_disk.part]
    parts += [part for disk in disks for part in disk.part]
    if any(part.block for part in parts):
        raise unsupported("Block", "files are copied, not blocks, so far.")
    if parts:
        raise unsupported("Part", "partitions are laid out by this center: choose sizes of disks only.")
    if any(disk.lvm for disk in disks):
        raise unsupported("LVM", "partitions are plain, so far.")


def sizes_sent(sent: JobParameters, server: Server) -> dict[int, int]:
    """GiB by disk index, of the disks that were named."""
    new = sent.disks or NewDisks()
    known = {disk.index for disk in server.disks[1:]}
    sizes: dict[int, int] = {}
    for disk in sent.data_disk:
        if disk.index in sizes:
            raise UserError(f"DataDisk has the index {disk.index} twice.", code="DataDisk.DuplicateIndex")
        if disk.index not in known:
            raise UserError(
                f"The migration source has no data disk {disk.index}.",
                code="ReplicationJobDataDiskIndex.Invalid",
                hint=f"Its data disks are: {', '.join(map(str, sorted(known))) or 'none'}.",
            )
        sizes[disk.index] = disk.size or 0
    movable = layout.movable_data_disks(server)
    if len(new.data) > len(movable):
        raise UserError(
            f"Disks.Data names {len(new.data)} data disks; the source has {len(movable)}.",
            code="ReplicationJobDataDiskIndex.Invalid",
            hint="DescribeSourceServers shows them in their order.",
        )
    for at, data in enumerate(new.data):
        index = movable[at].index
        sizes[index] = data.size or sizes.get(index, 0)
    system = new.system.size if new.system else None
    if system and sent.system_disk_size and system != sent.system_disk_size:
        raise invalid("SystemDiskSize", "SystemDiskSize and Disks.System.Size contradict each other.")
    sizes[0] = sent.system_disk_size or system or 0
    return {index: size for index, size in sizes.items() if size}
