"""Loading of a posture head from safetensors."""

from anomalylmm.errors import WeightsError
from anomalylmm.models.weights import ResolvedWeights
from anomalylmm.posture.head import PostureHead


def load_head(weights: ResolvedWeights) -> PostureHead:
    """Loads the head that reads postures from joints.

    Raises:
        WeightsError: The file is damaged, or was made for other features or behaviors.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        arrays = load_file(weights.path)
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"{weights.path} can't be read as safetensors: {error}; fetch it again") from error
    return PostureHead.of_arrays(arrays)
