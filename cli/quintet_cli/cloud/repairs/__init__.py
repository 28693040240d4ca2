"""Repairs of the pinned MiniStack, made in memory when the local cloud starts.

Each module repairs one thing and says in its docstring what is wrong, what it does instead and what it asserts;
`apply()` fails with `RepairError` when MiniStack is no longer what the repairs were written for.
"""

from .source import RepairError

__all__ = ["RepairError", "apply"]


def apply() -> None:
    """Make every repair, once a process; call it before MiniStack's application serves its first request.

    Raises:
        RepairError: a repaired function is not the expected one.
    """
    # MiniStack reads its environment when it is imported: a launcher that imports this package sets that first.
    from . import (  # noqa: PLC0415 - see above
        app_direct,
        dynamodb_capacity,
        dynamodb_order,
        dynamodb_parsing,
        dynamodb_range,
        dynamodb_ttl,
        emr_serverless,
        eventbridge_schedule,
        gateway_paths,
        lambda_event_source,
        lambda_pool,
        lambda_worker,
        sqs_queues,
        states_execution,
        states_fanout,
        states_jsonata,
        states_map_run,
        states_scope,
        states_task,
    )

    for module in (
        lambda_worker, lambda_pool, states_scope, states_jsonata, states_task, states_execution, states_map_run,
        states_fanout, dynamodb_range, dynamodb_order, dynamodb_parsing, dynamodb_capacity,
        dynamodb_ttl, eventbridge_schedule, gateway_paths, sqs_queues, lambda_event_source, emr_serverless, app_direct,
    ):  # fmt: skip
        module.repair()
