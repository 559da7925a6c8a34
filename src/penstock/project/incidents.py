"""checks/incidents.yml → IncidentsPiece: times that checks which look back leave out."""

from __future__ import annotations

from penstock.domain.check import Incident
from penstock.domain.relation import RelationName
from penstock.project.check_schema import IncidentsSpec
from penstock.project.pieces import IncidentsPiece, Marked, Mention
from penstock.project.problems import Problems
from penstock.project.validation import validate
from penstock.project.yaml import read


def incidents(text: str, path: str, problems: Problems) -> IncidentsPiece | None:
    """What the file marks; None when it cannot be read. What is wrong goes to `problems`."""
    document = read(text, path)
    spec = validate(IncidentsSpec, document.value, document, (), problems)
    if spec is None:
        return None
    found = []
    for index, each in enumerate(spec.incidents):
        if each.begin is not None and each.begin >= each.end:
            problems.add(
                "CHECK_OPTION",
                f"the incident is over ({each.end}) before it begins ({each.begin})",
                document.at("incidents", index, "to"),
                "`to` is the first moment after it: for one day, write the next",
            )
        place = Mention(RelationName.parse(each.relation), document.at("incidents", index, "relation"))
        found.append(Marked(place, Incident(each.begin, each.end, each.why), each.check))
    return IncidentsPiece(tuple(found))
