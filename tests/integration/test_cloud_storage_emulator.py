"""The Cloud Storage emulator is as strict as Cloud Storage, where the store relies on it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from google.api_core.exceptions import NotFound, PreconditionFailed

from almanac.storage.checksums import crc32c_of
from almanac_emulation.cloud_storage.emulator import StorageEmulator
from almanac_emulation.cloud_storage.faults import Fault
from tests.support.storage_stores import storage_emulator

GRAIN = 256 * 1024


@dataclass
class Raw:
    """The emulator by plain HTTP, without Google's client between."""

    url: str
    bucket: str
    session: requests.Session

    def ask(self, method: str, path: str, **options: Any) -> requests.Response:
        return self.session.request(method, self.url + path, timeout=20, **options)

    def upload(self, name: str, data: bytes, **parameters: object) -> requests.Response:
        path = f"/upload/storage/v1/b/{self.bucket}/o"
        parameters = {"uploadType": "media", "name": name, **parameters}
        return self.ask("POST", path, params=parameters, data=data)

    def one(self, method: str, name: str, **parameters: object) -> requests.Response:
        return self.ask(method, f"/storage/v1/b/{self.bucket}/o/{name}", params=parameters)

    def media(
        self, name: str, range_: str | None = None, **parameters: object
    ) -> requests.Response:
        path = f"/download/storage/v1/b/{self.bucket}/o/{name}"
        headers = {"Range": range_} if range_ else {}
        return self.ask("GET", path, params={"alt": "media", **parameters}, headers=headers)

    def list_one(self, **parameters: object) -> dict[str, Any]:
        answer = self.ask("GET", f"/storage/v1/b/{self.bucket}/o", params=parameters)
        assert answer.status_code == 200
        document: dict[str, Any] = answer.json()
        return document

    def pages(self, **parameters: object) -> list[dict[str, Any]]:
        pages = [self.list_one(**parameters)]
        while token := pages[-1].get("nextPageToken"):
            pages.append(self.list_one(**parameters, pageToken=token))
        return pages

    def begin(self, metadata: dict[str, Any], **parameters: object) -> requests.Response:
        path = f"/upload/storage/v1/b/{self.bucket}/o"
        return self.ask(
            "POST", path, params={"uploadType": "resumable", **parameters}, json=metadata
        )

    def chunk(self, location: str, data: bytes, range_: str, **headers: str) -> requests.Response:
        headers = {"Content-Range": f"bytes {range_}", **headers}
        return self.session.put(location, data=data, headers=headers, timeout=20)

    def generation(self, name: str) -> int:
        return int(self.one("GET", name).json()["generation"])


@pytest.fixture
def emulator() -> StorageEmulator:
    return storage_emulator()[0]


@pytest.fixture
def raw(emulator: StorageEmulator, request: pytest.FixtureRequest) -> Iterator[Raw]:
    bucket = f"raw-{abs(hash(request.node.name))}"
    emulator.create_bucket(bucket)
    with requests.Session() as session:
        yield Raw(emulator.url, bucket, session)


