"""Figures about damaged and hostile files. Each function measures its own."""

import contextlib
import json
import random
import shutil
import signal
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import hostile_corpus as corpus
import numpy as np
from figures import Figure
from frozen_scores import FrozenScores
from tiny_tables import nb201_npz

import nas_core
from nas_core import artefacts
from nas_core.database import DATABASE
from nas_core.datasets import import_dataset
from nas_core.datasets.test_split import read_openings, record_opening
from nas_core.errors import DataError, NasError
from nas_core.files import sha256_file, write_json, write_text
from nas_core.generations import COPY
from nas_core.inspection import policy_of
from nas_core.report import write_report
from nas_core.retraining.trainings import _finished
from nas_core.rows import COLUMNS, seal
from nas_core.saved_models import check_saved_model
from nas_core.store import RunStore
from nas_core.tables.assembly import open_table
from training_control import brain as brains

PATIENCE = 5.0  # seconds after which a file hangs
EXECUTES = (
    "pickle.find_class", "os.system", "subprocess.Popen", "os.posix_spawn", "os.exec", "os.fork",
    "marshal.loads", "socket.connect", "ctypes.dlopen",
)  # fmt: skip
PAYLOADS = (
    b"cos\nsystem\n(S'true'\ntR.", b"__import__('os').system('true')", b"__lambda__", b"\x80\x04\x95",
    b"<script>alert(1)</script>", b'{"class_name": "Lambda"}', b"../../../etc/passwd", b"\0" * 64,
    b"9" * 5000, b"[" * 3000, b"NaN", b"1e999", b"\xff\xfe",
)  # fmt: skip


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="nas-hostile-") as name:
        yield Path(name)


def figure_archives() -> Figure:
    """Every kind of archive attack on an import, refused in one line and nothing written."""
    with folder() as place:
        attacks = corpus.archives(place)
        accepted = []
        for what, path in attacks.items():
            before = {item.name for item in place.iterdir()}
            try:
                import_dataset(path, place / "out")
                accepted.append(what)
            except DataError as error:
                if "\n" in str(error) or {item.name for item in place.iterdir()} != before:
                    accepted.append(what)
    refused = len(attacks) - len(accepted)
    return Figure(
        "archive attacks refused", "Keras most; SageMaker toolkit none", "12 of 12",
        f"{refused} of {len(attacks)} kinds" + (f" (not {accepted[0]})" if accepted else ""),
        not accepted and refused >= 12,
    )  # fmt: skip


def whole_run(run: Path, trials: int = 12) -> None:
    """Search, with a control; then leave every kind of file that a run leaves (no Keras needed)."""
    nas_core.search(
        "metaqnn", None, agent="metaqnn", trainer=FrozenScores(), trials=trials, seed=3, run=run,
        executor="inline", workers=1, control="random",
    )  # fmt: skip
    model = corpus_model(run / "models")
    write_json(run / "retrain.json", {"architectures": [], "baseline": None})
    write_json(run / "comparison.json", {"key": {}, "note": "none"})
    write_text(run / "report.html", "<html></html>")
    for name in ("retrain.json", "comparison.json", "report.html"):
        artefacts.note(run, run / name)
    artefacts.note(run, model, model.with_suffix(".json"))
    for _ in range(3):
        record_opening(run, "final evaluation", "leaves", "0" * 64)


def corpus_model(models: Path) -> Path:
    models.mkdir(parents=True, exist_ok=True)
    model = corpus.keras_file(models / "m-0.keras")
    result = {"status": "ok", "score": 0.5, "curve": [], "seconds": 1.0}
    described = {"classes": ["a", "b"], "sha256": sha256_file(model), "result": result}
    write_json(model.with_suffix(".json"), described)
    return model


# --- the corruption matrix ---------------------------------------------------------------------

DAMAGES = ("half", "empty", "one bit", "one bit, hashes made right")


def facts(run: Path) -> Any:
    with RunStore.open(run) as store:
        rows = [(r.number, r.digest, r.status, r.score, r.reward, r.place) for r in store.trials()]
        return rows, store.agent_state()


def files_of(run: Path) -> list[str]:
    return sorted(p.relative_to(run).as_posix() for p in run.rglob("*") if p.is_file())


