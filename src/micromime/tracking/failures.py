"""What MLflow's store says instead of doing as told, in words that help."""

import re
from typing import NamedTuple


class Failure(NamedTuple):
    """A way to fail, by what the error says."""

    says: str
    """A regular expression."""
    advice: str
    lasting: bool = True
    """Whether waiting is of no use, as the address is wrong. A login is given by others, and may come later."""


KNOWN = (
    Failure("Invalid Host header", "use the name of it that its admin allows (`mlflow server --allowed-hosts`)"),
    Failure(
        r"error code 40[13]\b|not authenticated|Unauthorized",
        "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD to what its admin has given you",
        lasting=False,
    ),
    Failure(
        "authentication failed|Access denied|(role|database) .* does not exist|Unknown database",
        "see user, password and name of the database in its address",
        lasting=False,
    ),
    Failure("WRONG_VERSION_NUMBER|RECORD_LAYER", "no https is spoken there: write http:// in its address"),
    Failure(
        "CERTIFICATE_VERIFY_FAILED",
        "name the host as its certificate does, or set MLFLOW_TRACKING_SERVER_CERT_PATH to what has signed that",
    ),
    Failure(
        r"error code 40[45]\b|not in a valid JSON format|BadStatusLine|no experiment",
        "another program, or an MLflow before 3.0, answers there: see host, port and path in its address",
    ),
    Failure("file lock", "another command prepares it: wait until that has ended, then try again", lasting=False),
    Failure("[Pp]roxy", "it is asked through a proxy: see HTTP_PROXY, HTTPS_PROXY and NO_PROXY", lasting=False),
    Failure(
        "Failed to resolve|Name or service not known|could not translate host name",
        "see the name of the host in its address, and whether this machine is in its network",
        lasting=False,
    ),
    Failure("[Rr]efused", "see that it is started, and host and port in its address", lasting=False),
    Failure(
        "Connection reset|closed connection|Connection aborted",
        "see that it works, and whether its address must begin with https://",
        lasting=False,
    ),
    Failure("[Tt]imed out|timeout expired", "see that it works, and host and port in its address", lasting=False),
    Failure("[0-9]+ error responses|error code 5", "see that it works: its log tells why it does not", lasting=False),
)
"""The first that fits counts."""

OTHER = Failure("", "see that it can be reached and written to, or set MLFLOW_TRACKING_URI to another store", False)


def failure(error: Exception) -> Failure:
    """Return which way of failing an error of MLflow, SQLAlchemy or the network is."""
    if getattr(error, "error_code", "") == "RESOURCE_DOES_NOT_EXIST":
        return OTHER._replace(advice="name what is there, or set MLFLOW_TRACKING_URI to the store that has it")
    return next((each for each in KNOWN if re.search(each.says, str(error))), OTHER)


def reason(error: Exception) -> str:
    """Return the first sentence of an error, of its innermost cause where the network failed."""
    text = str(error)
    if "(Caused by " in text:
        cause = text.partition("(Caused by ")[2]
        text = cause.rpartition(": ")[2].partition('")')[0] if '("' in cause else re.findall("'([^']*)'", cause)[-1]
    return text.strip().partition("\n")[0].partition(". ")[0].rstrip(".")
