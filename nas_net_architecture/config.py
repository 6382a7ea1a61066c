"""How a controller learns: the published settings and the quick ones."""

from dataclasses import dataclass, replace

from nas_core.errors import UsageError

ALGORITHMS = ("reinforce", "ppo", "actor-critic")
POLICIES = ("lstm", "lstm2", "independent")
REWARDS = ("accuracy", "cubed")


@dataclass(frozen=True)
class LearnerConfig:
    """A policy-gradient learner.

    The defaults are NASNet's (Zoph et al. 2018, appendix); what the paper leaves open is marked.

    Attributes:
        algorithm: "reinforce", "ppo" or "actor-critic" (REINFORCE with a learned value per
            decision as its baseline).
        policy: "lstm" (1 x 100 units), "lstm2" (2 x 35) or "independent" (no recurrence).
        batch: Architectures per update.
        lag: Groups in flight, at least 1. Above 1 the children of the next group train while
            this one's are finished (asynchronous); stale samples are weighted by their ratio.
        learning_rate: Adam's.
        betas: Adam's decay of the mean and of the mean square of gradients, in [0, 1).
        entropy_weight: beta, at least 0.
        baseline_decay: Of the moving average, in [0, 1).
        baseline_first: Whether rewards enter the baseline before their own advantage is taken.
        scaled: Whether advantages are divided by the moving standard deviation of the rewards, so
            that the entropy weight means the same whatever the scores' spread (not published).
        reward: "accuracy", or "cubed": (best of the last five epochs)^3.
        clip_norm: Largest norm of the gradient (open); None for no bound.
        importance_most: Largest weight of a stale sample (open).
        ppo_clip: eps of the clipped ratio (open; Schulman et al.'s 0.2).
        ppo_epochs: Passes over a group (open).
        value_weight: Of the critic's loss beside the policy's (open).
        temperature: Logits are divided by it; None for 1.
        tanh_constant: Bound of the logits; None for no bound (ENAS: 1.5 and 1.1).
    """

    algorithm: str = "reinforce"
    policy: str = "lstm"
    batch: int = 20
    lag: int = 1
    learning_rate: float = 3.5e-4
    betas: tuple[float, float] = (0.9, 0.999)
    entropy_weight: float = 1e-5
    baseline_decay: float = 0.95
    baseline_first: bool = False
    scaled: bool = False
    reward: str = "accuracy"
    clip_norm: float | None = 5.0
    importance_most: float = 2.0
    ppo_clip: float = 0.2
    ppo_epochs: int = 4
    value_weight: float = 0.5
    temperature: float | None = None
    tanh_constant: float | None = None

    def __post_init__(self) -> None:
        _one_of("algorithm", self.algorithm, ALGORITHMS)
        _one_of("policy", self.policy, POLICIES)
        _one_of("reward", self.reward, REWARDS)
        for name in ("batch", "lag", "ppo_epochs"):
            _check(name, getattr(self, name), getattr(self, name) >= 1, "1 or more")
        for name in ("learning_rate", "importance_most", "ppo_clip"):
            _check(name, getattr(self, name), getattr(self, name) > 0.0, "above 0")
        for name in ("clip_norm", "temperature", "tanh_constant"):
            value = getattr(self, name)
            _check(name, value, value is None or value > 0.0, "None or above 0")
        for name in ("entropy_weight", "value_weight"):
            _check(name, getattr(self, name), getattr(self, name) >= 0.0, "0 or more")
        decay = self.baseline_decay
        _check("baseline_decay", decay, 0.0 <= decay < 1.0, "in [0, 1)")
        smooth = all(0.0 <= beta < 1.0 for beta in self.betas)
        _check("betas", self.betas, len(self.betas) == 2 and smooth, "two numbers in [0, 1)")


def _one_of(name: str, value: object, allowed: tuple[str, ...]) -> None:
    _check(name, value, value in allowed, f"one of {', '.join(allowed)}")


def _check(name: str, value: object, fine: bool, wanted: str) -> None:
    if not fine:
        raise UsageError(f"expected the learner's {name} {wanted}, received {value!r}: change it")


NASNET = LearnerConfig()
# Zoph & Le 2017: m = 8 children per update of a 2 x 35 LSTM, no entropy bonus.
ZOPH_LE = LearnerConfig(
    policy="lstm2", batch=8, learning_rate=6e-4, entropy_weight=0.0, reward="cubed"
)
# Dong & Yang 2020: one sample per update, the baseline first, Adam 0.01 (NATS-Bench).
NAS_BENCH_201 = LearnerConfig(
    policy="independent",
    batch=1,
    learning_rate=0.01,
    entropy_weight=0.0,
    baseline_decay=0.9,
    baseline_first=True,
    clip_norm=None,
)

NAS_BENCH_201_PPO = replace(NAS_BENCH_201, algorithm="ppo", batch=20, baseline_first=False)

# On published tables: the same with larger steps that forget sooner, and a little entropy. Chosen
# on NAS-Bench-Macro.
TABLE = replace(
    NAS_BENCH_201, learning_rate=0.2, betas=(0.5, 0.99), entropy_weight=1e-3, baseline_decay=0.8
)

# A few hundred proposals: larger steps on smaller groups, held open by entropy.
QUICK_LSTM = LearnerConfig(batch=8, learning_rate=5e-3, entropy_weight=0.05, scaled=True)
QUICK_PPO = replace(QUICK_LSTM, algorithm="ppo", learning_rate=2e-3)  # four steps a group
QUICK_ACTOR_CRITIC = replace(QUICK_LSTM, algorithm="actor-critic")
QUICK_LSTM2 = replace(QUICK_LSTM, policy="lstm2", reward="cubed", learning_rate=0.01)
QUICK_INDEPENDENT = replace(QUICK_LSTM, policy="independent", learning_rate=0.1)
QUICK_PPO_INDEPENDENT = replace(QUICK_PPO, policy="independent", learning_rate=0.05)
