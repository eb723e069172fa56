"""A center as a process of its own, for tests of its start and end; argv: data folder, listen address."""

import sys
from pathlib import Path

from tests.unit.center.running import NotedJobs

from smc.center.admin_key import AdminKey
from smc.center.app import open_parts
from smc.center.serve import serve
from smc.center.settings import Settings, read_address
from smc.cloud.memory import MemoryCloud


def main() -> None:
    parts = open_parts(
        Settings(
            data_dir=Path(sys.argv[1]),
            listen=read_address(sys.argv[2]),
            agent_listen=read_address("127.0.0.1:0"),
        )
    )
    try:
        serve(parts, MemoryCloud(), NotedJobs(), ready=announce)
    finally:
        parts.close()


def announce(admin: AdminKey, is_new: bool) -> None:
    print("new" if is_new else "known", admin.endpoint, admin.access_key_id, flush=True)


if __name__ == "__main__":
    main()
