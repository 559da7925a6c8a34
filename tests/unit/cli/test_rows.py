import json
from decimal import Decimal

import click
import pytest

from penstock.cli.rows import comma_separated, objects, write_rows
from penstock.domain.relation import Column
from penstock.domain.rows import Rows

FOUND = Rows(
    (Column("id", "BIGINT"), Column("id", "VARCHAR"), Column("amount", "DECIMAL(4,2)")),
    ((1, "a,b", Decimal("1.50")), (2, None, None), (3, "", Decimal("0.00")), (4, 'say "x"\n', None)),
    more=True,
)


def test_csv_tells_null_from_empty_text() -> None:
    assert comma_separated(FOUND) == 'id,id,amount\n1,"a,b",1.50\n2,,\n3,"",0.00\n4,"say ""x""\n",'


def test_json_keeps_columns_of_the_same_name_apart() -> None:
    told = objects(FOUND)
    assert [column["name"] for column in told["columns"]] == ["id", "id_1", "amount"]
    assert told["rows"][0] == {"id": 1, "id_1": "a,b", "amount": 1.5}
    assert told["more"] is True


def test_a_table_says_when_there_is_more(capsys: pytest.CaptureFixture[str]) -> None:
    write_rows(FOUND, as_json=False, as_csv=False, limit=4)
    out, err = capsys.readouterr()
    assert out.splitlines()[3].split() == ["2", "NULL", "NULL"]
    assert "there are more" in err


def test_json_on_stdout_is_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    write_rows(FOUND, as_json=True, as_csv=False, limit=4)
    assert len(json.loads(capsys.readouterr().out)["rows"]) == 4


def test_json_and_csv_at_once_cannot_be() -> None:
    with pytest.raises(click.UsageError):
        write_rows(FOUND, as_json=True, as_csv=True, limit=4)
