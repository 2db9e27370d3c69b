#!/usr/bin/env bash
# Try the installation in a Google Cloud project of its own: apply examples/minimal, a run, a change,
# a mark, a merge by the job, and destroy all of it again. It takes about an hour and costs less than
# a dollar. Who runs it needs the role Owner in the project, which is empty and has billing.
#
#     scripts/smoke.sh [--dry-run] PROJECT
#
# --dry-run prints the commands, and runs none. If anything fails, what was made is destroyed too.

set -euo pipefail

usage() {
  echo "Usage: scripts/smoke.sh [--dry-run] PROJECT" >&2
  exit 2
}

die() {
  echo "smoke.sh: $*" >&2
  exit 1
}

DRY=
if [ "${1-}" = --dry-run ]; then
  DRY=yes
  shift
fi
[ $# -eq 1 ] || usage
PROJECT=$1
[[ $PROJECT =~ ^[a-z][a-z0-9-]{4,28}[a-z0-9]$ ]] || die "$PROJECT is not the id of a project (6 to 30 lower-case letters, digits and hyphens)"

cd "$(dirname "$0")/.."
PATH=$PWD/.venv/bin:$PATH
REGION=us-central1 # the default of infra/variables.tf
ORG=smoke
EXAMPLE=infra/examples/minimal
WORK=${SMOKE_WORK:-$PWD/dist/smoke-$PROJECT} # the state, until all is destroyed
STATE=$WORK/terraform.tfstate
MINUTES=${SMOKE_MINUTES:-20} # that a run may take
PAUSE=${SMOKE_PAUSE:-15}     # seconds between two looks

show() {
  printf '+'
  printf ' %q' "$@"
  echo
}

run() {
  show "$@"
  [ -n "$DRY" ] || "$@"
}

# What it prints is a secret, or of no use.
silently() {
  show "$@"
  [ -n "$DRY" ] || "$@" >/dev/null
}

# capture NAME COMMAND...: what the command prints becomes the variable's value.
capture() {
  local name=$1 value
  shift
  show "$@"
  if [ -n "$DRY" ]; then
    value="<$name>"
  else
    value=$("$@") || die "this failed: ${*@Q}"
    [ -n "$value" ] || die "this printed nothing: ${*@Q}"
  fi
  printf -v "$name" %s "$value"
}

step() { printf '\n== %s\n' "$*"; }

# --- before anything is made ------------------------------------------------------------------------

preflight() {
  step "What is needed"
  local program
  for program in gcloud terraform almanac python make; do
    [ -n "$DRY" ] || command -v "$program" >/dev/null || die "$program is missing: Google Cloud CLI, Terraform 1.11 or newer, and \`make setup\` are needed"
  done
  silently gcloud auth print-access-token --quiet || die "gcloud has no account: gcloud auth login"
  silently gcloud auth application-default print-access-token --quiet || die "Terraform and almanac have no account: gcloud auth application-default login"
  silently gcloud projects describe "$PROJECT" "--format=value(projectNumber)" || die "$PROJECT: there is no such project, or you may not see it"
  capture BILLING gcloud billing projects describe "$PROJECT" "--format=value(billingEnabled)"
  [ -n "$DRY" ] || [ "$BILLING" = True ] || die "$PROJECT has no billing account"
  run gcloud services enable cloudresourcemanager.googleapis.com serviceusage.googleapis.com iam.googleapis.com storage.googleapis.com pubsub.googleapis.com "--project=$PROJECT" || die "you may not enable APIs in $PROJECT: the role Owner is needed"
  run gcloud beta services identity create --service=pubsub.googleapis.com "--project=$PROJECT" --quiet || die "Pub/Sub's account cannot be made in $PROJECT"
  if silently gcloud storage buckets describe "gs://$PROJECT-almanac-data" "--format=value(name)" 2>/dev/null; then
    [ -n "$DRY" ] || [ -f "$STATE" ] || die "$PROJECT has an installation already, which this script did not make: take another project"
  fi
}

# --- terraform ----------------------------------------------------------------------------------------

terraform_do() { # terraform_do apply|destroy [VARIABLE=VALUE ...]
  local command=$1
  shift
  run terraform "-chdir=$EXAMPLE" "$command" -input=false -auto-approve "-state=$STATE" "-var=project_id=$PROJECT" -var=trial=true "${@/#/-var=}"
}

output() { capture "$1" terraform "-chdir=$EXAMPLE" output "-state=$STATE" -raw "$2"; }

destroy() {
  local code=$?
  trap - EXIT
  [ -z "$MADE" ] || {
    step "Destroy"
    if terraform_do destroy; then
      run rm -rf "$WORK"
    else
      code=1
      echo "smoke.sh: not all is destroyed; again: terraform -chdir=$EXAMPLE destroy -state=$STATE -var=project_id=$PROJECT -var=trial=true" >&2
    fi
  }
  if [ "$code" -ne 0 ]; then
    echo "smoke.sh: failed" >&2
  elif [ -n "$DRY" ]; then
    echo "smoke.sh: nothing was done"
  else
    echo "smoke.sh: all steps have passed"
  fi
  exit "$code"
}

# --- what is tried ------------------------------------------------------------------------------------

current() {
  almanac store versions "$ORG" --json | python -c 'import json, sys; print(max(each["version"] for each in json.load(sys.stdin)["versions"]))'
}

committed() { # committed VERSION: wait until it is there
  local until=$((SECONDS + MINUTES * 60))
  show almanac store versions "$ORG" --json
  [ -z "$DRY" ] || return 0
  until [ "$(current)" -ge "$1" ]; do
    [ $SECONDS -lt $until ] || {
      almanac store status "$ORG" >&2 || true
      die "no version $1 after $MINUTES minutes; the logs of the functions say why"
    }
    sleep "$PAUSE"
  done
}

MADE=
trap destroy EXIT

preflight
run make archives
run mkdir -p "$WORK"

step "Apply"
run terraform "-chdir=$EXAMPLE" init -input=false
MADE=yes
terraform_do apply || {
  # Google knows new accounts, APIs and metrics only after a while
  echo "smoke.sh: once more" >&2
  terraform_do apply
}
output STORE store
output TOPIC_PREFIX topic_prefix
output MERGE merge_function
export ALMANAC_STORE=$STORE ALMANAC_TOPIC_PREFIX=$TOPIC_PREFIX ALMANAC_PROJECT=$PROJECT

step "A run"
run almanac generate "$WORK/agency.sqlite3" --contacts 2000 --seed 1
run almanac store init "$ORG"
run almanac store push "$ORG" "$WORK/agency.sqlite3" --expect 0
run almanac request run --org "$ORG" --reason daily
committed 2

step "A change"
run almanac request change --org "$ORG" --instance 1 --set email_template=smoke --event-id smoke-change
committed 3

step "A mark"
run almanac due --org "$ORG" --on tomorrow --out "$WORK/due.jsonl"
if [ -z "$DRY" ]; then
  [ -s "$WORK/due.jsonl" ] || die "nothing is due tomorrow"
  sed -n '1s/}$/, "status": "sent"}/p' "$WORK/due.jsonl" >"$WORK/marks.jsonl"
fi
run almanac mark --org "$ORG" "$WORK/marks.jsonl" --strict

step "A merge by the job"
capture IMAGE gcloud run services describe "$MERGE" "--region=$REGION" "--project=$PROJECT" "--format=value(spec.template.spec.containers[0].image)"
terraform_do apply "merge_image=$IMAGE"
run almanac request run --org "$ORG" --reason manual
committed 4
capture EXECUTION gcloud run jobs executions list "--job=$MERGE" "--region=$REGION" "--project=$PROJECT" --limit=1 "--format=value(name)"
run almanac store pull "$ORG" --out "$WORK/after.sqlite3"
run python -c "import sqlite3, sys; sys.exit(sqlite3.connect(sys.argv[1]).execute('SELECT count(*) FROM message_deliveries').fetchone()[0] == 0)" "$WORK/after.sqlite3" || die "the mark is not in the version that the job has committed"
