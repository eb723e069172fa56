"""One run of a job at the source: every planned filesystem by itself, read-only, sent to the receiver.

This is a process of its own in a mount namespace of its own (worker.py starts it), so that what is
mounted here is seen by nobody else and is gone with the process.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from smc.agent import exclude_files, hooks, mounting
from smc.agent.disks import Storage, read_storage
from smc.agent.excludes import common_root, within
from smc.agent.home import Home
from smc.agent.mounts import Mount, parse
from smc.agent.notes import Notes
from smc.agent.wish import Wish
from smc.base.errors import Broken, SmcError, Transient, UserError
from smc.model.plan import Plan, Tree, disk_of, trees_of
from smc.model.progress import Failure
from smc.model.traces import AGENT_TRACES
from smc.transfer import native
from smc.transfer.sender import Quiet, SourceTree, send
from smc.wire.backoff import delays
from smc.wire.dial import is_loopback
from smc.wire.orders import Event, EventKind
from smc.wire.route import Route
from smc.wire.tls import Identity

log = logging.getLogger(__name__)

MOUNTINFO = Path("/proc/self/mountinfo")
WORKED_SECONDS = 60.0  # a connection that held so long was a good one: the next wait is short again

Emit = Callable[[Event], None]


class Place(NamedTuple):
    """A tree to send: its name in the plan, and the disk and the folder where the source has it.

    `subvolume` is its path in the btrfs that is mounted at `filesystem`.
    """

    name: str
    disk: int
    mount_point: str
    subvolume: str | None = None
    filesystem: str = ""
    excludes: tuple[str, ...] = ()


def replicate(wish: Wish, home: Home, center_host: str, proxy: str, emit: Emit, quiet: Quiet) -> None:
    """Works until the receiver has everything or it cannot go on; says which with an event.

    `quiet` runs the owner's scripts around the last pass, where there are any for this run.
    """
    order = wish.order
    try:
        hooks.explain(home)
        notes = Notes(order.run, emit)
        last = quiet if hooks.are_wanted(home, order.aim, notes) else None
        check_mounted(order.plan, parse(MOUNTINFO.read_text(errors="replace")), read_storage())
        trees = mount_trees(order.plan, home)
        identity = Identity(ca=order.ca, certificate=order.certificate, key=home.key().to_pem())
        emit(send_until_done(wish, trees, identity, center_host, proxy, emit, notes, last))
    except SmcError as e:
        log.error("run %s failed: %s (%s)", order.run, e.message, e.code)
        emit(failed(order.run, Failure.of(e)))
    except Exception as e:
        log.exception("run %s failed", order.run)
        unexpected = Broken(
            f"the agent failed: {type(e).__name__}: {e}",
            code="Agent.Failed",
            hint=f"Its log is in {home.logs} on the source.",
        )
        emit(failed(order.run, Failure.of(unexpected)))


def failed(run_id: str, failure: Failure) -> Event:
    """What may pass (`Transient`) is tried again when the center repeats its order."""
    return Event(
        run=run_id,
        kind=EventKind.FAILED,
        failure_kind=failure.kind,
        code=failure.code,
        message=failure.message,
        hint=failure.hint,
    )


def check_mounted(plan: Plan, mounts: Sequence[Mount], storage: Storage) -> None:
    """Raises `UserError` where another filesystem than the planned one, or none, is at a mount point.

    The folder below it would be copied in its place, and nobody would miss the data.
    """
    topmost = {mount.point: mount for mount in mounts}
    uuids = {found.mount_point: found.uuid for found in storage.filesystems if found.mount_point}
    for disk in plan.disks:
        for part in disk.partitions:
            point = part.mount_point
            if not part.source or not part.copied or not point.startswith("/"):
                continue
            for tree in trees_of(part):
                _check_tree(tree, topmost)
            if part.uuid and uuids.get(point) and part.uuid != uuids[point]:
                raise UserError(
                    f"another filesystem is mounted at {point} on the source than when the job was created",
                    code="Source.FilesystemChanged",
                    hint="Mount the earlier one and start the job again, or create the job again.",
                )


def _check_tree(tree: Tree, topmost: Mapping[str, Mount]) -> None:
    point = tree.mount_point
    if point and (point not in topmost or topmost[point].root != f"/{tree.subvolume or ''}"):
        raise UserError(
            f"nothing is mounted at {point} on the source any more",
            code="Source.NotMounted",
            hint="Mount it and start the job again, or create the job again without it.",
        )


def mount_trees(plan: Plan, home: Home, do: mounting.Mount = native.mount) -> list[SourceTree]:
    """Bind each planned filesystem below the agent's folder: what is mounted over it does not show there."""
    places = planned(plan)
    exclude_files.explain(home.excludes, sorted({place.disk for place in places}))
    home.mounts.mkdir(mode=0o700, exist_ok=True)
    # A filesystem in memory, so that no folder is made on the source's own.
    mounting.memory(home.mounts, do)
    trees = []
    for place in places:
        path = home.mounts / place.name
        path.mkdir()
        _mount(place, path, do)
        trees.append(
            SourceTree(
                name=place.name,
                path=path,
                mount_point=place.mount_point,
                excludes=(*place.excludes, *_excludes(plan, place, home)),
            )
        )
    return trees


