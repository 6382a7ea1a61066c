"""TEST EQUIPMENT: runs a training job for real, as processes over a private /opt/ml.

The job is taken as it was submitted: channels are downloaded from S3, the configuration files are
written, the container's own entry point (what the SDK uploaded) is run, checkpoints are synced to
S3 (deletions too) and restored at the next start, the output is packed and uploaded.

As root every job has the real /opt/ml, in a mount namespace of its own. Otherwise the text
"/opt/ml" in the uploaded bootstrap is replaced by the private folder.
"""

import json
import os
import shutil
import signal
import subprocess
import tarfile
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

OPT_ML = "/opt/ml"
MOUNTED = (
    'mount -t tmpfs tmpfs /opt && mkdir -p /opt/ml && mount --bind "$0" /opt/ml && '
    'cd /opt/ml && exec "$@"'
)


@cache
def can_mount() -> bool:
    """Return whether this user may have a real /opt/ml."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        return False
    return subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode == 0


def parts(uri: str) -> tuple[str, str]:
    """Return bucket and key prefix of an s3:// address, without a slash at the end."""
    split = urlsplit(uri)
    return split.netloc, split.path.strip("/")


class Container:
    """One start of one job: its private /opt/ml and its processes.

    Args:
        request: The CreateTrainingJob request.
        root: A new folder.
        image: The ``bin`` folder of the image (see `training_image`).
        s3: A boto3 client of the store that holds channels and checkpoints.
        environment: Variables of the container beside those of the request.
    """

    def __init__(
        self,
        request: dict[str, Any],
        root: Path,
        image: Path,
        s3: Any,
        environment: Mapping[str, str],
    ) -> None:
        self.root, self._s3 = root, s3
        self._request, self._image, self._given = request, image, environment
        self._real = can_mount()
        self._synced: dict[str, tuple[int, int]] = {}
        self._process: subprocess.Popen[bytes] | None = None

    # --- before the start -------------------------------------------------------------------

    def prepare(self) -> None:
        """Lay out /opt/ml: configuration, channels, the checkpoints of an earlier start."""
        for folder in ("input/config", "input/data", "model", "output/data", "checkpoints", "code"):
            (self.root / folder).mkdir(parents=True)
        channels = self._request.get("InputDataConfig", [])
        for channel in channels:
            source = channel["DataSource"]["S3DataSource"]
            self._download(source["S3Uri"], self.root / "input/data" / channel["ChannelName"])
        self._configure(channels)
        checkpoints = self._request.get("CheckpointConfig")
        if checkpoints is not None:
            self._download(checkpoints["S3Uri"], self.root / "checkpoints")
            self._synced = self._local_checkpoints()
        if not self._real:
            self._rewrite_bootstrap()

    def _download(self, uri: str, folder: Path) -> None:
        bucket, prefix = parts(uri)
        folder.mkdir(parents=True, exist_ok=True)
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        for item in (item for page in pages for item in page.get("Contents", [])):
            name = item["Key"][len(prefix) :].lstrip("/") or Path(item["Key"]).name
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            self._s3.download_file(bucket, item["Key"], str(target))

    def _configure(self, channels: list[dict[str, Any]]) -> None:
        instance = self._request["ResourceConfig"].get("InstanceType", "local")
        values = {
            "hyperparameters": self._request.get("HyperParameters", {}),
            "inputdataconfig": {
                channel["ChannelName"]: {
                    "TrainingInputMode": "File", "S3DistributionType": "FullyReplicated",
                    "RecordWrapperType": "None",
                }
                for channel in channels
            },
            "resourceconfig": {
                "current_host": "localhost", "hosts": ["localhost"],
                "current_instance_type": instance, "current_group_name": "homogeneousCluster",
                "instance_groups": [], "network_interface_name": "lo",
            },
        }  # fmt: skip
        for name, value in values.items():
            (self.root / f"input/config/{name}.json").write_text(json.dumps(value))

    def _rewrite_bootstrap(self) -> None:
        for path in (self.root / "input/data/sm_drivers").rglob("*"):
            if path.suffix in (".sh", ".py", ".json"):
                path.write_text(path.read_text().replace(OPT_ML, str(self.root)))

    # --- the processes ----------------------------------------------------------------------

    def start(self, log: Path) -> None:
        """Run the container's entry point; what it prints goes to `log`."""
        specification = self._request["AlgorithmSpecification"]
        command = [
            *specification.get("ContainerEntrypoint", ["train"]),
            *specification.get("ContainerArguments", []),
        ]
        if self._real:
            command = ["unshare", "-m", "bash", "-c", MOUNTED, str(self.root), *command]
        else:
            command = [part.replace(OPT_ML, str(self.root)) for part in command]
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                command, cwd=self.root, env=self._environment(), stdin=subprocess.DEVNULL,
                stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip

    def _environment(self) -> dict[str, str]:
        image = os.pathsep.join([str(self._image), "/usr/local/bin", "/usr/bin", "/bin"])
        base = {} if self._real else {"SAGEMAKER_BASE_DIR": str(self.root)}
        # Another choice of OpenBLAS's kernels is another processor: last digits would differ.
        base |= {name: os.environ[name] for name in os.environ if name.startswith("OPENBLAS_")}
        return {
            "PATH": image, "HOME": str(self.root), "LANG": "C.UTF-8", "TF_CPP_MIN_LOG_LEVEL": "3",
            "CUDA_VISIBLE_DEVICES": "-1",
            "PIP_NO_INDEX": "1",  # nothing from outside this machine
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "TRAINING_JOB_NAME": self._request["TrainingJobName"], **base,
            **self._request.get("Environment", {}), **self._given,
        }  # fmt: skip

    def poll(self) -> int | None:
        """Return the exit status, or None while the job runs."""
        return None if self._process is None else self._process.poll()

    def terminate(self, grace: float) -> int:
        """Deliver SIGTERM to the container's first process, SIGKILL `grace` seconds later."""
        if self._process is None:
            return 0
        self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(grace)
        except subprocess.TimeoutExpired:
            return self.kill()

    def kill(self) -> int:
        """End everything at once, as a lost instance does."""
        if self._process is None:
            return 0
        for pid in _below(self._process.pid):
            _kill(pid)
        return self._process.wait(30)

    # --- S3 ---------------------------------------------------------------------------------

    def _local_checkpoints(self) -> dict[str, tuple[int, int]]:
        folder, found = self.root / "checkpoints", {}
        for path in sorted(folder.rglob("*")):
            try:
                about = path.stat()
            except FileNotFoundError:  # replaced while we look
                continue
            if path.is_file():
                found[str(path.relative_to(folder))] = (about.st_size, about.st_mtime_ns)
        return found

    def sync(self, most: int | None = None) -> None:
        """Bring S3 to what /opt/ml/checkpoints holds; deletions propagate.

        Args:
            most: Stop after so many files, as a lost instance does; None for all.
        """
        config = self._request.get("CheckpointConfig")
        if config is None:
            return
        bucket, prefix = parts(config["S3Uri"])
        now = self._local_checkpoints()
        changed = [name for name, about in now.items() if self._synced.get(name) != about]
        for name in changed[:most]:
            try:
                self._s3.upload_file(
                    str(self.root / "checkpoints" / name), bucket, f"{prefix}/{name}"
                )
                self._synced[name] = now[name]
            except FileNotFoundError:
                continue
        for name in set(self._synced) - set(now) if most is None else ():
            self._s3.delete_object(Bucket=bucket, Key=f"{prefix}/{name}")
            del self._synced[name]

    def upload_output(self) -> str:
        """Pack /opt/ml/model and /opt/ml/output/data; return the model's address."""
        bucket, prefix = parts(self._request["OutputDataConfig"]["S3OutputPath"])
        base = f"{prefix}/{self._request['TrainingJobName']}/output".lstrip("/")
        for name, folder in (("model", "model"), ("output", "output/data")):
            packed = self.root / f"{name}.tar.gz"
            with tarfile.open(packed, "w:gz") as archive:
                for item in sorted((self.root / folder).iterdir()):
                    archive.add(item, arcname=item.name)
            if any((self.root / folder).iterdir()):
                self._s3.upload_file(str(packed), bucket, f"{base}/{packed.name}")
        return f"s3://{bucket}/{base}/model.tar.gz"

    def failure(self) -> str:
        """Return the first 1,024 characters of /opt/ml/output/failure."""
        path = self.root / "output/failure"
        return path.read_text(errors="replace")[:1024] if path.is_file() else ""


def _below(pid: int) -> list[int]:
    """Return a process and its descendants, the process last."""
    found = []
    for child in _children(pid):
        found += _below(child)
    return [*found, pid]


def _children(pid: int) -> list[int]:
    found = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += [int(child) for child in path.read_text().split()]
        except OSError:
            continue
    return found


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        time.sleep(0)
