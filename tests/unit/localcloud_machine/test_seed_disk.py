"""A seed disk, read back, holds what the guest is to find."""

import io
import stat
from pathlib import Path

from pycdlib import PyCdlib

from smc.localcloud.seed import make_seed

USER_DATA = b"#!/bin/sh\nprintf '\\377' # not UTF-8: \xff\n"


def content(path: Path, name: str) -> bytes:
    iso = PyCdlib()
    iso.open(str(path))
    try:
        found = io.BytesIO()
        iso.get_file_from_iso_fp(found, rr_path=f"/{name}")
        joliet = io.BytesIO()
        iso.get_file_from_iso_fp(joliet, joliet_path=f"/{name}")
        assert found.getvalue() == joliet.getvalue()
        return found.getvalue()
    finally:
        iso.close()


def test_the_guest_finds_its_user_data_byte_for_byte(tmp_path: Path) -> None:
    make_seed(tmp_path / "seed.iso", "i-1", "web", USER_DATA)
    assert content(tmp_path / "seed.iso", "user-data") == USER_DATA
    assert content(tmp_path / "seed.iso", "meta-data") == b"instance-id: i-1\nlocal-hostname: web\n"


def test_the_volume_has_the_label_by_which_it_is_found(tmp_path: Path) -> None:
    make_seed(tmp_path / "seed.iso", "i-1", "web", USER_DATA)
    descriptor = (tmp_path / "seed.iso").read_bytes()[16 * 2048 :]  # ECMA-119, 8.4: the primary descriptor
    assert descriptor[1:6] == b"CD001"
    assert descriptor[40:72].rstrip() == b"cidata"


def test_nobody_else_reads_it_because_it_may_hold_a_ticket(tmp_path: Path) -> None:
    make_seed(tmp_path / "seed.iso", "i-1", "web", USER_DATA)
    assert stat.S_IMODE((tmp_path / "seed.iso").stat().st_mode) == 0o600


def test_empty_user_data_is_possible(tmp_path: Path) -> None:
    make_seed(tmp_path / "seed.iso", "i-1", "web", b"")
    assert content(tmp_path / "seed.iso", "user-data") == b""
