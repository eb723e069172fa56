"""The names of a target's folder are told apart from those that are listed, in one walk over both."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from smc.base.errors import WireError
from smc.transfer.files import present as module
from smc.transfer.files.present import Present
from smc.transfer.files.temporary import PREFIX

NAMES = st.sets(
    st.sampled_from([b"a", b"a ", b"b", b"\xff", b"\x01", b"aa", PREFIX, PREFIX + b"0", b"z" * 255])
    | st.binary(min_size=1, max_size=3).filter(
        lambda name: not {0, 47} & set(name) and name not in {b".", b".."}
    )
)


def present(folder: Path) -> Present:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        return Present(handle)
    finally:
        os.close(handle)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(there=NAMES, listed=NAMES, together=st.integers(1, 4))
def test_it_says_what_sets_would_say(
    tmp_path: Path, there: set[bytes], listed: set[bytes], together: int
) -> None:
    for old in tmp_path.iterdir():
        old.unlink()
    for name in there:
        (tmp_path / os.fsdecode(name)).touch()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "TOGETHER", together)
        found = present(tmp_path)
    assert found.any == bool(there)
    assert found.left_over == {name for name in there if name.startswith(PREFIX)}
    found.follow(sorted(listed))
    assert {name for name in sorted(listed) if found.has(name)} == there & listed
    assert list(found.not_listed()) == sorted(there - listed)


@pytest.mark.parametrize(
    "parts", [[[b"a", b"a"]], [[b"b", b"a"]], [[b"a", b"b"], [b"b"]], [[b"b"], [], [b"a"]]]
)
def test_names_come_in_order_and_once(tmp_path: Path, parts: list[list[bytes]]) -> None:
    found = present(tmp_path)
    with pytest.raises(WireError, match="was listed after"):
        for names in parts:
            found.follow(names)


@pytest.mark.parametrize("name", [b"", b".", b"..", b"a/b", b"a\0b", b"n" * 256])
def test_what_is_no_name_is_refused(tmp_path: Path, name: bytes) -> None:
    with pytest.raises(WireError):
        present(tmp_path).follow([name])
