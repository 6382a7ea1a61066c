"""How many trainings under random actions are lost, first learning rates log-uniform up to 1.

    python -m benchmarks.control_rollback --episodes 1000

Prints a line of JSON: episodes, those that ended with a loss that is not finite or were given up,
intervals that were rolled back, and seconds of an episode after the first.
"""

import argparse
import json
import math
import time

from training_control.controls import CONTROLS
from training_control.env import TrainingControlEnv


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--episodes", type=int, default=1000)
    parser.add_argument("--decisions", type=int, default=40)
    parser.add_argument("--task", default="generated-tables")
    parser.add_argument("--controls", default=",".join(CONTROLS))
    given = parser.parse_args()
    env = TrainingControlEnv(
        given.task, given.controls.split(","), given.decisions, random_start=True
    )
    env.action_space.seed(0)
    env.reset(seed=0)
    lost = rolled_back = intervals = 0
    started = time.perf_counter()
    for _ in range(given.episodes):
        env.reset()
        over = terminated = False
        while not over:
            _, _, terminated, truncated, info = env.step(env.action_space.sample())
            over = terminated or truncated
            intervals += 1
            rolled_back += info["rolled_back"]
        lost += terminated or not math.isfinite(info["validation_loss"])
    seconds = (time.perf_counter() - started) / given.episodes
    print(
        json.dumps(
            {
                "task": given.task,
                "controls": given.controls,
                "episodes": given.episodes,
                "lost": lost,
                "intervals": intervals,
                "rolled_back": rolled_back,
                "traces": env.session.traces,
                "seconds_per_episode": round(seconds, 3),
            }
        )
    )


if __name__ == "__main__":
    main()
