"""The sections about how candidates are found and judged."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from anomalylmm.records import SlotKind
from flows.settings.sections import GRAPH_RUNTIME, GraphRuntime, PixelArea, Seconds, Section, Unit


class EndpointSettings(Section):
    """An OpenAI-compatible server as the judge. Pictures of people are sent to it."""

    base_url: str = Field("http://127.0.0.1:8000/v1", description="address of the server, including /v1")
    model: str = Field("", description="name of the model on the server")
    api_key_env: str = Field("", description="environment variable with the API key; empty if the server needs none")
    timeout_seconds: Seconds = Field(120.0, gt=0, le=3600, description="time limit for one try of one question")
    retries: int = Field(3, ge=0, le=20, description="further tries if the server is busy or can't be reached")
    concurrency: int = Field(8, ge=1, le=256, description="questions in progress at once")
    scoring: Literal["auto", "text", "first_token"] = Field(
        "auto",
        description="how likelihoods are requested: text (exact), first_token (works with nearly all servers), "
        "auto (whatever the server supports)",
    )
    top_logprobs: int = Field(
        20, ge=2, le=1000, description="number of likeliest tokens to request; servers usually allow 20"
    )


class JudgeSettings(Section):
    """Which large multi-modal model judges candidates."""

    family: Literal["transformers", "reranker", "endpoint"] = Field(
        "transformers", description="transformers: local chat model; reranker: local yes/no model; endpoint: server"
    )
    weights: str = Field(
        "pocket/judge", description="path, name of shipped weights or hub name; not used by an endpoint"
    )
    batch_size: Annotated[int, Unit("candidates")] = Field(16, ge=1, description="candidates judged together")
    max_views: Annotated[int, Unit("images")] = Field(
        1, ge=1, le=16, description="images of one candidate that the judge sees"
    )
    max_pixels: PixelArea = Field(None, ge=1, description="maximum number of pixels of one image that the judge sees")
    max_new_tokens: Annotated[int, Unit("tokens")] = Field(
        48, ge=1, le=4096, description='longest answer of the judge; with masking = "judge" about 20 per mask'
    )
    runtime: GraphRuntime = Field("auto", description=GRAPH_RUNTIME)
    maps: bool = Field(
        False, description="locate words in a picture with the judge's gradients instead of the encoder's patches"
    )
    endpoint: EndpointSettings = EndpointSettings()

    @model_validator(mode="after")
    def _check_model(self) -> "JudgeSettings":
        if self.family == "endpoint" and not self.endpoint.model:
            raise ValueError("an endpoint needs endpoint.model, the name of the model on the server")
        if self.family == "endpoint" and self.maps:
            raise ValueError("judge.maps needs a local judge, because an endpoint returns no gradients")
        if self.runtime == "onnxruntime" and not self.can_run_graphs:
            raise ValueError('runtime = "onnxruntime" is for family = "transformers" without maps and max_pixels')
        return self

    @property
    def can_run_graphs(self) -> bool:
        """Whether nothing is asked of the judge that only torch can do."""
        return self.family == "transformers" and not self.maps and self.max_pixels is None


class CoarseSettings(Section):
    """What the coarse search uses in addition to the encoder."""

    posture_weight: float = Field(
        5.0, ge=0, description="weight of a clearly shown posture, in standard deviations; 0: ignore postures"
    )


class RerankSettingsSection(Section):
    """A preset for re-ranking and changes to it (see ``anomalylmm/rerank/score.py``)."""

    preset: Literal["default", "paper"] = Field("default", description="source of all values below that you do not set")
    fusion: Literal["mean", "product"] | None = Field(
        None,
        description="mean: the weighted mean of the paper, with the rank; product: probabilities and the z-score",
    )
    match_weight: float | None = Field(None, ge=0, description="weight of the judge's answers about the masked words")
    affirm_weight: float | None = Field(
        None, ge=0, description="weight of the judge's yes or no to the whole sentence; 0: do not ask"
    )
    rank_weight: float | None = Field(None, ge=0, description="weight of the coarse rank in the mean")
    coarse_weight: float | None = Field(None, ge=0, description="weight of the coarse z-score in the product")
    posture_weight: float | None = Field(
        None, ge=0, le=1, description="share of the joints next to the judge (0 to 1), for behaviors that joints show"
    )
    reading: Literal["generate", "likelihood", "both"] | None = Field(
        None,
        description="how the judge fills a blank: generate (writes a word), likelihood (compares given words), both",
    )
    saliency: bool | None = Field(None, description="weight masked words by how much the picture decides them")
    focus: bool | None = Field(None, description="add a view of the region that shows the behavior")
    max_images: Annotated[int | None, Unit("images")] = Field(
        None, ge=1, le=16, description="crops of a candidate that the judge sees; judge.max_views limits them"
    )
    masking: Literal["lexicon", "judge"] = Field(
        "lexicon", description="who chooses the masked words if a query does not; the judge's choice is kept"
    )
    negation: bool | None = Field(None, description="ask the judge about each thing that must not be seen")
    negation_kinds: tuple[SlotKind, ...] | None = Field(
        None, description="kinds of such things that the judge is asked about"
    )
    filter: float | None = Field(
        None, ge=0, le=1, description="likelihood of the behaviors, below which the judge is asked nothing else; 0: off"
    )
    facets: bool | None = Field(None, description="also ask one yes-or-no question for each behavior")
    pairwise: bool | None = Field(None, description="compare close neighbors in pairs, in both orders")
    pair_window: float | None = Field(None, ge=0, description="largest score difference of close neighbors")
    pair_margin: Annotated[float | None, Unit("logits")] = Field(
        None, ge=0, description="lead needed to win a comparison"
    )
    pair_top: int | None = Field(None, ge=2, description="number of top places in which pairs are compared")
    mirror: bool | None = Field(
        None, description="also ask about each view mirrored; steadier answers for twice the questions"
    )
    gate: bool | None = Field(
        None, description="judge only candidates that could come first; the others can't become hits"
    )
    gate_margin: float | None = Field(
        None, ge=0, description="distance below the best, in z-scores, at which a candidate could still come first"
    )
    same_cosine: float | None = Field(
        None, ge=0, le=1, description="cosine from which pictures share one judgement; 0: never"
    )
    description_weight: float | None = Field(
        None,
        ge=0,
        description="weight of how well the judge's own description of a candidate fits the query; changes "
        "only the order. 0: do not ask for one",
    )
    explain: bool | None = Field(None, description="let the judge explain why it accepts a candidate")
    moment_frames: Annotated[int | None, Unit("frames")] = Field(
        None,
        ge=0,
        le=64,
        description="frames around a candidate's best time that the judge sees, read from the archive; 0: stored crops",
    )
    moment_seconds: Annotated[float | None, Unit("s")] = Field(
        None, gt=0, le=60, description="length of the moment that these frames show"
    )
    moment_cut: Literal["fixed", "follow"] | None = Field(
        None,
        description="what is cut out of the frames: fixed (all places of the person) or follow (the person, moving)",
    )
    moment_join: Literal["best", "mean", "order"] | None = Field(
        None,
        description="for judges that see one picture at a time: best (the frame that shows a behavior best), mean (of "
        "all frames) or order (for behaviors with a before and an after)",
    )
    budget_calls: int | None = Field(None, ge=0, description="maximum number of questions for one query; 0: no limit")
