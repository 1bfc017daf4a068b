"""`recurra serve`: a model behind HTTP and WebSockets, with a page."""

from pathlib import Path
from typing import Annotated

import typer

_EXAMPLES = """Examples:

    recurra serve names-model                           prints the page's address

    recurra serve names-model --port 8080 --idle 60

    recurra serve names-model --host 0.0.0.0 --token "$SECRET"
"""


def add_commands(app: typer.Typer) -> None:
    """Add the command to `recurra`."""
    app.command(epilog=_EXAMPLES)(serve)


def serve(
    model: Annotated[Path, typer.Argument(help="The model's folder.", show_default=False)],
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="The port; 0 for a free one. 8000 if it is free."),
    ] = None,
    token: Annotated[
        str | None,
        typer.Option(
            envvar="RECURRA_TOKEN", help="What clients must show; needed beyond this machine."
        ),
    ] = None,
    name: Annotated[
        list[str] | None,
        typer.Option(help="Another name it is reached by, behind a proxy; more than once."),
    ] = None,
    idle: Annotated[
        float, typer.Option(min=0.1, help="Seconds after which a stream without pushes ends.")
    ] = 900,
    streams: Annotated[int, typer.Option(min=1, help="Streams open at once, at most.")] = 10_000,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Threads of the model; as many as torch takes.")
    ] = None,
    log: Annotated[bool, typer.Option("--log", help="Write a line for each request.")] = False,
) -> None:
    """Serve a model: predictions, streams and a page, until Ctrl-C.

    The first line says where. It answers this machine only, unless --host says otherwise.
    """
    from recurra.serve.running import run
    from recurra.serve.settings import Settings

    settings = Settings(host=host, hosts=tuple(name or ()), token=token, idle=idle, streams=streams)
    status = run(model, settings, port, threads, log)
    raise typer.Exit(status)
