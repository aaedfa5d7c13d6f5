"""The versions an installation is made of."""

import re

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


def pins(checkout):
    lines = (checkout / "constraints.txt").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def test_every_line_is_one_exact_version_and_names_no_host(checkout):
    assert [pin for pin in pins(checkout) if not re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][0-9A-Za-z.]*", pin)] == []


def test_no_package_is_pinned_twice(checkout):
    names = [canonicalize_name(pin.split("==")[0]) for pin in pins(checkout)]
    assert len(names) == len(set(names))


def test_every_dependency_is_pinned_to_a_version_the_project_accepts(checkout, project):
    pinned = {canonicalize_name(name): version for name, version in (pin.split("==") for pin in pins(checkout))}
    asked = project["project"]["dependencies"] + project["build-system"]["requires"]
    asked += [line for extra in project["project"]["optional-dependencies"].values() for line in extra]
    asked = [Requirement(line) for line in asked if not line.startswith("flowy-watch")]
    assert [str(one) for one in asked if pinned.get(canonicalize_name(one.name)) is None] == []
    assert [str(one) for one in asked if pinned[canonicalize_name(one.name)] not in one.specifier] == []
