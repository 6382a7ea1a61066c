"""A job's log lines from CloudWatch.

boto3 rather than the SDK, whose log reader prints while it waits for a job to end.
"""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from nas_core.cloud.client import explained, regional
from nas_core.cloud.failures import code_of
from nas_core.cloud.redaction import redact
from nas_core.cloud.settings import Cloud

GROUP = "/aws/sagemaker/TrainingJobs"
PAUSE = 3.0  # seconds between two looks while a job runs


def lines(cloud: Cloud, job: str, *, follow: bool = False, ended: Any = None) -> Iterator[str]:
    """Yield a job's lines with their time, oldest first.

    Args:
        cloud: Where it runs.
        job: Its name.
        follow: Whether to wait for more until it has ended.
        ended: () -> bool, whether it has ended; needed to follow.

    Raises:
        CloudError: AWS refuses.
    """
    client = regional("logs", cloud)
    seen: dict[str, str] = {}
    while True:
        last = not follow or bool(ended())
        for stream in _streams(client, job):
            yield from _new(client, stream, seen)
        if last:
            return
        time.sleep(PAUSE)


def _streams(client: Any, job: str) -> list[str]:
    """Return the names of a job's streams; none before it has written anything."""
    from botocore.exceptions import ClientError

    with explained(f"the log of {job}"):
        try:
            answer = client.describe_log_streams(
                logGroupName=GROUP, logStreamNamePrefix=f"{job}/", orderBy="LogStreamName"
            )
        except ClientError as error:
            if code_of(error) != "ResourceNotFoundException":
                raise
            return []
    return [stream["logStreamName"] for stream in answer["logStreams"]]


def _new(client: Any, stream: str, seen: dict[str, str]) -> Iterator[str]:
    """Yield what a stream has beyond the place that was seen."""
    while True:
        place = {"nextToken": seen[stream]} if stream in seen else {"startFromHead": True}
        with explained(f"the log {stream}"):
            answer = client.get_log_events(logGroupName=GROUP, logStreamName=stream, **place)
        for event in answer["events"]:
            moment = datetime.fromtimestamp(event["timestamp"] / 1000, UTC)
            yield f"{moment:%H:%M:%S}  {redact(event['message'].rstrip())}"
        token = answer["nextForwardToken"]
        if seen.get(stream) == token:  # the same place again: that was all
            return
        seen[stream] = token
