"""Sizes and partitions of the target disks, in either generation of parameters."""

from msgspec.structs import replace

from smc.base.errors import UserError
from smc.center.api.asked.draft import Asking, Draft
from smc.center.api.asked.parts import data_targets, parts_sent, refuse_engine
from smc.center.api.job_parameters import JobParameters, NewDisks
from smc.center.api.words import invalid
from smc.model.server import Server


def check_disks(asking: Asking, draft: Draft) -> Draft:
    sent, server = asking.sent, asking.source.server
    refuse_engine(sent, server)
    refuse_encryption(sent.disks or NewDisks())
    sizes, parts = sizes_sent(sent, server), parts_sent(sent, server)
    asked = replace(
        draft.request,
        sizes_gib=draft.request.sizes_gib | sizes,
        parts=draft.request.parts | parts,
        lvm=lvm_sent(sent, server, draft.request.lvm),
    )
    # Other partitions may need other sizes: then only those count that somebody asked for.
    others = bool(parts) or asked.lvm != draft.request.lvm
    before = asked.sizes_gib if others else draft.sizes_gib
    return replace(draft, request=asked, sizes_gib=before | sizes)


def refuse_encryption(new: NewDisks) -> None:
    """An instance would wait for a passphrase at its start; what encrypts without one is the cloud."""
    if any(disk.encrypted or disk.kms_key_id for disk in (new.system, *new.data) if disk is not None):
        raise UserError(
            "Disks of the target are not encrypted here: neither with LUKS, as a source may have it, "
            "nor with a key of the cloud.",
            code="UnsupportedParameter.Encrypted",
            hint="Leave it out; when the job has made its image, make an encrypted copy of that in the cloud "
            "(CopyImage with Encrypted=true), and instances from the copy.",
        )


def lvm_sent(sent: JobParameters, server: Server, before: frozenset[int]) -> frozenset[int]:
    """Disks that are to have LVM; of those that `sent` does not tell, as it was before."""
    new = sent.disks or NewDisks()
    told = {home.index: disk.lvm for home, disk in data_targets(new, server) if disk.lvm is not None}
    if new.system and new.system.lvm is not None:
        told[0] = new.system.lvm
    return frozenset(
        {*before, *(at for at, lvm in told.items() if lvm)} - {at for at in told if not told[at]}
    )


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
    for home, data in data_targets(new, server):
        sizes[home.index] = data.size or sizes.get(home.index, 0)
    system = new.system.size if new.system else None
    if system and sent.system_disk_size and system != sent.system_disk_size:
        raise invalid("SystemDiskSize", "SystemDiskSize and Disks.System.Size contradict each other.")
    sizes[0] = sent.system_disk_size or system or 0
    return {index: size for index, size in sizes.items() if size}
