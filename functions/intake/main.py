"""Takes what CRMs, senders and scripts post, and answers once it is durable in the inbox."""

from __future__ import annotations

import flask
import functions_framework

from almanac.intake.flask_requests import respond
from almanac.intake.process import intake_of_this_process


@functions_framework.http
def intake(request: flask.Request) -> flask.Response:
    return respond(request, intake_of_this_process().answer)
