from dataclasses import dataclass

import pytest

from anomalylmm.records import shared_fields


@dataclass(frozen=True, kw_only=True)
class Wanted:
    name: str
    size: int
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Named:
    name: str
    other: str = ""


@dataclass(frozen=True, kw_only=True)
class Measured:
    name: str
    size: int


def test_a_record_is_made_of_what_others_have_under_the_same_names_and_the_first_counts() -> None:
    assert Wanted(**shared_fields(Wanted, Named(name="a"), Measured(name="b", size=3))) == Wanted(name="a", size=3)


def test_a_field_that_no_record_has_is_missed_at_once() -> None:
    with pytest.raises(TypeError, match="size"):
        Wanted(**shared_fields(Wanted, Named(name="a")))
