"""docs/operations.md: its commands exist, its numbers are those of the code, and they work."""

from __future__ import annotations

import datetime as dt
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from almanac.contact_ranges import MAX_SHARDS
from almanac.generation import generate
from almanac.messaging.subscriptions import DEAD_LETTER_RETENTION_SECONDS, SUBSCRIPTIONS
from almanac.runs.cloud_services import AT_ONCE
from almanac.storage import layout
from almanac_emulation.local_cloud import LocalCloud
from scripts import costs
from tests.support.emulators import FUNCTIONS, needs_pubsub_emulator, wait_until
from tests.support.gcloud import wrong_calls
from tests.support.operations_page import TEXT, blocks

ROOT = Path(__file__).parents[2]
VARIABLES = (ROOT / "infra" / "variables.tf").read_text("utf-8")
PERFORMANCE = (ROOT / "docs" / "performance.md").read_text("utf-8")
DAY = 24 * 3600


def default(variable: str) -> str:
    """What a variable of Terraform is by default."""
    (body,) = re.findall(rf'^variable "{variable}" {{\n(.*?)^}}', VARIABLES, re.M | re.S)
    (value,) = re.findall(r"^  default += (.+)$", body, re.MULTILINE)
    return str(value).strip('"')


# --- what it says ---------------------------------------------------------------------------------


def test_the_costs_are_what_the_script_prints() -> None:
    assert costs.price_table() in TEXT
    assert costs.cost_table(costs.INSTALLATIONS) in TEXT
    assert costs.growth_table() in TEXT
    assert costs.addition_table(costs.INSTALLATIONS) in TEXT
    assert costs.growth_table(costs.additions) in TEXT
    assert f"list prices of {costs.PRICE_LIST}" in TEXT
    assert {(1, 3_000_000), (1_000, 25_000)} <= set(costs.INSTALLATIONS)


def test_the_page_says_how_many_conditions_of_alerts_are_paid_for() -> None:
    assert f"alerts = {costs.CONDITIONS} conditions" in TEXT


def measured(first: str, *others: str) -> list[float]:
    """The numbers of a row of docs/performance.md, by its first cell and what else it has."""
    rows = re.findall(rf"^\| {first} ?\|(.+)\|$", PERFORMANCE, re.MULTILINE)
    (row,) = [each for each in rows if all(re.search(other, each) for other in others)]
    return [float(each) for each in re.findall(r"\d+(?:\.\d+)?", row.replace(",", ""))]


def test_the_costs_assume_what_was_measured_or_more() -> None:
    shard_seconds, _, merge_seconds = measured("3,000,000, 4,274 MB", "%")[-3:]
    assert measured("", "next day", "32.1")[-1] <= costs.BYTES_A_CONTACT * 3
    assert shard_seconds + 200 * 0.05 <= costs.SHARD  # reads
    assert merge_seconds / 4.274 <= costs.MERGE_A_GB
    assert measured("merge, without the file itself")[-1] <= costs.MERGE_GB_A_MILLION * 3_000
    for function in costs.SIZES:
        assert measured(function, r"0\.\d+, ")[-1] <= costs.START


def test_the_limits_are_what_the_script_computes() -> None:
    assert costs.limit_table() in TEXT
    assert costs.MAX_SHARDS == MAX_SHARDS
    assert costs.AT_ONCE == AT_ONCE
    assert re.search(rf"disk +\= optional\(string, \"{costs.DISK:g}Gi\"\)", VARIABLES)
    assert re.search(rf"\| `orchestrator` \| [^|]+ \| 1, {costs.ORCHESTRATORS} \|", TEXT)
    # all organizations are looked at well before the orchestrator's timeout
    assert costs.START + costs.looking_seconds(7_500) < 300 / 2


def test_the_sizes_are_terraforms() -> None:
    for function in (*SUBSCRIPTIONS, "status", "intake", "webhooks"):
        (body,) = re.findall(
            rf"^    {function} = optional\(object\({{\n(.*?)^    }}", VARIABLES, re.M | re.S
        )
        size = dict(re.findall(r"(\w+) += optional\(\w+, \"?(\w+)\"?\)", body))
        row = (
            f"| `{function}` | {size['cpu']}, {size['memory']} "
            f"| {size['concurrency']}, {size['max_instances']} | {size['timeout_seconds']} s |"
        )
        assert row in TEXT


def test_the_costs_count_with_the_sizes_that_are_deployed() -> None:
    for function, (cpu, gib) in costs.SIZES.items():
        memory = f"{gib:g}Gi" if gib >= 1 else f"{gib * 1024:g}Mi"
        assert f"| `{function}` | {cpu}, {memory} |" in TEXT
    assert default("shard_contacts") == str(costs.SHARD_CONTACTS)


