"""The IAM policies: named actions on one prefix, and nothing else.

That every call made in the tests is allowed by iam-policy.json is checked after each test that
uses the fixture `aws`.
"""

import pytest
from recorded_calls import POLICY, Call, allows, as_list, filled
from s3_server import POLICY_VALUES

ROLE_POLICY = POLICY.with_name("iam-role-policy.json")
TRUST = POLICY.with_name("iam-trust.json")
# Actions without resource-level permission; sagemaker/README.md has the reason of each.
WITHOUT_RESOURCE = {
    "sagemaker:ListTrainingJobs", "cloudwatch:PutMetricData", "ecr:GetAuthorizationToken",
}  # fmt: skip
BUCKET = "arn:aws:s3:::leaves-bucket"
JOBS = "arn:aws:sagemaker:us-east-1:123456789012:training-job"


def statements(path):
    return filled(path, POLICY_VALUES)["Statement"]


@pytest.mark.parametrize("path", [POLICY, ROLE_POLICY], ids=lambda path: path.name)
def test_actions_are_named_and_resources_too(path):
    for statement in statements(path):
        assert statement["Effect"] == "Allow"
        assert not {"NotAction", "NotResource"} & set(statement)
        for action in as_list(statement["Action"]):
            assert "*" not in action and "?" not in action
            if "*" in as_list(statement["Resource"]):
                assert action in WITHOUT_RESOURCE


@pytest.mark.parametrize("path", [POLICY, ROLE_POLICY], ids=lambda path: path.name)
def test_each_star_has_its_reason_on_the_page(path):
    page = path.with_name("README.md").read_text()
    for statement in statements(path):
        if "*" in as_list(statement["Resource"]):
            for action in as_list(statement["Action"]):
                assert f"`{action}`" in page


@pytest.mark.parametrize("path", [POLICY, ROLE_POLICY], ids=lambda path: path.name)
def test_s3_is_one_prefix_of_one_bucket(path):
    for statement in statements(path):
        for action in as_list(statement["Action"]):
            if action == "s3:ListBucket":
                assert statement["Condition"]["StringLike"] == {"s3:prefix": "nas/*"}
            if action.startswith("s3:") and action.endswith("Object"):
                assert statement["Resource"] == f"{BUCKET}/nas/*"


def test_one_role_can_be_passed_to_sagemaker_alone():
    (found,) = [item for item in statements(POLICY) if "iam:PassRole" in as_list(item["Action"])]
    assert found["Resource"] == "arn:aws:iam::123456789012:role/nas-role"
    assert found["Condition"] == {
        "StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}
    }


def test_the_role_trusts_sagemaker_in_one_account():
    (found,) = statements(TRUST)
    assert found["Principal"] == {"Service": "sagemaker.amazonaws.com"}
    assert found["Condition"] == {"StringEquals": {"aws:SourceAccount": "123456789012"}}


@pytest.mark.parametrize(
    ("call", "allowed"),
    [
        (Call("s3:GetObject", f"{BUCKET}/nas/data/x"), True),
        (Call("s3:GetObject", f"{BUCKET}/other/x"), False),
        (Call("s3:GetObject", "arn:aws:s3:::other/nas/x"), False),
        (Call("s3:DeleteObject", f"{BUCKET}/nas/x"), False),
        (Call("s3:ListBucket", BUCKET, prefix="nas/runs/R1/"), True),
        (Call("s3:ListBucket", BUCKET, prefix=""), False),
        (Call("s3:ListBucket", BUCKET), False),
        (Call("s3:CreateBucket", BUCKET), False),
        (Call("sagemaker:CreateTrainingJob", f"{JOBS}/nas-R1-a0"), True),
        (Call("sagemaker:StopTrainingJob", f"{JOBS}/somebody-elses"), False),
    ],
)
def test_the_check_of_calls_tells_right_from_wrong(call, allowed):
    assert allows(filled(POLICY, POLICY_VALUES), call) is allowed


def test_the_check_of_owners_can_fail():
    from recorded_calls import Calls

    without = Calls([Call("s3:GetObject", f"{BUCKET}/nas/x")])
    with pytest.raises(AssertionError):
        without.check(POLICY_VALUES)
