"""What every job of a project shares: bucket, role, instance, limits. Checked before AWS is."""

import re
from dataclasses import dataclass

from nas_core.cloud.address import S3Address, check_bucket
from nas_core.errors import UsageError

LONGEST_RUNTIME = 28 * 24 * 3600  # SageMaker's own limit, seconds
LONGEST_KEEP_ALIVE = 3600
_ROLE = re.compile(r"arn:aws[a-z0-9-]*:iam::(\d{12}):role/[\w+=,.@/-]{1,512}")
_ACCOUNT = re.compile(r"\d{12}")
_INSTANCE = re.compile(r"ml\.[a-z0-9-]+\.[a-z0-9-]+")
_REGION = re.compile(r"[a-z]{2,4}(-[a-z]+)+-\d")


@dataclass(frozen=True)
class Cloud:
    """Where jobs run and what they may use.

    Attributes:
        bucket: Bucket of data, code, checkpoints and results.
        prefix: Everything of ours lies below it; may be empty.
        role: ARN of the role that the jobs take.
        region: AWS region; None for the one that the environment names.
        instance: Instance type of a job.
        spot: Spare capacity: cheaper, and interrupted now and then.
        max_runtime: Longest training time of a job, seconds.
        max_wait: Of spot jobs: longest time with waiting, seconds; None for twice `max_runtime`.
        volume_gb: Disk of a job, GiB.
        kms_key: Key that encrypts a job's disk and outputs; None for S3's own.
        subnets: Subnets of a VPC; none for SageMaker's network. Needs `security_groups` too.
        security_groups: Security groups of the VPC.
        image: Container image, or the TensorFlow version of AWS's own ("2.21", "2.19"); None for
            the newest of those.
        owner: Account that owns the bucket; None for NAS_BUCKET_OWNER, then the role's.
        keep_alive: Seconds that an instance waits warm for the next job; 0 for none.
    """

    bucket: str
    prefix: str
    role: str
    region: str | None = None
    instance: str = "ml.c5.xlarge"
    spot: bool = False
    max_runtime: int = 3600
    max_wait: int | None = None
    volume_gb: int = 30
    kms_key: str | None = None
    subnets: tuple[str, ...] = ()
    security_groups: tuple[str, ...] = ()
    image: str | None = None
    owner: str | None = None
    keep_alive: int = 0

    def __post_init__(self) -> None:
        check_bucket(self.bucket)
        _matches(_ROLE, self.role, "--role as arn:aws:iam::ACCOUNT:role/NAME")
        _matches(_INSTANCE, self.instance, "--instance such as ml.c5.xlarge")
        check_owner(self.owner)
        if self.region is not None:
            _matches(_REGION, self.region, "--region such as eu-west-1")
        _within("max-runtime", self.max_runtime, 1, LONGEST_RUNTIME)
        _within("volume-gb", self.volume_gb, 1, 16384)
        _within("keep-alive", self.keep_alive, 0, LONGEST_KEEP_ALIVE)
        if bool(self.subnets) != bool(self.security_groups):
            raise UsageError("expected --subnet and --security-group together, received one: add")
        self._check_spot()

    def _check_spot(self) -> None:
        if self.max_wait is not None and not self.spot:
            raise UsageError("expected --max-wait with --spot alone: leave it out, or add --spot")
        if self.max_wait is not None and self.max_wait < self.max_runtime:
            raise UsageError(
                f"expected --max-wait of at least --max-runtime ({self.max_runtime} s), received "
                f"{self.max_wait}: a job's wait includes its run"
            )
        if self.spot and self.keep_alive > 0:
            raise UsageError(
                "expected --keep-alive or --spot, received both: spot has no warm pool"
            )

    @property
    def account(self) -> str:
        """The account whose role the jobs take."""
        return self.role.split(":")[4]

    @property
    def root(self) -> S3Address:
        """Where everything of ours lies."""
        return S3Address(self.bucket, self.prefix.strip("/"))

    @property
    def wait_seconds(self) -> int | None:
        """Longest time of a spot job with waiting; None for others."""
        if not self.spot:
            return None
        return 2 * self.max_runtime if self.max_wait is None else self.max_wait

    def run(self, run_id: str) -> S3Address:
        """Return where a run keeps checkpoint/, trials/, models/ and jobs/."""
        return self.root / "runs" / run_id

    def trial_result(self, run_id: str, trial: int, attempt: int) -> S3Address:
        """Return the object that holds one attempt's result, written once."""
        return self.run(run_id) / "trials" / f"{trial}-{attempt}" / "result.json"

    def code(self, digest: str) -> S3Address:
        """Return the place of a source bundle with this SHA-256."""
        return self.root / "code" / f"{digest}.tar.gz"


def check_owner(owner: str | None) -> str | None:
    """Return an account's number, or None.

    Raises:
        UsageError: It has not twelve digits.
    """
    if owner is not None:
        _matches(_ACCOUNT, owner, "--owner as an account of twelve digits")
    return owner


def _matches(pattern: re.Pattern[str], value: str, expected: str) -> None:
    if pattern.fullmatch(value) is None:
        raise UsageError(f"expected {expected}, received {value!r}: correct it")


def _within(name: str, value: int, least: int, most: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise UsageError(f"expected --{name} from {least} to {most}, received {value!r}")
