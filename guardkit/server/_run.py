"""Runs the server: uvicorn, its limits, its workers, its end."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from signal import SIGINT, SIGTERM, signal
from socket import (
    AF_INET,
    AF_INET6,
    IPPROTO_IPV6,
    IPV6_V6ONLY,
    SO_REUSEADDR,
    SOL_SOCKET,
    gaierror,
)
from socket import socket as Socket  # noqa: N812 - the function below holds one
from threading import current_thread, main_thread
from typing import TYPE_CHECKING, Any, Final

import anyio

from guardkit.errors import BindError, GuardkitError

from ._admin import admin_token
from ._app import App
from ._bounded_protocol import bounded_protocol
from ._house import House, Loading
from ._logs import Log, quiet_libraries
from ._settings import LOCAL, Settings
from ._workers import run_workers

if TYPE_CHECKING:
    from uvicorn import Config, Server

NEEDED: Final = ("httptools", "orjson", "uvicorn", "uvloop", "watchfiles")
MOST_CONNECTIONS: Final = 4_096
"""Beyond it a newcomer takes the place of the connection that has been idle for longest."""
_SPARE_FILES: Final = 256
LATE_S: Final = 0.1
"""How long who came as the socket was closed may take to begin."""


def refuse(settings: Settings) -> None:
    """Refuse settings that do not fit together.

    Raises:
        BindError: Every reason.
    """
    problems: list[str] = []
    is_alone = settings.host in LOCAL
    if not is_alone and settings.keys is None and not settings.insecure:
        problems.append(
            f"at `{settings.host}` others can call: give `--keys FILE`, or say `--insecure`"
        )
    if (settings.tls_cert is None) != (settings.tls_key is None):
        problems.append("`--tls-cert` and `--tls-key` belong together")
    if settings.workers > 1 and settings.redis is None:
        problems.append("workers share sessions, quotas and holds through `--redis URL`: give one")
    if settings.redis is not None and settings.holds is not None:
        problems.append("held texts lie in Redis or in a file: give `--redis` or `--holds`")
    if settings.audit is None and settings.audit_key_env is not None:
        problems.append("`--audit-key-env` is for an audit log: give `--audit FILE`, too")
    if settings.upstream is None and settings.upstream_anthropic is None:
        named = {
            "--upstream-key-env": settings.upstream_key_env,
            "--upstream-anthropic-key-env": settings.upstream_anthropic_key_env,
        }
        problems += [
            f"`{option}` is for an upstream: give `--upstream URL`, too"
            for option, name in named.items()
            if name is not None
        ]
    if settings.reports is not None and not Path(settings.reports).is_dir():
        problems.append(f"`--reports` wants a folder, and `{settings.reports}` is none")
    if settings.tls_cert is not None and settings.tls_key is not None:
        problems += _unfit(settings.tls_cert, settings.tls_key)
    if problems:
        raise BindError(*problems)


def _unfit(cert: str, key: str) -> list[str]:
    """What is wrong with a certificate and its key."""
    import ssl

    try:
        # An empty passphrase: nobody is there to be asked for one.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert, key, password="")
    except ssl.SSLError:
        return [f"`{cert}` and `{key}` have to be a certificate and its key, in PEM, unencrypted"]
    except OSError as error:
        return [f"`--tls-cert` and `--tls-key` cannot be read: {os.strerror(error.errno or 0)}"]
    return []


def serve(settings: Settings, loading: Loading, say: Callable[[str], object]) -> int:
    """Run until a signal says stop; the exit code.

    Args:
        settings: What the operator chose.
        loading: Makes a guard of a policy file.
        say: Tells people what they have to know at the start.

    Raises:
        BindError: It cannot run here.
        PolicyError: The policy does not compile.
    """
    _stand_on_three()
    refuse(settings)
    if any(find_spec(name) is None for name in NEEDED):
        raise BindError("a server needs its own packages: install `guardkit[serve]`")
    log = Log.to_stderr(settings.log_format)
    quiet_libraries(log)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)  # that it starts and stops, we say
    token = admin_token(os.environ)
    socket = _bound(settings.host, settings.port)

    def announce() -> None:
        if token.is_new:
            say(f"the admin token of this run: {token.text}")
        _announce(settings, socket, say)

    def work(begin: Callable[[], object] = lambda: None) -> int:
        app = App(House(settings, loading, token.text, log))
        server = _server(_config(app, settings), app, settings.drain_s)
        begin()
        try:
            server.run(sockets=[socket])
        except SystemExit:  # uvicorn's own end, where the application did not start: it was said
            return 2
        return 0 if server.started else 2

    if settings.workers == 1:
        return work(announce)

    def worker() -> int:
        try:
            return work()
        except GuardkitError as error:  # nobody hears what a fork raises
            log.event("not_started", problems=str(error).splitlines())
            return 2

    announce()
    # Who stops takes nobody new: the parent's own hold on the socket would keep it open.
    return run_workers(settings.workers, worker, settings.drain_s + 10, socket.close, log.event)


def _connections() -> int:
    """How many connections there may be: one file each, and one more to the model for those inside.

    Many systems let a process have 1,024 files unless it asks for those it may have.
    """
    try:
        import resource
    except ImportError:  # not on this system, and neither is its limit
        return MOST_CONNECTIONS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return MOST_CONNECTIONS
    wanted = 2 * MOST_CONNECTIONS + _SPARE_FILES
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft < wanted:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return min(MOST_CONNECTIONS, max((soft - _SPARE_FILES) // 2, 64))


def _stand_on_three() -> None:
    """Have something behind 0, 1 and 2: else a connection gets one, and log lines go to it."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest that is free


