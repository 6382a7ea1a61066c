"""Push and pull of a data set beside boto3's own upload_file and download_file, interleaved.

    python benchmarks/s3.py --data data/leaves --bucket BUCKET [--runs 10] [--moto] [--json FILE]

The server is the one that AWS_ENDPOINT_URL_S3 and the other AWS variables name; without --bucket
Ceph's RadosGW is started for the time of the measurement, or with --moto that one. Both sides move
the same files to the same server in one run, each in turn first. Push hashes every file and checks
what is there; pull verifies SHA-256. Exits with 1 below 0.9 of boto3's throughput.
"""

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
LEAST = 0.9


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument(
        "--data", type=Path, default=Path("data/leaves"), help="a data set's folder"
    )
    parser.add_argument("--bucket", help="an existing bucket; a server is started if unset")
    parser.add_argument("--moto", action="store_true", help="start moto's server, not RadosGW")
    parser.add_argument("--runs", type=int, default=10, help="interleaved runs of each")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    given = parser.parse_args()
    with ExitStack() as stack:
        bucket = _server(stack, given.moto) if given.bucket is None else given.bucket
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        found = _measure(given.data, bucket, folder, given.runs)
    print(f"{'':10}{'ours MB/s':>12}{'boto3 MB/s':>12}{'ratio':>8}   median of {given.runs}")
    for name, row in found.items():
        print(f"{name:10}{row['ours']:12.1f}{row['boto3']:12.1f}{row['ratio']:8.2f}")
    if given.json is not None:
        given.json.write_text(json.dumps(found, indent=2) + "\n")
    return 0 if all(row["ratio"] >= LEAST for row in found.values()) else 1


def _server(stack: ExitStack, moto: bool) -> str:
    """Start a server and return the name of a bucket in it."""
    import boto3

    sys.path.insert(0, str(ROOT / "tests" / "support"))
    import rados_gateway
    import s3_server

    server = stack.enter_context((s3_server if moto else rados_gateway).running())
    os.environ.update(server.environment)
    os.environ["NAS_BUCKET_OWNER"] = s3_server.ACCOUNT  # RadosGW has no accounts of its own
    boto3.Session().client("s3").create_bucket(Bucket=s3_server.BUCKET)
    return s3_server.BUCKET


def _measure(data: Path, bucket: str, folder: Path, runs: int) -> dict[str, dict[str, float]]:
    import boto3

    from nas_core.cloud.address import S3Address
    from nas_core.cloud.client import s3
    from nas_core.cloud.datasets import pull, push

    ours, plain = s3(), boto3.Session().client("s3")
    files = sorted(path for path in data.iterdir() if path.is_file())
    size = sum(path.stat().st_size for path in files) / 1e6
    times: dict[str, list[float]] = {"push": [], "upload": [], "pull": [], "download": []}
    for number in range(runs + 1):  # the first of each only makes connections
        there = S3Address(bucket, f"nas/benchmark-{os.getpid()}-{number}")
        pairs: list[dict[str, Callable[[], Any]]] = [
            {
                "push": lambda there=there: push(data, there / "ours", ours),
                "upload": lambda there=there: _upload(plain, files, there / "plain"),
            },
            {
                "pull": lambda there=there: pull(there / "ours", folder / "ours", ours),
                "download": lambda there=there: _download(plain, files, there / "plain", folder),
            },
        ]
        for pair in pairs:
            order = list(pair) if number % 2 else list(reversed(pair))
            for name in order:
                begun = time.perf_counter()
                pair[name]()
                if number > 0:
                    times[name].append(time.perf_counter() - begun)
        for name in ("ours", "plain"):
            shutil.rmtree(folder / name)
            for path in files:
                plain.delete_object(Bucket=bucket, Key=(there / name / path.name).key)
    return {
        "push": _row(size, times["push"], times["upload"]),
        "pull": _row(size, times["pull"], times["download"]),
    }


def _upload(client: Any, files: list[Path], there: Any) -> None:
    for path in files:
        client.upload_file(str(path), there.bucket, (there / path.name).key)


def _download(client: Any, files: list[Path], there: Any, folder: Path) -> None:
    (folder / "plain").mkdir()
    for path in files:
        client.download_file(
            there.bucket, (there / path.name).key, str(folder / "plain" / path.name)
        )


def _row(size: float, ours: list[float], plain: list[float]) -> dict[str, float]:
    mine, theirs = size / statistics.median(ours), size / statistics.median(plain)
    return {"ours": round(mine, 1), "boto3": round(theirs, 1), "ratio": round(mine / theirs, 3)}


if __name__ == "__main__":
    sys.exit(main())
