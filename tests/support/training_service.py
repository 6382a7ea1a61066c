# ruff: noqa: N802  (methods are named as the API names its actions)
"""TEST EQUIPMENT: a small server that speaks SageMaker's API and runs every job for real.

It answers CreateTrainingJob, DescribeTrainingJob, StopTrainingJob, ListTrainingJobs, AddTags and
ListTags (JSON 1.1) and reads a job's log as CloudWatch does. What AWS refuses it refuses: names,
duplicates, unknown roles and images, empty channels, another region, expired credentials, limits
of hyperparameters; quota and throttling by script. Jobs run in `training_container.Container`.
"""

import json
import re
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from training_container import Container, parts
from training_record import RefusedError, TrainingJob, check_request

ACCOUNT, REGION = "123456789012", "us-east-1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/nas-role"
ENDED = ("Completed", "Failed", "Stopped")
TICK = 0.05


class TrainingService:
    """The service; use as a context manager.

    Args:
        folder: Where jobs live.
        image: The ``bin`` folder of the only image.
        s3: A boto3 client of the store.
        environment: Variables of every container: the way to the store.
        roles: Roles that exist.
        regions: Region of each bucket that is not in `REGION`.
        quota: Jobs at a time; None for as many as are asked for.
        throttle: Every so many-th call is answered with ThrottlingException; 0 for none.
        grace: Seconds between SIGTERM and SIGKILL (120 at AWS).
        sync_seconds: Between two syncs of the checkpoints.

    Attributes:
        jobs: By name.
        calls: (action, body) of each call, refused ones too.
        expired: While true, credentials have expired.
        start_seconds: How long an instance takes to start (minutes at AWS); lowering it lets
            those go on that are starting.
        script: Called with every created job before it starts.
    """

    def __init__(
        self, folder: Path, image: Path, s3: Any, environment: dict[str, str], *,
        roles: tuple[str, ...] = (ROLE,), regions: dict[str, str] | None = None,
        quota: int | None = None, throttle: int = 0, grace: float = 20.0, sync_seconds: float = 0.3,
    ) -> None:  # fmt: skip
        self.folder, self.image, self.s3, self.environment = folder, image, s3, environment
        self.roles, self.regions = roles, {} if regions is None else regions
        self.quota, self.throttle, self.grace, self.sync_seconds = (
            quota,
            throttle,
            grace,
            sync_seconds,
        )
        self.jobs: dict[str, TrainingJob] = {}
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.refusals: Counter[str] = Counter()
        self.expired = False
        self.start_seconds = 0.0
        self.script: Callable[[TrainingJob], None] = lambda job: None
        self._tags: dict[str, list[dict[str, str]]] = {}
        self._lock = threading.RLock()
        self._threads: list[threading.Thread] = []
        handler = type("Handler", (_Handler,), {"service": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> "TrainingService":
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for job in list(self.jobs.values()):
            job.interruptions.append("KILL")
            job.stop.set()
        for thread in self._threads:
            thread.join(30)
        self._server.shutdown()
        self._server.server_close()

    # --- the API ----------------------------------------------------------------------------

    def answer(self, action: str, body: dict[str, Any], authorization: str) -> dict[str, Any]:
        """Answer one call.

        Raises:
            RefusedError: As AWS would.
        """
        with self._lock:
            self.calls.append((action, body))
            try:
                if self.throttle and len(self.calls) % self.throttle == 0:
                    raise RefusedError("ThrottlingException", "Rate exceeded")
                if self.expired:
                    raise RefusedError(
                        "ExpiredTokenException",
                        "The security token included in the request is expired",
                    )
                scope = re.search(r"Credential=[^/]+/\d+/([^/]+)/", authorization)
                if scope is not None and scope[1] != REGION:
                    raise RefusedError(
                        "InvalidSignatureException",
                        f"Credential should be scoped to a valid region, not {scope[1]!r}.",
                    )
                method = getattr(self, f"_{action}", None)
                if method is None:
                    raise RefusedError("UnknownOperationException", f"no {action} here")
                return method(body)  # type: ignore[no-any-return]
            except RefusedError as refused:
                self.refusals[refused.code] += 1
                raise

    def _CreateTrainingJob(self, body: dict[str, Any]) -> dict[str, Any]:
        name = body["TrainingJobName"]
        arn = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:training-job/{name}"
        check_request(body)
        if name in self.jobs:
            raise RefusedError(
                "ResourceInUse",
                f"Training job names must be unique within an AWS account and region, and a training job with this name already exists ({arn})",
            )
        self._check_means(body)
        running = sum(job.status not in ENDED for job in self.jobs.values())
        if self.quota is not None and running >= self.quota:
            kind = body["ResourceConfig"]["InstanceType"]
            raise RefusedError(
                "ResourceLimitExceeded",
                f"The account-level service limit '{kind} for training job usage' is {self.quota} Instances, with current utilization of {running} Instances and a request delta of 1 Instances. Please use AWS Service Quotas to request an increase for this quota.",
            )
        job = TrainingJob(body, self.folder / name, arn)
        job.root.mkdir(parents=True)
        job.enter("Starting", "Launching requested ML instances")
        self.jobs[name] = job
        self._tags[arn] = body.get("Tags", [])
        self.script(job)
        thread = threading.Thread(target=self._run, args=(job,), daemon=True)
        self._threads.append(thread)
        thread.start()
        return {"TrainingJobArn": arn}

    def _check_means(self, body: dict[str, Any]) -> None:
        role, image = body["RoleArn"], body["AlgorithmSpecification"].get("TrainingImage", "")
        if role not in self.roles:
            raise RefusedError(
                "ValidationException",
                f"Could not assume role {role}. Please ensure that the role exists and allows principal 'sagemaker.amazonaws.com' to assume the role.",
            )
        if "tensorflow-training" not in image:
            raise RefusedError(
                "ValidationException",
                f"Cannot find repository: {image.split('/')[-1]}. Please check if your ECR repository and image exist and role {role} has proper pull permissions for SageMaker.",
            )
        for channel in body.get("InputDataConfig", []):
            uri = channel["DataSource"]["S3DataSource"]["S3Uri"]
            bucket, prefix = parts(uri)
            here = self.regions.get(bucket, REGION) == REGION
            if not here or not self._exists(bucket, prefix):
                raise RefusedError(
                    "ValidationException",
                    f'No S3 objects found under S3 URL "{uri}" given in input data source. Please ensure that the bucket exists in the selected region ({REGION}), that objects exist under that S3 prefix, and that the role "{role}" has "s3:ListBucket" permissions on bucket "{bucket}".',
                )

    def _exists(self, bucket: str, prefix: str) -> bool:
        try:
            found = self.s3.list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=1)
        except self.s3.exceptions.ClientError:
            return False
        return bool(found["KeyCount"])

    def _find(self, body: dict[str, Any]) -> TrainingJob:
        job = self.jobs.get(body["TrainingJobName"])
        if job is None:
            raise RefusedError("ValidationException", "Requested resource not found.")
        return job

    def _DescribeTrainingJob(self, body: dict[str, Any]) -> dict[str, Any]:
        return self._find(body).describe()

    def _StopTrainingJob(self, body: dict[str, Any]) -> dict[str, Any]:
        job = self._find(body)
        if job.status in ENDED:
            raise RefusedError(
                "ValidationException",
                f"The request was rejected because the training job is in status {job.status}.",
            )
        job.status = "Stopping"
        job.stop.set()
        return {}

    def _ListTrainingJobs(self, body: dict[str, Any]) -> dict[str, Any]:
        jobs = sorted(self.jobs.values(), key=lambda job: job.created)
        found = [
            job.summary() for job in jobs
            if body.get("NameContains", "").lower() in job.name.lower()
            and body.get("StatusEquals", job.status) == job.status
        ]  # fmt: skip
        if body.get("SortOrder", "Descending") == "Descending":
            found.reverse()
        start, most = int(body.get("NextToken", 0)), body.get("MaxResults", 10)
        more = {"NextToken": str(start + most)} if start + most < len(found) else {}
        return {"TrainingJobSummaries": found[start : start + most], **more}

    def _AddTags(self, body: dict[str, Any]) -> dict[str, Any]:
        tags = self._tags.setdefault(body["ResourceArn"], [])
        tags += body["Tags"]
        return {"Tags": tags}

    def _ListTags(self, body: dict[str, Any]) -> dict[str, Any]:
        return {"Tags": self._tags.get(body["ResourceArn"], [])}

    # --- CloudWatch's view of a job's log ------------------------------------------------------

    def _DescribeLogStreams(self, body: dict[str, Any]) -> dict[str, Any]:
        prefix = body.get("logStreamNamePrefix", "")
        names = [
            f"{name}/algo-1-0" for name in self.jobs if f"{name}/".startswith(prefix.rstrip("/"))
        ]
        return {"logStreams": [{"logStreamName": name} for name in names]}

    def _GetLogEvents(self, body: dict[str, Any]) -> dict[str, Any]:
        job = self.jobs.get(body["logStreamName"].partition("/")[0])
        if job is None:
            raise RefusedError(
                "ResourceNotFoundException", "The specified log stream does not exist."
            )
        lines = job.log.read_text(errors="replace").splitlines() if job.log.exists() else []
        start = int(body.get("nextToken", "f/0").partition("/")[2])
        events = [
            {"timestamp": round(job.created * 1000), "message": line} for line in lines[start:]
        ]
        return {"events": events, "nextForwardToken": f"f/{len(lines)}", "nextBackwardToken": "b/0"}

    # --- a job's life ---------------------------------------------------------------------------

    def _run(self, job: TrainingJob) -> None:
        try:
            self._live(job)
        except Exception as error:  # equipment that fails must not look like a job that hangs
            self._end(job, "Failed", f"InternalServerError: {type(error).__name__}: {error}")

    def _live(self, job: TrainingJob) -> None:
        while True:
            job.starts += 1
            root = job.root / f"start-{job.starts}"
            container = Container(job.request, root, self.image, self.s3, self.environment)
            if not self._starts(job):
                self._end(job, "Stopped", "")
                return
            job.enter("Downloading", "Downloading input data")
            container.prepare()
            job.enter("Training", "Training image download completed. Training in progress.")
            began = time.monotonic()
            container.start(job.log)
            job.container = container
            outcome = self._watch(job, container)
            job.billable += time.monotonic() - began
            if outcome == "interrupted":
                job.enter("Interrupted", "Spot capacity was reclaimed")
                job.enter("Starting", "Preparing the instances for training")
                continue
            job.enter("Uploading", "Uploading generated training model")
            job.model = container.upload_output()
            reason = container.failure()
            if outcome == "stopped":
                self._end(job, "Stopped", "")
            elif container.poll() == 0:
                self._end(job, "Completed", "")
            else:
                code = container.poll()
                self._end(job, "Failed", f"AlgorithmError: {reason}, exit code: {code}"[:1024])
            return

    def _starts(self, job: TrainingJob) -> bool:
        """Wait for the instance; return false where the job is stopped before."""
        began = time.monotonic()
        while time.monotonic() - began < self.start_seconds:
            if job.stop.wait(TICK):
                return False
        return not job.stop.is_set()

    def _watch(self, job: TrainingJob, container: Container) -> str:
        """Wait for the end of one start, syncing; return "ended", "stopped" or "interrupted"."""
        synced = time.monotonic()
        while container.poll() is None:
            if job.interruptions:
                return self._interrupt(job, container)
            if job.stop.is_set():
                job.enter("Stopping", "Stopping the training job")
                container.terminate(self.grace)
                container.kill()
                container.sync()
                return "stopped"
            if time.monotonic() - synced >= self.sync_seconds:
                container.sync()
                synced = time.monotonic()
            time.sleep(TICK)
        container.sync()
        return "ended"

    def _interrupt(self, job: TrainingJob, container: Container) -> str:
        how = job.interruptions.pop(0)
        if how == "TERM":
            container.terminate(self.grace)
            container.sync()
        else:  # an instance that vanishes: no last sync
            container.kill()
        return "stopped" if job.stop.is_set() else "interrupted"

    def _end(self, job: TrainingJob, status: str, failure: str) -> None:
        with self._lock:
            job.failure, job.ended = failure, time.time()
            job.enter(status, failure)
            job.status = status

    # --- for tests -------------------------------------------------------------------------------

    def count(self, action: str) -> int:
        """Return how often an action was called."""
        return sum(called == action for called, _ in self.calls)

    def in_progress(self) -> list[str]:
        """Return the names of jobs that have not ended."""
        return [job.name for job in list(self.jobs.values()) if job.status not in ENDED]


class _Handler(BaseHTTPRequestHandler):
    service: TrainingService
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])) or b"{}")
        action = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
        try:
            status, value = (
                200,
                self.service.answer(action, body, self.headers.get("Authorization", "")),
            )
        except RefusedError as refused:
            status, value = refused.status, {"__type": refused.code, "message": str(refused)}
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        with suppress(BrokenPipeError):  # the caller was killed, as tests do
            self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Keep quiet."""
