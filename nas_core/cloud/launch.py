"""From what was typed to a submitted job: its data and source put into S3, its request sent."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nas_core.cloud.address import S3Address, is_address
from nas_core.cloud.bundle import Bundle, build, send
from nas_core.cloud.client import explained, s3
from nas_core.cloud.datasets import home, push
from nas_core.cloud.jobs import TAG, mark
from nas_core.cloud.objects import get
from nas_core.cloud.request import CODE, DATA, job_name, training_job
from nas_core.cloud.settings import Cloud
from nas_core.cloud.submit import Submitted, submit
from nas_core.cloud.tasks import SearchTask
from nas_core.datasets.manifest import MANIFEST
from nas_core.errors import UsageError

_RUN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")
_REGION = re.compile(r"[a-z]{2,4}(-[a-z]+)+-\d")
LOCAL_ONLY = ("run", "executor", "address", "cloud", "table", "search_column", "report_columns")


@dataclass(frozen=True)
class Data:
    """A job's data set.

    Attributes:
        address: Its place in S3.
        folder: Where it is on this machine, if it has to be pushed; else None.
    """

    address: S3Address
    folder: Path | None = None


@dataclass(frozen=True)
class Prepared:
    """A job that could be submitted; nothing is in S3 yet.

    Attributes:
        request: The exact CreateTrainingJob request.
        bundle: The source that it runs.
        data: Its data set; None for trainers that need none.
    """

    request: dict[str, Any]
    bundle: Bundle
    data: Data | None


def check_run(name: str) -> str:
    """Return a run's name, which becomes part of addresses in S3.

    Raises:
        UsageError: It is no plain word.
    """
    if _RUN.fullmatch(name) is None:
        raise UsageError(
            f"expected --run as a name of letters, digits, - and _, received {name!r}: for a job "
            "it is no folder"
        )
    return name


def data_of(data: str, cloud: Cloud) -> Data:
    """Return where a job finds a data set.

    Args:
        data: As after ``nas search --data``; what is not in S3 goes below the cloud's prefix.
        cloud: Bucket and prefix.

    Raises:
        UsageError: There is no such data set.
    """
    if is_address(data):
        return Data(S3Address.parse(data))
    from nas_core.datasets import resolve

    info = resolve(data)
    return Data(home(cloud.root, info), info.path)


def prepare_search(
    cloud: Cloud,
    run: str,
    options: Mapping[str, Any],
    *,
    attempt: int = 0,
    retrain: Mapping[str, Any] | None = None,
    wheels: Path | None = None,
) -> Prepared:
    """Return the job that holds a whole search.

    Args:
        cloud: Where it runs; its region is known.
        run: The run's name.
        options: Arguments of `nas_core.search`: space, data, trials, ...
        attempt: From 0; the next one goes on from the checkpoint of the last.
        retrain: Arguments of `nas_core.retrain.retrain` for the end; None for none.
        wheels: Folder of wheels for jobs without the internet.

    Raises:
        UsageError: An option that cannot work in a job.
    """
    from nas_core.api import plan_of

    check_run(run)
    given = dict(options)
    # Folders and files of this machine are not in a job.
    wrong = [key for key, value in given.items() if key in LOCAL_ONLY or isinstance(value, Path)]
    if wrong:
        raise UsageError(
            f"expected options that mean something inside a job, received --"
            f"{wrong[0].replace('_', '-')}: leave it out"
        )
    space, name = given.pop("space"), given.pop("data", None)
    trainer = given.pop("trainer", "real")
    agent, trials = given.pop("agent", None), given.pop("trials", None)
    plan = plan_of(space, name, agent, trainer, trials, dict(given))
    data = data_of(plan.data, cloud) if plan.data is not None else None
    # Names are settled here, so that another version of the package means the same.
    settled = {"space": space, "agent": plan.agent, "trainer": trainer, "trials": plan.trials}
    task = SearchTask({**settled, **given}, None if retrain is None else dict(retrain))
    bundle = build(wheels)
    channels = {} if data is None else {DATA: data.address.folder()}
    root = cloud.run(run)
    request = training_job(
        job_name(run, None, attempt),
        "search",
        task.arguments(),
        {**channels, CODE: str(cloud.code(bundle.digest))},
        cloud,
        output=str(root / "models"),
        checkpoints=str(root / "checkpoint"),
        tags={TAG: mark(run)},
    )
    return Prepared(request, bundle, data)


def launch(prepared: Prepared, cloud: Cloud) -> Submitted:
    """Put a job's source and data into S3 and submit it.

    Raises:
        UsageError: The data is missing, the bucket is in another region, or the name is taken.
        CloudError: AWS refuses; no job was created.
    """
    stage(prepared.bundle, prepared.data, cloud)
    return submit(prepared.request, cloud)


def stage(bundle: Bundle, data: Data | None, cloud: Cloud) -> None:
    """Put source and data into S3, once; refuse what would make jobs fail after they are paid.

    Raises:
        UsageError: The data is missing, or a bucket is in another region.
        CloudError: AWS refuses.
    """
    client = s3(cloud)
    buckets = {cloud.bucket} | ({data.address.bucket} if data is not None else set())
    for bucket in sorted(buckets):
        _check_bucket(client, bucket, cloud)
    if data is not None and data.folder is not None:
        push(data.folder, data.address, client)
    elif data is not None and get(client, data.address / MANIFEST) is None:
        raise UsageError(
            f"expected a data set at {data.address}, found none: nas data push leaves "
            f"{data.address}"
        )
    send(client, cloud, bundle)


def _check_bucket(client: Any, bucket: str, cloud: Cloud) -> None:
    """Refuse a bucket that is not there, not ours, or not where the job runs.

    Raises:
        UsageError: It is in another region: jobs read data in their own.
        CloudError: AWS refuses.
    """
    with explained(f"the bucket {bucket}"):
        answer = client.get_bucket_location(Bucket=bucket)["LocationConstraint"]
    found = {None: "us-east-1", "EU": "eu-west-1"}.get(answer, answer)
    # Servers that only speak S3 name places of their own, or none.
    amazon = "amazonaws.com" in client.meta.endpoint_url
    if _REGION.fullmatch(found) is None or (answer is None and not amazon):
        return
    if found != cloud.region:
        raise UsageError(
            f"expected the bucket {bucket} in the job's region {cloud.region}, it is in {found}: "
            f"--region {found}, or another bucket"
        )
