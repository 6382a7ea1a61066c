"""How `reinforce-model` thinks: the reward model, the imagined training, the proposals."""

from dataclasses import dataclass, replace

from nas_core.errors import UsageError
from nas_core.reward_model.model import RANKED, ModelConfig
from nas_net_architecture.config import NASNET, LearnerConfig

PROPOSERS = ("policy", "argmax")
# Larger steps than on children: imagined ones are many, and the policy starts anew each time.
IMAGINED = replace(
    NASNET, policy="independent", batch=64, learning_rate=0.4, entropy_weight=0.02,
    baseline_decay=0.99, scaled=True,
)  # fmt: skip


@dataclass(frozen=True)
class ModelAgentConfig:
    """A model-based policy search; the defaults were chosen on NAS-Bench-Macro.

    Attributes:
        model: How rewards are modelled.
        learner: How a policy learns from imagined architectures; `batch` of them per update.
        updates: Of the policy, before each proposal.
        start: Proposals drawn uniformly before the model is asked, at least 1.
        redraws: How often a proposal that was made before is drawn again.
        uncertain: Whether each policy is trained on a function drawn from the posterior; else on
            the posterior mean.
        proposer: "policy", or "argmax": the best by the same function of `candidates`
            architectures, half of them random, half mutations of the best ones (an ablation).
        candidates: See `proposer`.
        lag: Proposals in flight when the next is made, at least 1.
    """

    model: ModelConfig = RANKED
    learner: LearnerConfig = IMAGINED
    updates: int = 20
    start: int = 8
    redraws: int = 5
    uncertain: bool = True
    proposer: str = "policy"
    candidates: int = 512
    lag: int = 1

    def __post_init__(self) -> None:
        if self.proposer not in PROPOSERS:
            raise UsageError(
                f"expected a proposer among {', '.join(PROPOSERS)}, received {self.proposer!r}"
            )
        if (
            min(self.start, self.lag, self.candidates // 2) < 1
            or min(self.updates, self.redraws) < 0
        ):
            raise UsageError(
                "expected start and lag of 1 or more, candidates of 2, updates and redraws of 0 or "
                f"more, received {self}"
            )


TABLE = ModelAgentConfig()
# Masks that depend on decisions take a step each to find: fewer imagined architectures.
QUICK = replace(TABLE, learner=replace(IMAGINED, batch=32), lag=4)
