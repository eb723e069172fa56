"""Causes are recognised in what consoles of real systems say."""

import time

import pytest

from smc.center.verification.causes import CAUSES, cause_of

DEBIAN_NO_ROOT = """\
Begin: Running /scripts/local-block ... done.
Gave up waiting for root file system device.  Common problems:
 - Boot args (cat /proc/cmdline)
   - Check rootdelay= (did the system wait long enough?)
 - Missing modules (cat /proc/modules; ls /dev)
ALERT!  UUID=0b7bd58c-0f1d-4f29-8a8f-6b3b7a0e1f01 does not exist.  Dropping to a shell!

BusyBox v1.35.0 (Debian 1:1.35.0-4+b3) built-in shell (ash)
Enter 'help' for a list of built-in commands.

(initramfs) """
PANIC_NO_ROOT = """\
[    1.412345] VFS: Cannot open root device "UUID=0b7bd58c" or unknown-block(0,0): error -6
[    1.413001] Please append a correct "root=" boot option; here are the available partitions:
[    1.414202] Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)
[    1.415000] ---[ end Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0) ]---
"""
PANIC = """\
[    2.101010] Run /sbin/init as init process
[    2.110000] Kernel panic - not syncing: Attempted to kill init! exitcode=0x00007f00
[    2.120000] CPU: 0 PID: 1 Comm: init Not tainted 6.1.0-18-amd64 #1
[    2.130000] ---[ end Kernel panic - not syncing: Attempted to kill init! exitcode=0x00007f00 ]---
"""
DRACUT = """\
[  133.612345] dracut-initqueue[310]: Warning: dracut-initqueue: timeout, still waiting for following hooks
[  187.100000] dracut-initqueue[310]: Warning: Could not boot.
         Starting Dracut Emergency Shell...
Warning: /dev/mapper/centos-root does not exist

Generating "/run/initramfs/rdsosreport.txt"

Entering emergency mode. Exit the shell to continue.
dracut:/# """
RESCUE = """\
Booting from Hard Disk...
error: no such device: 1f0e2a3b-11aa-4c2b-9f1e-2d3c4b5a6978.
Entering rescue mode...
grub rescue> """
GRUB_PROMPT = """\
                             GNU GRUB  version 2.06-13+deb12u1

   Minimal BASH-like line editing is supported. For the first word, TAB
   lists possible command completions.

grub> """
NO_BOOT = """\
SeaBIOS (version 1.16.2-debian-1.16.2-1)
Booting from Hard Disk...
Boot failed: not a bootable disk

No bootable device.
"""
FSCK = """\
/dev/vda2 contains a file system with errors, check forced.
/dev/vda2: Inodes that were part of a corrupted orphan linked list found.

/dev/vda2: UNEXPECTED INCONSISTENCY; RUN fsck MANUALLY.
\t(i.e., without -a or -p options)
fsck exited with status code 4
The root filesystem on /dev/vda2 requires a manual fsck
(initramfs) """
EMERGENCY = """\
[\x1b[0;1;31m TIME \x1b[0m] Timed out waiting for device \x1b[0;1;39mdev-disk-by-uuid-77aa.device\x1b[0m.
[\x1b[0;1;33mDEPEND\x1b[0m] Dependency failed for \x1b[0;1;39m/srv/data\x1b[0m.
[\x1b[0;1;33mDEPEND\x1b[0m] Dependency failed for \x1b[0;1;39mlocal-fs.target\x1b[0m.
You are in emergency mode. After logging in, type "journalctl -xb" to view
system logs, "systemctl reboot" to reboot, or "exit" to boot into default mode.
Give root password for maintenance
(or press Control-D to continue): """
LOCKED = """\
[  OK  ] Started Emergency Shell.
[  OK  ] Reached target Emergency Mode.

Cannot open access to console, the root account is locked.
See sulogin(8) man page for more details.

Press Enter to continue.
"""
CLOUD_INIT = (
    "[   12.345678] cloud-init[512]: Cloud-init v. 22.4.2 running 'init' at Thu, 26 Nov 2026.\n"
    "2026-11-26 10:00:51,024 - url_helper.py[WARNING]: Calling "
    "'http://169.254.169.254/2009-04-04/meta-data/instance-id' failed [50/120s]: request error\n"
)
NETWORK = """\
[\x1b[0;31m*\x1b[0;1;31m*\x1b[0m] A start job is running for Raise network interfaces (1min 30s / 5min 3s)\r\
[\x1b[0;31m*\x1b[0m] A start job is running for Raise network interfaces (1min 31s / 5min 3s)"""
INITRAMFS = """\
mount: mounting /dev on /root/dev failed: No such file or directory
Target filesystem doesn't have requested /sbin/init.
No init found. Try passing init= bootarg.

BusyBox v1.30.1 (Ubuntu 1:1.30.1-4ubuntu6.4) built-in shell (ash)
(initramfs) """
GRUB_ERROR = """\
Booting from Hard Disk...
error: file `/boot/grub/i386-pc/normal.mod' not found.
"""
HEALTHY = """\
[    0.000000] Linux version 6.1.0-18-amd64 (debian-kernel@lists.debian.org)
[    2.345678] EXT4-fs (vda2): mounted filesystem with ordered data mode. Quota mode: none.
[  OK  ] Reached target Multi-User System.

Debian GNU/Linux 12 web-1 ttyS0

web-1 login: """

RECORDED = {
    "Boot.NoRootDevice": (DEBIAN_NO_ROOT, PANIC_NO_ROOT),
    "Boot.KernelPanic": (PANIC,),
    "Boot.DracutTimeout": (DRACUT,),
    "Boot.GrubRescue": (RESCUE,),
    "Boot.GrubPrompt": (GRUB_PROMPT,),
    "Boot.NoBootDevice": (NO_BOOT,),
    "Boot.FsckWanted": (FSCK,),
    "Boot.EmergencyMode": (EMERGENCY, LOCKED),
    "Boot.CloudInitWaiting": (CLOUD_INIT,),
    "Boot.NetworkWaiting": (NETWORK,),
    "Boot.InitramfsShell": (INITRAMFS,),
    "Boot.GrubError": (GRUB_ERROR,),
}


@pytest.mark.parametrize(
    ("code", "console"), [(code, text) for code, texts in RECORDED.items() for text in texts]
)
def test_a_cause_is_recognised(code: str, console: str) -> None:
    found = cause_of(console)
    assert found is not None
    assert found.code == code
    assert found.message.endswith(".")
    assert found.hint.endswith(".")


def test_each_cause_has_a_recorded_text_and_a_code_of_its_own() -> None:
    codes = [cause.code for cause in CAUSES]
    assert sorted(codes) == sorted(RECORDED)


def test_a_system_that_came_up_has_no_cause_and_what_only_waits_is_not_the_end() -> None:
    assert cause_of(HEALTHY) is None
    assert cause_of("") is None
    waiting = {cause.code for cause in CAUSES if not cause.lasting}
    assert waiting == {"Boot.CloudInitWaiting", "Boot.NetworkWaiting", "Boot.GrubError"}


def test_what_was_long_ago_does_not_count() -> None:
    assert cause_of(PANIC + "x\n" * 50_000) is None


def test_a_hostile_console_of_one_line_holds_up_nobody() -> None:
    began = time.process_time()
    assert cause_of("Cloud-init  waiting for dracut-initqueue DataSourceX [WARNING] " * 1000) is None
    assert time.process_time() - began < 5.0
