"""What AWS refuses becomes one line that says what to do, without secrets."""

import re

import pytest
from botocore import exceptions
from hypothesis import given
from hypothesis import strategies as st
from s3_server import BUCKET, CANARY, plain

from nas_core.cloud import client as clients
from nas_core.cloud import objects
from nas_core.cloud.address import S3Address
from nas_core.cloud.client import OWNER_VARIABLE, explained, owner_for, owner_of, s3, sagemaker
from nas_core.cloud.failures import QUOTA, THROTTLED, explain, is_busy
from nas_core.cloud.redaction import HIDDEN, redact
from nas_core.cloud.settings import Cloud
from nas_core.errors import CloudError, UsageError

ROLE = "arn:aws:iam::123456789012:role/nas-role"
HERE = S3Address(BUCKET, "nas/x/one.json")


def refused(code, message="no"):
    return exceptions.ClientError({"Error": {"Code": code, "Message": message}}, "Operation")


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (refused("ExpiredToken"), "sign in again"),
        (refused("ExpiredTokenException"), "sign in again"),
        (refused("InvalidAccessKeyId"), "check the credentials"),
        (refused("AccessDenied"), "--owner"),
        (refused("403"), "--owner"),
        (refused("NoSuchBucket"), "aws s3 mb"),
        (refused("PermanentRedirect"), "--region"),
        (refused("ThrottlingException"), "fewer --workers"),
        (refused("ResourceLimitExceeded"), "Service Quotas"),
        (refused("ValidationException", "Could not assume role"), "--role"),
        (refused("RequestTimeTooSkewed"), "clock"),
        (refused("SomethingNew"), "repeat the command"),
        (exceptions.NoCredentialsError(), "aws configure"),
        (exceptions.NoRegionError(), "--region"),
        (exceptions.EndpointConnectionError(endpoint_url="http://x"), "network"),
    ],
)
def test_each_refusal_says_what_to_do(error, advice):
    found = explain(error, "the bucket leaves")
    assert str(found).startswith("expected the bucket leaves, ")
    assert advice in str(found) and "\n" not in str(found)


def test_a_long_message_of_many_lines_becomes_one():
    found = str(explain(refused("ValidationException", "a\n b\t" * 500), "a job"))
    assert "\n" not in found and len(found) < 600


def test_what_may_succeed_later_is_known():
    assert all(is_busy(refused(code)) for code in (*THROTTLED, *QUOTA))
    assert not is_busy(refused("AccessDenied")) and not is_busy(ValueError())


@given(st.text(min_size=8, max_size=60), st.text(max_size=30), st.text(max_size=30))
def test_a_secret_is_never_shown(secret, before, after):
    found = redact(f"{before}{secret}{after}", {"MY_SECRET": secret, "HOME": "/root/abcdefgh"})
    assert secret not in found.replace(HIDDEN, "") or secret in before + HIDDEN + after


def test_key_ids_and_signatures_are_hidden():
    text = "AKIAIOSFODNN7EXAMPLE http://x/?X-Amz-Signature=abc123&X-Amz-Credential=me/1&n=1"
    found = redact(text, {})
    assert found == f"{HIDDEN} http://x/?X-Amz-Signature={HIDDEN}&X-Amz-Credential={HIDDEN}&n=1"
    assert redact("the word token stays", {"TOKEN": "the"}) == "the word token stays"


def test_the_owner_is_named_or_the_roles_or_the_callers(aws, monkeypatch):
    cloud = Cloud(BUCKET, "nas", ROLE.replace("123456789012", "210987654321"))
    assert owner_for(cloud) == "210987654321"
    assert owner_of(None) == "123456789012"  # by STS
    monkeypatch.setenv(OWNER_VARIABLE, "111122223333")
    assert owner_for(cloud) == owner_of(None) == "111122223333"
    assert owner_of("444455556666") == "444455556666"
    monkeypatch.setenv(OWNER_VARIABLE, "me")
    with pytest.raises(UsageError, match="twelve digits"):
        owner_of(None)


def test_without_credentials_one_line(aws, monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(CloudError, match="aws configure"):
        owner_of(None, "eu-west-1")
    with pytest.raises(CloudError, match="aws configure"):
        objects.get(s3(owner="123456789012"), HERE)


def test_no_region_is_a_usage_error(aws, monkeypatch):
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    with pytest.raises(UsageError, match="--region"):
        sagemaker()


def test_objects_are_read_written_once_and_listed(bucket):
    client = s3()
    assert objects.get(client, HERE) is None and objects.get_json(client, HERE) is None
    assert objects.put_once(client, HERE, b'{"a": 1}') is True
    assert objects.put_once(client, HERE, b'{"a": 2}') is False
    assert objects.get_json(client, HERE) == {"a": 1}
    objects.put(client, HERE, b"{")
    with pytest.raises(CloudError, match="expected JSON"):
        objects.get_json(client, HERE)
    for number in range(3):
        objects.put(client, S3Address(bucket, f"nas/x/{number}"), b"abc")
    found = list(objects.sizes(client, S3Address(bucket, "nas/x")))
    assert [(str(address)[-1], size) for address, size in found[:3]] == [
        ("0", 3),
        ("1", 3),
        ("2", 3),
    ]


def test_an_encrypted_bucket_gets_the_key_on_every_write(bucket):
    objects.put(s3(kms_key="my-key"), HERE, b"abc")
    head = plain("s3").head_object(Bucket=bucket, Key=HERE.key)
    assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", "my-key")


def test_a_bucket_that_is_missing_is_one_line(aws):
    with pytest.raises(CloudError, match="aws s3 mb") as caught:
        objects.put(s3(), HERE, b"abc")
    assert caught.value.code == "NoSuchBucket"


def test_retries_are_bounded_and_the_users_number_counts(aws, monkeypatch):
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "2")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")  # nobody listens there
    sent = []
    client = s3(owner="123456789012")
    client.meta.events.register("before-send.s3", lambda **_: sent.append(1))
    with pytest.raises(CloudError, match="network"):
        objects.get(client, HERE)
    assert len(sent) == 2
    assert clients.ATTEMPTS == 10


def test_a_server_that_is_too_busy_is_asked_again(bucket):
    from botocore.awsrequest import AWSResponse

    class Raw:
        def stream(self, **_):
            yield b"<Error><Code>SlowDown</Code><Message>Reduce your rate.</Message></Error>"

    client, answers = s3(), []

    def busy(request, **_):
        answers.append(503 if len(answers) < 2 else 200)
        return AWSResponse(request.url, 503, {}, Raw()) if answers[-1] == 503 else None

    client.meta.events.register("before-send.s3.PutObject", busy)
    objects.put(client, HERE, b"abc")
    assert answers == [503, 503, 200] and objects.get(client, HERE) == b"abc"


def test_no_secret_in_an_error(aws):
    with pytest.raises(CloudError) as caught, explained("a thing"):
        raise refused("AccessDenied", f"key {CANARY} of AKIAIOSFODNN7EXAMPLE")
    assert CANARY not in str(caught.value) and not re.search("AKIA", str(caught.value))
