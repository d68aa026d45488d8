"""`guardkit serve`: the enforcing proxy, the decision API, the console."""

from __future__ import annotations

from typing import Any

import click

from guardkit.errors import AuditError, BindError, PolicyError, UsageError

from ._exits import CLEAN, WRONG
from ._findings import show_frames
from ._policies import OVERLAY, PARAM, Params
from ._screen import screen
from ._serve_loading import Loader
from ._verbs import verb


def _file(*, exists: bool = True) -> click.Path:
    return click.Path(exists=exists, path_type=str)


@verb("serve")
@click.argument("policy", metavar="FILE", required=False)
@click.option(
    "--upstream", metavar="URL", help="Origin of the model's server, with or without /v1."
)
@click.option("--upstream-anthropic", metavar="URL", help="The same for Anthropic's messages.")
@click.option("--upstream-key-env", metavar="NAME", help="Variable with the key to show upstream.")
@click.option(
    "--upstream-anthropic-key-env", metavar="NAME", help="The same, where Anthropic's differs."
)
@click.option(
    "--upstream-timeout",
    "upstream_quiet_s",
    type=click.FloatRange(1, 3600),
    default=120.0,
    metavar="SECONDS",
    help="How long upstream may say nothing; 120.",
)
@click.option("--host", default="127.0.0.1", metavar="ADDRESS", help="Address to listen at.")
@click.option("--port", type=click.IntRange(0, 65535), default=8080, help="Port; 8080.")
@click.option("--workers", type=click.IntRange(1, 256), default=1, help="Processes; 1.")
@click.option("--keys", type=_file(), metavar="FILE", help="Tenants and their keys, as TOML.")
@click.option("--new-key", metavar="TENANT", help="Make a key for a tenant, and exit.")
@click.option("--insecure", is_flag=True, help="Let others call without keys.")
@click.option("--tls-cert", type=_file(), metavar="FILE", help="Certificate, as PEM.")
@click.option("--tls-key", type=_file(), metavar="FILE", help="Its key, as PEM.")
@click.option(
    "--on-block",
    type=click.Choice(("reply", "error")),
    default="reply",
    metavar="HOW",
    help="A block is a `reply` with the rule's message, or an `error`.",
)
@click.option(
    "--on-hold",
    type=click.Choice(("wait", "block")),
    default="wait",
    metavar="HOW",
    help="What is held makes the client `wait`, or is a `block`.",
)
@click.option("--strict", is_flag=True, help="Refuse fields that a dialect does not have.")
@click.option(
    "--trust-context", is_flag=True, help="Believe the header x-guardkit-context: behind a gateway."
)
@click.option(
    "--denials", type=click.IntRange(0), metavar="N", help="Blocks a minute of one caller."
)
@click.option("--audit", type=_file(exists=False), metavar="FILE", help="Keep the audit log there.")
@click.option(
    "--audit-mode",
    type=click.Choice(("durable", "fast")),
    default="durable",
    metavar="MODE",
    help="`durable` waits for the disk, `fast` does not.",
)
@click.option("--audit-key-env", metavar="NAME", help="Variable with the key of the audit log.")
@click.option(
    "--on-audit-error",
    type=click.Choice(("block", "continue")),
    default="block",
    metavar="HOW",
    help="A verdict that cannot be kept is a `block`, or stands.",
)
@click.option("--holds", type=_file(exists=False), metavar="FILE", help="Keep held texts there.")
@click.option("--redis", metavar="URL", help="Share state with other servers.")
@click.option("--reports", type=_file(), metavar="DIR", help="Reports that the console shows.")
@OVERLAY
@click.option("--packs", type=_file(), metavar="DIR", help="Packs of this deployment.")
@PARAM
@click.option("--device", default="auto", metavar="DEVICE", help="Models run on auto, cpu or gpu.")
@click.option(
    "--max-body",
    "most_body",
    type=click.IntRange(1024),
    default=8 << 20,
    metavar="BYTES",
    help="The largest request; 8 MiB.",
)
@click.option(
    "--at-once",
    "most_inside",
    type=click.IntRange(1),
    default=256,
    metavar="N",
    help="Requests served at once; others wait 50 ms, then 503.",
)
@click.option(
    "--drain",
    "drain_s",
    type=click.FloatRange(0, 3600),
    default=30.0,
    metavar="SECONDS",
    help="How long requests may go on after SIGTERM; 30.",
)
@click.option("--no-watch", is_flag=True, help="Load policies again only when told to.")
@click.option(
    "--log-format",
    type=click.Choice(("text", "json")),
    default="text",
    metavar="FORMAT",
    help="text or json.",
)
@click.option("--otel", is_flag=True, help="Export spans and metrics with OpenTelemetry.")
def command(
    policy: str | None, new_key: str | None, no_watch: bool, params: Params, **chosen: Any
) -> int:
    """Guard every model behind one address.

    FILE is a policy, or the name of one that ships, such as `chat`. Clients of OpenAI and Anthropic
    change their base URL, nothing else. Without --upstream there is the decision API alone.

    Listens on this machine only, until there are --keys. The console is at /console; its token is
    GUARDKIT_ADMIN_TOKEN, else one that is shown at the start.

    Exits with 0 after SIGTERM, 2 when the policy, a file or an option is wrong.
    """
    show = screen()
    if new_key is not None:
        return _made_key(new_key)
    if policy is None:
        raise click.UsageError("Missing argument 'FILE'.")
    from guardkit.server import Settings, serve

    settings = Settings(policy=policy, watch=not no_watch, **chosen)
    try:
        loader = Loader(dict(params), settings.packs, settings.overlay)
        return serve(settings, loader, show.say)
    except PolicyError as error:
        show_frames(show, error.diagnostics)
    except BindError as error:
        for problem in error.problems:
            show.complain(problem)
    except (AuditError, UsageError) as error:
        show.complain(str(error))
    return WRONG


def _made_key(tenant: str) -> int:
    from guardkit.server import new_key

    show = screen()
    try:
        made = new_key(tenant)
    except UsageError as error:
        show.complain(str(error))
        return WRONG
    click.echo(made.key)
    show.say(f"the line for `keys` under [tenants.{tenant}]: {made.line}")
    return CLEAN
