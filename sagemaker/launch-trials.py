"""Search here and train each child in a training job (`nas sagemaker trial`)."""

import sys

if __name__ == "__main__":  # children are processes: they may import this file
    from nas_core.cli import main

    sys.argv[1:1] = ["sagemaker", "trial"]
    main()
