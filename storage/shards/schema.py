"""The columns of ``crops.parquet``, and the conversion of rows to tables and back."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa

from anomalylmm.errors import ShapeError, StoreError
from anomalylmm.records import Body, CropRow, Floats

SCHEMA_VERSION = 3  # version 1 had no body columns, version 2 no rise, sit and wave
READABLE_VERSIONS = (1, 2, 3)
_BOX = pa.list_(pa.float32(), 4)
_SCALARS: tuple[tuple[str, pa.DataType], ...] = (
    ("crop_id", pa.string()),
    ("tracklet_id", pa.string()),
    ("video_id", pa.string()),
    ("video_path", pa.string()),
    ("camera", pa.string()),
    ("pts_seconds", pa.float64()),
    ("wall_clock_utc", pa.timestamp("us", tz="UTC")),
    ("clock_source", pa.string()),
    ("frame_width_px", pa.int32()),
    ("frame_height_px", pa.int32()),
    ("score", pa.float64()),
    ("sharpness", pa.float64()),
    ("tracklet_start_seconds", pa.float64()),
    ("tracklet_stop_seconds", pa.float64()),
    ("tracklet_num_detections", pa.int32()),
)
_BOXES = ("box_xyxy_px", "context_xyxy_px")
_BODY: tuple[tuple[str, pa.DataType], ...] = (  # empty if no pose was estimated
    ("posture", pa.string()),
    ("fall_score", pa.float64()),
    ("run_score", pa.float64()),
    ("rise_score", pa.float64()),  # empty without a sequence head, as the next two
    ("sit_score", pa.float64()),
    ("wave_score", pa.float64()),
    ("trunk_angle_degrees", pa.float64()),
    ("height_ratio", pa.float64()),
    ("posture_scores", pa.list_(pa.float32())),
    ("keypoints", pa.list_(pa.float32())),  # x, y, score of 17 points
)
_BODY_ARRAYS = ("posture_scores", "keypoints")
LIGHT_COLUMNS = (*(name for name, _ in _SCALARS), *_BOXES)  # all except body, picture and vector
_LIGHT_FIELDS = [
    *(pa.field(name, kind, nullable=False) for name, kind in _SCALARS),
    *(pa.field(name, _BOX, nullable=False) for name in _BOXES),
]
BODY_SQL_TYPES = {  # the same types in DuckDB
    name: {pa.string(): "VARCHAR", pa.float64(): "DOUBLE"}.get(kind, "FLOAT[]") for name, kind in _BODY
}
_BODY_FIELDS = [pa.field(name, kind) for name, kind in _BODY]
_JPEG = pa.field("jpeg", pa.binary(), nullable=False)


def crops_schema(dimension: int, about: Mapping[str, str] | None = None) -> pa.Schema:
    """Arrow schema of ``crops.parquet``; ``about`` is more metadata, such as its pipeline and encoder."""
    vector = pa.field("vector", pa.list_(pa.float32(), dimension), nullable=False)
    metadata = {"anomalylmm.schema_version": str(SCHEMA_VERSION), **(about or {})}
    return pa.schema([*_LIGHT_FIELDS, *_BODY_FIELDS, _JPEG, vector], metadata=metadata)


def crops_view_schema() -> pa.Schema:
    """Arrow schema of the ``crops`` view: everything except the vector, whose size depends on the encoder."""
    return pa.schema([*_LIGHT_FIELDS, *_BODY_FIELDS, _JPEG])


def clean_text(text: str) -> str:
    r"""Text that UTF-8 can encode: other bytes of a file name are shown as ``\xff``."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return text


def require_utc(name: str, moment: datetime) -> datetime:
    """Converts a time to UTC.

    Raises:
        StoreError: If it has no time zone.
    """
    if moment.tzinfo is None:
        raise StoreError(f"{name} must have a time zone, but {moment.isoformat()} has none")
    return moment.astimezone(UTC)


def rows_to_table(rows: Sequence[CropRow], schema: pa.Schema) -> pa.Table:
    """Converts rows to a table with the columns of ``crops_schema``.

    Raises:
        ShapeError: If a vector does not have the schema's dimension.
        StoreError: If a wall clock has no time zone.
    """
    arrays = [pa.array([_scalar(row, name) for row in rows], kind) for name, kind in _SCALARS]
    arrays += [pa.array([getattr(row, name) for row in rows], _BOX) for name in _BOXES]
    arrays += [pa.array([_body_value(row.body, name) for row in rows], kind) for name, kind in _BODY]
    arrays.append(pa.array([row.jpeg for row in rows], pa.binary()))
    arrays.append(_vectors_to_array([row.vector for row in rows], schema.field("vector").type.list_size))
    return pa.Table.from_arrays(arrays, schema=schema)


def table_to_rows(table: pa.Table) -> list[CropRow]:
    """Converts a table with all columns of ``crops_schema`` to rows; older ones have no body or less of it."""
    vectors = table_vectors(table)
    columns = {name: table.column(name).to_pylist() for name in (*LIGHT_COLUMNS, "jpeg")}
    body = {name: table.column(name).to_pylist() for name, _ in _BODY if name in table.column_names}
    return [
        CropRow(**_values(columns, number), vector=vectors[number], body=_read_body(body, number))
        for number in range(table.num_rows)
    ]


def table_vectors(table: pa.Table) -> Floats:
    """Vectors of a table, (N, D)."""
    column = table.column("vector").combine_chunks()
    if isinstance(column, pa.ChunkedArray):
        column = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
    flat = column.flatten().to_numpy(zero_copy_only=False)
    return np.asarray(flat, dtype=np.float32).reshape(len(column), column.type.list_size)


def _scalar(row: CropRow, name: str) -> Any:
    value = getattr(row, name)
    if isinstance(value, str):
        return clean_text(value)
    return require_utc(name, value) if isinstance(value, datetime) else value


def _body_value(body: Body | None, name: str) -> Any:
    value = getattr(body, name, None)
    return np.asarray(value, np.float32).ravel() if value is not None and name in _BODY_ARRAYS else value


def _read_body(columns: Mapping[str, list[Any]], number: int) -> Body | None:
    values = {name: values[number] for name, values in columns.items()}
    if not values or values["posture"] is None:
        return None
    values["posture_scores"] = np.array(values["posture_scores"], np.float32)
    values["keypoints"] = np.array(values["keypoints"], np.float32).reshape(-1, 3)
    return Body(**values)


def _values(columns: Mapping[str, list[Any]], number: int) -> dict[str, Any]:
    values = {name: values[number] for name, values in columns.items()}
    values["wall_clock_utc"] = values["wall_clock_utc"].astimezone(UTC)
    for name in _BOXES:
        values[name] = tuple(values[name])
    return values


def _vectors_to_array(vectors: Sequence[Floats], dimension: int) -> pa.FixedSizeListArray:
    for vector in vectors:
        if vector.shape != (dimension,):
            raise ShapeError.of("vector", f"({dimension},)", vector.shape)
    flat = np.concatenate([np.zeros(0, np.float32), *vectors]).astype(np.float32, copy=False)
    return pa.FixedSizeListArray.from_arrays(pa.array(flat, pa.float32()), dimension)
