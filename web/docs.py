"""The API described: OpenAPI made from the code, and a page to read and try it, served from here alone."""

from pathlib import Path

import flask_openapi3_swagger
from flask import Blueprint, Response, current_app, jsonify, render_template
from flask_openapi3 import OpenAPI

from controlplane.policy import authorize
from web.api.description import described
from web.context import actor

_ASSETS = Path(flask_openapi3_swagger.__file__).parent / "templates" / "swagger"

pages = Blueprint("docs", __name__, static_folder=str(_ASSETS), static_url_path="/api/docs/assets")


def init_app(app: OpenAPI) -> None:
    """Serve /api/v1/openapi.json and /api/docs."""
    app.register_blueprint(pages)
    app.extensions["steppe.description"] = described(app.api_doc)


@pages.get("/api/v1/openapi.json")
def description() -> Response:
    """The API in OpenAPI 3.1"""
    authorize(actor(), "catalogue.read")
    return jsonify(current_app.extensions["steppe.description"])


@pages.get("/api/docs")
def page() -> str:
    """The API to read and try"""
    authorize(actor(), "catalogue.read")
    return render_template("docs.html")
