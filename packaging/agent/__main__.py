"""The first Python that runs in the one-file agent: `receive` is the receiver, everything else the agent."""

import hashlib
import importlib
import os
import ssl
import sys

LOADED = (hashlib, ssl)  # OpenSSL has read its (empty) settings, so the variable need not reach children


def main() -> int:
    """Each role loads its own part alone."""
    os.environ.pop("OPENSSL_CONF", None)
    receives = sys.argv[1:2] == ["receive"]
    program = importlib.import_module("smc.receiver.main" if receives else "smc.agent.main")
    status: int = program.main(sys.argv[2:] if receives else sys.argv[1:])
    return status


if __name__ == "__main__":
    sys.exit(main())
