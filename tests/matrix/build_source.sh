# Runs in the builder machine: makes the disks of one source from the tar of its tree.
#
# Set before it: START ROOT BOOT FSTAB NETWORK BUS NAME KEY BELOW_UUID BELOW_KEY. The disks are blank; the last
# line on the console says that the source was built. Other host kernels may lack vfat, device-mapper and md;
# this one has them.
# A getty that starts meanwhile would take the console away: what is written there then fails.
systemctl mask --quiet --runtime --now serial-getty@ttyS0.service
exec > /dev/ttyS0 2>&1
trap 'systemctl poweroff --no-block' EXIT
set -eux -o pipefail

disk=/dev/disk/by-id/virtio-source-0
mirror=/dev/disk/by-id/virtio-source-1 # of mdraid only
tree=/dev/disk/by-id/virtio-tree
nic=ens3
console='console=tty0 console=ttyS0,115200'
console="$console systemd.default_device_timeout_sec=600" # udev of an emulated machine on a busy host is late

# ---- partition tables: MBR for BIOS as Debian's installer has it, GPT for UEFI
table() {
    case $START in
        bios-*) echo 'label: dos'; linux=83 ;;
        uefi-*) echo 'label: gpt'; linux=0FC63DAF-8483-4772-8E79-3D69D8477DE4
            echo 'size=256MiB, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B' ;;
    esac
    [ "$BOOT" = same ] || echo "size=512MiB, type=$linux"
    echo "type=$linux"
}
table | sfdisk --quiet "$disk"
[ "$ROOT" != mdraid ] || table | sfdisk --quiet "$mirror"
udevadm settle
number=1
esp=0 boot=0
if [ "${START%-*}" = uefi ]; then esp=$number; number=$((number + 1)); fi
if [ "$BOOT" = separate ]; then boot=$number; number=$((number + 1)); fi
appear() { # udev makes the names of partitions a moment after it has settled
    for _ in $(seq 300); do [ ! -b "$1" ] || return 0; sleep 0.1; done
    echo "$1 does not appear"
    return 1
}
for each in $(seq $number); do appear "$disk-part$each"; done
[ "$ROOT" != mdraid ] || appear "$mirror-part$number"
part=$(readlink -f "$disk-part$number")
case $BUS in # what the source calls its first disk's partitions
    virtio) named=/dev/vda ;;
    sata) named=/dev/sda ;;
    nvme) named=/dev/nvme0n1p ;;
esac

# ---- the root
root_named=$named$number
case $ROOT in
    lvm)
        pvcreate -qq "$part"
        vgcreate -qq source "$part"
        lvcreate -qq -y -l 90%FREE -n root source
        root=/dev/mapper/source-root root_named=$root ;;
    mdraid)
        modprobe raid1
        mdadm --create /dev/md0 --run --level=1 --raid-devices=2 --metadata=1.2 --homehost=any --name=0 \
            --uuid="$BELOW_UUID" --assume-clean "$part" "$(readlink -f "$mirror-part$number")"
        root=/dev/md0 root_named=$root ;;
    luks)
        modprobe dm-crypt
        printf %s "$BELOW_KEY" > /run/root.key
        cryptsetup luksFormat -q --type luks2 --uuid "$BELOW_UUID" \
            --pbkdf pbkdf2 --pbkdf-force-iterations 1000 "$part" /run/root.key
        cryptsetup open --key-file /run/root.key "$part" root
        root=/dev/mapper/root root_named=$root ;;
    *) root=$part ;;
esac
type=ext4 options=errors=remount-ro
case $ROOT in
    xfs) type=xfs options=defaults; mkfs.xfs -q -f -L root "$root" ;;
    btrfs) type=btrfs options=defaults,subvol=@rootfs; mkfs.btrfs -q -f -L root "$root" ;;
    *) mkfs.ext4 -q -F -L root "$root" ;;
esac
mkdir -p /mnt
mount "$root" /mnt
if [ "$ROOT" = btrfs ]; then
    btrfs subvolume create /mnt/@rootfs
    umount /mnt
    mount -o subvol=@rootfs "$root" /mnt
fi
echo "source: unpacking at $(cut -d ' ' -f 1 /proc/uptime) s"
tar -C /mnt --numeric-owner --xattrs --xattrs-include='*' -xf "$tree"
echo "source: unpacked at $(cut -d ' ' -f 1 /proc/uptime) s"

