"""What lies below a root is chosen before its disk is made."""

from tests.matrix import below_root


def test_a_tree_is_told_of_the_array_that_the_builder_will_make() -> None:
    hooks = below_root.hooks({"root": "mdraid"}, "one")
    assert f"UUID={below_root.uuid_of('one')}" in hooks[0]


def test_a_tree_has_the_key_by_which_the_builder_will_encrypt() -> None:
    key, table, *_ = below_root.hooks({"root": "luks"}, "one")
    assert below_root.key_of("one") in key and below_root.KEY_FILE in key
    assert f"UUID={below_root.uuid_of('one')} {below_root.KEY_FILE}" in table


def test_the_initramfs_is_made_after_all_that_it_has_to_know() -> None:
    for root in ("mdraid", "luks"):
        hooks = below_root.hooks({"root": root}, "one")
        assert [hook for hook in hooks if "update-initramfs" in hook] == hooks[-1:]


def test_a_filesystem_on_a_partition_needs_nothing() -> None:
    assert below_root.hooks({"root": "ext4"}, "one") == []


def test_two_rows_have_neither_the_same_array_nor_the_same_key() -> None:
    assert below_root.uuid_of("one") != below_root.uuid_of("two")
    assert below_root.key_of("one") != below_root.key_of("two")
