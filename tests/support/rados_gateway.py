"""TEST EQUIPMENT: Ceph's S3 server, private to this process: real signatures, conditional writes.

A monitor, one object store in memory and a RadosGW, below one folder, on free ports of this
machine. Debian has them: radosgw ceph-mon ceph-osd ceph-common. Run as a script it serves until it
is interrupted (`make s3-server`).
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PROGRAMS = ("ceph-mon", "ceph-osd", "radosgw", "radosgw-admin", "ceph-authtool", "monmaptool")
MISSING = "missing Ceph: apt-get install radosgw ceph-mon ceph-osd ceph-common"
KEY, SECRET = "NASACCESSKEY", "nas-secret-of-the-test-equipment"
SECONDS = 90.0
POOLS = 8  # placement groups of each: fewer start quicker


def present() -> bool:
    """Return whether the programs are installed, and may be run: they want to be root."""
    return os.geteuid() == 0 and all(shutil.which(name) for name in PROGRAMS)


@dataclass(frozen=True)
class Gateway:
    """A running server."""

    url: str

    @property
    def environment(self) -> dict[str, str]:
        """The standard AWS variables that lead to it."""
        return {
            "AWS_ENDPOINT_URL_S3": self.url,
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
        }


@contextmanager
def running() -> Iterator[Gateway]:
    """Start the three daemons and end them afterwards."""
    with tempfile.TemporaryDirectory(prefix="nas-ceph-") as name:
        cluster = _Cluster(Path(name))
        try:
            cluster.start()
            yield Gateway(cluster.url)
        finally:
            cluster.stop()


class _Cluster:
    """The daemons and their files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._conf = folder / "ceph.conf"
        self._keys = folder / "keyring"
        self._monitor, self._port = _free_port(), _free_port()
        self._daemons: list[subprocess.Popen[bytes]] = []
        self.url = f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Bring all three up; raises `RuntimeError` with the end of a log when one does not."""
        fsid = str(uuid.uuid4())
        self._configure(fsid)
        for part in ("mon", "osd", "rgw"):
            (self._folder / part).mkdir()
        self._run(
            "ceph-authtool", "--create-keyring", self._keys, "--gen-key", "-n", "client.admin",
            "--cap", "mon", "allow *", "--cap", "osd", "allow *", "--cap", "mgr", "allow *",
        )  # fmt: skip
        self._run("ceph-authtool", self._keys, "--gen-key", "-n", "mon.", "--cap", "mon", "allow *")
        monitors = self._folder / "monmap"
        address = f"v2:127.0.0.1:{self._monitor}"
        self._run("monmaptool", "--create", "--addv", "a", f"[{address}]", "--fsid", fsid, monitors)
        self._run(*self._as("ceph-mon"), "--mkfs", "-i", "a", "--monmap", monitors)
        self._daemon("ceph-mon", "-i", "a")
        identity = str(uuid.uuid4())
        self._ceph("osd", "new", identity, "0")
        self._run(*self._as("ceph-osd"), "--mkfs", "-i", "0", "--osd-uuid", identity)
        self._daemon("ceph-osd", "-i", "0")
        self._wait_for_store()
        self._run(
            *self._as("radosgw-admin"), "user", "create", "--uid=nas", "--display-name=nas",
            f"--access-key={KEY}", f"--secret={SECRET}",
        )  # fmt: skip
        self._daemon("radosgw", "-n", "client.admin")
        _until(lambda: _answers(self._port), "radosgw does not answer", self._log)

    def _configure(self, fsid: str) -> None:
        folder = self._folder
        self._conf.write_text(
            f"""[global]
fsid = {fsid}
mon_host = [v2:127.0.0.1:{self._monitor}]
keyring = {self._keys}
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
ms_mon_client_mode = crc
ms_bind_ipv4 = true
public_addr = 127.0.0.1
run_dir = {folder}
admin_socket =
pid_file =
log_file = {folder}/$name.log
log_to_stderr = false
mon_data = {folder}/mon
mon_allow_pool_delete = true
mon_initial_members = a
osd_data = {folder}/osd
osd_objectstore = memstore
memstore_device_bytes = 1073741824
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = {POOLS}
osd_pool_default_pgp_num = {POOLS}
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
osd_class_load_list = *
osd_class_default_list = *
mon_warn_on_pool_no_redundancy = false
rgw_data = {folder}/rgw
rgw_frontends = beast endpoint=127.0.0.1:{self._port} tcp_nodelay=1
rgw_enable_usage_log = false
rgw_run_sync_thread = false
rgw_enable_gc_threads = false
"""
        )

    def _as(self, program: str) -> tuple[str | Path, ...]:
        return program, "-c", self._conf, "--keyring", self._keys, "--ms_mon_client_mode=crc"

    def _run(self, *command: str | Path) -> str:
        done = subprocess.run(
            list(map(str, command)), capture_output=True, text=True, timeout=SECONDS
        )
        if done.returncode != 0:
            raise RuntimeError(f"{command[0]}: {done.stderr[-500:]} {self._log()}")
        return done.stdout

    def _ceph(self, *words: str) -> str:
        return self._run(*self._as("ceph"), "--connect-timeout", "30", *words)

    def _daemon(self, *command: str) -> None:
        program, *rest = command
        with (self._folder / f"{program}.out").open("wb") as output:
            self._daemons.append(
                subprocess.Popen(
                    [*map(str, self._as(program)), *rest, "-f"],
                    stdout=output,
                    stderr=output,
                    start_new_session=True,
                )
            )

    def _wait_for_store(self) -> None:
        _until(lambda: "1 up" in self._ceph("osd", "stat"), "the object store is not up", self._log)

    def _log(self) -> str:
        files = [*self._folder.glob("*.out"), *self._folder.glob("*.log")]
        return " ".join(f"{path.name}: {path.read_text(errors='replace')[-400:]}" for path in files)

    def stop(self) -> None:
        """End the daemons, the gateway first."""
        for daemon in reversed(self._daemons):
            daemon.kill()
        for daemon in self._daemons:
            daemon.wait(20)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def _until(condition, problem: str, log) -> None:
    end = time.monotonic() + SECONDS
    while not condition():
        if time.monotonic() > end:
            raise RuntimeError(f"{problem}: {log()}")
        time.sleep(0.2)


def main() -> None:
    """Serve until Ctrl-C; print the variables that lead here."""
    if not present():
        sys.exit(f"{MISSING}, and be root")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with running() as gateway:
        for name, value in gateway.environment.items():
            print(f"export {name}={value}")
        print("# serving until Ctrl-C", flush=True)
        try:
            while True:
                time.sleep(3600)
        except KeyboardInterrupt:  # the daemons end even if it comes twice
            signal.signal(signal.SIGINT, signal.SIG_IGN)


if __name__ == "__main__":
    main()
