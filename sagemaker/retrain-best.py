"""Retrain the best architectures of a run, a job for each training (`nas sagemaker retrain`)."""

import sys

if __name__ == "__main__":  # children are processes: they may import this file
    from nas_core.cli import main

    sys.argv[1:1] = ["sagemaker", "retrain"]
    main()
