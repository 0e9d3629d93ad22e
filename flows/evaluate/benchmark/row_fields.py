"""Reads the fields that all benchmark files share: ids and captions, checked where they stand."""

from anomalylmm.errors import ConfigurationError, QueryError
from anomalylmm.query.masking import check_text


def read_id(value: object, where: str, key: str) -> str:
    """Reads an id that is a number or a string; 7 and "7" are the same.

    Raises:
        ConfigurationError: It is neither.
    """
    if isinstance(value, bool) or not isinstance(value, int | str) or not str(value).strip():
        raise ConfigurationError(f"{where}: {key}: expected a number or a string, found {value!r}")
    return str(value).strip()


def read_captions(value: object, where: str, key: str) -> tuple[str, ...]:
    """Reads a caption, or a list of captions, each of which can be asked.

    Raises:
        ConfigurationError: It is neither, or there is none.
        QueryError: A caption can't be a query; the reason is given.
    """
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
        raise ConfigurationError(f"{where}: {key}: expected a sentence or a list of sentences, found {value!r:.80}")
    for text in texts:
        try:
            check_text(text)
        except QueryError as error:
            raise QueryError(f"{where}: {key}: {error}") from error
    return tuple(texts)
