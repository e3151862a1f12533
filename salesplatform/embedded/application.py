"""The whole platform on one machine: what `make run` does once the requirements are there."""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from salesplatform.embedded import ports, processes
from salesplatform.embedded.errors import CannotStart
from salesplatform.embedded.external import check_external_services
from salesplatform.embedded.locks import FileLock
from salesplatform.embedded.parts import Program, orphans
from salesplatform.embedded.places import DataFolder
from salesplatform.embedded.services import Services, Use
from salesplatform.embedded.signals import uninterrupted
from salesplatform.embedded.steps import manage, step, talking_step
from salesplatform.embedded.supervisor import Supervisor
from salesplatform.embedded.welcome import answers, welcome

WEB_SECONDS = 60.0
WORKER_PROCESSES = 2


@dataclass(frozen=True)
class Address:
    """Where the web server listens."""

    host: str
    port: int

    @classmethod
    def from_environment(cls) -> Address:
        named = os.environ.get("PORT", "8000")
        if not named.isdigit() or not 0 < int(named) < 65536:
            raise CannotStart(f"PORT must be a number from 1 to 65535, and is {named!r}.")
        return cls(os.environ.get("HOST", ports.LOOPBACK), int(named))

    @property
    def url(self) -> str:
        """The address for a browser on this machine."""
        host = ports.LOOPBACK if self.host in ("0.0.0.0", "::") else self.host
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"

    def check(self) -> None:
        if obstacle := ports.obstacle(self.port, self.host):
            raise CannotStart(
                f"Port {self.port} on {self.host} cannot be listened on ({obstacle}): "
                f"choose another, as in `make run PORT={self.port + 1}`."
            )


def run(folder: DataFolder) -> int:
    """Bring the platform up, keep it up, and take it down in order when told to."""
    address = Address.from_environment()
    folder.create()
    lock = _the_only_run(folder)
    began = time.monotonic()
    try:
        _end_orphans(folder)
        address.check()
        with step("Server programs"):
            services = Services(folder)
        use = Use(services)
        try:
            _start_services(use)
            _run_platform(services, address, began)
        finally:
            use.end()
    finally:
        lock.release()
    print("Stopped.")
    return 0


def programs(folder: DataFolder, address: Address, variables: dict[str, str]) -> list[Program]:
    """The processes of the application, in the order in which they are stopped."""
    cores = len(os.sched_getaffinity(0))

    def program(name: str, arguments: str, patience: float = 10.0) -> Program:
        # The process name shows up in PostgreSQL's list of connections.
        named = variables | {"PROCESS_NAME": f"salesplatform-{name}"}
        return Program(name, arguments.split(), folder.root, named, patience)

    bus = ("relay", "receive") if os.environ.get("AMQP_URL") else ()
    return [
        program(
            "web",
            f"-m granian --interface wsgi --host {address.host} --port {address.port} "
            f"--workers {cores} --blocking-threads 1 --no-ws --workers-kill-timeout 8 "
            "--respawn-failed-workers --respawn-interval 0.5 salesplatform.wsgi:application",
        ),
        program("events", "manage.py deliver_events"),
        *(program(name, f"manage.py {name}") for name in bus),
        program("webhooks", "manage.py webhooks", patience=20.0),
        program(
            "beat",
            "-m celery -A salesplatform beat --loglevel INFO "
            "--scheduler django_celery_beat.schedulers:DatabaseScheduler",
        ),
        program(
            "worker",
            "-m celery -A salesplatform worker --loglevel INFO "
            f"--pool prefork --concurrency {WORKER_PROCESSES} --without-mingle --without-gossip",
            patience=30.0,
        ),
    ]


def _the_only_run(folder: DataFolder) -> FileLock:
    path = folder.root / "run.lock"
    lock = FileLock(path)
    if not lock.try_to_take():
        raise CannotStart(
            f"The platform already runs from {folder.root} (process {path.read_text().strip()}): "
            "stop it first, or set another DATA_DIR and PORT."
        )
    path.write_text(str(os.getpid()))
    return lock


def _end_orphans(folder: DataFolder) -> None:
    """They hold the port, and their code may be older than this."""
    if orphans(folder.root):
        with step("Ending what a killed start left running"):
            processes.end_all(partial(orphans, folder.root))


def _start_services(use: Use) -> None:
    use.hold()
    if external := use.services.external:
        with step("External services"):
            check_external_services(external)
    for server in use.services.servers:
        with step(server.name):
            server.start()


def _run_platform(services: Services, address: Address, began: float) -> None:
    variables = services.environment | {
        "PROMETHEUS_MULTIPROC_DIR": str(_empty_metrics(services.folder)),
    }
    _prepare_database(services.folder, variables)
    web, *others = programs(services.folder, address, variables)
    supervisor = Supervisor(services.servers, _say)
    try:
        with supervisor.listening():
            with talking_step("Web server"):
                supervisor.start(web)
                _wait_for_web(supervisor, web, address)
            supervisor.start(*others)
            if not supervisor.told_to_stop:
                print(f"Ready after {time.monotonic() - began:.1f} s.\n")
                welcome(address.url)
            supervisor.watch()
            print("\nStopping …", flush=True)
    finally:
        with uninterrupted():
            for program in (web, *others):
                program.stop()


def _empty_metrics(folder: DataFolder) -> Path:
    """Where the processes add up their counters; those of the last run are gone with it."""
    metrics = folder.root / "metrics"
    shutil.rmtree(metrics, ignore_errors=True)
    metrics.mkdir()
    return metrics


def _prepare_database(folder: DataFolder, variables: dict[str, str]) -> None:
    without_demo = " --no-demo" if os.environ.get("DEMO", "1") == "0" else ""
    manage(f"prepare{without_demo}", variables=variables, log=folder.log / "setup.log")


def _wait_for_web(supervisor: Supervisor, web: Program, address: Address) -> None:
    if supervisor.wait_for(lambda: answers(f"{address.url}/health"), WEB_SECONDS):
        return
    if not supervisor.told_to_stop:
        raise CannotStart(
            f"The web server did not answer within {WEB_SECONDS:.0f} s; "
            f"its log ends:\n{web.last_lines()}"
        )


def _say(message: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {message}", flush=True)
