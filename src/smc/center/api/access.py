"""Who may ask, and for what (ours): CreateAccessKey, DescribeAccessKeys, EnableAccessKey, DisableAccessKey,
DeleteAccessKey, CreateUser, DescribeUsers, SetPassword, DeleteUser."""

from typing import Annotated

import msgspec

from smc.center.access import Role
from smc.center.api.context import Context
from smc.center.api.words import check_name, written
from smc.rpc.dispatch import Actions, Caller, Reply, action
from smc.rpc.params import Request

Password = Annotated[str, msgspec.Meta(min_length=10, max_length=256)]


class CreateAccessKey(Request, frozen=True, kw_only=True):
    name: str
    role: Role = Role.OPERATOR


class OneAccessKey(Request, frozen=True, kw_only=True):
    access_key_id: str = msgspec.field(name="UserAccessKeyId")


class Nothing(Request, frozen=True, kw_only=True):
    pass


class CreateUser(Request, frozen=True, kw_only=True):
    user_name: str
    password: Password
    role: Role = Role.OPERATOR


class SetPassword(Request, frozen=True, kw_only=True):
    user_name: str
    password: Password


class OneUser(Request, frozen=True, kw_only=True):
    user_name: str


class AccessActions:
    def __init__(self, context: Context) -> None:
        self._keys = context.store.access_keys
        self._users = context.store.users

    def actions(self) -> Actions:
        return {
            "CreateAccessKey": action(CreateAccessKey, self._create_key),
            "DescribeAccessKeys": action(Nothing, self._describe_keys),
            "EnableAccessKey": action(OneAccessKey, self._enable_key),
            "DisableAccessKey": action(OneAccessKey, self._disable_key),
            "DeleteAccessKey": action(OneAccessKey, self._delete_key),
            "CreateUser": action(CreateUser, self._create_user),
            "DescribeUsers": action(Nothing, self._describe_users),
            "SetPassword": action(SetPassword, self._set_password),
            "DeleteUser": action(OneUser, self._delete_user),
        }

    def _create_key(self, request: CreateAccessKey, _caller: Caller) -> Reply:
        """A key to call this API with; its secret is in this answer and in no other. Roles: admin; operator,
        who may do all but manage keys and users; reader, who may call Describe* and List* only.
        """
        check_name(request.name, "Name")
        key = self._keys.create(request.name, request.role)
        return {
            "UserAccessKeyId": key.id,
            "UserAccessKeySecret": key.secret.reveal(),
            "Role": key.role.value,
        }

    def _describe_keys(self, _request: Nothing, caller: Caller) -> Reply:
        """All access keys, without their secrets; `Own` is the one that asks."""
        described = [
            {
                "UserAccessKeyId": key.id,
                "Name": key.name,
                "Role": key.role.value,
                "Status": "Inactive" if key.disabled else "Active",
                "Own": key.id == caller.access_key_id,
                "CreationTime": written(key.created),
            }
            for key in self._keys.list()
        ]
        return {"TotalCount": len(described), "AccessKeys": {"AccessKey": described}}

    def _enable_key(self, request: OneAccessKey, _caller: Caller) -> Reply:
        """Let a disabled key in again."""
        self._keys.disable(request.access_key_id, disabled=False)
        return {}

    def _disable_key(self, request: OneAccessKey, _caller: Caller) -> Reply:
        """Let a key in no more; refused for the last good one of an admin."""
        self._keys.disable(request.access_key_id)
        return {}

    def _delete_key(self, request: OneAccessKey, _caller: Caller) -> Reply:
        """Forget a key; refused for the last good one of an admin."""
        self._keys.delete(request.access_key_id)
        return {}

    def _create_user(self, request: CreateUser, _caller: Caller) -> Reply:
        """A person with a password of at least ten characters, for the console. Send it in the request's
        body: what is in a URL may be written down by a proxy.
        """
        check_name(request.user_name, "UserName")
        self._users.create(request.user_name, request.role, request.password)
        return {}

    def _describe_users(self, _request: Nothing, _caller: Caller) -> Reply:
        """All users and their roles."""
        described = [
            {"UserName": user.name, "Role": user.role.value, "CreationTime": written(user.created)}
            for user in self._users.list()
        ]
        return {"TotalCount": len(described), "Users": {"User": described}}

    def _set_password(self, request: SetPassword, _caller: Caller) -> Reply:
        """Give a user another password; as with CreateUser, in the body."""
        self._users.set_password(request.user_name, request.password)
        return {}

    def _delete_user(self, request: OneUser, _caller: Caller) -> Reply:
        """Forget a user."""
        self._users.delete(request.user_name)
        return {}
