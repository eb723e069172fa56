"""What the sample source holds: somebody's server, with everything that makes copying a server hard.

Two parts. `SCRIPT` runs while the disks are built and makes what needs no real root. `PROVISION` runs once in
the booted machine, installs GRUB as an installer would, makes what only a real root can make, then removes
itself and switches the machine off. Both give the same content every time.
"""

from smc.localcloud.recipe import DiskRecipe, File, Kind, Recipe, Volume

SYSTEM, DATA = "system", "data"
SYSTEM_GIB, DATA_GIB, SWAP_MIB = 6, 2, 512
ROOT_UUID = "5d1f0a52-84e3-4f4e-9a55-2f6e3c9b7a01"
SWAP_UUID = "5d1f0a52-84e3-4f4e-9a55-2f6e3c9b7a02"
DATA_UUID = "5d1f0a52-84e3-4f4e-9a55-2f6e3c9b7a03"
NIC_SLOT = 3  # its NIC is therefore ens3; instances of the local cloud have ens5
NIC = f"ens{NIC_SLOT}"
PAGE_MARKER = "the sample source of the migration demo"
PROVISIONED = "provision: done"  # the last line on the console
DATA_TREE = "/data.volume"  # where the data disk's content stands while it is built

PACKAGES = (
    *("systemd", "systemd-sysv", "udev", "dbus", "libpam-systemd", "kmod", "grub-pc"),
    *("ifupdown", "isc-dhcp-client", "iproute2", "openssh-server", "curl", "ca-certificates", "openssl"),
    *("nginx", "cron", "logrotate", "sudo", "procps", "less", "acl", "attr", "libcap2-bin", "e2fsprogs"),
    "rsync",  # the judge's tool alone; the product does not use it
)

PAGE = f"""<!doctype html>
<title>Sample</title>
<h1>This is {PAGE_MARKER}.</h1>
<p>It is served from the second disk.</p>
"""

NGINX = """server {
    listen 80 default_server;
    root /srv/data/www;
}
"""

# By the NIC's name, as on many real servers: on a NIC of another name it has no network.
INTERFACES = f"""auto lo
iface lo inet loopback

auto {NIC}
iface {NIC} inet dhcp
"""

FSTAB = f"""UUID={ROOT_UUID} / ext4 errors=remount-ro 0 1
UUID={SWAP_UUID} none swap sw 0 0
UUID={DATA_UUID} /srv/data ext4 defaults 0 2
"""

# A log that grows, a small file that is replaced and one that is rewritten in place.
WRITER = """#!/bin/sh
count=0
while :; do
    count=$((count + 1))
    echo "line $count of this run" >> /var/log/writer.log
    echo "$count" > /srv/data/state/.counter.new
    mv /srv/data/state/.counter.new /srv/data/state/counter
    echo "count $count" 1<> /srv/data/state/in-place
    sleep 0.3
done
"""

WRITER_UNIT = """[Unit]
Description=Keeps writing, as a busy server does
RequiresMountsFor=/srv/data

[Service]
ExecStart=/usr/local/sbin/writer
Restart=always

[Install]
WantedBy=multi-user.target
"""

PROVISION_UNIT = """[Unit]
Description=Make what only a real root can make, once
After=multi-user.target

[Service]
Type=oneshot
ExecStart=/usr/local/sbin/provision
StandardOutput=journal+console
StandardError=journal+console

[Install]
WantedBy=multi-user.target
"""

SCRIPT = rf"""
if command -v python3 || ls -d /usr/lib/python3* 2>/dev/null; then
    echo "the sample has Python" >&2
    exit 1
fi

echo sample > /etc/hostname
printf '127.0.0.1 localhost\n127.0.1.1 sample.example sample\n' > /etc/hosts
: > /etc/machine-id
sed -i 's/^GRUB_TIMEOUT=.*/GRUB_TIMEOUT=1/' /etc/default/grub
rm -f /etc/nginx/sites-enabled/default
systemctl enable writer.service provision.service
chmod 0700 /root/.ssh
for timer in apt-daily apt-daily-upgrade; do systemctl disable "$timer.timer"; done

# users with passwords and homes
for name in alice bob; do
    useradd --create-home --shell /bin/bash "$name"
    echo "$name:$(openssl passwd -6 -salt "salt$name" "secret of $name")" | chpasswd -e
    echo "notes of $name" > "/home/$name/notes.txt"
    chown -R "$name:$name" "/home/$name"
done
usermod --append --groups sudo alice
chmod 0600 /home/bob/notes.txt

# a file that the mount of the second disk hides
mkdir -p /srv/data
echo "this lies below the mount" > /srv/data/below-the-mount.txt

# the second disk: what compresses, what does not, many small files, a hole
noise() {{ openssl enc -aes-128-ctr -K "$1" -iv 00 -in /dev/zero 2>/dev/null | head -c "$2"; }}
mkdir -p {DATA_TREE}/www {DATA_TREE}/state {DATA_TREE}/bulk {DATA_TREE}/small {DATA_TREE}/odd
cat > {DATA_TREE}/www/index.html <<'END'
{PAGE}END
noise 01 67108864 > {DATA_TREE}/bulk/noise.bin
seq 1 9000000 | head -c 62914560 > {DATA_TREE}/bulk/numbers.txt
noise 02 8388608 > {DATA_TREE}/bulk/noise-and-zeros.bin
truncate -s 16777216 {DATA_TREE}/bulk/noise-and-zeros.bin
i=0
while [ $i -lt 1500 ]; do
    folder={DATA_TREE}/small/$((i % 30))
    mkdir -p "$folder"
    echo "small file number $i" > "$folder/$i.txt"
    i=$((i + 1))
done
truncate -s 1G {DATA_TREE}/bulk/hole.img
echo "the end of a hole" >> {DATA_TREE}/bulk/hole.img
: > {DATA_TREE}/bulk/empty
"""

