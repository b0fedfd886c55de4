"""The `steppe` command: one file a noun. Works on the installation's database itself, as the operator of the host."""

import sys

import click
from pydantic import ValidationError

from controlplane.bootstrap import configure_logging
from controlplane.cli import (
    attachments,
    audit,
    catalogue,
    centre,
    departments,
    drift,
    ingress,
    installation,
    leases,
    ledger,
    notifications,
    policy,
    pools,
    progress_links,
    register,
    reports,
    requests,
    routing,
    systems,
    tokens,
    up,
    users,
    vms,
    vpn,
    vpn_import,
    webhooks,
)
from controlplane.cli.output import EXIT_TROUBLE, EXIT_USAGE
from controlplane.embedded import EmbeddedServerFailed
from controlplane.settings import settings


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(package_name="steppe")
def steppe() -> None:
    """The control plane of a government cloud centre.

    Exit codes: 0 done; 1 trouble in Steppe or its surroundings; 2 wrong words; 3 refused; 4 not found.
    """
    try:
        configure_logging(settings())
    except ValidationError as error:
        for wrong in error.errors():
            variable = f"STEPPE_{'.'.join(map(str, wrong['loc']))}".upper()
            click.echo(f"{variable}: {wrong['msg']}", err=True)
        sys.exit(EXIT_USAGE)


for command in (
    up.up,
    up.serve,
    up.worker,
    up.console_proxy,
    installation.doctor,
    installation.settings_table,
    installation.db,
    centre.centre,
    ledger.ledger,
    policy.policy,
    users.user,
    tokens.token,
    departments.department,
    departments.quota,
    systems.system,
    ingress.ingress,
    catalogue.site,
    catalogue.flavor,
    catalogue.image,
    catalogue.subnet,
    pools.pool,
    vms.vm,
    vpn.vpn,
    leases.lease,
    drift.drift,
    requests.request,
    routing.routing,
    reports.report,
    notifications.notification,
    webhooks.webhook,
    audit.audit,
    attachments.attachment,
    progress_links.progress_link,
    register.register,
):
    steppe.add_command(command)


vpn.vpn.add_command(vpn_import.import_accounts)


def main() -> None:
    """Run the command and turn trouble into one line and an exit code."""
    try:
        steppe.main(standalone_mode=True)
    except EmbeddedServerFailed as error:
        click.echo(f"The embedded PostgreSQL did not start: {error}", err=True)
        sys.exit(EXIT_TROUBLE)
