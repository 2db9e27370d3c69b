"""The merge as a job: started once by whoever gets the last word, and waited for."""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests

from almanac.errors import LeaseTaken, OutcomeUnknown, StorageError, TransientError
from almanac.messaging.bus import Delivery
from almanac.messaging.local import LocalBus
from almanac.messaging.messages import RunRequest, ShardDone, to_json
from almanac.organizations.snapshots import RangedSnapshots
from almanac.runs import merge_job
from almanac.runs.cloud_run_job import CloudRunJob
from almanac.runs.handlers import HANDLERS
from almanac.runs.merge_job import Merging, main, merge_as
from almanac.runs.results import result_of
from almanac.runs.services import Services
from almanac.storage.folder import FolderStore
from almanac.storage.publish import NewVersion, publish
from almanac.storage.store import ObjectInfo
from almanac.storage.versions import current
from almanac.tracing import Recorder, record_with, root
from tests.support import agencies
from tests.support.clouds import NOW, TOPICS, Cloud, plan_in
from tests.support.emulators import wait_until

ORG = "206"
DAILY = "2027-03-01-daily"
JOB = "projects/agencies/locations/us-central1/jobs/almanac-merge"


class JobToStart:
    """A job that notes that it was started; who wants it to run has to see to that."""

    def __init__(self) -> None:
        self.started: list[Sequence[str]] = []
        self.fails: Exception | None = None

    def start(self, arguments: Sequence[str]) -> None:
        if self.fails is not None:
            raise self.fails
        self.started.append(arguments)


class CloudRun:
    """What answers in the place of Google's API, over HTTP."""

    def __init__(self) -> None:
        self.answers: list[int] = []
        self.requests: list[tuple[str, object]] = []
        self.then: Callable[[Sequence[str]], None] = lambda arguments: None
        self.url = ""

    @contextmanager
    def serving(self) -> Iterator[CloudRun]:
        api = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                api.requests.append((self.path, body))
                status = api.answers.pop(0) if api.answers else 200
                if status == 0:
                    self.close_connection = True  # without an answer
                    return
                if status == 200:
                    api.then(body["overrides"]["containerOverrides"][0]["args"])
                answer = b'{"name": "projects/agencies/operations/1"}'
                self.send_response(status)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *args: object) -> None:
                pass

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            self.url = f"http://127.0.0.1:{server.server_address[1]}"
            thread = threading.Thread(target=server.serve_forever, args=[0.01])
            thread.start()
            yield self
            server.shutdown()
            thread.join()

    def job(self) -> CloudRunJob:
        session = requests.Session()
        session.trust_env = False  # no proxy to ourselves
        return CloudRunJob(JOB, session=session, endpoint=self.url)


@pytest.fixture
def api() -> Iterator[CloudRun]:
    with CloudRun().serving() as made:
        yield made


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small agency as an older scheduler left it."""
    path = tmp_path_factory.mktemp("agency") / "agency.sqlite3"
    return agencies.build(path, 3, contacts=24, as_of=NOW.date(), config={})


@pytest.fixture
def job() -> JobToStart:
    return JobToStart()


@pytest.fixture
def cloud(folder: Path, database: Path, job: JobToStart) -> Iterator[Cloud]:
    """A cloud with one organization, whose shards are planned and whose last word is not heard."""
    made = Cloud(folder)
    made.services = replace(made.services, merge_job=job)
    made.push(ORG, database)
    made.only("orchestrator", "shard")
    made.ask(ORG)
    made.run()
    yield made
    made.close()


def last_word(cloud: Cloud) -> None:
    """Deliver the word of the last shard, once."""
    done = to_json(ShardDone(org_id=ORG, run_id=DAILY, shard=1))
    cloud.handle("merge", Delivery(TOPICS.shard_results, "7", cloud.now, done))


def run_job(cloud: Cloud, arguments: Sequence[str]) -> None:
    """What the job's process does."""
    merge_as(cloud.services, *arguments)


