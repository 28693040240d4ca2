"""The routes of the ETL API, one module a noun."""
