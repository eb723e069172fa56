"""The seed disk that hands an instance its user data: a NoCloud ISO, as cloud-init defines it.

Format: ISO 9660 with Joliet and Rock Ridge names, volume label `cidata`, files `meta-data` and `user-data` at
the top (docs.cloud-init.io, reference/datasources/nocloud).
"""

import io
from pathlib import Path

from pycdlib import PyCdlib

from smc.base.files import write_atomic

LABEL = "cidata"


def make_seed(path: Path, instance_id: str, hostname: str, user_data: bytes) -> None:
    """Write the seed disk as one step. Another `instance_id` makes the guest run its user data again."""
    meta_data = f"instance-id: {instance_id}\nlocal-hostname: {hostname}\n"
    iso = PyCdlib()
    iso.new(interchange_level=3, joliet=3, rock_ridge="1.09", vol_ident=LABEL)
    try:
        _add(iso, "METADATA.;1", "meta-data", meta_data.encode())
        _add(iso, "USERDATA.;1", "user-data", user_data)
        image = io.BytesIO()
        iso.write_fp(image)
    finally:
        iso.close()
    write_atomic(path, image.getvalue(), mode=0o600)  # user data may hold a ticket


def _add(iso: PyCdlib, iso_name: str, name: str, content: bytes) -> None:
    iso.add_fp(io.BytesIO(content), len(content), f"/{iso_name}", rr_name=name, joliet_path=f"/{name}")
