"""What is known of each family of Linux: its tools and where they keep their files. A new family is a row."""

import msgspec

from smc.model.server import Firmware, OsRelease


class Grub(msgspec.Struct, frozen=True, kw_only=True):
    """GRUB 2 as a family ships it; `{target}` is GRUB's name of a platform: i386-pc, x86_64-efi."""

    folder: str  # holds grub.cfg
    install: tuple[str, ...]  # for BIOS; the boot disk is appended
    efi_install: tuple[str, ...]  # for UEFI, with {esp}; () where only the loaders of packages are used
    configure: tuple[str, ...]  # makes grub.cfg anew from `settings`; its path is appended
    check: tuple[str, ...]  # the path of a grub.cfg is appended
    modules: tuple[str, ...]  # folders of which `install` needs one, with {target}
    packages: dict[Firmware, str]  # what brings them
    settings: tuple[str, ...] = (
        "/etc/default/grub",
        "/etc/default/grub.d",
    )  # later ones win; a folder: *.cfg
    signed: tuple[
        tuple[str, str], ...
    ] = ()  # loaders that packages keep elsewhere, and their names in the ESP
    remake: str = ""  # what an administrator types to have grub.cfg made anew


class Family(msgspec.Struct, frozen=True, kw_only=True):
    """`images`: where an initramfs may lie, of the kernel {version}; {name} is what its image is called."""

    name: str
    ids: frozenset[str]  # os-release ID, or one of ID_LIKE
    grub: Grub
    images: tuple[str, ...]


EFI_INSTALL = ("--target={target}", "--efi-directory={esp}", "--no-nvram", "--removable")
GRUB_OF_DEBIAN = Grub(
    folder="/boot/grub",
    install=("grub-install", "--target=i386-pc", "--no-floppy"),
    efi_install=("grub-install", *EFI_INSTALL),
    configure=("grub-mkconfig", "-o"),
    check=("grub-script-check",),
    modules=("/usr/lib/grub/{target}",),
    packages={Firmware.BIOS: "grub-pc-bin", Firmware.UEFI: "grub-efi-amd64-bin"},
    signed=(
        ("/usr/lib/shim/shim{end}.efi.signed", "shim{end}.efi"),
        ("/usr/lib/grub/{target}-signed/grub{end}.efi.signed", "grub{end}.efi"),
        ("/usr/lib/shim/mm{end}.efi.signed", "mm{end}.efi"),
        ("/usr/lib/shim/mm{end}.efi", "mm{end}.efi"),
    ),
    remake="update-grub",
)
GRUB_OF_ARCH = msgspec.structs.replace(
    GRUB_OF_DEBIAN,
    packages={Firmware.BIOS: "grub", Firmware.UEFI: "grub"},
    signed=(),
    remake="grub-mkconfig -o /boot/grub/grub.cfg",
)
GRUB_OF_REDHAT = Grub(
    folder="/boot/grub2",
    install=("grub2-install", "--target=i386-pc", "--no-floppy"),
    # grub2-install refuses UEFI: signed loaders come as files of packages, right in the ESP
    efi_install=(),
    configure=("grub2-mkconfig", "-o"),
    check=("grub2-script-check",),
    modules=("/usr/lib/grub/{target}",),
    packages={Firmware.BIOS: "grub2-pc", Firmware.UEFI: "grub2-efi-x64 and shim-x64"},
    remake="grub2-mkconfig -o /boot/grub2/grub.cfg",
)
GRUB_OF_SUSE = msgspec.structs.replace(
    GRUB_OF_REDHAT,
    efi_install=("grub2-install", *EFI_INSTALL),
    modules=("/usr/share/grub2/{target}", "/usr/lib/grub2/{target}"),
    packages={Firmware.BIOS: "grub2-i386-pc", Firmware.UEFI: "grub2-x86_64-efi and shim"},
)
IMAGES_OF_DEBIAN = ("/boot/initrd.img-{version}",)
IMAGES_OF_REDHAT = ("/boot/initramfs-{version}.img",)

DEBIAN = Family(name="debian", ids=frozenset({"debian"}), grub=GRUB_OF_DEBIAN, images=IMAGES_OF_DEBIAN)
FAMILIES = (
    DEBIAN,
    Family(name="ubuntu", ids=frozenset({"ubuntu"}), grub=GRUB_OF_DEBIAN, images=IMAGES_OF_DEBIAN),
    Family(name="alibaba", ids=frozenset({"alinux", "anolis"}), grub=GRUB_OF_REDHAT, images=IMAGES_OF_REDHAT),
    Family(name="amazon", ids=frozenset({"amzn"}), grub=GRUB_OF_REDHAT, images=IMAGES_OF_REDHAT),
    Family(name="oracle", ids=frozenset({"ol"}), grub=GRUB_OF_REDHAT, images=IMAGES_OF_REDHAT),
    Family(
        name="redhat",
        ids=frozenset({"rhel", "centos", "rocky", "almalinux"}),
        grub=GRUB_OF_REDHAT,
        images=IMAGES_OF_REDHAT,
    ),
    Family(name="fedora", ids=frozenset({"fedora"}), grub=GRUB_OF_REDHAT, images=IMAGES_OF_REDHAT),
    Family(
        name="suse",
        ids=frozenset({"sles", "sles_sap", "suse", "opensuse", "opensuse-leap", "opensuse-tumbleweed"}),
        grub=GRUB_OF_SUSE,
        images=("/boot/initrd-{version}",),
    ),
    Family(
        name="arch",
        ids=frozenset({"arch", "archlinux"}),
        grub=GRUB_OF_ARCH,
        images=("/boot/initramfs-{name}.img", "/boot/initramfs-{version}.img"),
    ),
)


def family_of(os: OsRelease) -> Family | None:
    """By the system's own id first, then by those that it says it is like, nearest first."""
    for name in (os.id, *os.id_like):
        for family in FAMILIES:
            if name in family.ids:
                return family
    return None
