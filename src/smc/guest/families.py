"""What is known of each family of Linux: its tools and where they keep their files. A new family is a row."""

import msgspec

from smc.model.server import OsRelease


class Grub(msgspec.Struct, frozen=True, kw_only=True):
    """GRUB 2 as a family ships it."""

    folder: str  # holds grub.cfg
    install: tuple[str, ...]  # the boot disk is appended
    configure: tuple[str, ...]  # makes grub.cfg anew from `settings`
    check: tuple[str, ...]  # the path of a grub.cfg is appended
    modules: str  # what `install` needs to be there
    package: str  # what brings them
    settings: tuple[str, ...]  # files, later ones win; a folder stands for its *.cfg


class Initramfs(msgspec.Struct, frozen=True, kw_only=True):
    image: str  # with {version}
    rebuild: tuple[str, ...]  # with {version}
    names: tuple[str, ...]  # prints the names inside the image whose path is appended
    extra_modules: str  # one module name a line: always in the image
    resume: str  # file that may hold RESUME=
    state: tuple[str, ...]  # folders that a rebuild writes to


class Family(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    ids: frozenset[str]  # os-release ID, or one of ID_LIKE
    grub: Grub
    initramfs: Initramfs


DEBIAN = Family(
    name="debian",
    ids=frozenset({"debian", "ubuntu"}),
    grub=Grub(
        folder="/boot/grub",
        install=("grub-install", "--target=i386-pc", "--no-floppy"),
        configure=("grub-mkconfig", "-o", "/boot/grub/grub.cfg"),  # what update-grub runs
        check=("grub-script-check",),
        modules="/usr/lib/grub/i386-pc",
        package="grub-pc",
        settings=("/etc/default/grub", "/etc/default/grub.d"),
    ),
    initramfs=Initramfs(
        image="/boot/initrd.img-{version}",
        rebuild=("update-initramfs", "-u", "-k", "{version}"),
        names=("lsinitramfs",),
        extra_modules="/etc/initramfs-tools/modules",
        resume="/etc/initramfs-tools/conf.d/resume",
        state=("/boot", "/var/lib/initramfs-tools"),
    ),
)

FAMILIES = (DEBIAN,)


def family_of(os: OsRelease) -> Family | None:
    for name in (os.id, *os.id_like):
        for family in FAMILIES:
            if name in family.ids:
                return family
    return None
