import pytest

from anomalylmm.errors import ConfigurationError
from flows.clocks.patterns import compile_pattern


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("(a+)+$", "no regular expression"),
        ("gate", "none of the parts"),
        ("{cam}/{any}", "unknown part {cam}"),
        ("{camera}/{camera}", "contains a part twice"),
        ("{any}" * 5, "at most 4 times"),
    ],
)
def test_a_pattern_that_can_not_be_meant_is_refused(pattern: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        compile_pattern(pattern, "UTC")
    assert message in str(error.value)
