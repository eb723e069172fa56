"""How long a migration will take, by stage (service-facts 2.10; the figures of ours are measured)."""

import msgspec

PREPARE_SECONDS = 180.0  # network, instance, receiver, empty disks
CONVERT_SECONDS = 120.0
CLEAN_SECONDS = 30.0
IMAGE_SPEED = 30e6  # bytes a second: the planning figure of service-facts 2.10
MEGABIT = 1e6 / 8


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """`size` is what is copied, `speed` bytes a second before compression."""

    size: int
    speed: float

    @property
    def seconds(self) -> dict[str, float]:
        """By stage, in their order."""
        return {
            "prepare": PREPARE_SECONDS,
            "transfer": round(self.size / self.speed, 1),
            "process": round(CONVERT_SECONDS + self.size / IMAGE_SPEED, 1),
            "clean": CLEAN_SECONDS,
        }

    @property
    def total(self) -> float:
        return round(sum(self.seconds.values()), 1)


def speed_of(megabits: float) -> float:
    """Bytes a second of a line of so many Mbit/s, where nothing was measured."""
    return megabits * MEGABIT
