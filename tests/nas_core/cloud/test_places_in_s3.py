"""Addresses, settings and names: what is refused before AWS is asked."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas_core.cloud.address import S3Address
from nas_core.cloud.request import LONGEST_NAME, hyperparameters, job_arguments, job_name
from nas_core.cloud.settings import Cloud
from nas_core.errors import UsageError

ROLE = "arn:aws:iam::123456789012:role/nas-role"
NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")  # of the service's own model


def test_an_address_is_read_and_written():
    address = S3Address.parse("s3://my-bucket/a/b/")
    assert (address.bucket, address.key) == ("my-bucket", "a/b")
    assert str(address / "c") == "s3://my-bucket/a/b/c"
    assert address.folder() == "s3://my-bucket/a/b/"
    assert str(S3Address.parse("s3://my-bucket")) == "s3://my-bucket"


@pytest.mark.parametrize(
    "text",
    ["http://b/a", "s3://", "s3://Upper/a", "s3://ab/a", "s3://10.0.0.1/a", "s3://a..b/k",
     "s3://bucket/a//b", "s3://bucket/../b", "s3://bucket/a\nb", "s3://bucket/" + "x" * 1100],
)  # fmt: skip
def test_what_is_no_address_is_refused(text):
    with pytest.raises(UsageError, match="expected"):
        S3Address.parse(text)


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"bucket": "No_Bucket"}, "bucket"), ({"role": "nas-role"}, "--role"),
        ({"role": "arn:aws:iam::123:role/x"}, "--role"), ({"instance": "c5.xlarge"}, "--instance"),
        ({"region": "europe"}, "--region"), ({"owner": "me"}, "--owner"),
        ({"max_runtime": 0}, "--max-runtime"), ({"max_runtime": True}, "--max-runtime"),
        ({"volume_gb": 0}, "--volume-gb"), ({"keep_alive": 3601}, "--keep-alive"),
        ({"subnets": ("subnet-1",)}, "--security-group"), ({"max_wait": 7200}, "--spot"),
        ({"spot": True, "max_wait": 3599}, "--max-wait of at least"),
        ({"spot": True, "keep_alive": 60}, "warm pool"),
    ],
)  # fmt: skip
def test_settings_that_cannot_be_are_refused(wrong, word):
    with pytest.raises(UsageError, match=re.escape(word)):
        Cloud(**{"bucket": "bucket", "prefix": "nas", "role": ROLE, **wrong})


def test_settings_know_their_places():
    cloud = Cloud("bucket", "/team/nas/", ROLE, spot=True)
    assert cloud.account == "123456789012"
    assert cloud.wait_seconds == 2 * cloud.max_runtime
    assert str(cloud.trial_result("R1", 7, 2)) == (
        "s3://bucket/team/nas/runs/R1/trials/7-2/result.json"
    )
    assert str(cloud.code("ab")) == "s3://bucket/team/nas/code/ab.tar.gz"
    assert str(Cloud("bucket", "", ROLE).run("R1")) == "s3://bucket/runs/R1"


@given(st.text(max_size=120), st.none() | st.integers(0, 10**9), st.integers(0, 999))
def test_a_jobs_name_is_one_that_the_service_takes(run, trial, attempt):
    name = job_name(run, trial, attempt)
    assert len(name) <= LONGEST_NAME and NAME.fullmatch(name)
    assert name == job_name(run, trial, attempt)
    assert name != job_name(run, trial, attempt + 1)
    assert name != job_name(run + "x", trial, attempt)


# The SDK's bootstrap puts hyperparameters between apostrophes; they are refused, see below.
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="'"), max_size=4000)


@given(
    st.dictionaries(
        TEXT, st.none() | st.booleans() | st.integers() | TEXT | st.lists(TEXT), max_size=6
    )
)
def test_arguments_of_any_length_come_back(arguments):
    found = hyperparameters("trial", arguments)
    assert all(len(value) <= 2500 for value in found.values()) and len(found) <= 100
    assert job_arguments(found) == ("trial", arguments)


def test_an_apostrophe_that_would_break_the_bootstrap_is_refused():
    with pytest.raises(UsageError, match="apostrophe"):
        hyperparameters("search", {"data": "it's"})


def test_arguments_that_no_job_can_carry_are_refused():
    with pytest.raises(UsageError, match="fewer trials per job"):
        hyperparameters("trial", {"specs": "x" * 300_000})


@pytest.mark.parametrize(
    "given", [{}, {"kind": "search"}, {"kind": "other", "arguments": "{}"},
              {"kind": "search", "arguments": "{"}, {"kind": "search", "arguments": "[]"}],
)  # fmt: skip
def test_hyperparameters_of_others_are_refused(given):
    with pytest.raises(UsageError, match="'kind' and 'arguments'"):
        job_arguments(given)
