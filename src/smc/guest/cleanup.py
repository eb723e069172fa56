"""What must not come along: the agent with its credentials, and what only one machine may have.

Kept, because the copy becomes the server at the cutover: machine-id, host keys, hostname, users.
"""

from smc.guest.root import Root
from smc.model.traces import AGENT_TRACES

AGENT_WHY = "the agent stays on the source; a copy that is started beside it must not report as it"
SEED_FILES = ("/var/lib/systemd/random-seed", "/var/lib/urandom/random-seed", "/var/lib/misc/random-seed")
SEED_WHY = "two machines must not draw the same random numbers"
CACHE_FILES = ("/etc/blkid.tab", "/etc/blkid/blkid.tab", "/run/blkid/blkid.tab")
CACHE_WHY = "remembers the device names of the old machine; it is made again by itself"


def clean(root: Root) -> None:
    for path in AGENT_TRACES:
        root.remove(path, AGENT_WHY, secret=True)
    for path in SEED_FILES:
        root.remove(path, SEED_WHY, secret=True)
    for path in CACHE_FILES:
        root.remove(path, CACHE_WHY)
