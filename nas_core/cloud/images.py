"""Containers of AWS with TensorFlow, by region; the same addresses that the SDK gives.

Source: `sagemaker.core.image_uris`, version 3.27. Kept here so that a dry run needs no SDK; a test
compares every address, and `submit` refuses a job whose address is not the SDK's.
"""

from nas_core.errors import UsageError

TENSORFLOW = ("2.21", "2.19")  # newest first
PYTHON = "py312"
_USUAL = "763104351884"
_ACCOUNTS = {
    **dict.fromkeys(
        (
            "ap-northeast-1", "ap-northeast-2", "ap-south-1", "ap-southeast-1", "ap-southeast-2",
            "ca-central-1", "eu-central-1", "eu-north-1", "eu-west-1", "eu-west-2", "eu-west-3",
            "sa-east-1", "us-east-1", "us-east-2", "us-west-1", "us-west-2",
        ),
        _USUAL,
    ),
    "af-south-1": "626614931356", "ap-east-1": "871362719292", "ap-east-2": "975050140332",
    "ap-northeast-3": "364406365360", "ap-south-2": "772153158452",
    "ap-southeast-3": "907027046896", "ap-southeast-4": "457447274322",
    "ap-southeast-5": "550225433462", "ap-southeast-7": "590183813437",
    "ca-west-1": "204538143572", "cn-north-1": "727897471807", "cn-northwest-1": "727897471807",
    "eu-central-2": "380420809688", "eu-south-1": "692866216735", "eu-south-2": "503227376785",
    "il-central-1": "780543022126", "me-central-1": "914824155844", "me-south-1": "217643126080",
    "mx-central-1": "637423239942", "us-gov-east-1": "446045086412",
    "us-gov-west-1": "442386744353",
}  # fmt: skip


def has_gpu(instance: str) -> bool:
    """Return whether an instance type such as ml.g5.xlarge has GPUs."""
    return instance.split(".")[1].startswith(("g", "p"))


def image_uri(image: str | None, region: str, instance: str) -> str:
    """Return the container's address.

    Args:
        image: An address, a TensorFlow version of `TENSORFLOW`, or None for the newest.
        region: Where the job runs.
        instance: Its instance type; GPUs need another container.

    Raises:
        UsageError: Another version, or a region where AWS has no such container.
    """
    if image is not None and "/" in image:
        return image
    version = TENSORFLOW[0] if image is None else image
    if version not in TENSORFLOW:
        raise UsageError(
            f"expected --image as an address ACCOUNT.dkr.ecr.REGION.amazonaws.com/NAME:TAG or a "
            f"TensorFlow version ({', '.join(TENSORFLOW)}), received {image!r}"
        )
    account = _ACCOUNTS.get(region)
    if account is None:
        raise UsageError(
            f"expected a region with AWS's TensorFlow containers, received {region!r}: correct "
            "--region, or name a container with --image"
        )
    domain = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    processor = "gpu" if has_gpu(instance) else "cpu"
    repository = f"{account}.dkr.ecr.{region}.{domain}/tensorflow-training"
    return f"{repository}:{version}-{processor}-{PYTHON}"
