"""The first Python that runs in the one-file agent: `receive` is the receiver, everything else the agent."""

import hashlib
import os
import ssl
import sys

import smc.agent.main
import smc.receiver.main

LOADED = (hashlib, ssl)  # OpenSSL has read its (empty) settings, so the variable need not reach children


def main() -> int:
    os.environ.pop("OPENSSL_CONF", None)
    if sys.argv[1:2] == ["receive"]:
        return smc.receiver.main.main(sys.argv[2:])
    return smc.agent.main.main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
