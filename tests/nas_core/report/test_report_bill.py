"""The training jobs of a run in its report: billed seconds by trial, and the bill once asked for."""

import json

import pytest

from nas_core.report.bill import bill_section
from nas_core.report.data import load
from nas_core.trainer.base import Epoch, Result, Status

EPOCH = (Epoch(1.0, 0.5, 1.0, 0.5, 1e-3),)


def scored(job, seconds):
    details = {"sagemaker": {"job": job, "billed_seconds": seconds}}
    return Result(Status.OK, 0.5, EPOCH, seconds=4.0, parameters=5000, macs=10**6, details=details)


@pytest.fixture
def run(write_run):
    return write_run(
        [
            ("[C(16,3,1), SM(10)]", 1.0, scored("nas-a", 240.0), None),
            ("[C(32,3,1), SM(10)]", 1.0, scored("<b>", 61.5), None),
            ("[C(16,3,1), SM(10)]", 0.1, scored("nas-a", 240.0), 0),  # credited: not trained again
            ("[C(64,3,1), SM(10)]", 0.1, scored("nas-c", None), None),  # not billed yet
        ]
    )


def test_a_run_without_jobs_has_no_such_section(write_run):
    assert bill_section(load(write_run())) == ""


def test_billed_seconds_stand_by_trial(run):
    page = bill_section(load(run))
    assert "Billed seconds by trial" in page and "nas-a" in page
    assert page.count("240") == 1 and "62" in page and "nas-c" not in page
    assert "5 min 02 s" in page or "5 min" in page  # 301.5 s in all
    assert "<b>" not in page and "&lt;b&gt;" in page


def test_the_bill_stands_beside_it_once_asked_for(run):
    job = {
        "job": "nas-a", "kind": "trial", "trials": [0, 1], "status": "Completed",
        "billed_seconds": 302, "money": 0.0171,
    }  # fmt: skip
    bill = {
        "instance": "ml.c5.xlarge", "currency": "USD", "prices": "2026, <mine>",
        "billed_seconds": 302, "money": 0.0171, "jobs": [job, "rubbish"], "trials": {},
    }  # fmt: skip
    (run / "cost.json").write_text(json.dumps(bill))
    page = bill_section(load(run))
    assert "0.02 USD" in page and "0.0171" in page and "ml.c5.xlarge" in page
    assert "&lt;mine&gt;" in page


@pytest.mark.parametrize("text", ["", "[1]", "{", '{"jobs": 3}', '{"jobs": [{}], "money": "x"}'])
def test_a_damaged_bill_costs_nothing_but_itself(run, text):
    (run / "cost.json").write_text(text)
    assert "Billed seconds by trial" in bill_section(load(run))
