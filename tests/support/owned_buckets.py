"""TEST EQUIPMENT: moto's server that knows whose a bucket is, as AWS does and moto does not.

Run as a script with a port. A call to a bucket of another account, or one that expects another
owner than the bucket has, is answered with 403. POST /bucket-owner/BUCKET/ACCOUNT gives a bucket
to an account; moto's own reset gives all back.
"""

import sys
from typing import Any
from urllib.request import Request, urlopen

ACCOUNT = "123456789012"  # moto's own, and the caller's
GIVE, RESET = "/bucket-owner/", "/moto-api/reset"
REFUSED = b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"


def give(url: str, bucket: str, account: str) -> None:
    """Tell a running server that a bucket is another account's."""
    urlopen(Request(f"{url}{GIVE}{bucket}/{account}", data=b"", method="POST")).close()


class Owned:
    """Stands before moto's application."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._others: dict[str, str] = {}

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        path = environ["PATH_INFO"]
        if path == RESET:
            self._others.clear()
        if path.startswith(GIVE):
            bucket, _, account = path.removeprefix(GIVE).partition("/")
            self._others[bucket] = account
            start_response("204 No Content", [])
            return []
        owner = self._others.get(path.lstrip("/").partition("/")[0], ACCOUNT)
        if owner == environ.get("HTTP_X_AMZ_EXPECTED_BUCKET_OWNER", ACCOUNT) == ACCOUNT:
            return self._app(environ, start_response)
        start_response("403 Forbidden", [("Content-Type", "application/xml")])
        return [b"" if environ["REQUEST_METHOD"] == "HEAD" else REFUSED]


def main(port: int) -> None:
    """Serve until the process is killed."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import run_simple

    run_simple(
        "127.0.0.1", port, Owned(DomainDispatcherApplication(create_backend_app)), threaded=True
    )


if __name__ == "__main__":
    main(int(sys.argv[1]))
