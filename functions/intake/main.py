"""Takes what CRMs, senders and scripts post, and answers once it is durable in the inbox."""

from __future__ import annotations

import functions_framework.aio
from starlette.requests import Request
from starlette.responses import Response

from almanac.intake.frameworks import respond_async
from almanac.intake.process import intake_of_this_process


@functions_framework.aio.http
async def intake(request: Request) -> Response:
    return await respond_async(request, intake_of_this_process().answer)
