"""Serves the status of the organizations: health, last run, current version, report page."""

from __future__ import annotations

import datetime as dt

import flask
import functions_framework

from almanac.runs.cloud_services import services_of_this_process
from almanac.settings import load_settings
from almanac.status.endpoint import status_response


@functions_framework.http
def status(request: flask.Request) -> flask.Response:
    store = services_of_this_process().store
    seconds = load_settings().status_seconds
    answer = status_response(store, request.full_path, dt.datetime.now(dt.UTC), seconds)
    return flask.Response(answer.body, answer.code, content_type=answer.content_type)
