"""The composition root is light to import, and builds what the settings say."""

import subprocess
import sys

from anomalylmm.models.video.frames import child_environment


def run(program: str) -> None:
    subprocess.run([sys.executable, "-c", program], check=True, env=child_environment())


def test_importing_it_loads_no_model_library() -> None:
    run(
        "import sys, flows.composition\n"
        "assert not {'torch', 'transformers', 'ultralytics', 'decord', 'av'} & set(sys.modules)"
    )


def test_an_endpoint_is_built_without_a_model_library() -> None:
    run(
        "import sys\n"
        "from flows.composition import Composition\n"
        "from flows.settings.model import Settings\n"
        "judge = {'family': 'endpoint', 'endpoint': {'base_url': 'http://127.0.0.1:1/v1', 'model': 'm'}}\n"
        "Composition(Settings.model_validate({'judge': judge})).judge.close()\n"
        "assert not {'torch', 'transformers'} & set(sys.modules)"
    )
