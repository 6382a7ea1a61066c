"""Submit a whole search as one training job (`nas sagemaker search`)."""

import sys

if __name__ == "__main__":  # children are processes: they may import this file
    from nas_core.cli import main

    sys.argv[1:1] = ["sagemaker", "search"]
    main()
