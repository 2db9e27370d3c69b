"""Takes the signed reports of SendGrid and Twilio into the inbox."""

from __future__ import annotations

import flask
import functions_framework

from almanac.intake.frameworks import respond
from almanac.intake.process import webhooks_of_this_process


@functions_framework.http
def webhooks(request: flask.Request) -> flask.Response:
    return respond(request, webhooks_of_this_process().answer)
