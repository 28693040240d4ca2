"""Puts the product together: which adapter serves which port. Every part is made at its first use and can be replaced in tests."""

from functools import lru_cache

from quintet.bootstrap.services import Services
from quintet.domain.errors import Conflict

__all__ = ["Services", "seed_local_key", "services"]


@lru_cache(maxsize=1)
def services() -> Services:
    """The process's services, on AWS adapters."""
    return Services()


def seed_local_key(secret: str) -> None:
    """Makes the local cloud's admin key of project and namespace `default` known; only the local cloud calls this."""
    import hashlib

    from quintet.services.ports.keys import Key

    made = services()
    if not made.settings.local:
        raise Conflict("only the local cloud has a default key")
    digest = hashlib.sha256(secret.encode()).hexdigest()
    key = Key(
        "local", "default", "default", "local-dev", secret[:8], frozenset({"admin"}), made.clock.now(), "local-dev"
    )
    made.keys.put(digest, key)