def _bound(host: str, port: int) -> Socket:
    """A socket at the address; nothing is taken from it yet.

    Raises:
        BindError: The address is taken, is not this machine's, or means nothing.
    """
    is_six = ":" in host
    socket = Socket(AF_INET6 if is_six else AF_INET)
    socket.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
    if is_six:
        socket.setsockopt(IPPROTO_IPV6, IPV6_V6ONLY, 1)
    try:
        socket.bind((host, port))
    except OSError as error:
        socket.close()
        why = "nobody knows that address" if isinstance(error, gaierror) else error.strerror
        raise BindError(
            f"cannot listen at `{host}`, port {port}: {(why or 'refused').lower()};"
            " choose with `--host` and `--port`"
        ) from None
    return socket


def _announce(settings: Settings, socket: Socket, say: Callable[[str], object]) -> None:
    scheme = "http" if settings.tls_cert is None else "https"
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    say(f"{scheme}://{host}:{socket.getsockname()[1]} guards with {settings.policy}")


def _config(app: App, settings: Settings) -> Config:
    import uvicorn

    most = _connections()
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http=bounded_protocol(most),
        ws="none",
        lifespan="on",
        interface="asgi3",
        access_log=False,
        log_config=None,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        limit_concurrency=most + _SPARE_FILES,  # where none of them is idle
        timeout_keep_alive=30,
        reset_contextvars=True,  # what one request is about is nothing that the next one is about
        timeout_graceful_shutdown=max(1, round(settings.drain_s)) + 5,
        ssl_certfile=settings.tls_cert,
        ssl_keyfile=settings.tls_key,
    )


def _queued(socket: Socket) -> list[Socket]:
    """Whom the system has let in already: a socket that is closed resets them unheard."""
    socket.setblocking(False)
    found: list[Socket] = []
    with suppress(OSError):  # nobody is left
        while True:
            found.append(socket.accept()[0])
    return found


def _server(config: Config, app: App, drain_s: float) -> Server:
    import uvicorn

    class Draining(uvicorn.Server):
        """A server that lets what is under way come to its end before it stops."""

        @contextmanager
        def capture_signals(self) -> Iterator[None]:
            # uvicorn's own raises the signal once more at the end: a clean stop is no death by it.
            if current_thread() is not main_thread():
                yield
                return
            before = {each: signal(each, self.handle_exit) for each in (SIGINT, SIGTERM)}
            try:
                yield
            finally:
                for each, handler in before.items():
                    signal(each, handler)

        async def shutdown(self, sockets: Any = None) -> None:
            loop = self.servers[0].get_loop()
            # Copies: the loop closes what it was given to listen to.
            queues = [socket.dup() for socket in sockets or ()]
            for server in self.servers:
                server.close()
            came = [one for queue in queues for one in _queued(queue)]
            for socket in (*queues, *(sockets or ())):
                socket.close()
            for one in came:
                with suppress(OSError):  # it left, or its handshake failed
                    await loop.connect_accepted_socket(
                        self._protocol,
                        one,
                        ssl=config.ssl,
                        ssl_handshake_timeout=LATE_S if config.ssl else None,
                    )
            if came:
                await anyio.sleep(LATE_S)  # what they ask for is on its way
            await app.drain(drain_s)
            await super().shutdown(sockets=None)

        def _protocol(self) -> Any:
            kind: Any = config.http_protocol_class
            return kind(
                config=config, server_state=self.server_state, app_state=self.lifespan.state
            )

    return Draining(config)