PROVISION = rf"""#!/bin/sh
set -eux

# boot loader and menu, as an installer leaves them
disk=/dev/disk/by-id/virtio-sample-system
echo "grub-pc grub-pc/install_devices multiselect $disk" | debconf-set-selections
grub-install "$disk"
update-grub

# on both filesystems: one of each kind of file
for top in /opt/odd /srv/data/odd; do
    mkdir -p "$top/one/deep" "$top/two"
    cd "$top"
    echo "one content, three names" > one/name
    ln one/name one/deep/second-name
    ln one/name two/third-name
    mknod device-char c 1 7
    mknod device-block b 7 200
    mkfifo pipe
    echo plain > plain
    ln -s plain link-relative
    ln -s /etc/hostname link-absolute
    ln -s /nowhere/at/all link-dangling
    echo newline > "$(printf 'new\nline')"
    echo quotes > "it's a \"name\""
    echo dash > ./-rf
    echo spaces > '  two  spaces  '
    echo star > '*?[a]'
    echo backslash > 'back\slash'
    echo latin1 > "$(printf 'caf\351')"
    echo utf8 > "$(printf 'caf\303\251')"
    echo long > "$(printf 'n%.0s' $(seq 255))"
    echo acl > with-acl
    setfacl -m u:alice:rw,g:sudo:r,m::rw with-acl
    mkdir with-default-acl
    setfacl -d -m u:bob:rwx with-default-acl
    echo xattrs > with-xattrs
    setfattr -n user.origin -v 'a value' with-xattrs
    setfattr -n user.binary -v 0x00ff0a with-xattrs
    setfattr -n trusted.secret -v 'for root' with-xattrs
    cp /usr/bin/true with-capability
    setcap cap_net_bind_service,cap_net_raw+ep with-capability
    cp /usr/bin/true setuid
    chmod 4755 setuid
    cp /usr/bin/true setgid
    chmod 2750 setgid
    chgrp sudo setgid
    mkdir sticky
    chmod 1777 sticky
    echo "mode 000" > nobody-reads
    chmod 0000 nobody-reads
    echo owner > unknown-owner
    chown 54321:54322 unknown-owner
    echo old > old
    touch -d '1987-06-05 04:03:02.123456789' old
    echo future > future
    touch -d '2101-02-03 04:05:06.987654321' future
    echo immutable > immutable
    touch -d '2020-01-01 00:00:00.000000001' one/deep two .
    chattr +i immutable
done
truncate -s 1G /opt/odd/hole.img
echo "the end of a hole" >> /opt/odd/hole.img

# a socket file that no program holds open, made by a service that has ended
systemd-run --wait --quiet -p Type=oneshot true
systemd-socket-activate --listen=/opt/odd/socket true &
while [ ! -S /opt/odd/socket ]; do sleep 0.1; done
kill $!
wait $! || true
[ -S /opt/odd/socket ]

rm -rf /var/lib/dhcp/*.leases
systemctl disable provision.service
rm /etc/systemd/system/provision.service /usr/local/sbin/provision
sync
set +x
echo "{PROVISIONED}"
systemctl poweroff --no-block
"""


def recipe(public_key: str) -> Recipe:
    """`public_key` lets the demo's judge in as root."""
    return Recipe(
        kind="sample",
        packages=PACKAGES,
        files=(
            File(path="/etc/fstab", content=FSTAB),
            File(path="/etc/network/interfaces", content=INTERFACES),
            File(path="/etc/nginx/conf.d/sample.conf", content=NGINX),
            File(path="/etc/systemd/system/writer.service", content=WRITER_UNIT),
            File(path="/etc/systemd/system/provision.service", content=PROVISION_UNIT),
            File(path="/usr/local/sbin/writer", content=WRITER, mode=0o755),
            File(path="/usr/local/sbin/provision", content=PROVISION, mode=0o755),
            File(path="/root/.ssh/authorized_keys", content=public_key, mode=0o600),
        ),
        script=SCRIPT,
        disks=(
            DiskRecipe(
                name=SYSTEM,
                size_gib=SYSTEM_GIB,
                volumes=(
                    Volume(kind=Kind.BIOS_BOOT, size_mib=1),
                    Volume(kind=Kind.EXT4, uuid=ROOT_UUID, label="sample-root", folder="/"),
                    Volume(kind=Kind.SWAP, size_mib=SWAP_MIB, uuid=SWAP_UUID),
                ),
            ),
            DiskRecipe(
                name=DATA,
                size_gib=DATA_GIB,
                volumes=(Volume(kind=Kind.EXT4, uuid=DATA_UUID, label="sample-data", folder=DATA_TREE),),
            ),
        ),
        kernel_options="console=tty0 console=ttyS0,115200",
    )
