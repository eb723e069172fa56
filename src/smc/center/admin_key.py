"""The admin's access key: made at the first start, kept in DATA_DIR/admin-key.json for the command line."""

import msgspec

from smc.base.files import write_atomic
from smc.center.app import Parts
from smc.center.settings import Settings
from smc.wire.dial import is_loopback

NAME = "admin"


class AdminKey(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The file, as `smc.client.api.Login` reads it."""

    endpoint: str
    access_key_id: str
    access_key_secret: str
    ca_file: str = ""

    def __repr__(self) -> str:
        return f"AdminKey({self.endpoint}, {self.access_key_id}, ***)"


def admin_key(parts: Parts) -> tuple[AdminKey, bool]:
    """The key, written to its file, and whether it was made just now."""
    known = parts.store.access_keys.admin_named(NAME)
    key = known or parts.store.access_keys.create(NAME)
    settings = parts.settings
    encrypted = not is_loopback(settings.listen.host)
    admin = AdminKey(
        endpoint=endpoint(settings),
        access_key_id=key.id,
        access_key_secret=key.secret.reveal(),
        ca_file=str(parts.trust.ca_file.resolve()) if encrypted else "",
    )
    content = msgspec.json.format(msgspec.json.encode(admin)) + b"\n"
    write_atomic(settings.data_dir / "admin-key.json", content, mode=0o600)
    return admin, known is None


def endpoint(settings: Settings) -> str:
    """Where this machine's own command line reaches the API."""
    address = settings.listen
    scheme = "http" if is_loopback(address.host) else "https"
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(address.host, address.url_host)
    return f"{scheme}://{host}:{address.port}"