def _excludes(plan: Plan, place: Place, home: Home) -> tuple[str, ...]:
    if not place.mount_point:
        return ()
    everywhere = within((*AGENT_TRACES, *plan.excludes), "/", place.mount_point)
    return (*everywhere, *of_disk(plan, place, home.excludes))


def _mount(place: Place, path: Path, do: mounting.Mount) -> None:
    if place.subvolume is None:
        mounting.read_only(place.mount_point, path, do)
        return
    mounts = parse(MOUNTINFO.read_text(errors="replace"))
    device = next(mount.source for mount in reversed(mounts) if mount.point == place.filesystem)
    mounting.subvolume(device, place.subvolume, path, do)


def of_disk(plan: Plan, place: Place, folder: Path) -> tuple[str, ...]:
    """What the operator and the owner of the source leave out of this disk.

    Their paths are relative to / for the system disk, else to where the disk is mounted; to each of its
    filesystems, where none of them is below another.
    """
    here = [other for other in planned(plan) if other.disk == place.disk]
    points = [other.mount_point for other in here if other.mount_point]
    root = common_root(points) if place.disk else "/"
    patterns = [
        *(pattern for disk in plan.disks if disk.index == place.disk for pattern in disk.excludes),
        *exclude_files.read(folder, place.disk),
    ]
    return within(patterns, root or place.mount_point, place.mount_point)


def planned(plan: Plan) -> list[Place]:
    return [
        Place(tree.name, disk_of(part.source), tree.seen_at, tree.subvolume, part.mount_point, tree.excludes)
        if tree.subvolume is not None
        else Place(tree.name, disk_of(part.source), tree.seen_at)
        for disk in plan.disks
        for part in disk.partitions
        for tree in trees_of(part)
        if part.source and part.copied and part.mount_point.startswith("/")
    ]


def send_until_done(
    wish: Wish,
    trees: Sequence[SourceTree],
    identity: Identity,
    center_host: str,
    proxy: str,
    emit: Emit,
    notes: Notes,
    quiet: Quiet | None = None,
) -> Event:
    """A cut connection is made again for as long as the center wants this run: it ends this process.

    Each goes to where the receiver is by then.
    """
    waits = delays()
    run_id = wish.order.run
    told = False
    while True:
        host = center_host if is_loopback(wish.order.host) else wish.order.host
        route = Route(host, wish.order.port, identity, "" if is_loopback(host) else proxy)
        began = time.monotonic()
        try:
            channel = route.connect()
            if not told:
                emit(Event(run=run_id, kind=EventKind.STARTED))
                told = True
            log.info("run %s: connected to %s:%d", run_id, route.host, route.port)
            sent = send(
                channel,
                route.open_stream,
                trees,
                wish.dials,
                threading.Event(),
                notes,
                notes.compressing_at,
                quiet,
            )
        except Transient as e:
            if time.monotonic() - began > WORKED_SECONDS:
                waits = delays()
            wait = next(waits)
            log.warning("run %s: %s; trying again in %.1f s", run_id, e.message, wait)
            wish.dials.wait(wait)
            continue
        channel.close()
        log.info("run %s: sent in %d passes", run_id, sent.passes)
        return Event(run=run_id, kind=EventKind.FINISHED, moving=(*sent.moving, *sent.unreadable))
