"""Sites, flavors, images and subnets: four small nouns of one shape."""

from typing import Any

from flask import Response
from flask_openapi3 import APIBlueprint

from controlplane import lookups
from controlplane.services import catalogue as service
from web import present
from web.api.nouns import listing, noun
from web.context import actor, session, version
from web.schemas import (
    FlavorBody,
    FlavorChange,
    ImageBody,
    ImageChange,
    ListQuery,
    RefPath,
    SiteBody,
    SiteQuery,
    SubnetBody,
    SubnetChange,
    SubnetQuery,
    WriteQuery,
)

sites = noun("sites", "/sites", "Places on the network: region, prefectures, counties")
flavors = noun("flavors", "/flavors", "Sizes that have a name")
images = noun("images", "/images", "Operating systems to start from")
subnets = noun("subnets", "/subnets", "Addresses to give out")
BLUEPRINTS: tuple[APIBlueprint, ...] = (sites, flavors, images, subnets)


@sites.get("")
def list_sites(query: SiteQuery) -> Response:
    """List sites"""
    return present.page(lookups.sites(session(), actor(), listing(query)), present.site)


@sites.post("")
def create_site(body: SiteBody, query: WriteQuery) -> Response:
    """Create a site"""
    made = service.create_site(session(), actor(), body.model_dump())
    return present.created(present.site(made), "/sites", made)


@sites.get("/<ref>")
def show_site(path: RefPath) -> Response:
    """Show a site"""
    return _shown(lookups.site_for(session(), actor(), path.ref), present.site)


@flavors.get("")
def list_flavors(query: ListQuery) -> Response:
    """List flavors"""
    return present.page(lookups.flavors(session(), actor(), listing(query)), present.flavor)


@flavors.post("")
def create_flavor(body: FlavorBody, query: WriteQuery) -> Response:
    """Create a flavor"""
    made = service.create_flavor(session(), actor(), body.model_dump())
    return present.created(present.flavor(made), "/flavors", made)


@flavors.get("/<ref>")
def show_flavor(path: RefPath) -> Response:
    """Show a flavor"""
    return _shown(lookups.flavor_for(session(), actor(), path.ref), present.flavor)


@flavors.patch("/<ref>")
def update_flavor(path: RefPath, body: FlavorChange, query: WriteQuery) -> Response:
    """Rename a flavor, or offer it no longer"""
    return _updated(lookups.flavor_for(session(), actor(), path.ref), body, present.flavor)


@flavors.delete("/<ref>")
def delete_flavor(path: RefPath, query: WriteQuery) -> Response:
    """Remove a flavor; what was built by it is not touched"""
    service.delete_entry(session(), actor(), lookups.flavor_for(session(), actor(), path.ref))
    return present.answer({})


@images.get("")
def list_images(query: ListQuery) -> Response:
    """List images"""
    return present.page(lookups.images(session(), actor(), listing(query)), present.image)


@images.post("")
def create_image(body: ImageBody, query: WriteQuery) -> Response:
    """Create an image"""
    made = service.create_image(session(), actor(), body.model_dump())
    return present.created(present.image(made), "/images", made)


@images.get("/<ref>")
def show_image(path: RefPath) -> Response:
    """Show an image"""
    return _shown(lookups.image_for(session(), actor(), path.ref), present.image)


@images.patch("/<ref>")
def update_image(path: RefPath, body: ImageChange, query: WriteQuery) -> Response:
    """Change an image, or offer it no longer"""
    return _updated(lookups.image_for(session(), actor(), path.ref), body, present.image)


@images.delete("/<ref>")
def delete_image(path: RefPath, query: WriteQuery) -> Response:
    """Remove an image; what was built from it is not touched"""
    service.delete_entry(session(), actor(), lookups.image_for(session(), actor(), path.ref))
    return present.answer({})


@subnets.get("")
def list_subnets(query: SubnetQuery) -> Response:
    """List subnets"""
    return present.page(lookups.subnets(session(), actor(), listing(query)), present.subnet)


@subnets.post("")
def create_subnet(body: SubnetBody, query: WriteQuery) -> Response:
    """Create a subnet"""
    made = service.create_subnet(session(), actor(), body.model_dump())
    return present.created(present.subnet(made), "/subnets", made)


@subnets.get("/<ref>")
def show_subnet(path: RefPath) -> Response:
    """Show a subnet with how many addresses it can give and has given"""
    found = lookups.subnet_for(session(), actor(), path.ref)
    counts = lookups.addresses(session(), found)
    return present.answer({**present.subnet(found), "addresses": counts}, version=found.version)


@subnets.patch("/<ref>")
def update_subnet(path: RefPath, body: SubnetChange, query: WriteQuery) -> Response:
    """Rename a subnet, or change its name servers for machines to come"""
    return _updated(lookups.subnet_for(session(), actor(), path.ref), body, present.subnet)


@subnets.delete("/<ref>")
def delete_subnet(path: RefPath, query: WriteQuery) -> Response:
    """Remove a subnet of which nothing is claimed"""
    service.delete_subnet(session(), actor(), path.ref)
    return present.answer({})


def _shown(thing: present.Record, shape: Any) -> Response:
    return present.answer(shape(thing), version=thing.version)


def _updated(thing: present.Record, body: FlavorChange | ImageChange | SubnetChange, shape: Any) -> Response:
    values = body.model_dump(exclude_unset=True)
    return _shown(service.update(session(), actor(), thing, values, version()), shape)
