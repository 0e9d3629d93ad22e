"""Asks a judge once which words of a query to mask, and keeps the answer; knows no files."""

import hashlib
import json
from collections.abc import Mapping

from anomalylmm.errors import JudgeError
from anomalylmm.protocols import Judge
from anomalylmm.query.lexicon import Lexicon
from anomalylmm.query.masking import MAX_ANSWER_CHARACTERS, Masking, check_text, mask_by_lexicon, parse_masks
from anomalylmm.rerank.evidence import JudgementCache
from anomalylmm.rerank.prompts import GRAY, write_masking_prompt


class JudgeMasker:
    """Asks a judge for masks and keeps its answer by the text alone.

    Other masks make a new version of a query, which runs on the whole archive again. So another judge must not
    change them.
    """

    def __init__(self, judge: Judge, lexicon: Lexicon, cache: JudgementCache | None = None) -> None:
        self._judge, self._lexicon, self._cache = judge, lexicon, cache

    def mask(self, text: str) -> Masking:
        """Masks a query; if the judge fails or names nothing usable, the lexicon masks it, and a problem says so.

        Raises:
            QueryError: The text can't be used.
        """
        check_text(text)
        key = hashlib.sha256(json.dumps(["masks", text]).encode()).hexdigest()[:32]
        answer = self._known(key)
        if answer is None:
            try:
                answer = self._ask(write_masking_prompt(text))
            except JudgeError as error:
                return mask_by_lexicon(text, self._lexicon, [f"the judge named no masks: {str(error)[:300]}"])
            if self._cache is not None:
                self._cache.put_many({key: {"masks": answer}})
        return parse_masks(answer, text, self._lexicon)

    def _ask(self, prompt: str) -> str:
        answers = self._judge.complete([[GRAY]], prompt)
        if len(answers) != 1:
            raise JudgeError(f"the judge gave {len(answers)} answers for 1 query")
        return str(answers[0])[: MAX_ANSWER_CHARACTERS + 1]

    def _known(self, key: str) -> str | None:
        rows: Mapping[str, Mapping[str, object]] = {} if self._cache is None else self._cache.get_many([key])
        found = rows.get(key, {}).get("masks")
        return found if isinstance(found, str) else None
