"""Make .venv hold exactly what the lock says; does nothing when it already does.

Run by the Makefile with any Python 3. Needs only the standard library.
"""

import os
import sys

if sys.version_info < (3, 11):
    sys.exit(
        "Python {}.{} is too old, 3.11 or newer is needed. "
        "Name another one, for example: make setup PYTHON=python3.12".format(*sys.version_info[:2])
    )

import fcntl
import hashlib
import importlib.metadata
import importlib.util
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
VENV_PYTHON = VENV / "bin" / "python"
STAMP = VENV / "stamp"
LOCK = ROOT / "requirements-dev.lock"
UV_LOCK = ROOT / "requirements-uv.lock"
NO_VENV = (
    "This Python can make no virtual environment. On Debian or Ubuntu: apt install python3-venv"
)


class SetupError(Exception):
    """Set-up cannot go on; the message is the one line to show."""


def main() -> None:
    base, content = wanted_stamp()
    if is_current(base, content):
        return
    # Two terminals may start at once: the second waits here and then finds the work done.
    guard = os.open(ROOT, os.O_RDONLY)
    fcntl.flock(guard, fcntl.LOCK_EX)
    if is_current(base, content):
        return
    try:
        set_up(base, content)
    except SetupError as error:
        sys.exit(f"Set-up failed: {error}")
    except subprocess.CalledProcessError:
        sys.exit("Set-up failed, see the error above.")
    except KeyboardInterrupt:
        sys.exit("Set-up stopped; the next start begins again.")


def wanted_stamp() -> tuple[str, str]:
    """(what ties a .venv to this Python and folder, hash of everything installed into it)."""
    version = ".".join(map(str, sys.version_info[:3]))
    content = hashlib.sha256()
    for path in (LOCK, UV_LOCK, ROOT / "pyproject.toml"):
        content.update(path.read_bytes())
    return f"{version} {ROOT}", content.hexdigest()


def is_current(base: str, content: str) -> bool:
    try:
        return VENV_PYTHON.exists() and STAMP.read_text() == f"{base}\n{content}\n"
    except OSError:
        return False


def set_up(base: str, content: str) -> None:
    started = time.monotonic()
    print(
        f"Setting up .venv with Python {base.partition(' ')[0]} (only needed once) ...", flush=True
    )
    if not (STAMP.exists() and STAMP.read_text().startswith(f"{base}\n") and VENV_PYTHON.exists()):
        make_venv()
    STAMP.unlink(missing_ok=True)
    install()
    STAMP.write_text(f"{base}\n{content}\n")
    print(f"... ready after {time.monotonic() - started:.0f} s.", flush=True)


def make_venv() -> None:
    """A fresh .venv. This Python's pip can fill it, which saves installing pip there first."""
    create = [sys.executable, "-m", "venv", "--clear", str(VENV)]
    if importlib.util.find_spec("venv") is None:
        raise SetupError(NO_VENV)
    if own_pip_reaches_out():
        run([*create, "--without-pip"])
    elif importlib.util.find_spec("ensurepip") is not None:
        run(create)
    else:
        raise SetupError(NO_VENV)


def own_pip_reaches_out() -> bool:
    """Whether this Python has a pip with the option `--python`, which came with pip 22.3."""
    if importlib.util.find_spec("pip") is None:
        return False
    major, minor = importlib.metadata.version("pip").split(".")[:2]
    return (int(major), int(minor)) >= (22, 3)


def install() -> None:
    """The locked packages, then this project, editable; by uv, or by pip when uv cannot."""
    pip = pip_command()
    locked = ["--require-hashes", "-r", str(LOCK)]
    project = ["--no-deps", "--no-build-isolation", "-e", str(ROOT)]
    try:
        run([*pip, "install", "-qq", "--require-hashes", "-r", str(UV_LOCK)])
        uv = [str(VENV / "bin" / "uv"), "pip", "install", "--quiet", "--python", str(VENV_PYTHON)]
        environment = uv_environment(pip)
        run([*uv, *locked], environment)
        run([*uv, *project], environment)
    except (OSError, subprocess.CalledProcessError):
        print("uv could not install the packages; trying pip, which is slower ...", flush=True)
        run([*pip, "install", "-qq", *locked])
        run([*pip, "install", "-qq", *project])


def run(command: list[str], environment: dict[str, str] | None = None) -> None:
    subprocess.run(command, env=environment, check=True)


def pip_command() -> list[str]:
    """The .venv's pip, or this Python's pip working on the .venv."""
    options = ["--disable-pip-version-check"]
    if (VENV / "bin" / "pip").exists():
        return [str(VENV_PYTHON), "-m", "pip", *options]
    return [sys.executable, "-m", "pip", "--python", str(VENV_PYTHON), *options]


def uv_environment(pip: list[str]) -> dict[str, str]:
    """uv reads neither pip's configuration nor the system's certificates unless told to."""
    environment = dict(os.environ)
    environment["UV_PYTHON_DOWNLOADS"] = "never"
    settings = pip_settings(pip)
    if "SSL_CERT_FILE" not in environment:
        if "cert" in settings:
            environment["SSL_CERT_FILE"] = settings["cert"]
        else:
            environment.setdefault("UV_SYSTEM_CERTS", "1")
    if "index-url" in settings:
        environment.setdefault("UV_DEFAULT_INDEX", settings["index-url"])
    return environment


def pip_settings(pip: list[str]) -> dict[str, str]:
    """pip's effective settings by name: `install.` goes before `global.`, the environment first.

    The listing goes through pip's files by their paths, whichever of them counts.
    """
    settings: dict[str, dict[str, str]] = {"global": {}, "install": {}, ":env:": {}}
    for line in pip_config(pip, "list").splitlines():
        key, separator, value = line.partition("=")
        section, _, name = key.rpartition(".")
        if separator and section in settings:
            if name in settings[section]:
                value = pip_config(pip, "get", key)
            settings[section][name] = value.strip().strip("'\"")
    return settings["global"] | settings["install"] | settings[":env:"]


def pip_config(pip: list[str], *words: str) -> str:
    done = subprocess.run([*pip, "config", *words], capture_output=True, text=True, check=False)
    return done.stdout


if __name__ == "__main__":
    main()
