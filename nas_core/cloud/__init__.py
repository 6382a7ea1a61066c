"""Amazon S3 and SageMaker: data, job requests, costs. Nothing here is imported at home."""
