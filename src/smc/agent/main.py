"""The agent's command line."""

import argparse
import logging
import sys
import time
from collections.abc import Sequence

from smc.agent.facts import read_facts
from smc.agent.home import Home, own_file
from smc.agent.importing import Import, import_source
from smc.agent.install import Service
from smc.agent.service import running_pid, serve, stop_on_signals
from smc.agent.version import VERSION
from smc.agent.worker import VERB as WORK
from smc.agent.worker import serve as work
from smc.base import log as logs
from smc.base.errors import SmcError

DESCRIPTION = """\
The agent of the Server Migration Center: it serves on a server that is to be moved. It only dials out, to
the center and to the intermediate instance of a job, and keeps all it has in /smc."""
EXAMPLES = """\
  smc-agent import --center https://HOST:PORT --ca-fingerprint HEX --token-id ID --token-code CODE
  smc-agent status
  smc-agent --abort
  smc-agent --uninstall

`smc-agent receive --help` is about the other role of this file: the receiver on an intermediate instance."""
NOTHING_RESTARTS = """\
This machine has no systemd, so nothing starts the agent again when it was killed or the machine was
restarted. Start it then with: sh {agent} run >/dev/null 2>&1 &"""

DATABASES_RUN = """\
{databases} runs here. A copy of what it writes meanwhile is of no one moment: stop it before the last
round, or put scripts that stop and start it into {hooks} (its README tells how)."""


def main(words: Sequence[str], home: Home | None = None) -> int:
    home = home or Home()
    if words[:1] == [WORK]:
        return work(int(words[1]), home)
    options = _parser().parse_args(words)
    try:
        if options.abort:
            return _abort(Service(home))
        if options.uninstall:
            return _uninstall(home, Service(home))
        match options.verb:
            case "import":
                return _import(options, home)
            case "run":
                serve(home, stop_on_signals())
                return 0
            case "status":
                return _status(home)
            case _:
                _parser().print_help()
                return 2
    except PermissionError as e:
        print(f"smc-agent: {e.strerror}: {e.filename or 'the agent'}: run it as root", file=sys.stderr)
        return 1
    except OSError as e:
        print(f"smc-agent: {e.strerror or e}: {e.filename or 'the agent'}", file=sys.stderr)
        return 1
    except SmcError as e:
        print(f"smc-agent: {e.message} ({e.code})", file=sys.stderr)
        if e.hint:
            print(e.hint, file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    shape = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog="smc-agent", description=DESCRIPTION, epilog=EXAMPLES, formatter_class=shape
    )
    parser.add_argument("--version", action="version", version=f"smc-agent {VERSION}")
    ending = parser.add_mutually_exclusive_group()
    ending.add_argument(
        "--abort",
        action="store_true",
        help="stop the agent and what it is copying; as a service it starts again with the machine",
    )
    ending.add_argument(
        "--uninstall",
        action="store_true",
        help="stop the agent and remove all of it: service, credentials, exclude lists, logs",
    )
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", title="verbs")
    enrol = verbs.add_parser(
        "import",
        help="make this machine a migration source of a center, and start the agent",
        description="Makes this machine a migration source of a center and starts the agent as a service. "
        "Done again on the same machine it stays the same source. When the first import fails, nothing is "
        "left behind.",
    )
    enrol.add_argument("--center", required=True, metavar="URL", help="agent address: https://HOST:PORT")
    enrol.add_argument(
        "--ca-fingerprint", required=True, metavar="HEX", help="SHA-256 of the center's CA certificate"
    )
    enrol.add_argument("--token-id", required=True, metavar="ID", help="id of the activation code: at-...")
    enrol.add_argument("--token-code", required=True, metavar="CODE", help="the activation code itself")
    enrol.add_argument(
        "--proxy",
        metavar="URL",
        help="HTTP proxy for all connections: http://[user:password@]host:port; "
        'if not given, what https_proxy and no_proxy say now; "" for none',
    )
    verbs.add_parser(
        "run",
        help="serve in the foreground (what the service does)",
        description="Serves in the foreground until SIGTERM or SIGINT: heartbeat, orders, copying. Proxy and "
        "log level are in /smc/user_config.json; the defaults are no proxy and INFO.",
    )
    verbs.add_parser(
        "status",
        help="say whether the agent runs, for which center, and what it is doing",
        description="Says whether the agent runs, for which center, and what it is doing. Exit status 0 when "
        "it runs and the center answers it, 3 when not, 1 when this machine is not imported.",
    )
    return parser


def _import(options: argparse.Namespace, home: Home) -> int:
    logs.set_up(level=logging.WARNING)
    wanted = Import(
        url=options.center,
        fingerprint=options.ca_fingerprint,
        token_id=options.token_id,
        token_code=options.token_code,
        proxy=options.proxy,
    )
    service = Service(home)
    source = import_source(wanted, home, service, own_file())
    print(f"Import Source Server [{source}] Successfully!")
    facts = read_facts()
    if facts.databases and not facts.hooks:
        print(DATABASES_RUN.format(databases=", ".join(facts.databases), hooks=home.hooks))
    if not service.lasts:
        print(NOTHING_RESTARTS.format(agent=home.agent))
    return 0


def _abort(service: Service) -> int:
    if service.stop():
        print("The agent has been stopped.")
    else:
        print("No agent is running on this machine.")
    return 0


def _uninstall(home: Home, service: Service) -> int:
    service.remove(with_all_runtimes=True)
    if left := home.foreign():
        print(f"The agent has been removed. {home.root} stays, for it holds {', '.join(left[:3])}.")
    else:
        print("The agent has been removed. Delete the source at the center too.")
    return 0


def _status(home: Home) -> int:
    """Exit status 0 when the agent runs and the center answers it, 3 otherwise (as service scripts do)."""
    credentials, pulse, pid = home.credentials(), home.last_pulse(), running_pid(home)
    age = time.time() - pulse.time if pulse else None
    print(f"source     {credentials.source_id}")
    print(f"center     {credentials.url}")
    print(f"agent      {f'running, process {pid}' if pid else 'not running'}, version {VERSION}")
    restarts = "by systemd" if Service(home).lasts else f"by nobody: sh {home.agent} run &"
    print(f"restarted  {restarts}")
    print(f"heartbeat  {f'answered {age:.0f} s ago' if age is not None else 'never answered'}")
    print(f"run        {pulse.holding if pulse and pulse.holding else 'none'}")
    print(f"log        {home.log}")
    healthy = pid is not None and age is not None and age < 3 * credentials.heartbeat_seconds
    return 0 if healthy else 3


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
