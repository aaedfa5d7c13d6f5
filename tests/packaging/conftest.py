"""The checkout, the tools around it, and the wheel as a user would get it."""

import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
from collections.abc import Callable
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def checkout() -> Path:
    return CHECKOUT


@pytest.fixture(scope="session")
def project() -> dict:
    """pyproject.toml."""
    return tomllib.loads((CHECKOUT / "pyproject.toml").read_text())


@pytest.fixture(scope="session")
def need() -> Callable[..., str]:
    """The path of the first usable one of these tools; without it the test fails where CI=true, else is skipped."""

    def need(*tools: str, usable: Callable[[str], bool] = lambda path: True) -> str:
        for tool in tools:
            if (path := shutil.which(tool)) and usable(path):
                return path
        reason = f"{' or '.join(tools)} is not installed; .ci/run installs it"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)

    return need


@pytest.fixture(scope="session")
def run() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs to the end and returns what was printed; the environment is that of a shell, not of `make test`."""
    inherited = ("MAKE", "MFLAGS", "COV_", "COVERAGE_", "PYTEST_", "FLOWY_WATCH", "PYTHONPATH", "VIRTUAL_ENV")
    environ = {name: value for name, value in os.environ.items() if not name.startswith(inherited)}

    def run(*command: str | Path, cwd: Path, **extra: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=cwd, env=environ | extra, capture_output=True, text=True, timeout=60, check=False
        )

    return run


@pytest.fixture(scope="session")
def wheel(tmp_path_factory, run) -> Path:
    """Built from the sdist, as a release is: a file the sdist forgets is missing from the wheel too."""
    out = tmp_path_factory.mktemp("dist")
    built = run(sys.executable, "-m", "build", "--no-isolation", "--outdir", out, ".", cwd=CHECKOUT)
    assert built.returncode == 0, built.stdout + built.stderr
    return next(out.glob("*.whl"))


@pytest.fixture(scope="session")
def install(run) -> Callable[..., Path]:
    """Makes an environment at a path, installs into it, and returns its bin directory.

    The dependencies are the ones of the running environment, by a .pth file: what is tested is our wheel, and
    downloading everything else would cost a minute.
    """

    def install(home: Path, *arguments: str | Path) -> Path:
        venv.create(home, with_pip=False, symlinks=True)
        python = home / "bin" / "python"
        paths = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=home.parent)
        Path(paths.stdout.strip(), "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
        pip = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "--python", python)
        done = run(*pip, "install", "--no-deps", "--no-index", *arguments, cwd=home.parent)
        assert done.returncode == 0, done.stdout + done.stderr
        return home / "bin"

    return install
