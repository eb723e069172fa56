"""A registry of Debian's on a loopback port, and the programs that judge what was pushed to it."""

import json
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.kernel.loop_disks import tool

USER, PASSWORD = "mover", "p:ssw0rd"
# bcrypt of PASSWORD, made by `htpasswd -nbB`; the registry takes no other kind
HTPASSWD = "mover:$2y$05$u.tKnQDyWA641MyVDCV8C.nhfYGH30/BACg6IDHhwyESl4eHdvrs2\n"


@contextmanager
def registry(folder: Path, port: int, *, closed: bool = False) -> Iterator[str]:
    """Its URL; `closed`: it wants USER and PASSWORD."""
    folder.mkdir(exist_ok=True)
    (folder / "htpasswd").write_text(HTPASSWD)
    access = f"auth: {{htpasswd: {{realm: test, path: {folder}/htpasswd}}}}\n" if closed else ""
    (folder / "registry.yml").write_text(
        "version: 0.1\n"
        f"storage: {{filesystem: {{rootdirectory: {folder}/blobs}}}}\n"
        f"http: {{addr: '127.0.0.1:{port}'}}\n{access}"
    )
    with (folder / "registry.log").open("wb") as log:
        program = subprocess.Popen(
            ["docker-registry", "serve", folder / "registry.yml"], stdout=log, stderr=log
        )
    try:
        _await(f"http://127.0.0.1:{port}/v2/")
        yield f"http://127.0.0.1:{port}"
    finally:
        program.terminate()
        program.wait(20)


def unpack(url: str, reference: str, folder: Path, *, user: str = "", layout: Path | None = None) -> Path:
    """Fetch an image, from a registry or an OCI layout, and unpack it; its bundle."""
    source = f"oci:{layout}:{reference.rpartition(':')[2]}" if layout else ""
    source = source or f"docker://{url.partition('://')[2]}/{reference}"
    credentials = ["--src-creds", f"{user}:{PASSWORD}"] if user else []
    tool("skopeo", "copy", "-q", "--src-tls-verify=false", *credentials, source, f"oci:{folder}/image:judged")
    tool("umoci", "unpack", "--image", f"{folder}/image:judged", folder / "bundle")
    return folder / "bundle"


def run_in(bundle: Path, name: str, script: str) -> str:
    """What the container says when it runs `script` instead of its init."""
    file = bundle / "config.json"
    config = json.loads(file.read_text())
    config["process"] |= {"terminal": False, "args": ["/bin/sh", "-c", script]}
    file.write_text(json.dumps(config))
    return tool("runc", "run", "-b", bundle, name)


def _await(url: str) -> None:
    """Until it answers, if only that it wants credentials."""
    end = time.monotonic() + 20
    while True:
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except urllib.error.HTTPError:
            return
        except OSError:
            assert time.monotonic() < end, "the registry does not answer"
            time.sleep(0.1)
        else:
            return
