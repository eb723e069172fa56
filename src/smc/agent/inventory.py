"""This machine as one `Server` value: what the center is told of a source."""

import hashlib
import platform
import socket
from pathlib import Path

import msgspec

from smc.agent.disks import Storage, read_storage
from smc.agent.facts import read_facts
from smc.agent.machine import (
    read_architecture,
    read_boot_loader,
    read_dmi,
    read_firmware,
    read_machine_id,
    read_memory,
    read_origin,
    read_os,
    read_processor,
    read_selinux,
    read_tools,
)
from smc.agent.network import hardware_addresses, read_dns, read_gateway, read_nics
from smc.agent.version import VERSION
from smc.base.units import MIB
from smc.model.disk import Filesystem
from smc.model.server import Server

# Uuids that many machines share: blank, erased, and what a maker forgot to fill in.
SHARED_UUIDS = frozenset(
    {
        "",
        "00000000-0000-0000-0000-000000000000",
        "ffffffff-ffff-ffff-ffff-ffffffffffff",
        "03000200-0400-0500-0006-000700080009",
        "12345678-1234-5678-90ab-cddeefaabbcc",
    }
)
USED_STEP = 256 * MIB  # used space is told again when it has changed by more


def read_server(root: Path = Path("/")) -> Server:
    """`root` is where etc, sys, proc and dev are found. Raises `UserError` for what cannot be moved."""
    memory, processor, storage = read_memory(root), read_processor(root), read_storage(root)
    return Server(
        fingerprint=fingerprint(root),
        hostname=socket.gethostname(),
        os=read_os(root),
        kernel=platform.release(),
        architecture=read_architecture(),
        firmware=read_firmware(root),
        dmi=read_dmi(root),
        origin=read_origin(root),
        cores=processor.cores,
        memory=memory.total,
        cpu_model=processor.model,
        memory_usage=memory.usage,
        disks=storage.disks,
        volumes=storage.volumes,
        nics=read_nics(root),
        gateway=read_gateway(root),
        dns=read_dns(root),
        agent_version=VERSION,
        selinux=read_selinux(root),
        boot_loader=read_boot_loader(root),
        tools=read_tools(root),
        facts=read_facts(root),
    )


def fingerprint(root: Path = Path("/")) -> str:
    """The same on each import of a machine; another one on a copy of it that runs elsewhere.

    A copy has the machine-id, but neither the firmware's uuid nor the network cards.
    """
    uuid = read_dmi(root).uuid
    hardware = hardware_addresses(root) if uuid in SHARED_UUIDS else [uuid]
    return hashlib.sha256("\n".join((*hardware, read_machine_id(root))).encode()).hexdigest()


def differs(server: Server, told: Server | None) -> bool:
    """Whether the center has to be told again: not for every byte that is written on the source."""
    return told is None or _steady(server) != _steady(told) or _moved(server, told)


def _steady(server: Server) -> Server:
    """Without what changes all the time; load is in the heartbeat."""
    disks = tuple(
        msgspec.structs.replace(
            disk,
            partitions=tuple(
                msgspec.structs.replace(
                    part,
                    filesystem=_steady_filesystem(part.filesystem),
                )
                if part.filesystem
                else part
                for part in disk.partitions
            ),
        )
        for disk in server.disks
    )
    volumes = tuple(
        msgspec.structs.replace(volume, filesystem=_steady_filesystem(volume.filesystem))
        for volume in server.volumes
    )
    facts = msgspec.structs.replace(server.facts, load=0.0, boot_free=0)
    return msgspec.structs.replace(
        server, disks=disks, volumes=volumes, facts=facts, cpu_usage=0.0, memory_usage=0.0
    )


def _steady_filesystem(filesystem: Filesystem) -> Filesystem:
    return msgspec.structs.replace(filesystem, used=0, inodes_used=0, features=())


def _moved(server: Server, told: Server) -> bool:
    return any(abs(now - before) > USED_STEP for now, before in zip(_used(server), _used(told), strict=True))


def _used(server: Server) -> list[int]:
    """Of equal shape for two servers that are equal when steady."""
    return [found.used for found in Storage(server.disks, server.volumes).filesystems]
