"""Candidates become verdicts: questions to the judge, saliency, scores, pairs."""