# ---- fstab, in the style of the row
uuid_of() { blkid -c /dev/null -s UUID -o value "$1"; }
spec() { # $1 is the device here, $2 its name on the source
    case $FSTAB in
        uuid) echo "UUID=$(uuid_of "$1")" ;;
        label) echo "LABEL=$(blkid -c /dev/null -s LABEL -o value "$1")" ;;
        path) echo "$2" ;;
    esac
}
fstab="$(spec "$root" "$root_named") / $type $options 0 1"
if [ $boot != 0 ]; then
    mkfs.ext4 -q -F -L boot "$disk-part$boot"
    mkdir /run/boot # not unpacked there: new kernels lie in /boot and below /usr as one file
    mount "$disk-part$boot" /run/boot
    cp -a /mnt/boot/. /run/boot/
    umount /run/boot
    rm -rf /mnt/boot/*
    mount "$disk-part$boot" /mnt/boot
    fstab="$fstab
$(spec "$disk-part$boot" "$named$boot") /boot ext4 defaults 0 2"
fi
if [ $esp != 0 ]; then
    mkfs.vfat -F 32 -n ESP "$disk-part$esp"
    mkdir -p /mnt/boot/efi
    mount "$disk-part$esp" /mnt/boot/efi
    fstab="$fstab
$(spec "$disk-part$esp" "$named$esp") /boot/efi vfat umask=0077 0 1"
fi
echo "$fstab" > /mnt/etc/fstab

# ---- who it is
echo "$NAME" > /mnt/etc/hostname
printf '127.0.0.1 localhost\n127.0.1.1 %s\n' "$NAME" > /mnt/etc/hosts
head -c 32 /dev/urandom | base64 > /mnt/etc/marker
marked=/mnt/srv/marker # what files can be, to be found again on the copy
mkdir -p -m 2750 "$marked/folder/of its own"
for each in $(seq 100); do head -c $((each * 511)) /dev/urandom > "$marked/folder/$each"; done
ln "$marked/folder/1" "$marked/a hard link"
ln -s 'folder/no such file' "$marked/a dangling link"
truncate -s 20M "$marked/sparse"
echo middle | dd of="$marked/sparse" bs=1M seek=10 conv=notrunc status=none
mkfifo "$marked/pipe"
chown -R 4711:4712 "$marked/folder"
touch -d '1999-12-31 23:59:59.123456789' "$marked/folder/2"
chmod 4711 "$marked/folder/3"
mkdir -p -m 0700 /mnt/root/.ssh
echo "$KEY" > /mnt/root/.ssh/authorized_keys
chmod 0600 /mnt/root/.ssh/authorized_keys
inside() { chroot /mnt env PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"; }

# ---- its network, by the NIC's name
case $NETWORK in
    ifupdown)
        printf 'auto lo\niface lo inet loopback\n\nauto %s\niface %s inet dhcp\n' $nic $nic > /mnt/etc/network/interfaces ;;
    networkd)
        printf '[Match]\nName=%s\n\n[Network]\nDHCP=ipv4\n' $nic > /mnt/etc/systemd/network/10-wired.network
        inside systemctl enable systemd-networkd.service ;;
    nm)
        file=/mnt/etc/NetworkManager/system-connections/wired.nmconnection
        printf '[connection]\nid=wired\ntype=ethernet\ninterface-name=%s\n\n[ipv4]\nmethod=auto\n' $nic > $file
        chmod 0600 $file ;;
    netplan)
        file=/mnt/etc/netplan/50-wired.yaml
        mkdir -p /mnt/etc/netplan
        printf 'network:\n  version: 2\n  renderer: networkd\n  ethernets:\n    %s:\n      dhcp4: true\n' $nic > $file
        chmod 0600 $file
        inside systemctl enable systemd-networkd.service ;;
esac

# ---- how it starts
for place in dev dev/pts proc sys run; do mount --bind /$place /mnt/$place; done
version=$(basename "$(ls -d /mnt/lib/modules/* | sort -V | tail -n 1)")
if [ "${START#*-}" = grub ]; then
    sed -i -e 's/^GRUB_TIMEOUT=.*/GRUB_TIMEOUT=1/' \
        -e "s/^GRUB_CMDLINE_LINUX=.*/GRUB_CMDLINE_LINUX=\"$console\"/" /mnt/etc/default/grub
fi
case $START in
    bios-grub)
        inside grub-install --target=i386-pc "$(readlink -f $disk)"
        [ "$ROOT" != mdraid ] || inside grub-install --target=i386-pc "$(readlink -f $mirror)"
        inside update-grub ;;
    uefi-grub) # this machine has no UEFI variables to write
        inside grub-install --target=x86_64-efi --efi-directory=/boot/efi --no-nvram --force-extra-removable
        inside update-grub ;;
    uefi-sdboot)
        flags=
        [ "$ROOT" != btrfs ] || flags=rootflags=subvol=@rootfs
        case $ROOT in
            lvm | mdraid | luks) where=$root ;;
            *) where=UUID=$(uuid_of "$root") ;;
        esac
        mkdir -p /mnt/etc/kernel
        echo "root=$where ro $flags $console" > /mnt/etc/kernel/cmdline
        echo debian > /mnt/etc/kernel/entry-token
        printf 'layout=bls\nBOOT_ROOT=/boot/efi\n' > /mnt/etc/kernel/install.conf
        inside bootctl install --no-variables --esp-path=/boot/efi
        inside kernel-install add "$version" "/boot/vmlinuz-$version" ;;
esac
for place in run sys proc dev/pts dev; do umount /mnt/$place; done
if [ -e /mnt/etc/selinux/default ]; then
    mount --bind /proc /mnt/proc # it sets a label by /proc/self/fd
    inside setfiles -F -m -e /proc /etc/selinux/default/contexts/files/file_contexts /
    umount /mnt/proc
fi
umount -R /mnt
case $ROOT in
    lvm) vgchange -qq -an source ;;
    mdraid) mdadm --stop /dev/md0 ;;
    luks) cryptsetup close root ;;
esac
sync
set +x
echo 'source: built'
