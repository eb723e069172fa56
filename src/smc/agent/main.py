"""The agent's command line."""

import sys
from collections.abc import Sequence

from smc.agent.version import VERSION


def main(words: Sequence[str]) -> int:
    print(f"smc-agent {VERSION}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
