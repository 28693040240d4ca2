"""AWS list prices of us-east-1, in dollars, as of 2026-11-22; free tiers, data transfer and log ingestion left out."""

from collections.abc import Mapping

DATE = "2026-11-22"
HTTP_API_CALL = 1.00e-6
LAMBDA_REQUEST = 0.20e-6
LAMBDA_GB_S = 0.0000133334  # arm64
EXPRESS_REQUEST = 1.00e-6
EXPRESS_GB_S = 0.00001667
STANDARD_TRANSITION = 25.0e-6
DYNAMODB_WRITE = 0.625e-6
DYNAMODB_READ = 0.125e-6
S3_PUT = 5.0e-6
S3_GET = 0.4e-6
SQS_REQUEST = 0.40e-6

UNITS: Mapping[str, float] = {
    "HTTP API calls": HTTP_API_CALL,
    "Lambda invocations": LAMBDA_REQUEST,
    "Lambda GB-s": LAMBDA_GB_S,
    "Express requests": EXPRESS_REQUEST,
    "Express GB-s": EXPRESS_GB_S,
    "Standard transitions": STANDARD_TRANSITION,
    "DynamoDB WRU": DYNAMODB_WRITE,
    "DynamoDB RRU": DYNAMODB_READ,
    "S3 PUT": S3_PUT,
    "S3 GET": S3_GET,
    "SQS requests": SQS_REQUEST,
}
"""What is billed, in the order of the report, and what one of it costs."""
