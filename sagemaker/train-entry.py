"""What a training job runs (`exec python3 train-entry.py`); the logic is in nas_core.cloud."""

import sys
from pathlib import Path

if __name__ == "__main__":  # children are processes: they import this file
    sys.path.insert(0, str(Path(__file__).resolve().parent))  # the bundle, before the image
    from nas_core.cloud.container import main

    sys.exit(main())
