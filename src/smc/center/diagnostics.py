"""All that is known of a job in one archive, to be handed on: secrets are taken out of every text in it."""

import gzip
import io
import json
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path

from smc.center.blobs import Blobs
from smc.center.store.events import EventFilter
from smc.center.store.store import Store
from smc.center.store.values import Job, Run
from smc.model.codec import to_builtins

MOST_LINES = 10_000  # of the job's log, of its events, of the center's log
LARGEST_CENTER_LOG = 20 << 20  # bytes of its end that are looked through
HIDDEN = "***"
SECRETS = tuple(  # what looks like one is taken for one
    re.compile(pattern, re.DOTALL | re.IGNORECASE)
    for pattern in (
        # up to the next line of that kind, also where its end is cut off
        r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?:[^-]|-(?!----))*(?:-----END [A-Z ]*PRIVATE KEY-----)?",
        r"(?<=://)[^/\s:@]+:[^/\s@]+(?=@)",  # user:password@
        r"(?<=bearer )[A-Za-z0-9._~+/=-]{8,}",
        r"(?<=--token-code )\S+|(?<=--ticket )\S+",
        r"""(?:(?<=password)|(?<=passwd)|(?<=secret)|(?<=token)|(?<=credential)|(?<=ticket))["']?\s*[=:]\s*["']?[^\s"',;]{6,}""",
    )
)
BARE = re.compile(r"\b(?=[A-Za-z0-9]*[A-Z])(?=[A-Za-z0-9]*[a-z])(?=[A-Za-z0-9]*\d)[A-Za-z0-9]{32,43}\b")


def bundle(store: Store, blobs: Blobs, job: Job, logs: Path) -> bytes:
    """A tar.gz, the same bytes for the same content; `logs` is the folder of the center's own."""
    out = io.BytesIO()
    known = _known(store)
    with (
        gzip.GzipFile(fileobj=out, mode="wb", mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w") as tar,
    ):
        for name, content in _files(store, blobs, job, logs):
            data = scrub(content, known).encode()
            info = tarfile.TarInfo(f"{job.id}/{name}")
            info.size, info.mode = len(data), 0o600
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def scrub(text: str, known: tuple[str, ...] = ()) -> str:
    """`text` without what is, or looks like, a secret; `known` are texts that are."""
    for secret in known:
        text = text.replace(secret, HIDDEN)
    for pattern in SECRETS:
        text = pattern.sub(HIDDEN, text)
    return BARE.sub(HIDDEN, text)


def _known(store: Store) -> tuple[str, ...]:
    return tuple(key.secret.reveal() for key in store.access_keys.list())


def _files(store: Store, blobs: Blobs, job: Job, logs: Path) -> Iterator[tuple[str, str]]:
    runs = store.runs.of_job(job.id)
    yield "job.json", _json(job)
    source = store.sources.find(job.source_id)
    if source is not None:
        yield "source.json", _json(source.server)
    yield "runs.json", _json([_run(run) for run in runs])
    for run in runs:
        report = store.runs.report(job.id, run.number) if run.reported else None
        if report is not None:
            yield f"runs/{run.number}/report.json", _json(report)
    _, lines = store.log.page(job.id, offset=0, limit=MOST_LINES)
    yield "log.jsonl", _lines(lines)
    wanted = EventFilter(jobs=(job.id,), after=0)
    yield "events.jsonl", _lines(store.events.page(wanted, offset=0, limit=MOST_LINES)[1])
    for log in store.run_logs.of_job(job.id):
        text = blobs.read(log.blob).decode(errors="replace")
        yield f"runs/{log.run}/{log.sender}/{log.name}", text
    for one in store.verifications.page(jobs=[job.id])[1]:
        yield f"verifications/{one.id}.json", _json(one)
        if console := blobs.read(one.console):
            yield f"verifications/{one.id}.console.txt", console.decode(errors="replace")
    yield (
        "center.log",
        "\n".join(_mentions(logs / "center.log", (job.id, job.source_id or job.moved_instance))),
    )


def _run(run: Run) -> dict[str, object]:
    """Without its authority and certificates."""
    plain = {name: getattr(run, name) for name in run.__struct_fields__}
    for name in ("ca", "ca_key", "agent_certificate", "receiver_certificate"):
        plain.pop(name, None)
    return {name: to_builtins(value) for name, value in plain.items()}


def _mentions(path: Path, words: tuple[str, ...]) -> list[str]:
    """The newest lines of the center's log that name the job or its source."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, io.SEEK_END)
            file.seek(max(0, size - LARGEST_CENTER_LOG))
            text = file.read(LARGEST_CENTER_LOG).decode(errors="replace")
    except OSError:
        return []
    return [line for line in text.splitlines() if any(word in line for word in words)][-MOST_LINES:]


def _json(value: object) -> str:
    return json.dumps(to_builtins(value), indent=2, ensure_ascii=False) + "\n"


def _lines(values: object) -> str:
    assert isinstance(values, list)
    return "".join(json.dumps(to_builtins(value), ensure_ascii=False) + "\n" for value in values)
