"""What can be wrong with a store of objects, in words that say what to do and hold no credentials."""

import contextlib
from collections.abc import Iterator

RIGHTS = "s3:ListBucket, s3:GetObject, s3:PutObject, s3:DeleteObject"


class CloudError(OSError):
    """An object cannot be read or written; the message names it and the remedy."""


class CloudExtraMissing(RuntimeError):
    """s3fs is not installed; the message names the extra."""


class NoSuchObject(CloudError, FileNotFoundError):
    """There is no object of that name."""


class Conflict(CloudError):
    """The condition of a write was not met: another one was there before."""


class Busy(CloudError):
    """Another write of the same object was under way."""


KINDS: dict[str, type[CloudError]] = {
    "404": NoSuchObject,
    "NoSuchKey": NoSuchObject,
    "PreconditionFailed": Conflict,
    "ConditionalRequestConflict": Busy,
}


@contextlib.contextmanager
def reported(doing: str, url: str) -> Iterator[None]:
    """What libraries raise becomes CloudError. Of their words only a code is taken over: some of them quote keys and addresses.

    doing: read, write, list or remove.
    """
    try:
        yield
    except CloudError:
        raise
    except Exception as error:  # of fsspec, s3fs, botocore, aiohttp: they share no class
        raise KINDS.get(_code(error), CloudError)(f"cannot {doing} {url}: {_reason(error, url)}") from None


def _reason(error: Exception, url: str) -> str:
    code, name = _code(error), type(error).__name__
    bucket = url.split("/")[2]
    if code == "NoSuchBucket":
        return f"there is no bucket {bucket}; make it, or correct its name (AWS_ENDPOINT_URL names another store)"
    if KINDS.get(code) is NoSuchObject:
        return "there is no such object"
    if name in ("NoCredentialsError", "PartialCredentialsError", "ProfileNotFound", "CredentialRetrievalError"):
        return "no credentials were found; set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    if isinstance(error, PermissionError):
        return f"no permission ({code}); the credentials in use need {RIGHTS} for the bucket {bucket}"
    if isinstance(error, TimeoutError | ConnectionError) or name.endswith(("ConnectionError", "TimeoutError")):
        return f"no connection to the store after several tries ({name}); the same command goes on when there is one"
    return f"the store refused ({code or name})"


def _code(error: BaseException) -> str:
    """The store's own word for it, such as AccessDenied; s3fs keeps botocore's error as the cause."""
    for one in (error, error.__cause__, error.__context__):
        response = getattr(one, "response", None)
        if isinstance(response, dict):
            return str(response.get("Error", {}).get("Code", ""))
    return ""
