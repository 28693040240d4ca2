"""The Pipelines API: DAGs of shell tasks declared in YAML; a run is called a job here."""
