"""Every table has a schema, which is checked when the table is written and read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.artifacts.tables import (
    GENERATED,
    HISTORY,
    IMAGES,
    REJECTED,
    TRIALS,
    Reason,
    read_table,
    trials_schema,
    write_table,
)

VALUES_BY_KEY = {
    "model.latent_dim": [2, 4],
    "model.hidden": [[512, 256], [256]],
    "model.zero_log_variance": [True, False],
    "train.learning_rate": [1e-3, 1],
    "loss.free_bits": [None, 0.5],
}
SCHEMAS = {
    "images": IMAGES,
    "rejected": REJECTED,
    "trials": trials_schema(VALUES_BY_KEY),
    "history": HISTORY,
    "generated": GENERATED,
}
Row = dict[str, Any]
VALUES: dict[pa.DataType, st.SearchStrategy[Any]] = {
    pa.string(): st.text(),
    pa.int32(): st.integers(-(2**31), 2**31 - 1),
    pa.int64(): st.integers(-(2**63), 2**63 - 1),
    pa.float64(): st.floats(allow_nan=False),
    pa.bool_(): st.booleans(),
    pa.list_(pa.float64()): st.lists(st.floats(allow_nan=False), max_size=3),
    pa.list_(pa.float32()): st.lists(st.floats(allow_nan=False, width=32), max_size=3),
}


def rows_of(schema: pa.Schema) -> st.SearchStrategy[list[Row]]:
    """Generate rows that a schema allows."""
    fields = {field.name: VALUES[field.type] | st.none() if field.nullable else VALUES[field.type] for field in schema}
    return st.lists(st.fixed_dictionaries(fields), max_size=4)


def rejected(**changes: Any) -> Row:
    """Return a row of rejected.parquet."""
    return {"key": "a.png", "reason": str(Reason.EMPTY), "detail": "0 bytes", **changes}


@pytest.mark.parametrize("name", SCHEMAS)
def test_any_rows_read_back_unchanged(tmp_path: Path, name: str) -> None:
    schema = SCHEMAS[name]
    path = tmp_path / f"{name}.parquet"

    @given(rows=rows_of(schema))
    def check(rows: list[Row]) -> None:
        write_table(path, rows, schema)
        table = read_table(path, schema)
        assert table.schema == schema
        assert table.to_pylist() == rows

    check()


def test_a_table_is_written_unchanged(tmp_path: Path) -> None:
    table = pa.Table.from_pylist([rejected(), rejected(key="b.png")], schema=REJECTED)
    write_table(tmp_path / "rejected.parquet", table, REJECTED)
    assert read_table(tmp_path / "rejected.parquet", REJECTED) == table


def test_a_row_without_a_required_value_is_an_error(tmp_path: Path) -> None:
    for row in (rejected(detail=None), {"key": "a.png", "reason": "empty"}):
        with pytest.raises(ValueError, match=r"'detail'.*non-nullable"):
            write_table(tmp_path / "rejected.parquet", [row], REJECTED)


def test_a_value_of_the_wrong_type_is_an_error(tmp_path: Path) -> None:
    with pytest.raises((TypeError, ValueError)):
        write_table(tmp_path / "rejected.parquet", [rejected(key=7)], REJECTED)


def test_a_row_with_a_misspelt_column_is_an_error(tmp_path: Path) -> None:
    trial = {"trial": "0", "status": "FAILED", "epochs": 1, "epochs_run": 0, "images": 1, "raeson": "why"}
    with pytest.raises(ValueError, match="raeson"):
        write_table(tmp_path / "trials.parquet", [trial], TRIALS)


def test_the_trials_table_has_a_column_for_each_searched_key_with_the_type_of_its_values() -> None:
    assert trials_schema(VALUES_BY_KEY).names == [*TRIALS.names, *VALUES_BY_KEY]
    types = [str(trials_schema(VALUES_BY_KEY).field(key).type) for key in VALUES_BY_KEY]
    assert types == ["int64", "string", "bool", "double", "double"]


def test_writing_a_table_with_other_columns_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="names"):
        write_table(tmp_path / "rejected.parquet", pa.table({"file": ["a.png"]}), REJECTED)


@pytest.mark.parametrize(
    "columns",
    [
        {"key": ["a"], "reason": ["empty"]},
        {"key": ["a"], "reason": ["empty"], "detail": ["x"], "more": [1]},
        {"key": ["a"], "reason": ["empty"], "details": ["x"]},
        {"key": ["a"], "reason": ["empty"], "detail": [None]},
    ],
    ids=["missing", "added", "renamed", "null"],
)
def test_reading_a_file_with_other_columns_is_an_error(tmp_path: Path, columns: dict[str, list[Any]]) -> None:
    path = tmp_path / "rejected.parquet"
    pq.write_table(pa.table(columns), path)
    with pytest.raises(ValueError, match=r"names|null"):
        read_table(path, REJECTED)


def test_a_failed_write_leaves_the_former_table_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "rejected.parquet"
    write_table(path, [rejected()], REJECTED)
    with pytest.raises(ValueError, match="non-nullable"):
        write_table(path, [rejected(), rejected(reason=None)], REJECTED)
    assert read_table(path, REJECTED).to_pylist() == [rejected()]
    assert list(tmp_path.iterdir()) == [path]


def test_reading_a_truncated_file_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "rejected.parquet"
    write_table(path, [rejected()] * 100, REJECTED)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ValueError, match=r"[Pp]arquet"):
        read_table(path, REJECTED)


def test_the_values_of_reasons_are_their_names_in_small_letters() -> None:
    assert all(reason == reason.name.lower() for reason in Reason)
