"""Writes images as files that other programs read; a thread of its own, for it takes long.

A file gets its name when it is whole. What a crash cut off is done again from the beginning of its disk.
"""

import logging
import shutil
from pathlib import Path

from smc.base.errors import SmcError
from smc.base.files import sync_folder
from smc.base.run import Run, run
from smc.localcloud.cloud import Cloud, with_changes
from smc.localcloud.things import Export, ExportStatus, Image

UNFINISHED = ".new"
CONVERT_SECONDS = 12 * 3600.0
FORMATS = {"raw": "raw", "qcow2": "qcow2", "vhd": "vpc", "vmdk": "vmdk"}  # the vendor's word -> QEMU's
SPARE = 1 << 30  # bytes of the filesystem that stay free

log = logging.getLogger(__name__)


class Exporter:
    def __init__(self, cloud: Cloud, run: Run = run) -> None:
        self._cloud = cloud
        self._run = run

    def step(self) -> None:
        for export in self._cloud.store.all(Export):
            if export.status is ExportStatus.PROCESSING:
                self._export(export)

    def _export(self, export: Export) -> None:
        image = self._cloud.store.get(Image, export.image)
        if image is None:
            self._note(export, ExportStatus.FAILED, why="the image was deleted")
            return
        try:
            for number, disk in enumerate(image.disks):
                path = self._path(export, number)
                if not path.exists():
                    self._convert(self._cloud.layers.path(disk.layer), path, export.format)
                self._note(export, ExportStatus.PROCESSING, percent=100 * (number + 1) // len(image.disks))
        except (SmcError, OSError) as e:
            log.error("the export %s failed: %s", export.id, e)
            self._note(export, ExportStatus.FAILED, why=str(e))
        else:
            self._note(export, ExportStatus.FINISHED, percent=100)

    def _convert(self, layer: Path, path: Path, kind: str) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        free = shutil.disk_usage(path.parent).free
        if free < layer.stat().st_size + SPARE:
            raise OSError(f"no room for {path.name}: {free >> 20} MiB are free at {path.parent}")
        unfinished = path.with_name(path.name + UNFINISHED)
        packed = ("-c",) if kind == "qcow2" else ()
        words = ("qemu-img", "convert", "-q", *packed, "-O", FORMATS[kind], layer, unfinished)
        self._run(*words, timeout=CONVERT_SECONDS)
        unfinished.rename(path)
        sync_folder(path.parent)

    def _path(self, export: Export, number: int) -> Path:
        return self._cloud.exports / export.bucket / file_name(export, number)

    def _note(self, export: Export, status: ExportStatus, *, percent: int = 0, why: str = "") -> None:
        with self._cloud.store.transaction():
            fresh = self._cloud.store.get(Export, export.id)
            if fresh:
                self._cloud.store.put(with_changes(fresh, status=status, percent=percent, why=why))


def file_name(export: Export, number: int) -> str:
    """As the vendor names the objects: PREFIX_m-..._system.qcow2, PREFIX_m-..._data_1.qcow2."""
    disk = f"data_{number}" if number else "system"
    return "_".join(part for part in (export.prefix, export.image, disk) if part) + f".{export.format}"
