"""Who may do what: three roles, told apart by the names of the actions."""

from enum import Enum

from smc.base.errors import UserError


class Role(Enum):
    """Each may do what those after it may."""

    ADMIN = "admin"  # keys and users too
    OPERATOR = "operator"  # everything about sources and jobs
    READER = "reader"  # sees everything but secrets, changes nothing


READING = ("Describe", "List")
FOR_ADMINS = frozenset(
    {
        "CreateAccessKey",
        "EnableAccessKey",
        "DisableAccessKey",
        "DeleteAccessKey",
        "CreateUser",
        "DeleteUser",
        "SetPassword",
    }
)


def changes(action: str) -> bool:
    """Whether it is more than a look: then it is noted who asked for it."""
    return not action.startswith(READING)


def may(role: Role, action: str) -> bool:
    match role:
        case Role.ADMIN:
            return True
        case Role.OPERATOR:
            return action not in FOR_ADMINS
        case Role.READER:
            return not changes(action)


def refuse(role: Role, action: str) -> None:
    """Raises `UserError` (`Forbidden.RAM`) when the role does not allow the action."""
    if may(role, action):
        return
    needed = Role.ADMIN if action in FOR_ADMINS else Role.OPERATOR
    raise UserError(
        f"An access key with the role {role.value} may not call {action}.",
        code="Forbidden.RAM",
        hint=f"Use a key with the role {needed.value}. An admin makes one with `smc key create`.",
    )
