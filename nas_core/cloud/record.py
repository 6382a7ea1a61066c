"""What this machine knows of a search that runs in a job: RUN/cloud.json, and how to fetch it."""

import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from nas_core.cloud import objects
from nas_core.cloud.checkpoint import Checkpoint
from nas_core.cloud.client import explained, s3
from nas_core.cloud.driver import settings_of
from nas_core.cloud.settings import Cloud
from nas_core.cloud.sweep import cloud_of
from nas_core.errors import RunError
from nas_core.files import read_json, write_json

RECORD = "cloud.json"


def write_record(run: Path, cloud: Cloud) -> None:
    """Note where a search's job runs; its name is the folder's."""
    write_json(run / RECORD, {"run": run.name, "cloud": asdict(cloud)})


def where(run: Path) -> tuple[Cloud, str]:
    """Return where a run's jobs are, and the id that names them.

    Raises:
        RunError: No such run, or one without training jobs.
    """
    path = run / RECORD
    if not path.is_file():
        return cloud_of(run)
    try:
        value: dict[str, Any] = read_json(path)
        return settings_of(value["cloud"]), str(value["run"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(
            f"expected where the jobs of {run} are in {path}, received {error}: submit it again"
        ) from error


def fetch(run: Path) -> None:
    """Bring a search that runs or ran in a job to this machine, as it is after its last checkpoint.

    Raises:
        RunError: There is no whole checkpoint yet.
        CloudError: AWS refuses.
    """
    cloud, run_id = where(run)
    client, source = s3(cloud), cloud.run(run_id) / "checkpoint"
    with tempfile.TemporaryDirectory() as folder:
        for address, _ in objects.sizes(client, source):
            name = address.key.removeprefix(f"{source.key}/")
            if "/" in name:  # a generation's files lie side by side
                continue
            with explained(f"to read {address}"):
                client.download_file(address.bucket, address.key, str(Path(folder) / name))
        if not Checkpoint(Path(folder), run).restore():
            raise RunError(
                f"expected a checkpoint of {run_id} in {source}, found none yet: nas sagemaker "
                f"logs {run}"
            )
