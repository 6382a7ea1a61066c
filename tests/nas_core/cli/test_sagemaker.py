"""`nas sagemaker` and `nas data push` as people type them: dry runs, bad input, what is told."""

import json
import os
import subprocess
import sys

import pytest
from command_line import nas_here
from recorded_calls import Calls
from s3_server import BUCKET, CANARY, plain
from tiny_data import write_tiny

ROLE = "arn:aws:iam::123456789012:role/nas-role"
HERE = f"s3://{BUCKET}/nas/data/tiny"


@pytest.fixture
def nobody(monkeypatch):
    """A machine that nobody has told anything about AWS."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "NAS_BUCKET"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def test_a_dry_run_needs_no_credentials_region_or_sdk(tmp_path):
    blocked = (
        "import sys, socket\n"
        "for name in ('sagemaker', 'sagemaker.core', 'sagemaker.train', 'tensorflow'):\n"
        "    sys.modules[name] = None\n"
        "def refuse(*args, **kwargs): raise OSError('no network in this test')\n"
        "socket.socket.connect = refuse; socket.getaddrinfo = refuse\n"
        "from nas_core.cli import main; main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", blocked, "sagemaker", "search", "--dry-run", "--data",
         "s3://bucket/leaves", "--role", "arn:aws:iam::123456789012:role/nas"],
        cwd=tmp_path, env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    request = json.loads(done.stdout)
    assert request["TrainingJobName"].startswith("nas-metaqnn-")
    assert request["RoleArn"] == "arn:aws:iam::123456789012:role/nas"
    arguments = json.loads(request["HyperParameters"]["arguments"])
    assert arguments["options"]["agent"] == "metaqnn" and arguments["options"]["trials"] > 0
    assert "us-east-1" in done.stderr and "USD" in done.stderr
    assert not list(tmp_path.iterdir())


def test_options_of_nas_search_reach_the_job(nobody, tmp_path):
    done = nas_here(
        "sagemaker", "search", "nasnet", "--agent", "ppo", "--trials", 5, "--seed", 3, "--epochs", 2,
        "--dry-run", "--data", "s3://bucket/leaves", "--role", ROLE, "--region", "eu-west-1",
        "--spot", "--max-runtime", 600, "--kms-key", "key-1", "--instance", "ml.g5.xlarge",
        "--run", "R1", "--top", 2, cwd=tmp_path,
    )  # fmt: skip
    request = json.loads(done.stdout)
    task = json.loads(request["HyperParameters"]["arguments"])
    assert task["options"] == {
        "space": "nasnet", "agent": "ppo", "trainer": "real", "trials": 5, "seed": 3,
        "recipe": {"epochs": 2},
    }  # fmt: skip
    assert task["retrain"] == {"top": 2}
    assert request["StoppingCondition"] == {
        "MaxRuntimeInSeconds": 600, "MaxWaitTimeInSeconds": 1200,
    }  # fmt: skip
    assert "dkr.ecr.eu-west-1" in request["AlgorithmSpecification"]["TrainingImage"]
    again = nas_here(
        "sagemaker", "search", "--dry-run", "--data", "s3://bucket/leaves", "--role", ROLE, "--run",
        "R1", cwd=tmp_path,
    )  # fmt: skip
    assert json.loads(again.stdout)["TrainingJobName"] == request["TrainingJobName"]


def test_a_dry_run_of_trials_prints_the_first_jobs(nobody, tmp_path):
    done = nas_here(
        "sagemaker", "trial", "--trainer", "mock", "--trials", 8, "--workers", 3, "--dry-run",
        "--to", f"s3://{BUCKET}/nas", "--role", ROLE, "--run-id", "R1", "--trials-per-job", 2,
        cwd=tmp_path,
    )  # fmt: skip
    requests = json.loads(done.stdout)["requests"]
    tasks = [json.loads(request["HyperParameters"]["arguments"]) for request in requests]
    assert [[trial["job"]["trial"] for trial in task["trials"]] for task in tasks] == [
        [0, 1], [2, 3], [4, 5],
    ]  # fmt: skip
    assert len({request["TrainingJobName"] for request in requests}) == 3
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--data", "s3://bucket/leaves", "--role", "me"], "--role"),
        (["--data", "s3://No_Bucket/leaves", "--role", ROLE], "bucket"),
        (["--role", ROLE], "--data"),
        (["--role", ROLE, "--data", "leaves"], "--to"),
        (["--role", ROLE, "--data", "s3://bucket/x", "--spot", "--max-wait", "60"], "--max-wait"),
        (["--role", ROLE, "--data", "s3://bucket/x", "--agent", "nobody"], "nobody"),
        (["--role", ROLE, "--data", "s3://bucket/x", "--trials", "0"], "--trials"),
        (["--role", ROLE, "--data", "s3://bucket/x", "--nonsense"], "--nonsense"),
        (["--role", ROLE, "--data", "s3://bucket/x", "--executor", "ray"], "--executor"),
        (["--role", ROLE, "--data", "s3://bucket/x", "--reuse", "runs/R0"], "--reuse"),
        (["--role", ROLE, "--data", "s3://bucket/x", "--run", "a b"], "--run"),
        (["--role", ROLE, "--data", "s3://bucket/x", "--image", "1.15"], "--image"),
    ],
)
def test_bad_input_is_one_line_before_aws_is_asked(nobody, tmp_path, arguments, word):
    done = nas_here("sagemaker", "search", *arguments, "--dry-run", cwd=tmp_path, check=2)
    errors = [line for line in done.stderr.splitlines() if "no region is set" not in line]
    assert len(errors) == 1 and word in errors[0]
    assert done.stdout == "" and not list(tmp_path.iterdir())


def jobs():
    return plain("sagemaker").list_training_jobs()["TrainingJobSummaries"]


@pytest.fixture
def service_says(monkeypatch):
    """Have AWS refuse an operation with a code, as a test asks."""
    from botocore.client import BaseClient
    from botocore.exceptions import ClientError

    original = BaseClient._make_api_call

    def install(operation, code, message):
        def refusing(self, name, given):
            if name == operation and self.meta.config.user_agent_extra != "test-equipment":
                raise ClientError({"Error": {"Code": code, "Message": message}}, name)
            return original(self, name, given)

        monkeypatch.setattr(BaseClient, "_make_api_call", refusing)

    return install


@pytest.mark.slow
@pytest.mark.parametrize(
    ("operation", "code", "message", "advice"),
    [
        ("CreateTrainingJob", "ValidationException", f"Could not assume role {ROLE}.", "--role"),
        ("CreateTrainingJob", "ValidationException", "Requested image is not found.", "--image"),
        ("CreateTrainingJob", "AccessDeniedException", "not authorized: iam:PassRole", "permissions"),
        ("CreateTrainingJob", "ResourceLimitExceeded", "limit is 0 Instances", "quota"),
        ("GetBucketLocation", "AccessDenied", "Access Denied", "--owner"),
        ("GetBucketLocation", "ExpiredToken", "The provided token has expired.", "sign in again"),
    ],
)  # fmt: skip
def test_what_aws_refuses_is_one_line_and_no_job(
    bucket, tmp_path, service_says, operation, code, message, advice
):
    service_says(operation, code, message)
    done = nas_here(
        "sagemaker", "search", "--trainer", "mock", "--to", f"s3://{BUCKET}/nas", "--role", ROLE,
        "--run", "R1", cwd=tmp_path, check=1,
    )  # fmt: skip
    assert len(done.stderr.splitlines()) == 1 and advice in done.stderr and code in done.stderr
    assert jobs() == [] and not list(tmp_path.iterdir())


def test_a_bucket_in_another_region_is_told_before_anything_is_made(aws, tmp_path):
    plain("s3").create_bucket(
        Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    done = nas_here(
        "sagemaker", "search", "--trainer", "mock", "--to", f"s3://{BUCKET}/nas", "--role", ROLE,
        cwd=tmp_path, check=2,
    )  # fmt: skip
    assert "--region eu-west-1" in done.stderr and len(done.stderr.splitlines()) == 1
    assert jobs() == [] and "Contents" not in plain("s3").list_objects_v2(Bucket=BUCKET)


def test_data_that_is_not_there_is_told_before_a_job_is_paid(bucket, tmp_path):
    done = nas_here("sagemaker", "search", "--data", HERE, "--role", ROLE, cwd=tmp_path, check=2)
    assert "nas data push" in done.stderr and len(done.stderr.splitlines()) == 1
    assert jobs() == []


def test_push_and_pull(bucket, tmp_path):
    info = write_tiny(tmp_path / "tiny")
    first = json.loads(nas_here("data", "push", "tiny", HERE, "--json", cwd=tmp_path).stdout)
    assert (first["digest"], first["sent"]) == (info.digest, 6)
    nas_here("data", "pull", HERE, "data/copy", cwd=tmp_path)
    found = json.loads(nas_here("data", "check", "copy", "--json", cwd=tmp_path).stdout)
    assert found["ok"]
    nas_here("data", "check", HERE, cwd=tmp_path)
    done = nas_here("data", "pull", f"{HERE}x", "data/other", cwd=tmp_path, check=2)
    assert "dataset.json" in done.stderr and len(done.stderr.splitlines()) == 1


@pytest.mark.slow
def test_a_search_is_submitted_as_printed_and_shows_no_secret(bucket, aws, tmp_path):
    write_tiny(tmp_path / "tiny")
    command = ["sagemaker", "search", "--data", "tiny", "--to", f"s3://{BUCKET}/nas", "--role", ROLE,
               "--run", "runs/R1", "--trials", 3]  # fmt: skip
    printed = json.loads(nas_here(*command, "--dry-run", cwd=tmp_path).stdout)
    assert jobs() == []
    done = nas_here(*command, cwd=tmp_path)
    name = printed["TrainingJobName"]
    found = plain("sagemaker").describe_training_job(TrainingJobName=name)
    different = {key for key, value in printed.items() if found.get(key) != value}
    assert different <= {"Tags", "AlgorithmSpecification"}  # moto shows others; see test_request
    channels = {
        row["ChannelName"]: row["DataSource"]["S3DataSource"]["S3Uri"]
        for row in printed["InputDataConfig"]
    }
    for uri in channels.values():
        key = uri.removeprefix(f"s3://{BUCKET}/")
        assert plain("s3").list_objects_v2(Bucket=BUCKET, Prefix=key)["KeyCount"] > 0
    assert name in done.stdout
    shown = [
        done.stdout,
        done.stderr,
        *(path.read_text(errors="replace") for path in tmp_path.rglob("*") if path.is_file()),
    ]
    for item in plain("s3").list_objects_v2(Bucket=BUCKET)["Contents"]:
        body = plain("s3").get_object(Bucket=BUCKET, Key=item["Key"])["Body"].read()
        shown.append(body.decode(errors="replace"))
    assert all(CANARY not in text for text in shown)
    status = nas_here("sagemaker", "status", "runs/R1", "--json", cwd=tmp_path)
    assert json.loads(status.stdout)["jobs"][0]["job"] == name
    bill = json.loads(nas_here("sagemaker", "cost", "runs/R1", "--json", cwd=tmp_path).stdout)
    assert [row["job"] for row in bill["jobs"]] == [name]
    assert (tmp_path / "runs/R1/cost.json").is_file()
    assert isinstance(aws.calls, Calls) and aws.calls.made
