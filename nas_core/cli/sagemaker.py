"""`nas sagemaker`: searches, trials and final trainings as training jobs of Amazon SageMaker."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nas_core.cli import jobs
from nas_core.cli.grouped import grouped
from nas_core.cli.jobs import PriceFile, Run, money_text
from nas_core.cli.output import JsonFlag, command, print_json, say
from nas_core.errors import UsageError

if TYPE_CHECKING:
    from nas_core.cloud.settings import Cloud

app = typer.Typer(no_args_is_help=True, add_completion=False)

PARSING = getattr(typer, "TyperException", Exception)  # an option that does not exist, ...
REST = {"allow_extra_args": True, "ignore_unknown_options": True}
DEFAULT_REGION = "us-east-1"  # of a dry run that nobody gave one
Role = Annotated[str, typer.Option(help="ARN of the role that jobs take.")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Print the requests and the cost; submit nothing.")
]
PerJob = Annotated[int, typer.Option(help="Trials in one job: a start costs minutes.")]
Warm = Annotated[int, typer.Option(help="Seconds that an instance waits for the next job.")]
Wheels = Annotated[Path | None, typer.Option(help="Folder of wheels, for jobs without internet.")]


@dataclass(frozen=True)
class Place:
    """Where jobs run and what they run on: options of every kind of job."""

    to: Annotated[
        str | None,
        typer.Option(
            help="Where everything goes, s3://bucket/prefix; the bucket of --data if unset."
        ),
    ] = None
    region: Annotated[str | None, typer.Option(help="AWS region; the environment's if unset.")] = (
        None
    )
    instance: Annotated[str, typer.Option(help="Instance type; ml.g... and ml.p... have GPUs.")] = (
        "ml.c5.xlarge"
    )
    spot: Annotated[bool, typer.Option("--spot", help="Spare capacity: cheaper, interrupted.")] = (
        False
    )
    max_runtime: Annotated[int, typer.Option(help="Longest time of a job, seconds.")] = 3600
    max_wait: Annotated[
        int | None, typer.Option(help="Of spot: longest time with waiting, seconds.")
    ] = None
    volume_gb: Annotated[int, typer.Option(help="Disk of a job, GiB.")] = 30
    kms_key: Annotated[
        str | None, typer.Option(help="Key that encrypts disk, data and outputs.")
    ] = None
    subnet: Annotated[list[str] | None, typer.Option(help="Subnet of a VPC; may be repeated.")] = (
        None
    )
    security_group: Annotated[
        list[str] | None, typer.Option(help="Security group; may be repeated.")
    ] = None
    image: Annotated[
        str | None, typer.Option(help="Container, or TensorFlow 2.21 (usual) or 2.19.")
    ] = None
    owner: Annotated[str | None, typer.Option(help="Account that owns the bucket; the role's.")] = (
        None
    )


@dataclass(frozen=True)
class LongPlace(Place):
    """The same for trainings of hours."""

    max_runtime: Annotated[int, typer.Option(help="Longest time of a job, seconds.")] = 6 * 3600


def _cloud(
    place: Place, role: str, data: str | None, *, dry_run: bool, keep_alive: int = 0
) -> "Cloud":
    """Return the settings; their region is known."""
    from nas_core.cloud.address import S3Address, is_address
    from nas_core.cloud.client import region_of
    from nas_core.cloud.settings import Cloud

    if place.to is not None:
        root = S3Address.parse(place.to)
    elif data is not None and is_address(data):
        root = S3Address(S3Address.parse(data).bucket, "nas")
    else:
        raise UsageError("expected a place for results, received none: --to s3://bucket/prefix")
    found = region_of(place.region)
    if found is None and dry_run:
        say(f"nas: no region is set, so this is a request to {DEFAULT_REGION}: --region NAME")
        found = DEFAULT_REGION
    if found is None:
        raise UsageError("expected a region, received none: --region or AWS_DEFAULT_REGION")
    given = asdict(place)
    subnets, groups = given.pop("subnet"), given.pop("security_group")
    del given["to"]
    return Cloud(**{
        **given, "bucket": root.bucket, "prefix": root.key, "region": found, "role": role,
        "subnets": tuple(subnets or ()), "security_groups": tuple(groups or ()),
        "keep_alive": keep_alive,
    })  # fmt: skip


def _searched(arguments: list[str]) -> tuple[str, dict[str, Any]]:
    """Return space and options of what was typed as for `nas search`."""
    from nas_core.cli.search import combined, search

    inner = typer.Typer(add_completion=False)
    inner.command()(search)
    parser = typer.main.get_command(inner)
    try:
        given = dict(parser.make_context("nas sagemaker", arguments).params)
    except PARSING as error:
        raise UsageError(f"{str(error).rstrip('.')}: see nas search --help") from error
    del given["json"]
    return combined(given.pop("space"), given, given.pop("config"))


def _show(requests: list[dict[str, Any]], cloud: Any, seconds: float, prices: Path | None) -> None:
    """Print requests as JSON on stdout and what they are expected to cost on stderr."""
    from nas_core.cloud.costs import estimate, read_prices

    found = estimate(cloud, len(requests), seconds, read_prices(prices))
    print_json(requests[0] if len(requests) == 1 else {"requests": requests})
    say(
        f"nas: {found.jobs} x {found.instance}, about {found.expected_seconds:.0f} s"
        f"{money_text(found.expected_money, found.currency)}, at most {found.most_seconds:.0f} s"
        f"{money_text(found.most_money, found.currency)} ({found.prices})"
    )


@app.command(context_settings=REST)
@command
@grouped("place", Place)
def search(
    context: typer.Context,
    *,
    role: Role,
    data: Annotated[str | None, typer.Option(help="s3://..., or as for nas search.")] = None,
    run: Annotated[
        Path | None, typer.Option(help="New folder here; its name is the job's.")
    ] = None,
    place: Place,
    wheels: Wheels = None,
    top: Annotated[int, typer.Option(help="Best ones to retrain at the end; 0 for none.")] = 0,
    attempt: Annotated[int, typer.Option(help="1, 2, ... to go on with a run that ended.")] = 0,
    prices: PriceFile = None,
    dry_run: DryRun = False,
    json: JsonFlag = False,
) -> None:
    """Run a whole search in one training job; every other option is one of nas search.

    Examples:  nas sagemaker search --dry-run --data s3://bucket/leaves --role ROLE_ARN

    nas sagemaker search nasnet --data leaves --to s3://bucket/nas --role ROLE_ARN --spot
    """
    import time

    from nas_core.cloud.costs import child_seconds
    from nas_core.cloud.launch import launch, prepare_search
    from nas_core.cloud.record import write_record

    space, options = _searched(context.args)
    data = options.get("data") if data is None else data
    mock = options.get("trainer", "real") != "real"
    if data is None and not mock:
        raise UsageError("expected a data set, received none: --data s3://bucket/leaves")
    cloud = _cloud(place, role, data, dry_run=dry_run)
    folder = Path("runs") / f"{space}-{time.strftime('%Y%m%d-%H%M%S')}" if run is None else run
    prepared = prepare_search(
        cloud, folder.name, {**options, "space": space, "data": data}, attempt=attempt,
        retrain={"top": top} if top > 0 else None, wheels=wheels,
    )  # fmt: skip
    if dry_run:
        preset, recipe = options.get("preset", "quick"), options.get("recipe")
        each = 0.0 if mock else child_seconds(space, preset, recipe)
        trials = _trials(prepared.request)
        _show([prepared.request], cloud, trials * each / max(1, options.get("workers", 1)), prices)
        return
    submitted = launch(prepared, cloud)
    write_record(folder, cloud)
    if json:
        print_json({"run": str(folder), **asdict(submitted)})
    else:
        print(f"{submitted.name}  ({'was there already' if submitted.adopted else 'submitted'})")
        print(f"\nnext: nas sagemaker status {folder}    nas sagemaker fetch {folder}")


def _trials(request: dict[str, Any]) -> int:
    from nas_core.cloud.request import job_arguments

    return int(job_arguments(request["HyperParameters"])[1]["options"]["trials"])


@app.command(context_settings=REST)
@command
@grouped("place", Place)
def trial(
    context: typer.Context,
    *,
    role: Role,
    data: Annotated[str | None, typer.Option(help="s3://..., or as for nas search.")] = None,
    workers: Annotated[int, typer.Option(help="Jobs at a time.")] = 2,
    run: Annotated[Path | None, typer.Option(help="New folder for the results.")] = None,
    run_id: Annotated[str | None, typer.Option(help="What names its jobs; drawn if unset.")] = None,
    place: Place,
    keep_alive: Warm = 0,
    trials_per_job: PerJob = 1,
    wheels: Wheels = None,
    prices: PriceFile = None,
    dry_run: DryRun = False,
    json: JsonFlag = False,
) -> None:
    """Search here, train each child in a training job; every other option is one of nas search.

    Examples:  nas sagemaker trial metaqnn --data leaves --to s3://bucket/nas --role ROLE_ARN
    --workers 4 --trials 24 --run R1
    """
    from nas_core.api import plan_of
    from nas_core.api import search as run_search
    from nas_core.cli.progress import SearchProgress
    from nas_core.cli.search import finish
    from nas_core.cloud.costs import child_seconds
    from nas_core.cloud.driver import PER_JOB, RUN, WHEELS
    from nas_core.cloud.rehearsal import first_requests

    space, options = _searched(context.args)
    data = options.pop("data", None) if data is None else data
    cloud = _cloud(place, role, data, dry_run=dry_run, keep_alive=keep_alive)
    given = {RUN: run_id, WHEELS: None if wheels is None else str(wheels.resolve())}
    placed = {**options.get("cloud", {}), **asdict(cloud), PER_JOB: trials_per_job}
    placed |= {key: value for key, value in given.items() if value is not None}
    options = {**options, "workers": workers, "executor": "sagemaker", "cloud": placed}
    if dry_run:
        trainer = options.pop("trainer", "real")
        agent, trials = options.pop("agent", None), options.pop("trials", None)
        plan = plan_of(space, data, agent, trainer, trials, options)
        requests = first_requests(plan, space if run is None else run.name)
        each = child_seconds(space, plan.preset, plan.recipe) if trainer == "real" else 0.0
        say(f"nas: the first {len(requests)} jobs; later ones depend on their results")
        _show(requests, cloud, each * len(requests) * trials_per_job, prices)
        return
    with SearchProgress() as progress:
        result = run_search(
            space, "leaves" if data is None else data, run=run, on_trial=progress, **options
        )
    finish(result, json)


@app.command()
@command
@grouped("place", LongPlace)
def retrain(
    run: Run,
    *,
    role: Annotated[str | None, typer.Option(help="ARN; the search's if unset.")] = None,
    top: Annotated[int, typer.Option(help="How many of the best architectures.")] = 3,
    seeds: Annotated[int, typer.Option(help="Trainings of each, with different seeds.")] = 1,
    epochs: Annotated[int | None, typer.Option(help="Epochs; the final recipe's number.")] = None,
    data: Annotated[str | None, typer.Option(help="Another data set than the run's.")] = None,
    workers: Annotated[int | None, typer.Option(help="Jobs at a time.")] = None,
    place: LongPlace,
    prices: PriceFile = None,
    dry_run: DryRun = False,
    json: JsonFlag = False,
) -> None:
    """Retrain a run's best architectures, a job for each training; test them once, here.

    Examples:  nas sagemaker retrain R1 --top 3

    nas sagemaker retrain R1 --top 3 --to s3://bucket/nas --role ROLE_ARN --instance ml.g5.xlarge
    """
    from nas_core.cli.retrain import print_outcome
    from nas_core.cloud.costs import child_seconds
    from nas_core.cloud.record import where
    from nas_core.cloud.rehearsal import retraining_requests
    from nas_core.retrain import retrain as run_retrain

    if role is None or place.to is None:
        before = where(run)[0]
        role = before.role if role is None else role
        place = replace(
            place,
            to=str(before.root) if place.to is None else place.to,
            region=before.region if place.region is None else place.region,
            owner=before.owner if place.owner is None else place.owner,
        )
    cloud = _cloud(place, role, None, dry_run=dry_run)
    options: dict[str, Any] = {"top": top, "seeds": seeds, "epochs": epochs, "data": data}
    if dry_run:
        requests = retraining_requests(run, asdict(cloud), **options)
        each = child_seconds(_space(run), "quick", {"epochs": _epochs(requests[0])})
        _show(requests, cloud, each * len(requests), prices)
        return
    outcome = run_retrain(
        run, **options, workers=workers, executor="sagemaker", cloud=asdict(cloud), on_line=say
    )
    if json:
        print_json(outcome)
    else:
        print_outcome(outcome)


def _space(run: Path) -> str:
    from nas_core.store import RunStore

    with RunStore.open(run) as store:
        return str(store.config["plan"]["space"])


def _epochs(request: dict[str, Any]) -> int:
    from nas_core.cloud.request import job_arguments

    return int(job_arguments(request["HyperParameters"])[1]["trainer"]["recipe"]["epochs"])


jobs.register(app)
