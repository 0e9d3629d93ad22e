"""The words that are a yes and a no, and the picture of nothing; shared by all judges, loads no model library."""

import numpy as np

YES_WORDS = ("yes", "Yes", "YES")
NO_WORDS = ("no", "No", "NO")
GRAY = np.full((224, 224, 3), 128, np.uint8)  # what a judge is shown when it is asked blind