def raced(writer: Callable[[int], int]) -> list[int]:
    """What sixteen threads give that begin at once."""
    start = threading.Barrier(16)
    statuses = []

    def run(number: int) -> None:
        start.wait()
        statuses.append(writer(number))

    threads = [threading.Thread(target=run, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(statuses)


def test_of_sixteen_requests_one_creates_the_object(raw: Raw) -> None:
    def create(number: int) -> int:
        with requests.Session() as session:
            mine = Raw(raw.url, raw.bucket, session)
            return mine.upload("a", b"%d" % number * 5000, ifGenerationMatch=0).status_code

    assert raced(create) == [200] + [412] * 15


def test_of_sixteen_uploads_by_googles_client_one_creates_the_object(raw: Raw) -> None:
    bucket = storage_emulator()[1].bucket(raw.bucket)

    def create(number: int) -> int:
        try:
            bucket.blob("a").upload_from_string(b"%d" % number * 5000, if_generation_match=0)
        except PreconditionFailed:
            return 412
        return 200

    assert raced(create) == [200] + [412] * 15


def test_of_sixteen_resumable_uploads_one_creates_the_object(raw: Raw) -> None:
    begun = [raw.begin({"name": "a"}, ifGenerationMatch=0) for _ in range(16)]

    def finish(number: int) -> int:
        with requests.Session() as session:
            mine = Raw(raw.url, raw.bucket, session)
            return mine.chunk(begun[number].headers["location"], b"x", "0-0/1").status_code

    assert raced(finish) == [200] + [412] * 15


def test_of_sixteen_deletions_one_deletes(raw: Raw) -> None:
    raw.upload("a", b"1")
    generation = raw.generation("a")

    def delete(number: int) -> int:
        with requests.Session() as session:
            mine = Raw(raw.url, raw.bucket, session)
            return mine.one("DELETE", "a", ifGenerationMatch=generation).status_code

    assert raced(delete) == [204] + [404] * 15


def test_a_stale_generation_is_refused(raw: Raw) -> None:
    raw.upload("a", b"1")
    stale = raw.generation("a")
    assert raw.upload("a", b"2", ifGenerationMatch=stale).status_code == 200
    assert raw.upload("a", b"3", ifGenerationMatch=stale).status_code == 412
    assert raw.upload("a", b"3", ifGenerationMatch=0).status_code == 412
    assert raw.begin({"name": "a"}, ifGenerationMatch=stale).status_code == 412
    assert raw.one("DELETE", "a", ifGenerationMatch=stale).status_code == 412
    assert raw.one("GET", "a", ifGenerationMatch=stale).status_code == 412
    assert raw.media("a", ifGenerationMatch=stale).status_code == 412
    assert raw.upload("absent", b"3", ifGenerationMatch=stale).status_code == 412
    assert raw.media("a").content == b"2"


def test_generation_names_the_current_one_or_nothing(raw: Raw) -> None:
    raw.upload("a", b"1")
    stale = raw.generation("a")
    raw.upload("a", b"2")
    there = raw.generation("a")
    assert raw.media("a", generation=there).content == b"2"
    assert raw.one("GET", "a", generation=there).status_code == 200
    for answer in (
        raw.media("a", generation=stale),
        raw.one("GET", "a", generation=stale),
        raw.one("DELETE", "a", generation=stale),
    ):
        assert answer.status_code == 404
    assert raw.one("DELETE", "a", generation=there).status_code == 204


def test_generations_grow_across_deletion(raw: Raw) -> None:
    generations = []
    for _ in range(3):
        raw.upload("a", b"1", ifGenerationMatch=0)
        generations.append(raw.generation("a"))
        raw.one("DELETE", "a")
    assert generations == sorted(set(generations))


def test_ranges_are_those_of_http(raw: Raw) -> None:
    raw.upload("a", b"0123456789")
    part = raw.media("a", "bytes=2-4")
    assert (part.status_code, part.content) == (206, b"234")
    assert part.headers["content-range"] == "bytes 2-4/10"
    assert raw.media("a", "bytes=7-99").content == b"789"
    assert raw.media("a", "bytes=8-").content == b"89"
    assert raw.media("a", "bytes=-3").content == b"789"
    assert raw.media("a", "bytes=10-12").status_code == 416
    assert raw.media("a", "bytes=0-1,4-5").status_code == 501
    whole = raw.media("a")
    assert (whole.status_code, whole.content) == (200, b"0123456789")
    assert whole.headers["x-goog-hash"] == f"crc32c={crc32c_of(b'0123456789')}"
    assert whole.headers["x-goog-generation"] == str(raw.generation("a"))


def test_a_wrong_checksum_is_refused_and_nothing_written(raw: Raw) -> None:
    wrong = crc32c_of(b"other")
    blob = storage_emulator()[1].bucket(raw.bucket).blob("a")
    blob.crc32c = wrong
    with pytest.raises(Exception, match="Provided CRC32C"):
        blob.upload_from_string(b"data", checksum=None, retry=None)
    location = raw.begin({"name": "a", "crc32c": wrong}).headers["location"]
    assert raw.chunk(location, b"data", "0-3/4").status_code == 400
    location = raw.begin({"name": "a"}).headers["location"]
    answer = raw.chunk(location, b"data", "0-3/4", **{"x-goog-hash": f"crc32c={wrong}"})
    assert answer.status_code == 400
    assert raw.one("GET", "a").status_code == 404


def test_a_resumable_upload_goes_on_where_it_was(raw: Raw) -> None:
    data = bytes(range(256)) * 2048  # twice the grain
    location = raw.begin({"name": "a", "crc32c": crc32c_of(data)}).headers["location"]
    nothing = raw.chunk(location, b"", f"*/{len(data)}")
    assert (nothing.status_code, nothing.headers.get("range")) == (308, None)
    assert raw.chunk(location, data[:1000], f"0-999/{len(data)}").status_code == 400
    raw.chunk(location, data[1000:GRAIN], f"1000-{GRAIN - 1}/*")
    gap = raw.chunk(location, data[:GRAIN], f"{2 * GRAIN}-{3 * GRAIN - 1}/*")
    assert gap.status_code == 400
    location = raw.begin({"name": "a", "crc32c": crc32c_of(data)}).headers["location"]
    first = raw.chunk(location, data[:GRAIN], f"0-{GRAIN - 1}/{len(data)}")
    assert (first.status_code, first.headers["range"]) == (308, f"bytes=0-{GRAIN - 1}")
    again = raw.chunk(location, data, f"0-{len(data) - 1}/{len(data)}")
    assert again.status_code == 200
    assert raw.media("a").content == data
    finished = raw.chunk(location, b"", f"*/{len(data)}")
    assert (finished.status_code, finished.json()) == (200, again.json())
    location = raw.begin({"name": "a"}).headers["location"]
    assert raw.chunk(location + "x", b"", "*/*").status_code == 404


def test_objects_are_composed_of_the_generations_that_are_named(raw: Raw) -> None:
    for name in ("a", "b"):
        raw.upload(name, name.encode())

    def compose(*sources: dict[str, Any], match: int = 0, **rest: Any) -> requests.Response:
        path = f"/storage/v1/b/{raw.bucket}/o/c/compose"
        document = {"sourceObjects": list(sources), "destination": {}, **rest}
        return raw.ask("POST", path, params={"ifGenerationMatch": match}, json=document)

    old = {"name": "a", "objectPreconditions": {"ifGenerationMatch": 1}}
    a, b = {"name": "a"}, {"name": "b"}
    refused = [compose(a, old), compose(a, {"name": "d"}), compose(*[a] * 33), compose()]
    refused += [
        compose(a, match=1),
        compose({"name": "a", "size": 1}),
        compose(a, b, kmsKeyName=""),
    ]
    assert [each.status_code for each in refused] == [412, 404, 400, 400, 412, 501, 501]
    assert [each["name"] for each in raw.list_one()["items"]] == ["a", "b"]
    composed = compose(b, a, b, deleteSourceObjects=True).json()
    assert raw.media("c").content == b"bab"
    assert (composed["size"], composed["crc32c"]) == ("3", crc32c_of(b"bab"))
    assert [each["name"] for each in raw.list_one()["items"]] == ["c"]
    assert compose({"name": "c"}).status_code == 412


def test_pages_are_whole_and_in_order(raw: Raw) -> None:
    names = ["a", "b/1", "b/2", "b0", "c/d/e", "c/f", "z"]
    for name in names:
        raw.upload(name, b"")
    pages = raw.pages(maxResults=2)
    assert [each["name"] for page in pages for each in page["items"]] == names
    assert len(pages) == 4
    pages = raw.pages(maxResults=1, delimiter="/")
    found = [each["name"] for page in pages for each in page.get("items", [])]
    prefixes = [each for page in pages for each in page.get("prefixes", [])]
    assert (found, prefixes) == (["a", "b0", "z"], ["b/", "c/"])
    page = raw.list_one(prefix="c/", delimiter="/", fields="items(name,size),prefixes")
    assert page == {"items": [{"name": "c/f", "size": "0"}], "prefixes": ["c/d/"]}


@pytest.mark.parametrize(
    "parameter",
    [
        "ifGenerationNotMatch",
        "ifMetagenerationMatch",
        "softDeleted",
        "userProject",
        "versions",
        "startOffset",
        "kmsKeyName",
    ],
)
def test_an_unknown_parameter_is_named_and_refused(raw: Raw, parameter: str) -> None:
    raw.upload("a", b"1")
    value = {parameter: "1"}
    for answer in (
        raw.upload("b", b"1", **value),
        raw.begin({"name": "b"}, **value),
        raw.one("GET", "a", **value),
        raw.one("DELETE", "a", **value),
        raw.media("a", **value),
        raw.ask("GET", f"/storage/v1/b/{raw.bucket}/o", params=value),
    ):
        assert answer.status_code == 501
        assert parameter in answer.text
    assert raw.media("a").content == b"1"
    assert raw.one("GET", "b").status_code == 404


def test_what_is_not_implemented_is_refused(raw: Raw) -> None:
    raw.upload("a", b"1")
    path = f"/storage/v1/b/{raw.bucket}/o/a"
    refused = [
        raw.ask("PATCH", path, json={}),
        raw.ask("POST", path + "/restore", json={}),
        raw.ask("GET", path, params={"alt": "media"}),
        raw.ask("GET", path, params={"projection": "full"}),
        raw.ask("GET", path, headers={"If-None-Match": "x"}),
        raw.ask("DELETE", path, headers={"x-goog-if-generation-match": "1"}),
        raw.ask("GET", "/download" + path),
        raw.ask("GET", f"/storage/v1/b/{raw.bucket}", params={"userProject": "p"}),
        raw.ask("GET", f"/{raw.bucket}/a"),
        raw.ask("GET", path + "?generation=1&generation=2"),
        raw.begin({"name": "b", "storageClass": "NEARLINE"}),
    ]
    assert [answer.status_code for answer in refused] == [501] * len(refused)
    assert raw.one("GET", "a", ifGenerationMatch="x").status_code == 400


def test_a_bucket_must_exist(emulator: StorageEmulator, raw: Raw) -> None:
    nowhere = Raw(raw.url, "no-such-bucket", raw.session)
    for answer in (
        nowhere.upload("a", b""),
        nowhere.one("GET", "a"),
        nowhere.media("a"),
        nowhere.one("DELETE", "a"),
        nowhere.ask("GET", "/storage/v1/b/no-such-bucket/o"),
    ):
        assert answer.status_code == 404
        assert "The specified bucket does not exist." in answer.text
    client = storage_emulator()[1]
    with pytest.raises(NotFound):
        client.get_bucket("made-later")
    client.create_bucket("made-later", project="emulated")
    assert client.get_bucket("made-later").name == "made-later"


def test_a_reader_keeps_the_generation_that_it_began_with(raw: Raw) -> None:
    size = 8 << 20
    raw.upload("a", b"1" * size)
    with closing(
        raw.session.get(
            f"{raw.url}/download/storage/v1/b/{raw.bucket}/o/a?alt=media", stream=True, timeout=20
        )
    ) as answer:
        chunks = answer.iter_content(1 << 16)
        first = next(chunks)
        assert Raw(raw.url, raw.bucket, requests.Session()).upload("a", b"2").status_code == 200
        assert first + b"".join(chunks) == b"1" * size


def test_the_log_tells_of_every_request(emulator: StorageEmulator, raw: Raw) -> None:
    raw.upload("in the log", b"0123456789")
    raw.media("in the log", "bytes=2-4")
    (upload,) = emulator.log.of("upload", "in the log")
    assert (upload.method, upload.status, upload.received) == ("POST", 200, 10)
    (media,) = emulator.log.of("media", "in the log")
    assert (media.range, media.status, media.sent) == ("bytes=2-4", 206, 3)
    assert media.bucket == raw.bucket
    lines = raw.ask("GET", "/emulator/requests").text.splitlines()
    assert json.loads(lines[-1])["name"] == "in the log"


def test_a_fault_befalls_what_it_was_meant_for(emulator: StorageEmulator, raw: Raw) -> None:
    emulator.faults.add(Fault("upload", "a", status=503, times=2))
    emulator.faults.add(Fault("upload", "a", answer_lost=True))
    assert raw.upload("b", b"1").status_code == 200
    assert [raw.upload("a", b"1").status_code for _ in range(2)] == [503, 503]
    assert raw.one("GET", "a").status_code == 404
    with pytest.raises(requests.ConnectionError):
        raw.upload("a", b"1")
    assert raw.media("a").content == b"1"
    assert emulator.faults.waiting() == 0


def test_a_request_can_be_held_before_and_after_it_is_carried_out(
    emulator: StorageEmulator, raw: Raw
) -> None:
    there: list[int] = []

    def look() -> None:
        there.append(raw.one("GET", "a").status_code)

    emulator.faults.add(Fault("upload", "a", meanwhile=look, afterwards=look))
    assert raw.upload("a", b"data").status_code == 200
    assert there == [404, 200]
    emulator.faults.add(Fault("delete", "a", status=503, afterwards=look))
    assert raw.one("DELETE", "a").status_code == 503
    assert there == [404, 200]  # what was not done has no afterwards


def test_it_runs_in_a_process_of_its_own_and_leaves_nothing_behind(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "almanac_emulation.cloud_storage.emulator", "--port", "0"]
    with subprocess.Popen(
        [*command, "--bucket", "agency"],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        url = process.stdout.readline().strip()
        with requests.Session() as session:
            raw = Raw(url, "agency", session)
            assert raw.upload("a", b"1", ifGenerationMatch=0).status_code == 200
            assert raw.upload("a", b"2", ifGenerationMatch=0).status_code == 412
        assert list(tmp_path.iterdir()) != []
        process.terminate()
    assert process.returncode == 0
    assert list(tmp_path.iterdir()) == []
