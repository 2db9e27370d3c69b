"""Serves the status of the organizations: health, last run, current version, report page."""

from __future__ import annotations

import datetime as dt

import flask
import functions_framework

from almanac.runs.cloud_services import services_of_this_process
from almanac.status.endpoint import status_response


@functions_framework.http
def status(request: flask.Request) -> flask.Response:
    answer = status_response(
        services_of_this_process().store, request.full_path, dt.datetime.now(dt.UTC)
    )
    return flask.Response(answer.body, answer.code, content_type=answer.content_type)
