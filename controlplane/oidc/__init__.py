"""Coming in through an identity provider of the centre's own, by OpenID Connect: what is set up, the protocol, and what
a provider's word means here."""
