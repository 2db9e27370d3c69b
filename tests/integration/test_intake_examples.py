"""The examples of docs/intake.md, as they are there, against the function in this process."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Route

from almanac.intake.frameworks import respond_async
from almanac.intake.openapi import document
from almanac.intake.pushed import put_message
from tests.support.intake_posts import Inlet, delivery

TEXT = (Path(__file__).parents[2] / "docs" / "intake.md").read_text("utf-8")
SECONDS = 20.0


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


@pytest.fixture
def inlet() -> Inlet:
    return Inlet()


@pytest.fixture
def environment(inlet: Inlet) -> Iterator[dict[str, str]]:
    """What the examples take from the environment: where the function is, and a token."""

    async def answer(request: Any) -> Any:
        tokens.append(request.headers["authorization"])
        return await respond_async(request, inlet.endpoint.answer)

    tokens: list[str] = []
    app = Starlette(routes=[Route("/{path:path}", answer, methods=["GET", "POST"])])
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="critical", lifespan="off"))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()), daemon=True)
    thread.start()
    until = time.monotonic() + SECONDS
    while not server.started and time.monotonic() < until:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield {**os.environ, "INTAKE": f"http://127.0.0.1:{port}", "TOKEN": "t", "NO_PROXY": "*"}
    server.should_exit = True
    thread.join(SECONDS)
    assert set(tokens) == {"Bearer t"}


def ran(command: list[str], environment: dict[str, str], folder: Path) -> str:
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
def test_the_examples_in_curl_and_python_are_answered_as_the_page_says(
    inlet: Inlet, environment: dict[str, str], tmp_path: Path
) -> None:
    examples = [block for block in blocks("sh") if "curl" in block]
    answers = [block.strip() for block in blocks("json")[1:]]
    assert len(examples) == len(answers) == 2
    for example, answer in zip(examples, answers, strict=True):
        assert ran(["bash", "-e", "-c", example], environment, tmp_path).strip() == answer
    (program,) = blocks("python")
    assert ran([sys.executable, "-c", program], environment, tmp_path) == "1 taken\n"
    counts = {each.kind: len(each.event["entries"]) for each in inlet.events()}
    assert counts == {"contacts": 1, "suppressions": 2, "activity": 1}
    assert [org for org, _ in inlet.runs] == ["206"]


def test_the_event_and_the_message_of_the_page_are_taken(inlet: Inlet) -> None:
    event = json.loads(blocks("json")[0])
    assert inlet.post("suppressions", event).code == 202
    (message,) = re.findall(r"--message='(.*)'", TEXT)
    put_message(inlet.store, delivery(message.encode()))
    assert sorted(each.kind for each in inlet.events()) == ["activity", "suppressions"]


def test_the_codes_of_the_page_are_those_of_the_description() -> None:
    (table,) = re.findall(r"^### Answers\n(.*?)^Errors", TEXT, re.MULTILINE | re.DOTALL)
    rows = re.findall(r"^\| ([0-9, ]+) \|", table, re.MULTILINE)
    codes = {code.strip() for row in rows for code in row.split(",")}
    responses = document()["paths"]["/orgs/{org}/contacts"]["post"]["responses"]
    assert codes == responses.keys()
