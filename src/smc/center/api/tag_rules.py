"""Which tags may be given, and how requests name them."""

from collections.abc import Sequence

from smc.base.errors import UserError
from smc.center.api.words import TagPair, invalid
from smc.center.store.tags import MOST, Wanted
from smc.center.store.values import Tag

LONGEST = 128  # of a key and of a value (contracts, 1)
RESERVED_STARTS = ("aliyun", "acs:", "smc:")  # the vendor's and our own
RESERVED_WITHIN = ("http://", "https://")


def given(pairs: Sequence[TagPair]) -> tuple[Tag, ...]:
    """Tags to put on something.

    Raises `UserError`: `NumberExceed.Tags`, `InvalidParameter.Tag.Key`, `InvalidParameter.Tag.Value`,
    `Duplicate.TagKey`.
    """
    _refuse_many(len(pairs))
    for pair in pairs:
        if not pair.key or not _fits(pair.key):
            raise invalid(
                "Tag.Key",
                f"The tag key {pair.key[:130]!r} cannot be used.",
                f"It has 1 to {LONGEST} characters, does not start with {', '.join(RESERVED_STARTS)} "
                f"and holds no {' or '.join(RESERVED_WITHIN)}.",
            )
        if not _fits(pair.value):
            raise invalid(
                "Tag.Value",
                f"The value of the tag {pair.key} cannot be used.",
                f"It has at most {LONGEST} characters, does not start with {', '.join(RESERVED_STARTS)} "
                f"and holds no {' or '.join(RESERVED_WITHIN)}.",
            )
    keys = [pair.key for pair in pairs]
    if repeated := [key for key in keys if keys.count(key) > 1]:
        raise UserError(
            f"The tag key {repeated[0]} is given twice.",
            code="Duplicate.TagKey",
            hint="A thing has one value for each key; keys are case-sensitive.",
        )
    return tuple(Tag(key=pair.key, value=pair.value) for pair in pairs)


def wanted(pairs: Sequence[TagPair]) -> tuple[Wanted, ...]:
    """A filter: all must hold; a key without a value holds with any.

    Raises `UserError`: `NumberExceed.Tags`, `InvalidParameter.TagValue`.
    """
    _refuse_many(len(pairs))
    if any(pair.value and not pair.key for pair in pairs):
        raise invalid("TagValue", "A tag value is given without its key.", "Give Tag.N.Key too.")
    return tuple(Wanted(key=pair.key, value=pair.value or None) for pair in pairs if pair.key)


def keys_given(keys: Sequence[str]) -> tuple[str, ...]:
    """Raises `UserError` (`NumberExceed.Tags`)."""
    _refuse_many(len(keys))
    return tuple(keys)


def _fits(text: str) -> bool:
    return (
        len(text) <= LONGEST
        and not text.startswith(RESERVED_STARTS)
        and not any(part in text for part in RESERVED_WITHIN)
    )


def _refuse_many(count: int) -> None:
    if count > MOST:
        raise UserError(
            f"{count} tags are given; {MOST} are allowed.",
            code="NumberExceed.Tags",
            hint=f"Give at most {MOST} in one request.",
        )
