"""What a center is started with."""

from pathlib import Path

import msgspec

from smc.base.errors import UserError
from smc.base.secret import Secret
from smc.center.quotas import Quotas


class Address(msgspec.Struct, frozen=True, kw_only=True):
    host: str
    port: int

    @property
    def url_host(self) -> str:
        return f"[{self.host}]" if ":" in self.host else self.host


class Registry(msgspec.Struct, frozen=True, kw_only=True):
    """Where container images are pushed. `url` "": the center keeps them. `ca` is PEM."""

    url: str = ""
    user: str = ""
    password: Secret = Secret("")
    ca: str = ""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """`public_host`: by which other machines reach this one; "" when only this machine itself does."""

    data_dir: Path
    listen: Address = Address(host="127.0.0.1", port=8700)
    agent_listen: Address = Address(host="0.0.0.0", port=8701)
    public_host: str = ""
    agent_file: Path = Path("build/smc-agent")
    database_url: str = ""  # "": DATA_DIR/center.db
    region: str = "local"
    quotas: Quotas = Quotas()
    region_code: str = "lcl"  # three characters within ids
    event_days: float = 90.0  # for so long events are kept
    registry: Registry = Registry()

    @property
    def containers(self) -> Path:
        """A folder for each job that delivered its container image here."""
        return self.data_dir / "containers"


def read_address(text: str) -> Address:
    """`127.0.0.1:8700`, `[::1]:8700`. Raises `UserError` (`InvalidAddress`)."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise UserError(
            f"{text!r} is not an address to listen on", code="InvalidAddress", hint="Give HOST:PORT."
        )
    return Address(host=host.removeprefix("[").removesuffix("]"), port=int(port))


def read_registry(url: str, user: str, password_file: Path | None, ca_file: Path | None) -> Registry:
    """Raises `UserError` (`InvalidRegistry`)."""
    try:
        password = password_file.read_text().strip() if password_file else ""
        ca = ca_file.read_text() if ca_file else ""
    except (OSError, UnicodeDecodeError) as e:
        raise UserError(
            f"a file of the registry cannot be read: {e}",
            code="InvalidRegistry",
            hint="Look at --registry-password-file and --registry-ca.",
        ) from e
    if url and not url.startswith(("https://", "http://")):
        raise UserError(
            f"{url!r} is not the address of a registry",
            code="InvalidRegistry",
            hint="Give it as https://HOST[:PORT].",
        )
    if not url and (user or password or ca):
        raise UserError(
            "An account of a registry is given without its address.",
            code="InvalidRegistry",
            hint="Give --registry https://HOST[:PORT] too.",
        )
    return Registry(url=url, user=user, password=Secret(password), ca=ca)