def test_the_job_is_started_once_and_its_message_waits_for_it(
    cloud: Cloud, job: JobToStart
) -> None:
    with pytest.raises(Merging):
        last_word(cloud)
    assert [list(each) for each in job.started] == [[ORG, DAILY, "holder-2"]]
    for _ in range(3):
        with pytest.raises(LeaseTaken):
            last_word(cloud)
    run_job(cloud, job.started[0])
    assert cloud.result(ORG, DAILY).state == "committed"
    last_word(cloud)
    assert len(job.started) == 1


@pytest.mark.slow
def test_a_traced_merge_goes_on_in_the_job(
    cloud: Cloud, job: JobToStart, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = Recorder()
    record_with(recorder)
    try:
        with root("merge", last_word, {}), pytest.raises(Merging):
            last_word(cloud)
        monkeypatch.setattr(merge_job, "services_of_this_process", lambda: cloud.services)
        assert main(job.started[0]) == 0
    finally:
        record_with(None)
    spans = {each.name: each for each in recorder.take()}
    assert spans["merge job"].parent == spans["merge"].span_id
    assert spans["commit"].parent == spans["merge job"].span_id
    assert cloud.result(ORG, DAILY).state == "committed"


def test_the_job_writes_what_the_function_would(
    cloud: Cloud, job: JobToStart, database: Path, folder: Path
) -> None:
    with pytest.raises(Merging):
        last_word(cloud)
    run_job(cloud, job.started[0])
    other = Cloud(folder)
    other.push(ORG, database)
    other.ask(ORG)
    other.run()
    assert plan_in(cloud.pull(ORG)) == plan_in(other.pull(ORG))
    other.close()


def test_a_job_that_died_is_followed_by_another(cloud: Cloud, job: JobToStart) -> None:
    with pytest.raises(Merging):
        last_word(cloud)
    cloud.now += dt.timedelta(minutes=4)  # and nobody has heard of it
    with pytest.raises(Merging):
        last_word(cloud)
    late, second = job.started
    with pytest.raises(LeaseTaken):  # it only started slowly, and is not needed any more
        run_job(cloud, late)
    run_job(cloud, second)
    run_job(cloud, late)
    assert cloud.version(ORG).version == 2


def test_a_job_that_was_not_started_leaves_the_merge_to_the_next_delivery(
    cloud: Cloud, job: JobToStart
) -> None:
    job.fails = TransientError("quota")
    with pytest.raises(TransientError, match="quota"):
        last_word(cloud)
    job.fails = None
    with pytest.raises(Merging):
        last_word(cloud)


def test_a_job_of_which_nobody_knows_whether_it_was_started_is_waited_for(
    cloud: Cloud, job: JobToStart
) -> None:
    job.fails = OutcomeUnknown("no answer")
    with pytest.raises(OutcomeUnknown):
        last_word(cloud)
    job.fails = None
    with pytest.raises(LeaseTaken):
        last_word(cloud)
    assert job.started == []


def test_a_merge_stays_the_only_one_while_a_step_takes_long(cloud: Cloud, job: JobToStart) -> None:
    fetching, go_on = threading.Event(), threading.Event()
    fetch = cloud.store.fetch_file

    def slow(name: str, path: Path, generation: int | None = None) -> ObjectInfo:
        fetching.set()
        go_on.wait(60)
        return fetch(name, path, generation)

    cloud.store.fetch_file = slow  # type: ignore[method-assign]
    started = time.monotonic()
    # a claim of three seconds, and time that goes on
    cloud.services = replace(
        cloud.services,
        lease_seconds=3,
        clock=lambda: NOW + dt.timedelta(seconds=time.monotonic() - started),
    )
    with pytest.raises(Merging):
        last_word(cloud)
    with ThreadPoolExecutor(1) as threads:
        done = threads.submit(run_job, cloud, job.started[0])
        assert fetching.wait(60)
        wait_until(lambda: time.monotonic() - started > 3.5, "the end of the first claim")
        with pytest.raises(LeaseTaken):
            last_word(cloud)
        go_on.set()
        done.result(60)
    assert cloud.result(ORG, DAILY).state == "committed"
    assert len(job.started) == 1


def test_nothing_is_started_while_fragments_are_missing(cloud: Cloud, job: JobToStart) -> None:
    [fragment, *_] = cloud.names(f"orgs/{ORG}/runs/{DAILY}/fragments/")
    cloud.store.delete(fragment, None)
    last_word(cloud)
    assert job.started == []


def test_the_start_names_the_job_and_gives_it_its_arguments(api: CloudRun) -> None:
    api.job().start([ORG, DAILY, "holder"])
    overrides = {"taskCount": 1, "containerOverrides": [{"args": [ORG, DAILY, "holder"]}]}
    assert api.requests == [(f"/v2/{JOB}:run", {"overrides": overrides})]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (0, OutcomeUnknown),
        (500, OutcomeUnknown),
        (503, OutcomeUnknown),
        (429, TransientError),
        (403, StorageError),
        (404, StorageError),
    ],
)
def test_an_answer_that_is_no_success_says_whether_the_job_may_be_at_work(
    api: CloudRun, answer: int, error: type[Exception]
) -> None:
    api.answers = [answer]
    with pytest.raises(error, match=JOB):
        api.job().start([])


