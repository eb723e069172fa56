"""A copy that is tried beside its living source is another machine: machine-id and SSH host keys of its own.

Only in a drill. A migration's last round brings the source's own files back, as it does with all that a
conversion has changed: there the copy becomes the server.
"""

import re
import secrets

from smc.base.errors import CommandFailed
from smc.guest.enter import Guest
from smc.guest.root import Root
from smc.model.report import Check, Level

ITEM = "Identity"
# The second is a link to the first, or its copy.
MACHINE_IDS = ("/etc/machine-id", "/var/lib/dbus/machine-id")
KEYS = "/etc/ssh"
KEY = re.compile(r"^ssh_host_(?P<kind>rsa|ecdsa|ed25519)_key$")
# ssh-keygen asks before it writes over a file, which then keeps its owner, mode and label
OVERWRITE = """echo y | ssh-keygen -q -N '' -C "" -t "$1" -f "$2" >/dev/null"""
KEY_SECONDS = 600.0  # rsa: a second natively, an emulated instance is up to 100 times slower
WHY = "a copy that is tried beside its source is another machine"


def freshen(root: Root, guest: Guest) -> list[Check]:
    """Once for a copy: one that has them since an earlier attempt keeps them."""
    done = {change.path for change in root.journal.changes if WHY in change.why}
    if not done & {*MACHINE_IDS}:
        _new_machine_id(root)
    kept = _new_keys(root, guest, done)
    if kept:
        finding = f"{', '.join(kept)} could not be made anew, and are those of the source"
        cure = "See that ssh-keygen works on the source (package openssh-client)."
        return [Check(item=ITEM, level=Level.WARNING, finding=finding, cure=cure)]
    finding = "the copy that is tried has a machine-id and host keys of its own"
    return [Check(item=ITEM, level=Level.INFORMATION, finding=finding)]


def _new_machine_id(root: Root) -> None:
    """One that is made up here: an empty file would have systemd set up all units as on a first start."""
    fresh = f"{secrets.token_hex(16)}\n"
    for path in MACHINE_IDS:
        if (root.read(path) or "").strip():
            root.write(path, fresh, WHY)


def _new_keys(root: Root, guest: Guest, done: set[str]) -> list[str]:
    """Keys that stay the old ones. The record has no content of any."""
    kept = []
    for name in root.names(KEYS):
        match, path = KEY.match(name), f"{KEYS}/{name}"
        if match is None or path in done:
            continue
        try:
            guest("sh", "-ec", OVERWRITE, "sh", match["kind"], path, timeout=KEY_SECONDS)
        except CommandFailed:
            kept.append(path)
        else:
            root.journal.record(path, WHY, "(the source's key)", "(another key)")
    return kept
