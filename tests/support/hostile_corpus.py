"""Hostile files, made by code: archives that attack, models that would run something."""

import io
import json
import stat
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from picture_files import encoded, picture

LAMBDA = {
    "module": "keras.layers",
    "class_name": "Lambda",
    "config": {
        "name": "f",
        "function": {"class_name": "__lambda__", "config": {"code": "4wAAAA=="}},
    },
    "registered_name": None,
}
GADGETS: dict[str, dict[str, Any]] = {
    "lambda": LAMBDA,
    "function of another module": {
        "module": "os", "class_name": "function", "config": "system", "registered_name": "function",
    },
    "get_file, as in CVE-2025-8747": {
        "module": "keras.utils", "class_name": "function", "config": "get_file",
        "registered_name": "function",
    },
    "class of any module, as in CVE-2025-1550": {
        "module": "subprocess", "class_name": "Popen", "config": {"args": "true"},
        "registered_name": "Popen",
    },
    "saved model": {
        "module": "keras.layers", "class_name": "TFSMLayer", "config": {"filepath": "/tmp"},
        "registered_name": None,
    },
    "torch module": {
        "module": "keras.layers", "class_name": "TorchModuleWrapper", "config": {},
        "registered_name": None,
    },
    "registered elsewhere": {
        "module": "keras.layers", "class_name": "Dense", "config": {"units": 1},
        "registered_name": "other>Evil",
    },
    "no module": {"class_name": "Evil", "config": {}},
    "typespec": {"class_name": "__typespec__", "spec_name": "x", "module": "os"},
    "endless units": {
        "module": "keras.layers", "class_name": "Dense", "config": {"units": 10**12},
        "registered_name": None,
    },
}  # fmt: skip


def layers(*more: dict[str, Any]) -> dict[str, Any]:
    """Return the configuration of a small model, with more layers."""
    first = {
        "module": "keras.layers", "class_name": "InputLayer", "registered_name": None,
        "config": {"batch_shape": [None, 4], "dtype": "float32", "name": "i"},
    }  # fmt: skip
    dense = {
        "module": "keras.layers", "class_name": "Dense", "registered_name": None,
        "config": {"name": "d", "units": 2, "activation": "softmax"},
        "build_config": {"input_shape": [None, 4]},
    }  # fmt: skip
    return {
        "module": "keras", "class_name": "Sequential", "registered_name": None,
        "config": {"name": "s", "layers": [first, dense, *more]},
    }  # fmt: skip


def weights() -> bytes:
    """Return the weights of `layers()` as Keras stores them."""
    import h5py

    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        group = file.create_group("layers").create_group("dense").create_group("vars")
        group.create_dataset("0", data=np.ones((4, 2), np.float32))
        group.create_dataset("1", data=np.zeros(2, np.float32))
    return buffer.getvalue()


def linked_weights() -> bytes:
    """Return weights that would be read from another file."""
    import h5py

    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file["layers"] = h5py.ExternalLink("/etc/passwd", "/")
    return buffer.getvalue()


def looped_weights() -> bytes:
    """Return weights with a group that holds itself."""
    import h5py

    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        group = file.create_group("layers")
        group["again"] = group
    return buffer.getvalue()


def keras_file(path: Path, config: Any = None, **changes: bytes) -> Path:
    """Write a `.keras` file; `changes` replace or add members (`_` stands for a dot)."""
    members = {
        "metadata.json": json.dumps({"keras_version": "3.15.1"}).encode(),
        "config.json": json.dumps(layers() if config is None else config).encode(),
        "model.weights.h5": weights(),
    }
    members |= {name.replace("__", "."): data for name, data in changes.items()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members.items():
            file.writestr(name, data)
    return path


def _zip(path: Path, *more: tuple[Any, bytes]) -> Path:
    """Write a plain zip of pictures in two classes, with more members."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for label, name in enumerate(("cat", "dog")):
            for number in range(3):
                file.writestr(f"{name}/{number}.png", encoded(picture(10 * label + number)))
        for name, data in more:
            file.writestr(name, data)
    return path


def _rename(path: Path, old: bytes, new: bytes) -> Path:
    """Change a member's name in the raw bytes: zipfile itself would clean it."""
    assert len(old) == len(new)
    path.write_bytes(path.read_bytes().replace(old, new))
    return path


def _special(kind: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo("cat/special.png")
    info.external_attr = (kind | 0o777) << 16
    return info


def _overlapping(path: Path) -> Path:
    """Let many names share one compressed body, as quines and the 46 MB to 4.5 PB bomb do."""
    _zip(path, ("cat/kernel.png", bytes(900_000)))
    with zipfile.ZipFile(path) as file:
        kernel = file.getinfo("cat/kernel.png")
    with zipfile.ZipFile(path, "a") as file:
        for number in range(200):
            copy = zipfile.ZipInfo(f"cat/k{number}.png")
            for field in ("header_offset", "CRC", "compress_size", "file_size", "compress_type"):
                setattr(copy, field, getattr(kernel, field))
            file.filelist.append(copy)
            file.NameToInfo[copy.filename] = copy
        file._didModify = True  # writes the directory again
    return path


def _encrypted(path: Path) -> Path:
    data = bytearray(_zip(path).read_bytes())
    for signature, place in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        data[data.index(signature) + place] |= 1
    path.write_bytes(data)
    return path


def _cut(path: Path) -> Path:
    path.write_bytes(_zip(path).read_bytes()[:-200])
    return path


def archives(folder: Path) -> dict[str, Path]:
    """Return archives by the attack that each makes on an import of pictures."""
    n = iter(range(100))

    def at() -> Path:
        return folder / f"a{next(n)}.zip"

    escapes = {
        "parent folder": "../../x.png", "absolute path": "/tmp/evil.png",
        "drive letter": "C:/cat/x.png", "backslashes": "..\\..\\x.png", "NUL in a name": "cat\0/x.png",
    }  # fmt: skip
    found = {
        what: _rename(_zip(at(), ("P" * len(name), b"x")), b"P" * len(name), name.encode())
        for what, name in escapes.items()
    }
    found["symbolic link"] = _zip(at(), (_special(stat.S_IFLNK), b"/etc/passwd"))
    found["named pipe"] = _zip(at(), (_special(stat.S_IFIFO), b""))
    found["device"] = _zip(at(), (_special(stat.S_IFCHR), b""))
    twice = _zip(at(), ("cat/9.png", b"a"), ("cat/8.png", b"b"))
    found["one name twice"] = _rename(twice, b"cat/9.png", b"cat/8.png")
    found["one name in two spellings"] = _zip(
        at(), ("cat/\u00e9.png", b"a"), ("cat/e\u0301.png", b"b")
    )
    found["bomb"] = _zip(at(), ("cat/bomb.png", bytes(30 << 20)))
    lying = _zip(at(), ("cat/bomb.png", bytes(30 << 20)))
    found["bomb with a false size"] = _rename(
        lying, (30 << 20).to_bytes(4, "little"), (1000).to_bytes(4, "little")
    )
    found["overlapping members"] = _overlapping(at())
    found["encrypted member"] = _encrypted(at())
    found["cut off"] = _cut(at())
    return found
