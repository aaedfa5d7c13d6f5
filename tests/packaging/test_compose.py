"""Running in containers."""

import re

import pytest


@pytest.fixture
def compose(need, run, checkout):
    """Docker's own reading of docker-compose.yml; needs no engine. A docker without the plugin is none."""

    def has_plugin(tool):  # as have_compose in .ci/run decides
        return not tool.endswith("/docker") or run(tool, "compose", "version", cwd=checkout).returncode == 0

    tool = need("docker-compose", "docker", usable=has_plugin)
    command = (tool, "compose") if tool.endswith("/docker") else (tool,)
    return lambda *arguments: run(*command, *arguments, cwd=checkout)


@pytest.fixture
def service(checkout):
    """The lines of one service."""
    text = (checkout / "docker-compose.yml").read_text()
    return lambda name: re.search(rf"^  {name}:\n((?:    .*\n|\n)+)", text, re.MULTILINE)[1]


@pytest.mark.parametrize(
    "profile", [(), ("--profile", "postgres"), ("--profile", "meter")], ids=["sqlite", "postgres", "meter"]
)
def test_the_compose_file_is_valid_in_a_fresh_checkout(compose, profile):
    checked = compose(*profile, "config", "-q")
    assert (checked.returncode, checked.stderr) == (0, "")


def test_postgresql_and_the_meter_run_only_when_asked_for(service):
    # `config --services` of docker-compose 1.29 lists every service, whatever its profile.
    assert "profiles: [postgres]" in service("postgres")
    assert "profiles: [meter]" in service("meter")
    assert "profiles:" not in service("flowy-watch")


@pytest.mark.parametrize("name", ["flowy-watch", "meter", "postgres"])
def test_every_container_is_hardened_and_says_whether_it_is_healthy(service, name):
    promised = [
        "read_only: true",
        "cap_drop: [ALL]",
        'security_opt: ["no-new-privileges:true"]',
        "- /tmp:rw,noexec,nosuid,nodev",
        "healthcheck:",
        "stop_grace_period:",
        "restart: unless-stopped",
    ]
    assert [promise for promise in promised if promise not in service(name)] == []
    assert re.search(r'user: "[1-9]\d*:[1-9]\d*"', service(name))


def test_ports_are_published_on_loopback_only(checkout):
    published = re.findall(r'- "(\S*:\d+)"', (checkout / "docker-compose.yml").read_text())
    assert published == ["127.0.0.1:8420:8420", "127.0.0.1:8430:8430"]


def test_the_configuration_cannot_be_written_and_secrets_are_files(service, checkout):
    assert "flowy-watch.toml:ro" in service("flowy-watch")
    for name in ("flowy-watch", "postgres"):
        values = re.findall(r"^      (\w*(?:TOKEN|PASSWORD|SECRET)\w*): (.*)", service(name), re.MULTILINE)
        assert values
        assert [name for name, value in values if not name.endswith("_FILE") or "/run/secrets/" not in value] == []


def test_the_image_runs_as_the_user_compose_names_and_gets_signals_itself(service, checkout):
    image = (checkout / "Dockerfile").read_text()
    assert "\nUSER 10001:10001\n" in image
    assert 'user: "10001:10001"' in service("flowy-watch")
    assert '\nENTRYPOINT ["flowy-watch"]\nCMD ["run"]\n' in image
    assert "\nSTOPSIGNAL SIGTERM\n" in image
    assert 'CMD ["flowy-watch", "status", "--json"]' in image
    assert "\nVOLUME /var/lib/flowy-watch\n" in image


def test_the_image_is_built_from_named_paths_only(checkout):
    ignored = (checkout / ".dockerignore").read_text().splitlines()
    assert "*" in ignored
    allowed = {line[1:] for line in ignored if line.startswith("!")}
    copied = re.findall(r"^COPY (?!--)(.*) \S+$", (checkout / "Dockerfile").read_text(), re.MULTILINE)
    assert {path for line in copied for path in line.split()} == allowed
