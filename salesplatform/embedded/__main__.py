"""`python -m salesplatform.embedded`: the servers, and commands that need them."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Callable

from salesplatform.embedded.application import run as run_platform
from salesplatform.embedded.commands import run_in_foreground
from salesplatform.embedded.errors import CannotStart
from salesplatform.embedded.places import data_folder
from salesplatform.embedded.services import Services, Use, keep_running, stop_running
from salesplatform.embedded.signals import interrupt_on_every_ending
from salesplatform.embedded.throwaway import environment, throwaway_services


def main(arguments: list[str]) -> int:
    options = _parser().parse_args(arguments)
    interrupt_on_every_ending()
    try:
        command: Callable[[list[str]], int] = options.command
        return command(_without_separator(options.rest))
    except CannotStart as reason:
        print(reason, file=sys.stderr)
        return 1
    except OSError as error:
        print(f"Cannot go on: {error}.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def execute(command: list[str]) -> int:
    """Run a command among the embedded servers of the data folder."""
    if not command:
        raise CannotStart("exec needs a command: exec -- manage.py migrate")
    services = Services(data_folder())
    use = Use(services)
    try:
        use.begin()
        return run_in_foreground(command, services.environment)
    finally:
        use.end()


def test(pytest_arguments: list[str]) -> int:
    """Run pytest on every core among throw-away servers."""
    cores = len(os.sched_getaffinity(0))
    with throwaway_services() as services:
        command = [sys.executable, "-m", "pytest", "-n", str(cores), *pytest_arguments]
        return run_in_foreground(command, environment(services))


def run(_: list[str]) -> int:
    """Run the whole platform until Ctrl-C."""
    return run_platform(data_folder())


def up(_: list[str]) -> int:
    """Start the servers in the background."""
    keep_running(Services(data_folder()), print)
    return 0


def down(_: list[str]) -> int:
    """Stop the servers."""
    stop_running(Services(data_folder()))
    return 0


def status(_: list[str]) -> int:
    """Show which servers run; exit code 3 when one does not."""
    servers = Services(data_folder()).servers
    for server in servers:
        print(f"{server.name}: {f'port {server.port}' if server.is_alive else 'not running'}")
    return 0 if all(server.is_alive for server in servers) else 3


def env(_: list[str]) -> int:
    """Print the variables of running servers, for a shell to evaluate."""
    services = Services(data_folder())
    if not all(server.is_alive for server in services.servers):
        raise CannotStart("The servers are not running: start them with `up`.")
    for name, value in services.environment.items():
        print(f"export {name}={shlex.quote(value)}")
    return 0


def _without_separator(arguments: list[str]) -> list[str]:
    return arguments[1:] if arguments[:1] == ["--"] else arguments


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m salesplatform.embedded", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, command in {
        "run": run,
        "exec": execute,
        "test": test,
        "up": up,
        "down": down,
        "status": status,
        "env": env,
    }.items():
        described = commands.add_parser(name, help=command.__doc__, add_help=False)
        described.add_argument("rest", nargs=argparse.REMAINDER)
        described.set_defaults(command=command)
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
