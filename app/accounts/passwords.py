"""Hashes of passwords, all made and checked in one way."""

from werkzeug.security import check_password_hash, generate_password_hash

METHOD = "scrypt:32768:8:1"
# Of no known password: to look an unknown account up takes as long as a known one.
NOBODYS = f"{METHOD}${'x' * 16}${'0' * 128}"


def hashed(password: str) -> str:
    return generate_password_hash(password, METHOD)


def fits(kept: str | None, password: str) -> bool:
    """Tell whether a password is the one of a hash; it is none where there is no hash."""
    return check_password_hash(kept or NOBODYS, password)
