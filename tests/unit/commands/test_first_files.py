"""Files that are not what somebody thought: told from the project's folder on, with what to do."""

from __future__ import annotations

import io
import zipfile

import pytest
from tests.unit.commands.conftest import SOURCE, Folder

from penstock import Project
from penstock.errors import PenstockError


def failed(folder: Folder, content: bytes, name: str = "orders.csv", source: str = SOURCE) -> tuple[str, str, str, str]:
    """Code, message, place and fix of the one problem of a run."""
    (folder.root / "inbox/orders.csv").unlink()
    (folder.root / "inbox" / name).write_bytes(content)
    folder.write("sources/shop.yml", source)
    (found,) = (problem for step in folder.project.run().steps for problem in step.problems)
    return found.code, found.message, str(found.location), found.hint or ""


def workbook() -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")
    return target.getvalue()


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (workbook(), "Excel workbook"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"x" * 99, "old Excel"),
        (b"\x1f\x8b\x08\x00", "gzip"),
        (b"PAR1....PAR1", "Parquet"),
        (b"%PDF-1.7\n", "PDF"),
    ],
)
def test_a_file_that_is_no_text_is_called_by_its_name(folder: Folder, content: bytes, what: str) -> None:
    code, message, place, fix = failed(folder, content)
    assert (code, place) == ("NOT_TEXT", "inbox/orders.csv")
    assert what in message
    assert "CSV" in fix


def test_another_delimiter_is_proposed(folder: Folder) -> None:
    code, _, place, fix = failed(folder, b"id;region;amount\n1;north;10\n")
    assert (code, place) == ("COLUMN_MISSING", "inbox/orders.csv")
    assert 'declare `delimiter: ";"`' in fix
    proposed = SOURCE.replace("extract: full", 'extract: full, delimiter: ";"')
    folder.write("sources/shop.yml", proposed)
    folder.run()


def test_utf_16_without_a_mark_is_proposed(folder: Folder) -> None:
    text = "id,region,amount\n1,north,10\n".encode("utf-16-le")
    code, _, place, fix = failed(folder, text)
    assert (code, place) == ("NUL_BYTE", "inbox/orders.csv:1")
    assert "utf-16-le" in fix
    folder.write("sources/shop.yml", SOURCE.replace("extract: full", "extract: full, encoding: utf-16-le"))
    folder.run()
    assert folder.rows("SELECT id FROM raw.orders") == [(1,)]


def test_the_line_is_named_in_a_file_outside_of_the_project_too(folder: Folder) -> None:
    outside = folder.root.parent / f"{folder.root.name}-drop"
    outside.mkdir()
    (outside / "orders.csv").write_text("id,region,amount\n1,north\n")
    _, _, place, _ = failed(folder, b"", source=SOURCE.replace("root: inbox", f"root: {outside}"))
    assert place == f"{outside}/orders.csv:2"


def test_what_lies_in_the_folder_is_listed_when_nothing_matches(folder: Folder) -> None:
    code, _, place, fix = failed(folder, b"id\n1\n", name="Orders.CSV")
    assert (code, place) == ("SOURCE_MISSING", "sources/shop.yml:4:3")
    assert "there is: Orders.CSV" in fix


STREAM = """\"\"\"
---
reads: [raw.orders]
columns: [id]
---
\"\"\"
def model(orders):
    import pyarrow as pa

    def rows():
        yield pa.record_batch({"id": [1]})
        raise ValueError("half way: no more")

    return pa.RecordBatchReader.from_batches(pa.schema([("id", pa.int64())]), rows())
"""


def test_a_stream_that_breaks_off_is_told_like_any_error_of_a_model(folder: Folder) -> None:
    folder.write("models/stg/halves.py", STREAM)
    (found,) = (problem for step in folder.project.run().steps for problem in step.problems)
    assert (found.code, str(found.location)) == ("PYTHON_MODEL_FAILED", "models/stg/halves.py:12")
    assert found.message == "stg.halves: ValueError: half way: no more"


def test_a_package_that_is_not_there_is_to_be_installed(folder: Folder) -> None:
    folder.write("models/stg/far.py", STREAM.replace("def model", "import no_such_package\n\n\ndef model"))
    (found,) = (problem for step in folder.project.run().steps for problem in step.problems)
    assert "install no_such_package" in (found.hint or "")


def test_a_query_that_would_change_something_is_told_that_it_cannot(folder: Folder) -> None:
    folder.run()
    with pytest.raises(PenstockError) as caught:
        folder.project.query("UPDATE raw.orders_history SET amount = 0")
    assert "only reads" in (caught.value.problem.hint or "")


def test_a_project_can_be_made_from_python(folder: Folder) -> None:
    made = Project.init(folder.root / "new", example="shop")
    assert made.run().exit_code == 0
    assert (made.schema().directory / ".schema/source.json").is_file()
    with pytest.raises(PenstockError):
        Project.init(folder.root / "new")
