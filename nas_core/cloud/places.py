"""Where things are in a training container: /opt/ml, as SageMaker lays it out."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nas_core.cloud.redaction import redact
from nas_core.errors import UsageError
from nas_core.files import read_json, write_text

BASE = Path("/opt/ml")
LONGEST_FAILURE = 1024  # characters that become the job's FailureReason
MANAGED = ("code", "sm_drivers")  # channels that hold no data


@dataclass(frozen=True)
class Places:
    """The folders of a job.

    Attributes:
        base: /opt/ml, or what SAGEMAKER_BASE_DIR says, as for SageMaker's own toolkit.
    """

    base: Path

    @classmethod
    def of_environment(cls) -> "Places":
        """Return this container's."""
        return cls(Path(os.environ.get("SAGEMAKER_BASE_DIR", str(BASE))))

    @property
    def model(self) -> Path:
        """Packed to model.tar.gz when the job has ended."""
        return Path(os.environ.get("SM_MODEL_DIR", str(self.base / "model")))

    @property
    def output(self) -> Path:
        """Packed to output.tar.gz."""
        return Path(os.environ.get("SM_OUTPUT_DATA_DIR", str(self.base / "output/data")))

    @property
    def checkpoints(self) -> Path:
        """Synced to S3 while the job runs, restored when it starts again."""
        return self.base / "checkpoints"

    @property
    def work(self) -> Path:
        """Ours alone: on the job's disk, not synced."""
        return self.base / "work"

    @property
    def job(self) -> str:
        """The job's name."""
        named = os.environ.get("TRAINING_JOB_NAME")
        if named is None:  # as SageMaker's toolkit tells it
            named = str(_json_variable("SM_TRAINING_ENV").get("job_name", "local"))
        return named

    def channel(self, name: str) -> Path | None:
        """Return a channel's folder, or None for a job without it."""
        folder = Path(
            os.environ.get(f"SM_CHANNEL_{name.upper()}", str(self.base / "input/data" / name))
        )
        return folder if folder.is_dir() and name not in MANAGED else None

    def hyperparameters(self) -> dict[str, Any]:
        """Return the job's hyperparameters; SM_HPS where there is no file.

        Raises:
            UsageError: There are none.
        """
        path = self.base / "input/config/hyperparameters.json"
        try:
            given = read_json(path) if path.is_file() else _json_variable("SM_HPS")
        except (OSError, ValueError) as error:
            raise UsageError(f"expected hyperparameters in {path}, received {error}") from error
        return {str(key): _plain(value) for key, value in given.items()}

    def is_first_host(self) -> bool:
        """Return whether this instance is the one that works, where a job has several."""
        path = self.base / "input/config/resourceconfig.json"
        if not path.is_file():
            return True
        about = read_json(path)
        hosts = sorted(about.get("hosts", []))
        return not hosts or str(about.get("current_host")) == hosts[0]

    def fail(self, message: str) -> None:
        """Write why the job failed: one line, without secrets."""
        line = redact(" ".join(message.split()))[:LONGEST_FAILURE]
        write_text(self.base / "output/failure", line)


def _json_variable(name: str) -> dict[str, Any]:
    try:
        value = json.loads(os.environ.get(name, "{}"))
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _plain(value: Any) -> Any:
    # SageMaker's toolkit wants every value as JSON, and a string is then in quotes.
    if isinstance(value, str) and value.startswith('"'):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value
