"""The ports on DynamoDB: three tables, low-level client, every change one conditional request."""
