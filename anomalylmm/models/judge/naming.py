"""The id by which a judge's answers are kept."""

from anomalylmm.models.weights import ResolvedWeights

USUAL_NEW_TOKENS = 48  # longest answer; another length is another judge, since its answers are kept by the judge's id


def name_judge(weights: ResolvedWeights, *, max_pixels: int | None, max_new_tokens: int) -> str:
    """Names a judge by its weights and by the settings that change its answers."""
    name = weights.model_id + (f"@{max_pixels}px" if max_pixels else "")
    return name + (f"@{max_new_tokens}tokens" if max_new_tokens != USUAL_NEW_TOKENS else "")
