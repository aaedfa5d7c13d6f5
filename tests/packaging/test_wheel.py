"""What is built, and what is installed from it."""

import zipfile

import pytest

import flowy_watch

# One worker builds the wheel once for all of these.
pytestmark = pytest.mark.xdist_group("wheel")

TEMPLATES = (
    "import flowy_watch, importlib.resources as r;"
    "t = r.files(flowy_watch) / 'templates';"
    "print(sorted(d.name for d in t.iterdir() if d.is_dir()))"
)


@pytest.fixture(scope="module")
def installed(tmp_path_factory, wheel, install):
    return install(tmp_path_factory.mktemp("installed") / "venv", wheel)


def test_the_version_is_the_same_in_the_metadata_the_code_and_the_image(checkout, project):
    assert project["project"]["version"] == flowy_watch.__version__
    assert f"ARG VERSION={flowy_watch.__version__}\n" in (checkout / "Dockerfile").read_text()


def test_the_changelog_speaks_of_this_version(checkout):
    assert f"\n## [{flowy_watch.__version__}]" in (checkout / "CHANGELOG.md").read_text()


def test_the_wheel_holds_every_template_the_types_and_the_licence(checkout, wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    templates = {
        f"flowy_watch/{path.relative_to(checkout)}" for path in (checkout / "templates").rglob("*") if path.is_file()
    }
    assert templates, "templates/ is empty"
    assert templates <= names
    assert "flowy_watch/py.typed" in names
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)


def test_the_wheel_holds_every_module_and_nothing_beside_the_package(checkout, wheel):
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    modules = {str(path.relative_to(checkout)) for path in (checkout / "flowy_watch").rglob("*.py")}
    assert modules == {name for name in names if name.endswith(".py")}
    assert {name.split("/")[0] for name in names} == {"flowy_watch"}


def test_the_installed_wheel_finds_its_templates_away_from_the_checkout(installed, run, checkout, tmp_path):
    found = run(installed / "python", "-c", TEMPLATES, cwd=tmp_path)
    assert found.stdout.strip() == str(sorted(path.name for path in (checkout / "templates").iterdir())), found.stderr


def test_the_installed_command_says_its_version(installed, run, tmp_path):
    said = run(installed / "flowy-watch", "--version", cwd=tmp_path)
    assert (said.returncode, flowy_watch.__version__ in said.stdout) == (0, True), said.stderr


def test_an_editable_install_uses_the_checkout_and_its_templates(install, run, checkout, tmp_path):
    installed = install(tmp_path / "venv", "--no-build-isolation", "--editable", checkout)
    where = run(installed / "python", "-c", "import flowy_watch; print(flowy_watch.__path__[0])", cwd=tmp_path)
    assert where.stdout.strip() == str(checkout / "flowy_watch"), where.stderr
    said = run(installed / "flowy-watch", "--version", cwd=tmp_path)
    assert (said.returncode, flowy_watch.__version__ in said.stdout) == (0, True), said.stderr
