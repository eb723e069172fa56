"""What is done to an instance that is there already; part of the Driver contract.

All but `create_disk` and the groups need the instance Stopped, else `Transient` (`IncorrectInstanceStatus`).
Clouds have no tokens for most of it, so each method first looks whether it is so already.
"""

from collections.abc import Mapping
from typing import Protocol


class Alterations(Protocol):
    def replace_system_disk(self, instance: str, image: str, size_gib: int, token: str) -> str:
        """Another system disk, made from `image`; the old one is released with its automatic snapshots.

        The answer is the new disk's id. Data disks, id, MAC, addresses and groups stay. `size_gib` is not
        less than the old disk has: `UserError` (`InvalidSystemDiskSize.*`).
        """
        ...

    def reset_disk(self, disk: str, snapshot: str) -> None:
        """Put the disk back to what it was when `snapshot` was taken of it; what came after is lost.

        Raises `Broken` when the snapshot is of another disk.
        """
        ...

    def create_disk(
        self, zone: str, name: str, size_gib: int, tags: Mapping[str, str], token: str
    ) -> str: ...

    def attach_disk(self, disk: str, instance: str) -> None:
        """Nothing to do when it is attached there. It stays when the instance is released.

        Raises `UserError` (`ResourcesNotInSameZone`) when it is of another zone.
        """
        ...

    def detach_disk(self, disk: str) -> None:
        """Nothing to do when it is attached to nothing, or gone."""
        ...

    def join_group(self, instance: str, group: str) -> None:
        """One more security group; nothing to do when it is in it."""
        ...

    def leave_group(self, instance: str, group: str) -> None:
        """Nothing to do when it is not in it, or when one of them is gone."""
        ...

    def isolate_group(self, group: str) -> None:
        """Nothing goes out of the group's instances but answers to what was admitted; repeatable."""
        ...

    def user_data(self, instance: str) -> str:
        """Plain text; "" where there is none."""
        ...

    def set_user_data(self, instance: str, text: str) -> None:
        """What a system that boots there for the first time runs; "" for nothing."""
        ...

    def move_address(self, instance: str, vswitch: str, address: str) -> None:
        """Another private address, and perhaps another vSwitch of the same VPC and zone.

        Nothing to do when it has it. Raises `UserError` (`InvalidPrivateIpAddress.*`, `InvalidVSwitchId.*`).
        """
        ...
