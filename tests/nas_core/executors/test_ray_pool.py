"""Which trial runs where, by hand and under random events."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas_core.errors import UsageError
from nas_core.executors.ray.cluster import Machine
from nas_core.executors.ray.pool import MOST_LOSSES, Pool, Task, share_slots
from nas_core.executors.ray.refusals import broken, too_small, unlike
from nas_core.executors.ray.settings import Settings, split_address


def filled(*slots: int, trials: int = 0) -> Pool:
    """Return a pool of nodes "0", "1", ... with that many slots, and trials that wait."""
    pool = Pool()
    for node, count in enumerate(slots):
        pool.join(str(node), f"10.0.0.{node}", count)
    for number in range(trials):
        pool.submit(Task(number, number, "{}"))
    return pool


def given_to(pool: Pool) -> list[tuple[str, int]]:
    return [(node, task.ticket) for node, task in pool.assign()]


def test_the_emptiest_node_is_served_first_and_none_gets_more_than_it_has() -> None:
    pool = filled(1, 3, trials=6)
    assert given_to(pool) == [("1", 0), ("1", 1), ("0", 2), ("1", 3)]
    assert pool.slots == 4
    assert given_to(pool) == []
    assert pool.finish("0", 2) is not None
    assert given_to(pool) == [("0", 4)]


def test_a_lost_nodes_trials_go_first_and_in_order() -> None:
    pool = filled(2, trials=4)
    assert given_to(pool) == [("0", 0), ("0", 1)]
    assert pool.lose("0") == []
    pool.join("1", "10.0.0.1", 4)
    assert [ticket for _, ticket in given_to(pool)] == [0, 1, 2, 3]


def test_a_trial_is_given_up_at_its_last_loss() -> None:
    pool = filled(trials=1)
    for loss in range(1, MOST_LOSSES + 1):
        pool.join("0", "10.0.0.0", 1)
        assert given_to(pool) == [("0", 0)]
        given_up = pool.lose("0")
        assert [task.losses for task in given_up] == ([loss] if loss == MOST_LOSSES else [])
    pool.join("0", "10.0.0.0", 1)
    assert given_to(pool) == []


def test_a_cancelled_trial_is_forgotten_wherever_it_is() -> None:
    pool = filled(1, trials=2)
    given_to(pool)
    assert pool.cancel(1) is None
    found = pool.cancel(0)
    assert found is not None
    assert (found[0], found[1].ticket) == ("0", 0)
    assert pool.finish("0", 0) is None
    assert pool.cancel(0) is None
    assert given_to(pool) == []


def test_slots_are_dealt_out_in_turn() -> None:
    assert share_slots({"a": 8, "b": 8}, 8) == {"a": 4, "b": 4}
    assert share_slots({"a": 1, "b": 8}, 6) == {"a": 1, "b": 5}
    assert share_slots({"a": 2, "b": 2}, 9) == {"a": 2, "b": 2}
    assert share_slots({"a": 2, "b": 2}, 1) == {"a": 1}
    assert share_slots({"a": 0}, 3) == share_slots({}, 3) == share_slots({"a": 3}, 0) == {}


EVENTS = st.lists(
    st.tuples(st.sampled_from(["submit", "join", "lose", "finish", "cancel"]), st.integers(0, 5)),
    max_size=60,
)


@settings(max_examples=60, deadline=None)
@given(EVENTS)
def test_every_trial_ends_exactly_once(events: list[tuple[str, int]]) -> None:
    pool, submitted, ended = Pool(), 0, []
    for kind, value in events:
        if kind == "submit":
            pool.submit(Task(submitted, submitted, "{}"))
            submitted += 1
        elif kind == "join" and str(value) not in pool.members:
            pool.join(str(value), "", 1 + value % 3)
        elif kind == "lose":
            ended += [task.ticket for task in pool.lose(str(value))]
        elif kind == "finish" and str(value) in pool.members:
            for ticket in list(pool.members[str(value)].running)[:1]:
                assert pool.finish(str(value), ticket) is not None
                assert pool.finish(str(value), ticket) is None
                ended.append(ticket)
        elif kind == "cancel" and value < submitted and value not in ended:
            pool.cancel(value)
            ended.append(value)
        pool.assign()
        assert all(len(member.running) <= member.slots for member in pool.members.values())
    pool.join("last", "", 100)
    pool.assign()
    for node, member in pool.members.items():
        ended += [ticket for ticket in list(member.running) if pool.finish(node, ticket)]
    assert sorted(ended) == list(range(submitted))


def machine(cpus: float, gpus: float = 0.0, all_cpus: float | None = None) -> Machine:
    return Machine("n", "10.0.0.1", cpus, gpus, cpus if all_cpus is None else all_cpus, gpus)


@pytest.mark.parametrize(
    ("node", "threads", "share", "fits"),
    [
        (machine(4), 1, None, 4),
        (machine(4), 3, None, 1),
        (machine(0), 1, None, 0),
        (machine(16, 2), 1, None, 2),  # a whole GPU each
        (machine(16, 2), 1, 0.5, 4),
        (machine(16, 2), 8, 0.5, 2),
        (machine(16, 2), 1, 0.0, 16),  # on processors all the same
        (machine(16, 2), 1, 0.4, 4),  # two on each, not five on both
        (machine(16, 1.5), 1, 0.5, 2),  # Ray reserves parts of one GPU, or whole ones
        (machine(16, 0.5), 1, 0.5, 1),
        (machine(16), 1, 0.5, 0),
        (machine(0.3 * 3, 0.9), 1, 0.3, 0),
        (machine(3, 0.1 * 3), 1, 0.1, 3),  # 0.30000000000000004
    ],
)
def test_how_many_trials_fit(node: Machine, threads: int, share: float | None, fits: int) -> None:
    assert node.fits(Settings(8, threads=threads, gpu_share=share)) == fits


@pytest.mark.parametrize(
    ("share", "slots", "reserved"),
    [(None, 3, 3.0), (0.5, 1, 0.5), (0.5, 2, 1.0), (0.5, 3, 2.0), (0.4, 3, 2.0), (0.0, 9, 0.0)],
)
def test_what_is_reserved_of_gpus(share: float | None, slots: int, reserved: float) -> None:
    assert Settings(9, gpu_share=share).gpus_for(slots, 4.0) == reserved


@pytest.mark.parametrize("address", ["10.0.0.5:6379", "head:1", "[::1]:6379"])
def test_addresses(address: str) -> None:
    assert split_address(address)[1] in (6379, 1)


@pytest.mark.parametrize(
    "values",
    [
        {"workers": 0}, {"workers": 1, "threads": 0}, {"workers": 1, "gpu_share": 1.5},
        {"workers": 1, "gpu_share": -1.0}, {"workers": 1, "address": "10.0.0.5"},
        {"workers": 1, "address": "ray://10.0.0.5:10001"}, {"workers": 1, "address": ":6379"},
        {"workers": 1, "address": "head:99999"},
    ],
)  # fmt: skip
def test_values_out_of_range_are_refused_in_one_line(values: dict[str, object]) -> None:
    with pytest.raises(UsageError, match=r"expected .* received") as caught:
        Settings(**values)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


def test_a_cluster_of_small_nodes_is_refused_but_a_busy_one_is_not() -> None:
    asked = Settings(1, threads=4)
    assert too_small([machine(0, all_cpus=8)], asked) is None
    assert too_small([], asked) is None
    problem = too_small([machine(2), machine(3)], asked)
    assert "4 CPU(s)" in str(problem)
    assert "2 node(s) of at most 3" in str(problem)


def test_nodes_of_other_versions_are_named() -> None:
    here = {"keras": "3.15", "numpy": "2.4"}
    assert unlike("n", {**here, "pillow": "1"}, here) is None
    assert "keras 3.14 there, 3.15 here" in str(unlike("n", {**here, "keras": "3.14"}, here))
    assert "numpy unknown there" in str(unlike("n", {"keras": "3.15"}, here))


def test_lost_and_broken_nodes_are_told_apart() -> None:
    assert broken("n", RuntimeError("The actor died unexpectedly")) is None
    line = str(broken("n", RuntimeError("long\nModuleNotFoundError: No module named 'mine.own'\n")))
    assert "received no module 'mine.own'" in line
    assert "\n" not in line
    error = RuntimeError("wrapped")
    error.cause = TypeError("two\nlines")  # type: ignore[attr-defined]
    assert "TypeError: two lines" in str(broken("n", error))
