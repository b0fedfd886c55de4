"""Commands on the files that come with requests."""

from pathlib import Path

import click
from sqlalchemy.orm import Session

from controlplane import lookups
from controlplane.attachments.contents import MIB, Upload
from controlplane.cli.output import as_json, operator, show_rows, with_session
from controlplane.services import attachments as service
from controlplane.services.attachments import Bounds
from controlplane.settings import settings

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def attachment() -> None:
    """Files that come with requests."""


@attachment.command("list")
@click.argument("request")
@as_json
@with_session
def index(session: Session, request: str, as_json: bool) -> None:
    """List the files of a request."""
    asked = lookups.request_for(session, operator(), request)
    rows = [
        {
            "id": a.id,
            "name": a.name,
            "media_type": a.media_type,
            "size": a.size,
            "sha256": a.sha256,
            "added_by": a.added_by_name,
            "created_at": a.created_at,
        }
        for a in lookups.attachments_of(session, operator(), asked.id)
    ]
    show_rows(rows, ("id", "name", "media_type", "size", "added_by", "created_at"), as_json=as_json)


@attachment.command()
@click.argument("request")
@click.argument("file", type=_FILE)
@with_session
def add(session: Session, request: str, file: Path) -> None:
    """Attach a file to a request that is a draft, was returned or waits for a decision."""
    bounds = Bounds.of(settings())
    with file.open("rb") as opened:
        upload = Upload(file.name, opened.read(bounds.mib * MIB + 1))
    made = service.add(session, operator(), request, upload, bounds)
    click.echo(f"attached {made.name} {made.id}")


@attachment.command()
@click.argument("ref")
@click.option("--to", type=click.Path(dir_okay=False, path_type=Path), help="Where to; its own name if left out.")
@with_session
def save(session: Session, ref: str, to: Path | None) -> None:
    """Save a file here."""
    found = lookups.attachment_for(session, operator(), ref, content=True)
    path = to or Path(found.name)
    if path.exists():
        raise click.ClickException(f"{path} is there already; say another name with --to")
    path.write_bytes(found.content)
    click.echo(f"saved {path}")


@attachment.command()
@click.argument("ref")
@with_session
def remove(session: Session, ref: str) -> None:
    """Take a file away from a request that is a draft or was returned."""
    service.remove(session, operator(), ref)
    click.echo("removed")
