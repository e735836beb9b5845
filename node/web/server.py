"""The web role: the console and the metrics, on a port of their own."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

import uvicorn

from node.errors import Misconfigured, Transient
from node.log import Event, emit
from node.ports import listening, said
from node.web import profiles
from node.web.app import make_app
from node.web.console import open_console

if TYPE_CHECKING:
    from node.settings import Settings
    from node.web.settings import WebSettings

_POLL_S = 0.05
_LAST_S = 5
_MOST_AT_ONCE = 64


def run(settings: Settings, stop: threading.Event, ready: Callable[[], None]) -> None:
    """Serve until `stop` is set.

    Parameters
    ----------
    ready
        called once the port is listened on

    Raises
    ------
    Misconfigured
        if the console has no port, or cannot listen where it should, or the spool cannot be used
    """
    if not settings.web.port:
        raise Misconfigured("the console is off; give [web] port in the configuration")
    console = open_console(settings)
    listening = _listening(settings.web)
    server = uvicorn.Server(_config(settings.web, make_app(console)))
    # in a thread, where uvicorn leaves the signals to who has them
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, name="web", daemon=True)
    thread.start()
    console.history.begin(console.ledger)
    while not server.started and thread.is_alive():
        stop.wait(_POLL_S)
    emit(Event.LISTENING, port=listening.getsockname()[1])
    ready()
    threading.Thread(target=profiles.warm, args=(settings,), name="warm", daemon=True).start()
    while not stop.wait(1.0) and thread.is_alive():
        pass
    server.should_exit = True
    thread.join()
    console.history.end()
    console.viewer.close()
    if not stop.is_set():
        raise Transient("the console has ended by itself")


def _listening(web: WebSettings) -> socket.socket:
    try:
        return listening(web.address, web.port)
    except OSError as error:
        raise Misconfigured(f"[web] port {web.port} on {web.address}: {said(error)}") from None


def _config(web: WebSettings, app: object) -> uvicorn.Config:
    config = uvicorn.Config(
        app,  # type: ignore[arg-type]  # an ASGI application
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        lifespan="off",
        ws="none",
        http="h11",
        loop="asyncio",
        limit_concurrency=_MOST_AT_ONCE * 4,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=_LAST_S,
        h11_max_incomplete_event_size=32 << 10,
    )
    if web.tls is not None:
        config.load()
        config.ssl = _tls(web)
    return config


def _tls(web: WebSettings) -> ssl.SSLContext:
    assert web.tls is not None  # noqa: S101  looked at by the caller
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(web.tls.certificate, web.tls.private_key)
        if web.tls.ca is not None:
            context.load_verify_locations(web.tls.ca)
            context.verify_mode = ssl.CERT_REQUIRED
    except (OSError, ssl.SSLError) as error:
        raise Misconfigured(f"[web.tls]: {type(error).__name__}; certificate, key and ca are PEM files") from None
    return context
