"""Activation codes: CreateAccessToken, ListAccessTokens, DisableAccessToken, DeleteAccessToken, and the
command that imports a server with one (ours: DescribeImportCommand)."""

from typing import Annotated

import msgspec

from smc.base.errors import UserError
from smc.center.api.context import Context
from smc.center.api.words import Text, check_free_text, check_ids, check_name, written
from smc.center.store.tokens import check
from smc.center.store.values import ActivationCode
from smc.model.job import TokenStatus
from smc.rpc.dispatch import Actions, Caller, Reply, action
from smc.rpc.params import Request
from smc.wire.oneliner import linux_command

PAGE_SIZE = 20  # of ListAccessTokens, which takes no page parameters


class CreateAccessToken(Request, frozen=True, kw_only=True):
    name: str = ""
    description: Text = ""
    count: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 100
    time_to_live_in_days: Annotated[int, msgspec.Meta(ge=1, le=90)] = 30
    workgroup_id: str = ""


class ListAccessTokens(Request, frozen=True, kw_only=True):
    access_token_id: tuple[str, ...] = ()
    name: str = ""
    status: TokenStatus | None = None


class OneAccessToken(Request, frozen=True, kw_only=True):
    access_token_id: str


class DescribeImportCommand(Request, frozen=True, kw_only=True):
    """`host`: by which the sources reach this center; default the center's public host."""

    access_token_id: str
    access_token_code: str
    host: str = ""


class TokenActions:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._codes = context.store.codes

    def actions(self) -> Actions:
        return {
            "CreateAccessToken": action(CreateAccessToken, self._create),
            "ListAccessTokens": action(ListAccessTokens, self._list),
            "DisableAccessToken": action(OneAccessToken, self._disable),
            "DeleteAccessToken": action(OneAccessToken, self._delete),
            "DescribeImportCommand": action(DescribeImportCommand, self._command),
        }

    def _create(self, request: CreateAccessToken, _caller: Caller) -> Reply:
        if request.name:
            check_name(request.name, "Name")
        check_free_text(request.description, "Description")
        code, text = self._codes.create(
            request.name,
            request.description,
            request.count,
            request.time_to_live_in_days,
            request.workgroup_id,
        )
        return {"AccessTokenId": code.id, "AccessTokenCode": text}

    def _list(self, request: ListAccessTokens, _caller: Caller) -> Reply:
        now = self._context.clock.now()
        found = self._codes.list(check_ids(request.access_token_id, "AccessTokenId"), request.name)
        codes = [code for code in found if request.status in (None, status_of(code, now))]
        return {
            "PageNumber": 1,
            "PageSize": max(PAGE_SIZE, len(codes)),
            "TotalCount": len(codes),
            "AccessTokens": {"AccessToken": [_described(code, now) for code in codes]},
        }

    def _disable(self, request: OneAccessToken, _caller: Caller) -> Reply:
        if not self._codes.disable(request.access_token_id):
            raise _unknown(request.access_token_id)
        return {}

    def _delete(self, request: OneAccessToken, _caller: Caller) -> Reply:
        if not self._codes.delete(request.access_token_id):
            raise _unknown(request.access_token_id)
        return {}

    def _command(self, request: DescribeImportCommand, _caller: Caller) -> Reply:
        """The line that imports a server with an activation code; run as root on it. `Host`: by which
        sources reach this center.
        """
        check(self._codes.find(request.access_token_id), request.access_token_code, self._context.clock.now())
        settings = self._context.settings
        command = linux_command(
            host=request.host or settings.public_host or "127.0.0.1",
            port=settings.agent_listen.port,
            ca_fingerprint=self._context.trust.fingerprint,
            agent_sha256=self._context.agent.sha256(),
            token_id=request.access_token_id,
            token_code=request.access_token_code,
        )
        return {"LinuxCommand": command}


def status_of(code: ActivationCode, now: float) -> TokenStatus:
    """Disabled outranks expired: it says that somebody decided so."""
    if code.disabled:
        return TokenStatus.UNACTIVATED
    return TokenStatus.EXPIRED if now >= code.expires else TokenStatus.ACTIVATED


def _described(code: ActivationCode, now: float) -> dict[str, str]:
    return {
        "AccessTokenId": code.id,
        "Name": code.name,
        "Description": code.description,
        "Count": str(code.count),
        "RegisteredCount": str(code.registered),
        "TimeToLiveInDays": str(code.ttl_days),
        "Status": status_of(code, now).value,
        "CreationTime": written(code.created),
        "WorkgroupId": code.workgroup,
    }


def _unknown(code_id: str) -> UserError:
    return UserError(
        f"There is no activation code {code_id}.",
        code="InvalidAccessTokenId.NotFound",
        hint="ListAccessTokens lists the codes.",
    )
