"""What is wrong in many organizations: seconds and requests, over the emulated store.

    python scripts/bench_status.py [ORGANIZATIONS]        (default: 1000)

Each has run for twelve days. First with summary.json as the merge wrote it; then after a push,
which makes it out of date; then without it. The emulator is another process and answers at once:
Cloud Storage takes some 30 ms more for each request, of which 16 are made at the same time.
"""

from __future__ import annotations

import datetime as dt
import multiprocessing
import sys
import tempfile
import time
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path

from almanac.generation.writing import generate
from almanac.organizations.transfer import push
from almanac.progress import silent
from almanac.runs.in_store import run_in_store
from almanac.status.installation import THREADS, store_findings
from almanac.storage import layout
from almanac.storage.cloud import CloudStore
from almanac.storage.cloud_client import new_client
from almanac.storage.folder import FolderStore
from almanac_emulation.cloud_storage.emulator import StorageEmulator

ORG, BUCKET = "206", "bench"
DAYS = 12
LATENCY = 0.030  # seconds: a small request to Cloud Storage from the same region


def main(organizations: int) -> None:
    ours, theirs = multiprocessing.Pipe()
    serving = multiprocessing.Process(target=_serve, args=(theirs, organizations), daemon=True)
    serving.start()
    url, now = ours.recv()
    client = new_client(
        project="emulated", client_options={"api_endpoint": url}, use_auth_w_custom_endpoint=False
    )
    print("| organizations | requests | of each | processor s | at 30 ms a request, s |")
    print("| --- | --- | --- | --- | --- |")
    for what in ("summary.json", "out of date", "without"):
        if what != "summary.json":
            ours.send(what)
            ours.recv()
        store = CloudStore(BUCKET, client=client)
        begun = time.process_time()
        found = store_findings(store, now)
        used = time.process_time() - begun
        assert found.organizations == organizations
        assert not [each for each in found.findings if each.kind != "overdue"], found.findings[0]
        whole = max(used, store.requests * LATENCY / THREADS)
        counts = f"{store.requests:,} | {store.requests / organizations:.1f}"
        print(f"| {organizations:,}, {what} | {counts} | {used:.1f} | {whole:.0f} |", flush=True)
    serving.terminate()


def _serve(pipe: Connection, organizations: int) -> None:
    """Serve a bucket; on a word make its organizations so."""
    with StorageEmulator() as emulator, tempfile.TemporaryDirectory() as folder:
        emulator.create_bucket(BUCKET)
        store = CloudStore(BUCKET, client=emulator.client())
        now = _fill(store, Path(folder))
        there = emulator._buckets._buckets[BUCKET]

        def copy() -> None:
            for name, stored in [(n, s) for n, s in there.items() if n.startswith(f"orgs/{ORG}/")]:
                for number in range(1, organizations):
                    there[name.replace(ORG, f"{ORG}-{number:05}", 1)] = replace(
                        stored, name=name.replace(ORG, f"{ORG}-{number:05}", 1)
                    )

        copy()
        pipe.send((emulator.url, now))
        while pipe.recv() == "out of date":
            pointer = store.read(layout.current(ORG))
            store.write(pointer.name, pointer.data + b"\n", if_generation=pointer.generation)
            copy()
            pipe.send(True)
        for name in [name for name in there if name.endswith("/summary.json")]:
            del there[name]
        pipe.send(True)
        pipe.recv()


def _fill(store: CloudStore, folder: Path) -> dt.datetime:
    """Put an organization that has run each day into the store; return when it last did."""
    database, local = folder / "agency.sqlite3", FolderStore(folder / "store")
    today = dt.datetime.now(dt.UTC)
    generate(database, 1000, seed=1, as_of=today.date())
    push(local, ORG, database, expect=None, now=today - dt.timedelta(days=DAYS), progress=silent)
    for day in range(DAYS - 1, -1, -1):
        at = today - dt.timedelta(days=day)
        run_in_store(local, ORG, at.date(), at, silent)
    for info in local.list(layout.organization(ORG)):
        if info.name.endswith((".json", ".yaml")):
            store.write(info.name, local.read(info.name).data, if_generation=0)
    summary = store.read(layout.summary(ORG))
    pointer = store.stat(layout.current(ORG))
    assert pointer is not None
    was = local.stat(layout.current(ORG))
    assert was is not None
    data = summary.data.replace(
        b'"pointer": %d' % was.generation, b'"pointer": %d' % pointer.generation
    )
    store.write(summary.name, data, if_generation=summary.generation)
    return today


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