def damage(path: Path, kind: str, rng: random.Random) -> None:
    data = bytearray(path.read_bytes())
    if kind == "half":
        path.write_bytes(data[: len(data) // 2])
    elif kind == "empty":
        path.write_bytes(b"")
    elif data:
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        path.write_bytes(data)
        if kind == DAMAGES[3]:
            make_right(path)


def make_right(path: Path) -> None:
    """Recompute the checksums that would tell, as an attacker would."""
    if path.suffix == ".keras" and path.with_suffix(".json").exists():
        _edit(path.with_suffix(".json"), lambda value: {**value, "sha256": sha256_file(path)})
    if path.name.startswith(artefacts.LIST):
        _edit(path, lambda value: {**value, "sum": artefacts._sum(value["files"])})
    if path.name in (DATABASE, COPY):
        with contextlib.suppress(sqlite3.Error):
            _seal_again(path)
    elif path.parent.name == "models" or path.name in artefacts.NAMES:
        run = path.parent.parent if path.parent.name == "models" else path.parent
        artefacts.note(run, path)


def _edit(path: Path, change: Callable[[Any], Any]) -> None:
    with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError, RecursionError):
        write_json(path, change(json.loads(path.read_text(encoding="utf-8"))))


def _seal_again(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as database, database:
        seal(database)
        for table, columns in COLUMNS.items():
            database.execute(f"UPDATE {table} SET {columns[1]} = {columns[1]}")


def outcome(run: Path, expected: Any, trials: int) -> str:
    """Resume a damaged run and look at all of it; return how that went."""
    try:
        nas_core.resume(run, trainer=FrozenScores(), more_trials=trials)
        read_openings(run)
        artefacts.listing(run)
        for model in sorted((run / "models").glob("*.keras")):
            _finished(model)  # what nas retrain asks: None means that it trains again
        write_report(run, comparison=False)
    except NasError as error:
        return "refused" if "\n" not in str(error) else f"many lines: {error}"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "resumed" if facts(run) == expected else "resumed, and differs"


def figure_corruption(repeats: int = 2) -> Figure:
    """Every file of a run, damaged; and both generations of what has two of them."""
    rng, found = random.Random(1), Counter[str]()
    with folder() as place:
        whole_run(place / "r")
        shutil.copytree(place / "r", place / "whole")
        nas_core.resume(place / "whole", trainer=FrozenScores(), more_trials=8)
        expected = facts(place / "whole")
        names = files_of(place / "r")
        both = [(DATABASE, COPY), (artefacts.LIST, artefacts.BEFORE)]
        cases = [((name,), kind) for name in names for kind in DAMAGES] * repeats
        cases += [(pair, kind) for pair in both for kind in DAMAGES[:3]]
        for case, (which, kind) in enumerate(cases):
            run = place / f"c{case}"
            shutil.copytree(place / "r", run)
            for name in which:
                damage(run / name, kind, rng)
            found[_judged(which, kind, outcome(run, expected, 8))] += 1
            shutil.rmtree(run)
    bad = {what: count for what, count in found.items() if what not in ("resumed", "refused")}
    told = f"{found['resumed']} resumed + {found['refused']} refused of {found.total()}"
    return Figure(
        f"corruption matrix: {len(names)} files of a run, damaged", "KerasTuner 0/6",
        "together 100 %", f"{told}{f' {bad}'[:150] if bad else ''}", not bad,
    )  # fmt: skip


def _judged(which: tuple[str, ...], kind: str, how: str) -> str:
    """Return how a case counts: a refusal only where no intact generation is left."""
    if how == "refused" and which[0] == DATABASE and len(which) == 2:
        return how
    right = kind == DAMAGES[3]  # then no checksum can tell: another value is taken for the truth
    if right and which[0].endswith((DATABASE, COPY)) and how in ("refused", "resumed, and differs"):
        return "refused" if how == "refused" else "resumed"
    return how if how == "resumed" else f"{which[0]}, {kind}: {how}"


# --- mutated artefacts ------------------------------------------------------------------------


@dataclass
class Watch:
    """What Python was asked to run while `on`.

    Attributes:
        on: Whether events count.
        seen: Those that did.
        installed: A hook stays for good, so it is installed once.
    """

    on: bool = False
    seen: list[str] = field(default_factory=list)
    installed: bool = False

    def start(self) -> None:
        """Begin anew."""
        if not self.installed:
            sys.addaudithook(self)
        self.installed = True
        self.seen.clear()

    def __call__(self, event: str, _arguments: Any) -> None:
        if self.on and event.startswith(EXECUTES) and not _imports(event):
            self.seen.append(event)


def _imports(event: str) -> bool:
    """Return whether it is Python itself that reads the code of one of its own modules."""
    caller = sys._getframe(2).f_globals.get("__name__")
    return event == "marshal.loads" and caller == "importlib._bootstrap_external"


_watch = Watch()


class Hangs(BaseException):
    """A file kept its reader busy for too long."""


def _alarm(*_: object) -> None:
    raise Hangs


def read_run(run: Path) -> None:
    """Read all of a run's database as the command line does."""
    with RunStore.open(run) as store:
        for row in store.trials():
            row.spec, row.status is None or row.result
        store.events(), store.config, store.agent_state()
        policy_of(store)


def mutated(data: bytes, rng: random.Random) -> bytes:
    """Return bytes with a few changes: flipped bits, a cut, a hole, a payload spliced in."""
    found = bytearray(data)
    for _ in range(rng.randint(1, 3)):
        place = rng.randrange(len(found) + 1)
        match rng.randrange(5):
            case 0 | 1 if found:
                found[place % len(found)] ^= 1 << rng.randrange(8)
            case 2:
                del found[place:]
            case 3:
                del found[place : place + rng.randint(1, 200)]
            case _:
                payload = rng.choice(PAYLOADS)
                found[place : place + len(payload) * rng.randrange(2)] = payload
    return bytes(found)


def mutate_database(path: Path, rng: random.Random) -> None:
    """Change a value of a row, with a right checksum."""
    with contextlib.closing(sqlite3.connect(path)) as database, database:
        seal(database)
        table = rng.choice(sorted(COLUMNS))
        column = rng.choice(COLUMNS[table][1:])
        key = COLUMNS[table][0]
        rows = database.execute(f"SELECT {key}, {column} FROM {table}").fetchall()
        where, value = rng.choice(rows)
        raw = value if isinstance(value, bytes) else str(value).encode()
        changed: Any = mutated(raw, rng)
        if not isinstance(value, bytes):
            changed = changed.decode("utf-8", "replace")
        with contextlib.suppress(sqlite3.Error):
            database.execute(f"UPDATE {table} SET {column} = ? WHERE {key} = ?", (changed, where))


def mutate_model(path: Path, rng: random.Random) -> None:
    """Change a member inside an archive that is right, or add a layer that runs something."""
    if rng.randrange(2):
        corpus.keras_file(path, corpus.layers(rng.choice(list(corpus.GADGETS.values()))))
        return
    name = rng.choice(("config__json", "model__weights__h5", "metadata__json"))
    data = {
        "config__json": json.dumps(corpus.layers()).encode(),
        "model__weights__h5": corpus.weights(),
        "metadata__json": b'{"keras_version": "3.15.1"}',
    }[name]
    corpus.keras_file(path, None, **{name: mutated(data, rng)})


def mutate_brain(path: Path, rng: random.Random) -> None:
    """Change a brain's manifest or arrays, with right checksums."""
    manifest = json.loads(path.read_text())
    manifest.pop("sha256")
    part = rng.choice(sorted(manifest["files"]))
    arrays = path.parent / manifest["files"][part]["name"]
    arrays.write_bytes(mutated(arrays.read_bytes(), rng))
    manifest["files"][part]["sha256"] = sha256_file(arrays)
    if rng.randrange(2):
        manifest[rng.choice(sorted(manifest))] = rng.choice((None, [], {}, "x", -1, 1e300, "../x"))
    write_json(path, {**manifest, "sha256": brains.schema_digest(manifest)})


@dataclass(frozen=True)
class Kind:
    """A kind of artefact.

    Attributes:
        name: Of the file, inside the folder that holds the originals.
        read: Reads it as the toolkit does.
        cleverly: Changes it so that checksums are right; None to change and recompute what can be.
    """

    name: str
    read: Callable[[Path], object]
    cleverly: Callable[[Path, random.Random], None] | None = None


def _read_brain(path: Path) -> None:
    brains.load(path.parent)


MODEL = "r/models/m-0.keras"
KINDS = (
    Kind(f"r/{DATABASE}", lambda path: read_run(path.parent), mutate_database),
    Kind(MODEL, check_saved_model, mutate_model),
    Kind("r/models/m-0.json", lambda path: _finished(path.with_suffix(".keras"))),
    Kind(f"r/{artefacts.LIST}", lambda path: artefacts.problems(path.parent)),
    Kind("r/test_openings.jsonl", lambda path: read_openings(path.parent)),
    Kind("t.npz", lambda path: open_table("nasbench201", path)),
    Kind("images.npz", lambda path: import_dataset(path, path.parent / "imported")),
    Kind("brain/manifest.json", _read_brain, mutate_brain),
)


def originals(place: Path) -> None:
    whole_run(place / "r", trials=8)
    nb201_npz(place / "t.npz")
    images = np.random.default_rng(0).integers(0, 255, (40, 8, 8, 3)).astype(np.uint8)
    np.savez(place / "images.npz", images=images, labels=np.arange(40) % 2)
    shipped = sorted((Path(brains.__file__).parent / "brains").iterdir())[0]
    shutil.copytree(shipped, place / "brain")


def mutants(place: Path, count: int, rng: random.Random) -> Iterator[tuple[Kind, Path]]:
    """Change the originals again and again, one file at a time; half with right hashes."""
    for number in range(count):
        kind = KINDS[number % len(KINDS)]
        path = place / kind.name
        top = place / kind.name.split("/")[0]
        kept = place.with_name(place.name + "-kept") / top.name
        if not rng.randrange(2):
            path.write_bytes(mutated(path.read_bytes(), rng))
        elif kind.cleverly is not None:
            kind.cleverly(path, rng)
            if path.suffix == ".keras":
                make_right(path)
        else:
            path.write_bytes(mutated(path.read_bytes(), rng))
            make_right(path)
        yield kind, path
        _put_back(kept, top)
        shutil.rmtree(place / "imported", ignore_errors=True)


def _put_back(kept: Path, top: Path) -> None:
    """Undo what was done to a file, or to a folder of files."""
    if not kept.is_dir():
        shutil.copy2(kept, top)
        return
    for path in [path for path in top.rglob("*") if path.is_file()]:
        original = kept / path.relative_to(top)
        if not original.exists():
            path.unlink()
        elif path.stat().st_mtime_ns != original.stat().st_mtime_ns:
            shutil.copy2(original, path)


def figure_mutants(count: int, keras: bool = True) -> Figure:
    """Read mutated artefacts: nothing may run, hang, or fail other than in one line.

    Args:
        count: Of mutants.
        keras: Whether models that pass the check are loaded by Keras too.
    """
    from nas_core.evaluation import load_model

    readers = {kind.name: kind.read for kind in KINDS}
    readers[MODEL] = load_model if keras else check_saved_model
    hangs, odd, accepted, slowest = 0, Counter[str](), 0, 0.0
    before = signal.signal(signal.SIGALRM, _alarm)
    with folder() as outer:
        place = outer / "m"
        place.mkdir()
        originals(place)
        shutil.copytree(place, outer / "m-kept")
        for name, read in readers.items():  # imports happen now, not while something is watched
            read(place / name)
        shutil.rmtree(place / "imported", ignore_errors=True)
        _watch.start()
        for kind, path in mutants(place, count, random.Random(count)):
            began = time.perf_counter()
            signal.setitimer(signal.ITIMER_REAL, PATIENCE)
            _watch.on = True
            try:
                readers[kind.name](path)
                accepted += 1
            except NasError as error:
                if "\n" in str(error):
                    odd[f"{kind.name}: many lines"] += 1
            except Hangs:
                hangs += 1
            except Exception as error:
                odd[f"{kind.name}: {type(error).__name__} {error}"[:120]] += 1
            finally:
                _watch.on = False
                signal.setitimer(signal.ITIMER_REAL, 0.0)
            slowest = max(slowest, time.perf_counter() - began)
    signal.signal(signal.SIGALRM, before)
    ran = len(_watch.seen)
    untold = f"; untold {odd.most_common(3)}" if odd else ""
    return Figure(
        f"code run while reading {count} mutated artefacts; hangs over {PATIENCE:g} s",
        "SB3 runs it", "0; 0",
        f"{ran}; {hangs} ({accepted} harmless, slowest {slowest:.2f} s{untold})",
        ran == 0 and hangs == 0 and not odd,
    )  # fmt: skip


def figures(count: int) -> list[Figure]:
    """Return all figures of this file, with so many mutants."""
    return [figure_archives(), figure_corruption(), figure_mutants(count)]
