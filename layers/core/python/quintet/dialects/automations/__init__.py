"""The Automations API: automations, their runs and steps, live events, approvals, webhooks."""