def test_the_times_are_those_of_the_code_and_of_terraform() -> None:
    archived, soft = int(default("archived_days")), int(default("soft_delete_days"))
    assert f"for {archived} days (`archived_days`)" in TEXT
    assert f"for {soft} more (`soft_delete_days`)" in TEXT
    assert archived + soft == 14
    assert "restored for 14 days" in TEXT
    assert DEAD_LETTER_RETENTION_SECONDS == 7 * DAY
    assert {each.max_delivery_attempts for each in SUBSCRIPTIONS.values()} == {20, 100}
    assert default("lease_seconds") == "3600"
    assert (default("daily_time"), default("time_zone")) == ("04:00", "America/Chicago")


def test_every_variable_that_the_page_sets_exists() -> None:
    (values,) = re.findall(r"<<EOF\n(.*?)EOF", TEXT, re.DOTALL)
    assigned = re.findall(r"^ *(\w+) +=", values, re.MULTILINE)
    assert len(assigned) == 5
    for name in assigned:
        assert f'variable "{name}" {{' in VARIABLES


def gcloud_calls() -> Iterator[list[str]]:
    lines = [line for block in blocks() for line in block.splitlines()]
    lines += re.findall(r"`(gcloud [^`\n]+)`", re.sub(r"```sh\n.*?```", "", TEXT, flags=re.S))
    for line in lines:
        if line.strip().startswith("gcloud "):
            yield shlex.split(line)[1:]


def test_every_gcloud_command_exists_with_its_options() -> None:
    calls = list(gcloud_calls())
    assert wrong_calls(calls) == []
    assert len(calls) > 30


# --- what it does ---------------------------------------------------------------------------------

STUBS = {
    # what only Google Cloud has, and what deploys
    "gcloud": "#!/bin/sh\nexit 0\n",
    "make": "#!/bin/sh\nexit 0\n",
    "sqlite3": '#!/bin/sh\ncp "$1" agency.sqlite3\n',
    "almanac": "#!/bin/sh\n"
    f'exec "{sys.executable}" -c "from almanac.commands.main import main; main()" "$@"\n',
}
CONFIG = "load_balancing:\n  daily_send_percentage_cap: 0.05\n"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, text in STUBS.items():
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    return {
        **os.environ,
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "PROJECT": "agency-almanac",
        "REGION": "us-central1",
        "COPY": str(tmp_path / "copy"),
        "NEW": str(tmp_path / "new"),
    }


def finished(cloud: LocalCloud, requests: int) -> bool:
    """Whether all that was asked for has begun, and all that has begun has a result."""
    lines = [*cloud.log_lines("orchestrator"), *cloud.log_lines("campaign_change")]
    done = {line["message_id"] for line in lines if line.get("outcome") == "done"}
    names = [info.name for info in cloud.store.list(layout.ORGANIZATIONS)]
    begun = {name.rpartition("/")[0] for name in names if name.endswith(layout.PLAN)}
    ended = {name.rpartition("/")[0] for name in names if name.endswith(layout.RESULT)}
    leases = [name for name in names if name.endswith("/lease.json")]
    return len(done) >= requests and begun <= ended and not leases


@pytest.mark.slow
@needs_pubsub_emulator
def test_the_commands_work_in_the_order_of_the_page(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    folder = tmp_path / "repository"
    (folder / "infra").mkdir(parents=True)
    (folder / "config.yaml").write_text(CONFIG)
    today = dt.datetime.now(dt.UTC).date()
    generate(folder / "agency.sqlite3", 500, 1, today)
    shutil.copy(folder / "agency.sqlite3", folder / "live.sqlite3")
    requests = 0
    with LocalCloud(tmp_path / "cloud", FUNCTIONS) as cloud:
        settings = cloud.settings()
        for block in blocks():
            # the block's own exports are for Google's cloud
            lines = [line for line in block.splitlines() if not line.startswith("export ")]
            ran = subprocess.run(
                ["bash", "-e", "-c", "\n".join(lines)],
                cwd=folder,
                env={**environment, **settings},
                capture_output=True,
                text=True,
            )
            assert ran.returncode == 0, f"{block}\n{ran.stdout}\n{ran.stderr}"
            requests += sum(line.startswith("almanac request ") for line in lines)
            expected = requests
            wait_until(lambda: finished(cloud, expected), block)  # noqa: B023
        assert cloud.dead_letters() == []
    assert requests >= 9
    assert (
        'state_bucket = "agency-almanac-tfstate"' in (folder / "infra/terraform.tfvars").read_text()
    )