def test_a_process_of_its_own_merges_the_run(api: CloudRun, folder: Path, database: Path) -> None:
    store = FolderStore(folder / "store")
    copy = folder / "pushed.sqlite3"
    shutil.copy(database, copy)
    now = dt.datetime.now(dt.UTC)
    first = publish(
        store,
        ORG,
        copy,
        NewVersion(
            run_id="push",
            parent=None,
            as_of=now.date(),
            now=now,
        ),
    )
    bus = LocalBus()
    words: list[Delivery] = []
    services = Services(store, bus, RangedSnapshots(store), folder, 10, merge_job=api.job())
    bus.subscribe(TOPICS.run_requests, lambda each: HANDLERS["orchestrator"](services, each))
    bus.subscribe(TOPICS.shard_tasks, lambda each: HANDLERS["shard"](services, each))
    bus.subscribe(TOPICS.shard_results, words.append)
    bus.publish(TOPICS.run_requests, [to_json(RunRequest(org_id=ORG, as_of=now.date()))])
    bus.run_until_idle()

    settings = {"ALMANAC_STORE": str(folder / "store"), "ALMANAC_PROJECT": "agencies"}
    command = [sys.executable, "-m", "almanac.runs.merge_job"]
    processes: list[subprocess.Popen[str]] = []
    api.then = lambda arguments: processes.append(
        subprocess.Popen(
            [*command, *arguments],
            env={**os.environ, **settings},
            stderr=subprocess.PIPE,
            text=True,
        )
    )
    with pytest.raises(Merging):
        HANDLERS["merge"](services, words[-1])
    [process] = processes
    _, log = process.communicate(timeout=60)
    assert process.returncode == 0, log
    HANDLERS["merge"](services, words[-1])
    run_id = f"{now.date()}-daily"
    result = result_of(store, ORG, run_id)
    there = current(store, ORG)
    assert result is not None
    assert result.state == "committed"
    assert there is not None
    assert there[0].version == first.version + 1
    lines = [json.loads(line) for line in log.splitlines()]
    delivery = next(line for line in lines if line["message"] == "delivery")
    assert (delivery["step"], delivery["outcome"], delivery["run_id"]) == ("merge", "done", run_id)
    assert any(line["message"] == "run committed" and line["org_id"] == ORG for line in lines)


def test_the_process_wants_its_three_arguments(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([ORG]) == 2
    assert "usage: merge_job ORGANIZATION RUN HOLDER" in capsys.readouterr().err
