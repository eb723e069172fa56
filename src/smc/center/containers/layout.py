"""One job's container image in a folder, as an OCI image layout (image-layout.md of the specification).

Programs such as skopeo read the folder as it is. Blobs come in chunks, by the receiver's own upload.
"""

import hashlib
import json
import re
import secrets
import shutil
from pathlib import Path

from smc.base.errors import Transient, UserError
from smc.base.files import write_atomic

DIGEST = re.compile(r"sha256:([0-9a-f]{64})")
UPLOAD = re.compile(r"[0-9a-f]{32}")
NAME_OF_TAG = "org.opencontainers.image.ref.name"
SPARE = 1 << 30  # bytes of the center's disk that an upload leaves free


class Layout:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._blobs = folder / "blobs" / "sha256"
        self._uploads = folder / "uploads"

    def size(self, digest: str) -> int | None:
        """Bytes of a blob, None when it is not here."""
        path = self._blob(digest)
        return path.stat().st_size if path.exists() else None

    def begin(self) -> str:
        """The id of a new upload."""
        self._uploads.mkdir(mode=0o700, parents=True, exist_ok=True)
        upload = secrets.token_hex(16)
        (self._uploads / upload).touch(mode=0o600)
        return upload

    def append(self, upload: str, offset: int, chunk: bytes) -> int:
        """How many bytes are here now. Raises `UserError` when `offset` is not where it goes on."""
        path = self._upload(upload)
        here = path.stat().st_size
        if offset != here:
            raise UserError(
                f"The chunk begins at {offset}; {here} bytes are here.", code="Registry.RangeInvalid"
            )
        if shutil.disk_usage(self.folder).free < len(chunk) + SPARE:
            raise Transient(
                "The disk of the center has no room for the container image.",
                code="Registry.Full",
                hint=f"Make room where {self.folder} is, or name a registry with --registry.",
            )
        with path.open("ab") as file:
            file.write(chunk)
        return here + len(chunk)

    def finish(self, upload: str, digest: str) -> None:
        """The upload becomes a blob. Raises `UserError` when it is not what `digest` says."""
        path = self._upload(upload)
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if f"sha256:{found}" != digest:
            path.unlink()
            raise UserError(f"The blob is sha256:{found}, not {digest}.", code="Registry.DigestInvalid")
        self._blobs.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.rename(self._blob(digest))

    def tag(self, tag: str, manifest: bytes, media_type: str) -> str:
        """The digest of the manifest, which is the layout's only image from now on.

        Raises `UserError` when a blob that it names is not here.
        """
        missing = [digest for digest in _named(manifest) if self.size(digest) is None]
        if missing:
            raise UserError(f"The blob {missing[0]} is not here.", code="Registry.BlobUnknown")
        digest = f"sha256:{hashlib.sha256(manifest).hexdigest()}"
        described = {
            "mediaType": media_type,
            "digest": digest,
            "size": len(manifest),
            "annotations": {NAME_OF_TAG: tag},
        }
        write_atomic(self._blob(digest), manifest)
        write_atomic(self.folder / "oci-layout", b'{"imageLayoutVersion": "1.0.0"}')
        index = {"schemaVersion": 2, "manifests": [described]}
        write_atomic(self.folder / "index.json", json.dumps(index, indent=1).encode())
        shutil.rmtree(self._uploads, ignore_errors=True)
        return digest

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def _blob(self, digest: str) -> Path:
        found = DIGEST.fullmatch(digest)
        if found is None:
            raise UserError(f"{digest[:100]!r} is not the digest of a blob.", code="Registry.DigestInvalid")
        return self._blobs / found[1]

    def _upload(self, upload: str) -> Path:
        path = self._uploads / upload
        if not UPLOAD.fullmatch(upload) or not path.exists():
            raise UserError("There is no such upload.", code="Registry.UploadUnknown")
        return path


def _named(manifest: bytes) -> list[str]:
    """The blobs of an image. Raises `UserError` for what is no manifest."""
    try:
        read = json.loads(manifest)
        return [read["config"]["digest"], *(layer["digest"] for layer in read["layers"])]
    except (ValueError, KeyError, TypeError) as e:
        raise UserError("This is no manifest of an image.", code="Registry.ManifestInvalid") from e
