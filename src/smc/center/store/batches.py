"""Batches: many jobs of a workgroup are to be started or cut over, a few at a time.

The wish is here and stays until it is fulfilled: a center that dies goes on with it (center/batching.py).
"""

from collections.abc import Collection, Sequence
from enum import Enum

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, func, insert, select, update

from smc.base.errors import UserError
from smc.center.clock import Clock
from smc.center.store.batch_tables import batch_jobs as items
from smc.center.store.batch_tables import batches as table
from smc.center.store.database import Database
from smc.center.store.ids import new_id
from smc.center.store.workgroups import lock


class BatchKind(Enum):
    START = "Start"
    CUT_OVER = "CutOver"


class ItemState(Enum):
    WAITING = "Waiting"
    RUNNING = "Running"
    DONE = "Done"
    FAILED = "Failed"
    CANCELLED = "Cancelled"


OPEN = (ItemState.WAITING, ItemState.RUNNING)


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """`run_number`: the job's when it was wished; a later one is the wished run."""

    job: str
    run_number: int
    state: ItemState = ItemState.WAITING
    code: str = ""
    message: str = ""


class NewBatch(msgspec.Struct, frozen=True, kw_only=True):
    workgroup: str
    kind: BatchKind
    items: tuple[Item, ...]
    most_at_once: int
    sync_data: bool = False


class Batch(NewBatch, frozen=True, kw_only=True):
    """`ended` when nothing is left to be done."""

    id: str
    created: float
    ended: float | None


class Batches:
    def __init__(self, database: Database, region: str, clock: Clock) -> None:
        self._database = database
        self._region = region
        self._clock = clock

    def create(self, new: NewBatch) -> str:
        """Raises `UserError`: `InvalidWorkgroupId.NotFound`, `Workgroup.BatchInProgress`."""
        with self._database.write() as connection:
            lock(connection, new.workgroup)
            if going := _going(connection, new.workgroup):
                raise UserError(
                    f"The batch {going} of the workgroup {new.workgroup} is still going on.",
                    code="Workgroup.BatchInProgress",
                    hint=f"Wait until it ends, or cancel what it has not begun (CancelBatch {going}).",
                )
            batch = new_id("b", self._region)
            connection.execute(
                insert(table).values(
                    id=batch,
                    workgroup=new.workgroup,
                    kind=new.kind.value,
                    most_at_once=new.most_at_once,
                    sync_data=new.sync_data,
                    created=self._clock.now(),
                )
            )
            for position, item in enumerate(new.items):
                values = msgspec.structs.asdict(item) | {"state": item.state.value}
                connection.execute(insert(items).values(batch=batch, position=position, **values))
        return batch

    def page(
        self, ids: Collection[str], workgroup: str, *, offset: int, limit: int
    ) -> tuple[int, Sequence[Batch]]:
        """How many there are, and one page of them, newest first; an empty filter takes all."""
        conditions: list[ColumnElement[bool]] = [table.c.id.in_(ids)] if ids else []
        if workgroup:
            conditions.append(table.c.workgroup == workgroup)
        query = select(table).where(*conditions).order_by(table.c.created.desc(), table.c.id)
        with self._database.read() as connection:
            total = connection.execute(
                select(func.count()).select_from(table).where(*conditions)
            ).scalar_one()
            rows = connection.execute(query.offset(offset).limit(limit)).fetchall()
            return total, [_value(connection, row) for row in rows]

    def going(self) -> Sequence[Batch]:
        """Those with something left to do, oldest first."""
        query = select(table).where(table.c.ended.is_(None)).order_by(table.c.created, table.c.id)
        with self._database.read() as connection:
            return [_value(connection, row) for row in connection.execute(query).fetchall()]

    def turn(self, batch: str, job: str, state: ItemState, *, code: str = "", message: str = "") -> bool:
        """False, and nothing changes, when the item is at its end already."""
        still = items.c.state.in_([found.value for found in OPEN])
        here = update(items).where(items.c.batch == batch, items.c.job == job, still)
        with self._database.write() as connection:
            done = connection.execute(here.values(state=state.value, code=code, message=message))
            return done.rowcount > 0

    def cancel(self, batch: str) -> None:
        """What it has not begun is not begun any more. Raises `UserError` (`InvalidBatchId.NotFound`)."""
        with self._database.write() as connection:
            if connection.execute(select(table.c.id).where(table.c.id == batch)).first() is None:
                raise no_such_batch(batch)
            waiting = items.c.state == ItemState.WAITING.value
            here = update(items).where(items.c.batch == batch, waiting)
            connection.execute(here.values(state=ItemState.CANCELLED.value))

    def close(self, batch: str) -> None:
        """It ends if nothing is left to do."""
        left = select(items.c.job).where(
            items.c.batch == batch, items.c.state.in_([state.value for state in OPEN])
        )
        with self._database.write() as connection:
            if connection.execute(left).first() is None:
                here = update(table).where(table.c.id == batch, table.c.ended.is_(None))
                connection.execute(here.values(ended=self._clock.now()))

    def to_cut_over(self) -> frozenset[str]:
        """Jobs whose cut-over is wished or under way in a batch."""
        query = (
            select(items.c.job)
            .join(table, table.c.id == items.c.batch)
            .where(
                table.c.kind == BatchKind.CUT_OVER.value, items.c.state.in_([state.value for state in OPEN])
            )
        )
        with self._database.read() as connection:
            return frozenset(connection.execute(query).scalars())


def no_such_batch(batch: str) -> UserError:
    return UserError(
        f"There is no batch {batch}.", code="InvalidBatchId.NotFound", hint="DescribeBatches lists them."
    )


def _going(connection: Connection, workgroup: str) -> str:
    query = select(table.c.id).where(table.c.workgroup == workgroup, table.c.ended.is_(None)).limit(1)
    return connection.execute(query).scalar() or ""


def _value(connection: Connection, row: Row[tuple[object, ...]]) -> Batch:
    query = select(items).where(items.c.batch == row.id).order_by(items.c.position)
    return Batch(
        id=row.id,
        workgroup=row.workgroup,
        kind=BatchKind(row.kind),
        most_at_once=row.most_at_once,
        sync_data=row.sync_data,
        created=row.created,
        ended=row.ended,
        items=tuple(
            Item(
                job=item.job,
                run_number=item.run_number,
                state=ItemState(item.state),
                code=item.code,
                message=item.message,
            )
            for item in connection.execute(query)
        ),
    )
