"""penstock.yml → ConfigPiece."""

from __future__ import annotations

from pathlib import PurePosixPath

from penstock import registry
from penstock.domain.environment import REPORTS, RETENTION, Environment
from penstock.domain.project import Scalar
from penstock.errors import Location
from penstock.project.layers import layers
from penstock.project.names import BUILT_IN_PARAMETERS
from penstock.project.pieces import ConfigPiece
from penstock.project.problems import Problems, did_you_mean
from penstock.project.schema import EnvironmentSpec, ProjectSpec
from penstock.project.validation import validate
from penstock.project.yaml import Document, read

DEFAULT_ENVIRONMENT = "dev"


def config(text: str, path: str, problems: Problems) -> ConfigPiece | None:
    """What penstock.yml declares; None after adding what keeps it from being read to `problems`."""
    document = read(text, path)
    spec = validate(ProjectSpec, {} if document.value is None else document.value, document, (), problems)
    if spec is None:
        return None
    environments = _environments(spec, document, problems)
    return ConfigPiece(
        name=spec.name,
        layers=layers(spec.layers, document, problems),
        environments=environments,
        default_environment=_default(spec, environments, document, problems),
        variables=_variables(spec, document, problems),
        places=_places(spec, document),
    )


def _environments(spec: ProjectSpec, document: Document, problems: Problems) -> tuple[Environment, ...]:
    found: list[Environment] = []
    homes: dict[str, str] = {}
    for name, each in (spec.environments or {DEFAULT_ENVIRONMENT: EnvironmentSpec()}).items():
        at = ("environments", name)
        if each.engine not in registry.kinds("engine"):
            known = ", ".join(registry.kinds("engine"))
            problems.add(
                "UNKNOWN_KIND",
                f"unknown engine {each.engine!r}",
                document.at(*at, "engine"),
                did_you_mean(each.engine, registry.kinds("engine"), f"use one of: {known}"),
            )
        home = each.home or f"data/{name}"
        normal = str(PurePosixPath(home))
        if normal in homes:
            problems.add(
                "SHARED_HOME",
                f"the environments {homes[normal]!r} and {name!r} have the same home {home!r}",
                document.at(*at, "home"),
                "give each environment a folder of its own",
            )
        homes[normal] = name
        roots = {source: root.root for source, root in each.sources.items()}
        found.append(
            Environment(
                name,
                each.engine,
                home,
                each.threads,
                each.memory_limit,
                roots,
                _retention(each),
                each.keep_reports or REPORTS,
            )
        )
    return tuple(found)


def _retention(spec: EnvironmentSpec) -> float:
    return RETENTION if spec.retention is None else float(spec.retention)


def _default(spec: ProjectSpec, environments: tuple[Environment, ...], document: Document, problems: Problems) -> str:
    names = [environment.name for environment in environments]
    if spec.default_environment is None:
        return DEFAULT_ENVIRONMENT if DEFAULT_ENVIRONMENT in names else names[0]
    if spec.default_environment not in names:
        problems.add(
            "UNKNOWN_ENVIRONMENT",
            f"default_environment names {spec.default_environment!r}, which is not an environment",
            document.at("default_environment"),
            did_you_mean(spec.default_environment, names, f"environments: {', '.join(names)}"),
        )
    return spec.default_environment


def _variables(spec: ProjectSpec, document: Document, problems: Problems) -> dict[str, Scalar]:
    for name, value in spec.variables.items():
        if name in BUILT_IN_PARAMETERS:
            problems.add(
                "RESERVED_NAME",
                f"${name} is a parameter that Penstock gives every model",
                document.key("variables", name),
                "choose another name for the variable",
            )
        if isinstance(value, str) and "\0" in value:
            problems.add(
                "BAD_VALUE", f"{name}: text with NUL cannot be used in SQL", document.at("variables", name), "remove it"
            )
        if isinstance(value, int) and abs(value) >= 2**127:
            problems.add(
                "BAD_VALUE",
                f"{name}: the number needs more than 128 bits",
                document.at("variables", name),
                "write it in quotes, as text",
            )
    return dict(spec.variables)


def _places(spec: ProjectSpec, document: Document) -> dict[str, Location]:
    return {
        source: document.key("environments", name, "sources", source)
        for name, each in spec.environments.items()
        for source in each.sources
    }
