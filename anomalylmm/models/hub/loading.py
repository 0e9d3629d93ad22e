"""Loads transformers models and processors from a folder: never over the network, never with foreign code."""

from typing import Any

import torch

from anomalylmm.errors import WeightsError
from anomalylmm.models.weights import ResolvedWeights


def load_model(model_class: Any, weights: ResolvedWeights, device: torch.device, dtype: torch.dtype) -> Any:
    """Loads a model for inference.

    Raises:
        WeightsError: The folder is damaged, incomplete or of a class that this transformers does not know.
    """
    from safetensors import SafetensorError
    from transformers.utils import logging

    logging.disable_progress_bar()
    has_safetensors = any(weights.path.glob("*.safetensors"))
    try:
        model, report = model_class.from_pretrained(
            str(weights.path),
            dtype=dtype,
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=has_safetensors,
            output_loading_info=True,
        )
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise WeightsError(f"{weights.path} can't be loaded: {error}; download the model again") from error
    if report["missing_keys"]:  # transformers would go on with random numbers
        first = sorted(report["missing_keys"])[0]
        raise WeightsError(
            f"{weights.path} lacks {len(report['missing_keys'])} tensors of {type(model).__name__}, such as {first}; "
            "download the model again"
        )
    return model.to(device).eval().requires_grad_(False)


def load_processor(weights: ResolvedWeights) -> Any:
    """Loads the processor that belongs to a model.

    Raises:
        WeightsError: It is missing or damaged, or needs a library that is not installed.
    """
    from transformers import AutoProcessor

    try:
        processor = AutoProcessor.from_pretrained(str(weights.path), local_files_only=True, trust_remote_code=False)
    except ImportError as error:
        what = " ".join(str(error).split())
        raise WeightsError(f"{weights.path} needs a library that is not installed: {what}") from error
    except (OSError, ValueError, KeyError) as error:
        raise WeightsError(f"{weights.path} has no usable processor: {error}; download the model again") from error
    if not hasattr(processor, "tokenizer") or not hasattr(processor, "image_processor"):
        raise WeightsError(f"{weights.path} has no processor for images and text; name a dual encoder or a judge")
    return processor


def image_inputs(processor: Any, images: list[Any]) -> dict[str, torch.Tensor]:
    """Turns N RGB images into the tensors that the model expects."""
    inputs = processor.image_processor(images=images, return_tensors="pt", input_data_format="channels_last")
    return {name: value for name, value in inputs.items() if isinstance(value, torch.Tensor)}


def move(inputs: dict[str, torch.Tensor], device: torch.device, dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """Moves inputs to the device; floating-point numbers get the model's type."""
    return {
        name: value.to(device, dtype) if value.is_floating_point() else value.to(device)
        for name, value in inputs.items()
    }
