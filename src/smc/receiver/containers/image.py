"""What describes an image: its configuration and its manifest (OCI image specification 1.0)."""

import hashlib
import json
from collections.abc import Sequence

import msgspec

from smc.receiver.containers.layers import Layer

CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar+gzip"
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Image(msgspec.Struct, frozen=True, kw_only=True):
    """Both documents as the bytes that their digests are of."""

    config: bytes
    manifest: bytes

    @property
    def config_digest(self) -> str:
        return digest_of(self.config)

    @property
    def digest(self) -> str:
        """Of the manifest: the name of the image that never means another one."""
        return digest_of(self.manifest)


def describe(layers: Sequence[Layer], *, created: str, labels: dict[str, str]) -> Image:
    """The whole machine, started with its own init. `created` is as 2026-11-22T10:00:00Z.

    SIGRTMIN+3 and `container` are what systemd wants of whoever starts it (its container interface).
    """
    config = _written(
        {
            "created": created,
            "architecture": "amd64",
            "os": "linux",
            "config": {
                "Cmd": ["/sbin/init"],
                "Env": [PATH, "container=oci"],
                "StopSignal": "SIGRTMIN+3",
                "Labels": labels,
            },
            "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]},
        }
    )
    manifest = _written(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": {"mediaType": CONFIG_TYPE, "digest": digest_of(config), "size": len(config)},
            "layers": [
                {"mediaType": LAYER_TYPE, "digest": layer.digest, "size": layer.size} for layer in layers
            ],
        }
    )
    return Image(config=config, manifest=manifest)


def digest_of(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _written(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
