"""Errors of rewards: of the wanted size, reproducible, fresh for each query of a table, unreported."""

import numpy as np
import pytest
from tiny_tables import macro_npz

from nas_core.assembly import Own, assemble
from nas_core.compare.noisy import with_noise
from nas_core.compare.run import compare, plan_for
from nas_core.errors import UsageError
from nas_core.seeding import generator
from nas_core.space import sample, spec_of
from nas_core.trainer.base import Job, credits_repeats


@pytest.fixture
def parts(tmp_path):
    table = macro_npz(tmp_path / "m.npz")
    return assemble(plan_for("nasbench_macro", 10, table, None, None, "quick"), Own())


def scores(trainer, space, jobs):
    specs = [spec_of(space, sample(space, generator(1, "test", n))) for n in range(len(jobs))]
    return np.array([trainer.score(spec, job).score for spec, job in zip(specs, jobs, strict=True)])


def test_the_error_is_in_interquartile_ranges_of_the_scores(parts):
    jobs = [Job(n, n) for n in range(400)]
    plain = scores(parts.trainer, parts.space, jobs)
    noisy = scores(with_noise(parts.trainer, parts.space, 2.0), parts.space, jobs)
    low, high = np.quantile(plain, [0.25, 0.75])
    # Deviation of a deviation of 400: 3.5 %; the range is of 200 other networks.
    assert np.std(noisy - plain) == pytest.approx(2.0 * (high - low), rel=0.25)
    again = scores(with_noise(parts.trainer, parts.space, 2.0), parts.space, jobs)
    np.testing.assert_array_equal(noisy, again)


def test_every_query_of_a_table_has_an_error_of_its_own(parts):
    trainer = with_noise(parts.trainer, parts.space, 1.0)
    spec = spec_of(parts.space, sample(parts.space, generator(0, "one")))
    errors = {
        trainer.score(spec, Job(n, 7)).score - parts.trainer.score(spec, Job(n, 7)).score
        for n in range(5)
    }
    assert len(errors) == 5
    assert not credits_repeats(trainer)


def test_no_noise_changes_nothing(parts):
    assert with_noise(parts.trainer, parts.space, 0.0) is parts.trainer


def test_what_is_reported_has_no_error(tmp_path):
    table = macro_npz(tmp_path / "m.npz")
    options = {"evaluations": [15], "seeds": 6, "table": table, "workers": 1}
    silent = compare("nasbench_macro", ["evolution"], **options).rows()
    noisy = compare("nasbench_macro", ["evolution"], noise=3.0, **options).rows()
    means = [{row["agent"]: row["mean"] for row in rows} for rows in (silent, noisy)]
    for agent in means[0]:  # another network, but one of the table, and a worse one
        assert 60.0 <= means[1][agent] < means[0][agent] <= 92.0


@pytest.mark.parametrize("noise", [-0.1, float("nan"), float("inf")])
def test_a_noise_without_sense_is_refused(tmp_path, noise):
    with pytest.raises(UsageError, match="--noise"):
        compare("nasbench_macro", ["random"], noise=noise, table=macro_npz(tmp_path / "m.npz"))
