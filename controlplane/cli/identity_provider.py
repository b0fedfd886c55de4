"""What commands need to know of the identity provider: whether it is set up as it should be."""

import click

from controlplane.oidc.configuration import Configuration, Misconfigured, configuration
from controlplane.settings import Settings


def identity_provider(config: Settings) -> Configuration | None:
    """Return what is set up of the identity provider, None for none; end the command where that is wrong."""
    try:
        return configuration(config)
    except Misconfigured as error:
        raise click.ClickException(f"The identity provider is set up wrongly: {error}") from error
