"""The Jobs v1 API: versioned HTTP jobs with triggers, limits, schedules, dependencies and webhooks; runs; workflows."""
