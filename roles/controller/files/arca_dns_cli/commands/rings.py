# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""arca-dns rings: what each ring has, promotions from one to the next, and going back."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from arca_dns.client import answers
from arca_dns.client.base import Client, Promote
from arca_dns.errors import PlanRefused
from arca_dns.store.base import JsonObject

from .. import output
from ..session import AsJson, DryRun, Yes, session

app = typer.Typer(help="Rings: canary, stable and the like.", no_args_is_help=True, rich_markup_mode=None)
Ring = Annotated[str, typer.Argument(metavar="RING", help="As `rings list` shows it.")]
Why = Annotated[str, typer.Option("--reason", "-m", help="Why; stands in the audit log.")]
_LOOK_SECONDS = 2.0


@app.command("list", epilog="Example: arca-dns rings list")
def list_rings(ctx: typer.Context, as_json: AsJson = False) -> None:
    """List the rings in the order of promotion."""
    found = session(ctx).client().rings()
    if as_json:
        output.as_json(found)
        return
    columns = ("ring", "head", "zones", "differs", "edges", "promotion", "blocked")
    output.table(columns, (_row(ring) for ring in found))


@app.command("promote", epilog="Example: arca-dns rings promote stable --soak 600 --wait")
def promote(
    ctx: typer.Context,
    ring: Ring,
    source: Annotated[str | None, typer.Option("--from", help="Take what this ring has; else the one before.")] = None,
    revision: Annotated[int | None, typer.Option("--revision", min=1, help="What it had then.")] = None,
    soak: Annotated[int, typer.Option("--soak", min=0, help="Seconds for which it must have been served well.")] = 0,
    failing: Annotated[
        float, typer.Option("--failing-share", min=0, max=1, help="The share of an edge's zones that may fail.")
    ] = 0.0,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until it is done.")] = False,
    timeout: Annotated[int, typer.Option("--timeout", min=1, help="Wait at most so many seconds.")] = 3600,
    rollback: Annotated[
        bool, typer.Option("--rollback", help="Let serials of zones go back, and newer zones or many be removed.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="At once, whatever the edges attest.")] = False,
    reason: Why = "",
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Bring a ring to what the ring before has: now if its edges attest it, else as soon as they do."""
    client = session(ctx).client()
    wanted = Promote(source, revision, soak, failing, None, rollback, force, reason, dry_run)
    if force and not yes and not dry_run:
        typer.confirm(f"Promote to {ring} without looking at the edges?", abort=True, err=True)
    done = client.promote(ring, wanted)
    promotion = answers.mapping(done.get("promotion"))
    if wait and not dry_run:
        promotion = _settled(client, ring, promotion, timeout)
        done["promotion"] = promotion
    if as_json:
        output.as_json(done)
        return
    counts = ", ".join(f"{done.get(kind)} {kind}" for kind in ("added", "modified", "removed"))
    output.say(f"{ring}: {'would be' if dry_run else ''} {promotion.get('state')}: zones {counts}".replace("  ", " "))
    output.lines(str(one) for one in answers.items(promotion.get("blocked")))


@app.command("abort", epilog="Example: arca-dns rings abort stable --reason 'errors at site 3'")
def abort(ctx: typer.Context, ring: Ring, reason: Why = "", yes: Yes = False, as_json: AsJson = False) -> None:
    """End the promotion that waits, or take the latest one back."""
    if not yes:
        typer.confirm(f"Abort the latest promotion to {ring}?", abort=True, err=True)
    found = session(ctx).client().abort_promotion(ring, reason)
    if as_json:
        output.as_json(found)
    else:
        output.say(f"{ring}: the promotion of revision {found.get('revision')} is aborted")


def _settled(client: Client, ring: str, promotion: JsonObject, timeout: float) -> JsonObject:
    """The promotion when it waits no more. Raises ``PlanRefused`` when it ended otherwise, or after *timeout*."""
    until = time.monotonic() + timeout
    told: list[str] = []
    while promotion.get("state") == "waiting":
        blocked = [str(one) for one in answers.items(promotion.get("blocked"))]
        if blocked != told:
            told = blocked
            for one in blocked:
                output.say(f"waiting: {one}")
        if time.monotonic() >= until:
            raise PlanRefused(f"the promotion to {ring} still waits after {timeout:g} s: {'; '.join(blocked)}")
        time.sleep(_LOOK_SECONDS)
        state = next((one for one in client.rings() if one.get("ring") == ring), {})
        promotion = answers.mapping(state.get("promotion"))
    if promotion.get("state") != "promoted":
        why = "; ".join(map(str, answers.items(promotion.get("blocked"))))
        raise PlanRefused(f"the promotion to {ring} was aborted{f': {why}' if why else ''}")
    return promotion


def _row(ring: JsonObject) -> tuple[object, ...]:
    promotion = answers.mapping(ring.get("promotion"))
    return (
        ring.get("ring"),
        ring.get("head"),
        ring.get("zones"),
        ring.get("differs"),
        ", ".join(map(str, answers.items(ring.get("edges")))),
        promotion.get("state"),
        "; ".join(map(str, answers.items(promotion.get("blocked")))),
    )
