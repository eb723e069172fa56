"""Where a subscription's messages go, as one URL: a webhook or e-mail; what of it may be shown."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlencode, urlsplit, urlunsplit

from apprise import AppriseAsset
from apprise.plugins.base import NotifyBase
from apprise.plugins.custom_json import NotifyJSON
from apprise.plugins.email import NotifyEmail

from smc.base.errors import UserError

HIDDEN = "***"
WEBHOOKS = ("http", "https")
MAILS = ("mailto", "mailtos")
MAIL_OPTIONS = ("from", "to", "cc", "bcc", "reply", "name", "mode", "smtp")
CONNECT_SECONDS, READ_SECONDS = 10, 20
HINT = (
    "A webhook is https://HOST/PATH, which gets a POST with JSON; e-mail is "
    "mailtos://USER:PASSWORD@SERVER:PORT?from=ADDRESS&to=ADDRESS (mailto:// without encryption)."
)


def check(url: str) -> str:
    """Raises `UserError` (`InvalidParameter.Url`)."""
    parts, options = _split(url)
    if parts.scheme in MAILS:
        if wrong := sorted(options.keys() - set(MAIL_OPTIONS)):
            raise _invalid(f"the option {wrong[0]} is not known for e-mail")
        if "@" not in options.get("to", ""):
            raise _invalid("it does not say to whom the e-mail goes")
    return url


def shown(url: str) -> str:
    """For people and logs: without password, and of a webhook without path and query, which hold its key."""
    parts, options = _split(url)
    user = f"{parts.username}:{HIDDEN}@" if parts.password else f"{parts.username}@" if parts.username else ""
    host = user + (parts.netloc.rpartition("@")[2])
    if parts.scheme in MAILS:
        return urlunsplit((parts.scheme, host, parts.path, urlencode(options, safe="@,+:"), ""))
    secret = HIDDEN if parts.path.strip("/") or options else ""
    return f"{parts.scheme}://{host}/{secret}"


def hide(text: str, url: str) -> str:
    """`text`, which an error may have put a part of the URL into, without what is secret of it."""
    parts, options = _split(url)
    secrets = [url, parts.password or "", unquote(parts.password or "")]
    if parts.scheme in WEBHOOKS:
        secrets += [parts.path.strip("/"), parts.query, *options.values()]
    for secret in sorted({secret for secret in secrets if len(secret) > 2}, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return text


def service_of(url: str, facts: Mapping[str, str], asset: AppriseAsset) -> NotifyBase:
    """What apprise sends with; a webhook's JSON has the `facts` beside title and message.

    The two services are named here, for apprise would load all of its hundred and more to find them.
    """
    parts, options = _split(url)
    if parts.scheme in MAILS:
        options |= {"cto": str(CONNECT_SECONDS), "rto": str(READ_SECONDS), "format": "text"}
        path = parts.path or "/"
        text = urlunsplit((parts.scheme, parts.netloc, path, urlencode(options, safe="@,"), ""))
        return NotifyEmail(**NotifyEmail.parse_url(text), asset=asset)
    return NotifyJSON(**_webhook(parts, options, facts), asset=asset)


def _webhook(parts: SplitResult, options: dict[str, str], facts: Mapping[str, str]) -> dict[str, Any]:
    # Any: apprise's own arguments
    return {
        "secure": parts.scheme == "https",
        "host": f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname,
        "port": parts.port,
        "user": unquote(parts.username) if parts.username else None,
        "password": unquote(parts.password) if parts.password else None,
        "fullpath": parts.path,
        "params": options,
        "payload": dict(facts),
        "cto": CONNECT_SECONDS,
        "rto": READ_SECONDS,
    }


def _split(url: str) -> tuple[SplitResult, dict[str, str]]:
    try:
        parts = urlsplit(url)
        options = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
        known = parts.scheme in (*WEBHOOKS, *MAILS) and parts.hostname and (parts.port or 1) > 0
    except ValueError as e:
        raise _invalid(str(e)) from e
    if not known:
        raise _invalid("its scheme is none of http, https, mailto, mailtos, or it has no host")
    return parts, options


def _invalid(why: str) -> UserError:
    return UserError(f"This URL cannot be sent to: {why}.", code="InvalidParameter.Url", hint=HINT)
