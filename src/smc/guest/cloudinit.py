"""cloud-init on a copy: it finds its new cloud, and takes the copy for the server that it was.

To cloud-init a new instance id is a new machine, which gets a name, host keys and a network. The copy is no
new machine: its name and its keys stay, and with IpMode.KEEP its network too. Users and passwords that the
cloud hands out still come in.
"""

import re

from smc.guest.origins import origin_of_datasource
from smc.guest.root import Root
from smc.model.plan import IpMode
from smc.model.report import Check, Level

ITEM = "GUESTOS.CloudInit"
PROGRAMS = ("/usr/bin/cloud-init", "/usr/local/bin/cloud-init", "/bin/cloud-init")
MAIN = "/etc/cloud/cloud.cfg"
FOLDER = "/etc/cloud/cloud.cfg.d"
OURS = f"{FOLDER}/99-zz-smc.cfg"  # the last file that is read has the last word
IDENTIFY = "/etc/cloud/ds-identify.cfg"
NEW_CLOUDS = ("AliYun", "NoCloud", "None")  # None: it goes on without any, and nothing waits
LIST = re.compile(
    r"^datasource_list:[ \t]*(?:\[(?P<one>[^\]]*)\]|(?P<more>(?:\n[ \t]*-[ \t]*.+)+))", re.MULTILINE
)
WHY = "the copy finds its new cloud, and stays the server that it was"


def installed(root: Root) -> bool:
    return any(root.exists(path) for path in PROGRAMS)


def datasources(root: Root, *, of_ours: bool = True) -> tuple[str, ...]:
    """Where it may look, as the last file says that says so; () for everywhere."""
    found: tuple[str, ...] = ()
    for path in (MAIN, *root.files(FOLDER, suffix=".cfg")):
        for match in LIST.finditer(root.read(path) or "") if of_ours or path != OURS else ():
            found = tuple(re.findall(r"\w+", match["one"] or match["more"] or ""))
    return found


def adapt(root: Root, mode: IpMode) -> list[Check]:
    if not installed(root):
        return []
    lines = ["# Written when this server was migrated.", "preserve_hostname: true", "ssh_deletekeys: false"]
    before = datasources(root, of_ours=False)
    pinned = bool(before) and NEW_CLOUDS[0] not in before
    if pinned:
        lines.append(f"datasource_list: [ {', '.join(NEW_CLOUDS)} ]")
    if mode is IpMode.KEEP:
        lines.append("network: {config: disabled}")
    root.write(OURS, "\n".join(lines) + "\n", WHY)
    identify = root.read(IDENTIFY)
    if identify:
        new = re.sub(r"^(datasource:.*)$", r"#\1", identify, flags=re.MULTILINE)
        root.write(IDENTIFY, new, WHY)
    if not pinned:
        return []
    place = " and ".join(sorted({origin_of_datasource(name) for name in before} - {""}))
    finding = f"cloud-init looked only for {', '.join(before)}" + (f" ({place})" if place else "")
    finding += f"; now it looks for {', '.join(NEW_CLOUDS)}"
    return [Check(item="cloud-init", level=Level.INFORMATION, finding=finding)]
