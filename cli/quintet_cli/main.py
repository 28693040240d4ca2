"""The `quintet` command."""

import sys
from pathlib import Path

import click

from quintet_cli.errors import CommandError
from quintet_cli.settings import Settings


class _Commands(click.Group):
    """Shows a CommandError as one sentence; anything else is a fault of ours and keeps its traceback."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except CommandError as error:
            click.echo(f"quintet: {error}", err=True)
            sys.exit(error.exit_code)


_root = click.option(
    "--root",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Another checkout than the one that this command belongs to.",
)


@click.group(cls=_Commands)
def main() -> None:
    """Quintet on this machine: the whole deployment, with no AWS account and no Docker."""


@main.command()
@click.option("--watch/--no-watch", default=True, help="Bring changed code live while running.")
@click.option(
    "--root", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Another checkout to serve."
)
def run(*, watch: bool, root: Path | None) -> None:
    """Serve in the foreground until Ctrl-C."""
    from quintet_cli.cloud import launcher  # noqa: PLC0415 - the other commands need no server

    launcher.run(Settings.from_environment(root=root), click.echo, watch=watch)


@main.command()
@_root
def demo(*, root: Path | None) -> None:
    """Start Quintet if it is not running, and watch the examples run to completion."""
    from quintet_cli import demo as demonstration  # noqa: PLC0415 - the other commands need no client

    sys.exit(demonstration.run(Settings.from_environment(root=root)))


@main.command()
def status() -> None:
    """Say whether Quintet answers, and where."""
    from quintet_cli.client import is_ready  # noqa: PLC0415 - the other commands need no client

    settings = Settings.from_environment()
    ready = is_ready(settings.url)
    click.echo(
        f"Quintet {'is ready' if ready else 'does not answer'} at {settings.url}; its data is in {settings.home}."
    )
    sys.exit(0 if ready else 1)


@main.command()
@click.option("--follow", is_flag=True, help="Go on with what comes, until Ctrl-C.")
def logs(*, follow: bool) -> None:
    """Print what the functions wrote."""
    from quintet_cli import logs as written  # noqa: PLC0415 - the other commands need no logs

    written.show(Settings.from_environment(), click.echo, follow=follow)
