"""The commands a person types in a fresh checkout."""

import shutil

import pytest


@pytest.fixture
def make(need, run, checkout):
    return lambda *arguments, cwd=checkout, **environ: run(need("make"), *arguments, cwd=cwd, **environ)


def test_make_alone_lists_what_there_is(make):
    listed = make().stdout
    assert [target for target in ("demo", "test", "lint", "bench", "clean") if f"make {target} " not in listed] == []


def test_make_test_is_every_check_and_the_tests(make):
    planned = make("--dry-run", "test").stdout
    wanted = ["ruff check", "ruff format --check", "mypy", "lint-imports", "pytest --cov"]
    assert [step for step in wanted if step not in planned] == []


def test_the_tests_fail_below_ninety_percent_of_branches(project):
    coverage = project["tool"]["coverage"]
    assert coverage["run"]["branch"] is True
    assert coverage["report"]["fail_under"] >= 90


def test_a_python_that_is_too_old_or_absent_is_named_before_anything_is_made(make, checkout, tmp_path):
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(checkout / name, tmp_path)
    refused = make("demo", "PYTHON=/nowhere/python3.9", cwd=tmp_path)
    assert refused.returncode != 0
    assert "/nowhere/python3.9 is missing, is older than 3.11 or cannot make a venv" in refused.stderr
    assert not (tmp_path / ".venv").exists()


def test_the_ci_command_is_executable_bash_and_ends_in_make_test(need, run, checkout):
    script = checkout / ".ci" / "run"
    assert script.stat().st_mode & 0o111
    assert run(need("bash"), "-n", script, cwd=checkout).stderr == ""
    assert script.read_text().splitlines()[-1] == "exec make test"
