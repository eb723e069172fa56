"""The center as the registry of its receivers, pushed to by the receiver's own client."""

import hashlib
import json
from pathlib import Path

import pytest
from tests.unit.center.running import Center
from tests.unit.center.servers import plan

from smc.base.errors import Transient, UserError
from smc.base.secret import Secret
from smc.center.containers.layout import Layout
from smc.center.store.jobs import NewJob
from smc.center.store.values import JobRequest
from smc.receiver.containers.image import MANIFEST_TYPE, describe
from smc.receiver.containers.layers import write_layers
from smc.receiver.containers.registry import CHUNK, Registry
from smc.receiver.containers.tokens import Credentials
from smc.receiver.containers.tree import members
from smc.wire.orders import ReceiverEnrol, ReceiverEnrolled
from smc.wire.trust import Key, pinned_context


@pytest.fixture
def receiver(running: Center) -> ReceiverEnrolled:
    store = running.parts.store
    job = store.jobs.create(
        NewJob(
            name="",
            description="",
            region_id="local",
            source_id=running.import_server().source_id,
            request=JobRequest(),
            plan=plan(),
            valid_until=1e12,
        )
    )
    ticket = running.parts.tickets.ticket(f"{job}.1").reveal()
    store.receivers.expect(job, ticket, valid_seconds=60)
    with running.control() as control:
        asked = ReceiverEnrol(ticket=ticket, csr=Key.generate().request("receiver"))
        return control.post("/receiver/v1/enrol", asked, ReceiverEnrolled)


def registry(running: Center, credential: str) -> Registry:
    return Registry(
        f"{running.agents_url}/receiver/v1/registry",
        "team/copy",
        Credentials(token=Secret(credential)),
        context=pinned_context(running.parts.trust.ca),
    )


def layout_of(running: Center, receiver: ReceiverEnrolled) -> Layout:
    return Layout(running.parts.settings.containers / receiver.job)


def test_an_image_is_kept_as_an_oci_layout(
    running: Center, receiver: ReceiverEnrolled, tmp_path: Path
) -> None:
    tree = tmp_path / "tree"
    (tree / "etc").mkdir(parents=True)
    (tree / "etc" / "hostname").write_text("web-1\n")
    with registry(running, receiver.credential) as pushed:
        layers = tuple(write_layers(members({"/": tree}), pushed.upload))
        image = describe(layers, created="2026-11-26T10:00:00Z", labels={"smc.job": receiver.job})
        pushed.put(image.config, image.config_digest)
        pushed.tag("v1", image.manifest, MANIFEST_TYPE)
        assert pushed.has(image.config_digest)
        assert not pushed.has("sha256:" + "0" * 64)
    folder = layout_of(running, receiver).folder
    assert json.loads((folder / "oci-layout").read_text()) == {"imageLayoutVersion": "1.0.0"}
    (entry,) = json.loads((folder / "index.json").read_text())["manifests"]
    assert entry["digest"] == image.digest
    assert entry["annotations"] == {"org.opencontainers.image.ref.name": "v1"}
    for blob in (folder / "blobs" / "sha256").iterdir():
        assert hashlib.sha256(blob.read_bytes()).hexdigest() == blob.name
    assert {path.name for path in folder.iterdir()} == {"oci-layout", "index.json", "blobs"}


def test_a_large_blob_comes_in_chunks(running: Center, receiver: ReceiverEnrolled) -> None:
    data = bytes(range(256)) * (3 * CHUNK // 256) + b"rest"
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    with registry(running, receiver.credential) as pushed:
        upload = pushed.upload()
        for at in range(0, len(data), 1 << 20):
            upload.write(data[at : at + (1 << 20)])
        upload.finish(digest)
        assert pushed.has(digest)
    assert layout_of(running, receiver).size(digest) == len(data)


def test_a_blob_that_is_not_its_digest_is_not_kept(running: Center, receiver: ReceiverEnrolled) -> None:
    with registry(running, receiver.credential) as pushed:
        upload = pushed.upload()
        upload.write(b"something")
        with pytest.raises(UserError, match="not sha256"):
            upload.finish("sha256:" + "0" * 64)
        assert not pushed.has("sha256:" + "0" * 64)


@pytest.mark.parametrize("manifest", [b"no JSON", b"{}", b'{"config": {"digest": "../x"}, "layers": []}'])
def test_what_is_no_manifest_is_refused(running: Center, receiver: ReceiverEnrolled, manifest: bytes) -> None:
    with registry(running, receiver.credential) as pushed, pytest.raises(UserError, match="400"):
        pushed.tag("v1", manifest, MANIFEST_TYPE)


def test_a_manifest_waits_for_its_blobs(running: Center, receiver: ReceiverEnrolled) -> None:
    image = describe((), created="", labels={})
    with registry(running, receiver.credential) as pushed, pytest.raises(UserError, match="is not here"):
        pushed.tag("v1", image.manifest, MANIFEST_TYPE)


def test_strangers_cannot_push(running: Center, receiver: ReceiverEnrolled) -> None:
    with registry(running, "guessed") as pushed, pytest.raises(UserError) as raised:
        pushed.upload()
    assert raised.value.code == "Registry.Forbidden"
    assert not layout_of(running, receiver).folder.exists()


def test_a_chunk_out_of_its_place_is_refused(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    upload = layout.begin()
    assert layout.append(upload, 0, b"abc") == 3
    for offset in (0, 2, 4):
        with pytest.raises(UserError, match="3 bytes are here"):
            layout.append(upload, offset, b"x")


def test_a_full_disk_is_no_lost_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    layout = Layout(tmp_path)
    upload = layout.begin()
    monkeypatch.setattr("smc.center.containers.layout.SPARE", 1 << 62)
    with pytest.raises(Transient, match="no room"):
        layout.append(upload, 0, b"abc")
