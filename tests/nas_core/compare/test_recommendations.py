"""Agents that recommend by themselves: their word, and the best score beside it."""

import pytest
from small_spaces import GridSpace, GridTrainer

import nas_core
from nas_core.agents.random_search import ENTRY
from nas_core.compare.memory import Recommendations, search_in_memory
from nas_core.compare.pool import BEST_OBSERVED
from nas_core.compare.run import compare
from nas_core.loop import Settings
from nas_core.store import RunStore
from nas_core.summary import ranked, recommended


class Contrary:
    """Random search that recommends the worst."""

    name = "contrary"

    def __init__(self, space, seed):
        self._random = ENTRY.build(space, seed, 10, "table")
        self.batch, self.lag = 1, 1
        self._told = []

    def suggest(self, n):
        return self._random.suggest(n)

    def observe(self, scored):
        self._told += [[item.reward, item.proposal.trial] for item in scored]
        return {}

    def recommend(self):
        return min(self._told)[1] if self._told else None

    def state(self):
        return {"random": self._random.state(), "told": self._told}

    def load_state(self, state, observed):
        self._random.load_state(state["random"], observed)
        self._told = state["told"]


def test_each_change_of_mind_is_noted_with_its_evaluation():
    agent = Contrary(GridSpace(), 0)
    watch = Recommendations(agent)
    ledger = search_in_memory(agent, GridTrainer(), Settings(12, seed=0), watch)
    scores = [trial.result.score for trial in ledger.trials]
    wanted, lowest = [], 1.0
    for place, score in enumerate(scores):
        if score < lowest:
            lowest = score
            wanted.append((place, ledger.trials[place].proposal.actions))
    assert watch.steps == wanted


def test_a_comparison_shows_both():
    found = compare("nasbench_macro", ["reinforce-model"], evaluations=[12], seeds=2, workers=1)
    assert found.agents == ("reinforce-model", "reinforce-model" + BEST_OBSERVED, "random")
    assert found.curves["reinforce-model", found.metrics[0]].shape == (2, 12)


def test_a_run_remembers_what_its_agent_recommends(tmp_path):
    space = GridSpace()
    result = nas_core.search(
        space, agent=Contrary(space, 0), trainer=GridTrainer(), trials=8, run=tmp_path / "run",
        executor="inline", workers=1,
    )  # fmt: skip
    with RunStore.open(tmp_path / "run") as store:
        rows = store.trials()
        choice = recommended(store)
    assert choice.score == min(row.score for row in rows)
    assert result.summary["recommended"]["trial"] == choice.number
    assert result.summary["best"]["trial"] == ranked(rows)[0].number != choice.number


def test_other_agents_leave_it_to_the_scores(tmp_path):
    result = nas_core.search(
        GridSpace(), agent="random", trainer=GridTrainer(), trials=4, run=tmp_path / "run",
        executor="inline", workers=1,
    )  # fmt: skip
    assert "recommended" not in result.summary
    with RunStore.open(tmp_path / "run") as store:
        assert recommended(store) is None


@pytest.mark.parametrize("name", ["reinforce-model", "metaqnn-model"])
def test_interrupted_and_resumed_it_is_the_same_run(name, tmp_path):
    whole = nas_core.search("nasbench_macro", agent=name, trainer="mock", trials=24, run=tmp_path / "a", control=None)  # fmt: skip
    nas_core.search("nasbench_macro", agent=name, trainer="mock", trials=14, run=tmp_path / "b", control=None)  # fmt: skip
    with RunStore.open(tmp_path / "b", write=True) as store:  # schedules as in the whole run
        config = store.config
        config["plan"]["schedule_trials"] = 24
        store.set_meta("config", config)
    nas_core.resume(tmp_path / "b", more_trials=10)
    texts = []
    for run in ("a", "b"):
        with RunStore.open(tmp_path / run) as store:
            texts.append([row.text for row in store.trials()])
    assert texts[0] == texts[1]
    assert whole.summary["recommended"]["text"] in texts[0]
