"""A real Debian, built once by mmdebstrap from this machine's package sources, kept in ~/.cache/smc/tests."""

import os
import subprocess
from pathlib import Path

CACHE = Path.home() / ".cache" / "smc" / "tests"
PACKAGES = (
    "systemd-sysv,udev,ifupdown,isc-dhcp-client,iproute2,linux-image-cloud-amd64,initramfs-tools,"
    "openssh-server,e2fsprogs,dosfstools,kmod,zstd,"
    "grub-pc,grub-efi-amd64-bin,grub-efi-amd64-signed,shim-signed"  # for both kinds of firmware
)


def sh(*argv: str | Path) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, f"{argv}: {done.stdout}{done.stderr}"
    return done.stdout.strip()


def suite() -> str:
    for line in Path("/etc/os-release").read_text().splitlines():
        if line.startswith("VERSION_CODENAME="):
            return line.split("=")[1]
    raise AssertionError("this machine is no Debian or Ubuntu")


def debian_tar() -> Path:
    """A tar of a Debian root with a kernel, GRUB for BIOS and UEFI, and an initramfs."""
    return _made(f"{suite()}-loaders.tar", PACKAGES)


def dracut_tar() -> Path:
    """The same with dracut, which shuts out initramfs-tools."""
    return _made(f"{suite()}-dracut.tar", PACKAGES.replace("initramfs-tools", "dracut"))


def _made(name: str, packages: str) -> Path:
    made = CACHE / name
    if not made.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        part = made.with_suffix(f".{os.getpid()}.part.tar")
        sources = next(
            path
            for path in (
                Path("/etc/apt/sources.list.d/debian.sources"),
                Path("/etc/apt/sources.list.d/ubuntu.sources"),
                Path("/etc/apt/sources.list"),
            )
            if path.exists() and path.read_text().strip()
        )
        sh("mmdebstrap", "--variant=minbase", f"--include={packages}", suite(), part, sources)
        part.rename(made)
    return made
