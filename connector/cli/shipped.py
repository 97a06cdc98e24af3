"""The configuration that comes with the connector: `init` writes it, the demo runs it."""

from __future__ import annotations

from pathlib import Path

import connector

ENVIRONMENT = ".env.example"


def files() -> dict[str, bytes]:
    """Relative name -> content: connector.yaml, rules.yaml, topics.yaml, mails, .env.example.

    Never anything else: a `.env` with somebody's secrets may lie beside them.
    """
    package = Path(connector.__file__).parent
    installed = package / "shipped"  # in a wheel; the repository has the same files at its root
    config = installed if installed.is_dir() else package.parent / "config"
    example = (installed if installed.is_dir() else package.parent) / ENVIRONMENT
    names = ("connector.yaml", "rules.yaml", "topics.yaml")
    templates = sorted((config / "templates").glob("*/*.*"))
    found = {str(path.relative_to(config)): path for path in templates}
    found |= {name: config / name for name in names}
    return {name: path.read_bytes() for name, path in {**found, ENVIRONMENT: example}.items()}


def write(directory: Path, content: dict[str, bytes]) -> None:
    """Write files below `directory`, which is made if need be; what stands there is replaced."""
    for name, data in content.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name == ENVIRONMENT:
            write_private(path, data)
        else:
            path.write_bytes(data)


def write_private(path: Path, data: bytes) -> None:
    """For the owner's eyes alone; a copy that `cp` makes is so as well."""
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_bytes(data)
