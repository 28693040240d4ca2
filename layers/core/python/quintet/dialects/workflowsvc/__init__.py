"""The Workflow service: low-code workflows of connectors, scripts, human input and control tasks."""
