"""Every function may do what its code can do, and nothing else: the policies against the code."""

import re
from pathlib import Path
from typing import Any

import pytest

from tests.machines.code_paths import Code, Node, operations, texts

Need = tuple[str, str]  # a resource, and an action on it

ROOTS: dict[str, list[Node]] = {
    "WorkFunction": [("Services", "advance"), ("Advance", "__call__")],
    "ItemFunction": [("Services", "advance_item"), ("AdvanceItem", "__call__")],
    "CarryFunction": [("Services", "carry"), ("Carry", "__call__")],
    "SettleFunction": [("Services", "settle_parked"), ("SettleParked", "__call__")],
    "WakeFunction": [("Services", "wake_run")],
    "DeliverFunction": [("Services", "webhooks"), ("CompletionWebhooks", "deliver")],
    "TickFunction": [("Services", "tick"), ("Tick", "__call__")],
    "SweepFunction": [("Services", "sweep"), ("Sweep", "__call__"), ("CompletionWebhooks", "sweep")],
}
"""What the handlers call; an API's function calls what its dialect and web have."""

APIS = {
    "AutomationsApiFunction": ("web/", "dialects/automations/"),
    "EtlApiFunction": ("web/", "dialects/etl/"),
    "JobsApiFunction": ("web/", "dialects/jobs/"),
}

TABLES = {
    "Runs": "RunsTable",
    "Records": "RunsTable",
    "Subscriptions": "RunsTable",
    "Jobs": "JobsTable",
    "Groups": "JobsTable",
    "Keys": "JobsTable",
    "ProjectStore": "JobsTable",
    "DependencyStore": "JobsTable",
    "SigningSecrets": "JobsTable",
    "Logs": "LogsTable",
    "Deliveries": "LogsTable",
    "Collections": "DataTable",
}
INDEXES = {
    "RunsTable": {"by_project", "by_status", "due", "queue", "by_job", "by_end"},
    "JobsTable": {"by_dialect", "by_status", "scheduled"},
    "LogsTable": {"deliveries", "deliveries_of_job", "deliveries_due"},
    "DataTable": {"places"},
}
MACHINES = {"Bursts": "burst", "Timers": "park", "Parking": "park", "Fanouts": "fanout"}
QUEUES = {"Timers": "Wakes", "DeliveryQueue": "Deliveries"}
TAKING = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
"""What Lambda does in the name of a function that an event source mapping calls."""

CALLED = {"Carriers": ["CarryFunction"], "Functions": ["RunnerFunction", "SqlFunction"]}
ATHENA = {
    *(("workgroup", f"athena:{act}QueryExecution") for act in ("Start", "Get", "Stop")),
    ("workgroup", "athena:GetQueryResults"),
    *((place, f"glue:{act}") for act in ("CreateTable", "GetTable", "GetDatabase", "GetPartitions")
      for place in ("catalog", "database", "table")),
    *(("blobs/athena", f"s3:{act}") for act in ("GetObject", "PutObject", "AbortMultipartUpload", "ListMultipartUploadParts")),
    ("blobs/datasets", "s3:GetObject"),
    *(("blobs", f"s3:{act}") for act in ("ListBucket", "GetBucketLocation", "ListBucketMultipartUploads")),
}  # fmt: skip
"""A query by Athena: what the adapter asks for, and what Athena does in the name of whoever asks."""
ASKED_OF_ATHENA = {
    "start_query_execution",
    "get_query_execution",
    "get_query_results",
    "stop_query_execution",
    "create_table",
}
FILES = ("SqlFunction", "lambda:InvokeFunction")
"""What looking into files comes to, whichever adapter does it."""
PORTS = {*TABLES, *MACHINES, *QUEUES, *CALLED, "Blobs", "Vault"}
BLOBS = {
    "services/payloads.py": "payloads",
    "services/programs.py": "programs",
    "services/datasets.py": "datasets",
    "services/dataset_files.py": "datasets",
    "services/stops.py": "leashes",
    "services/task_reports.py": "rows",
    "services/task_rows.py": "rows",
    "steps/task_http.py": "rows datasets",
    "steps/task_python.py": "rows datasets",
    "steps/user_code.py": "leashes",
    "steps/sql.py": "datasets",
    "steps/spark_program.py": "programs",
    "steps/spark_output.py": "datasets",
    "steps/spark_logs.py": "spark-logs",
    "dialects/jobs/routes/trigger.py": "uploads",
}
"""Who asks for blobs, and the prefixes of those it asks for."""
WRITTEN = {
    "services/task_reports.py": "datasets",
    "steps/task_http.py": "rows",
    "steps/task_python.py": "rows",
}
"""Who writes blobs of other prefixes than it reads."""

READS = {"get_item": "GetItem", "batch_get_item": "BatchGetItem", "query": "Query"}
WRITES = {"put_item": "PutItem", "update_item": "UpdateItem", "batch_write_item": "BatchWriteItem"}
VERBS = {"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "ConditionCheck": "ConditionCheckItem"}
OBJECTS = {
    "get": ("s3:GetObject",),
    "part": ("s3:GetObject",),
    "fetch": ("s3:GetObject",),
    "size": ("s3:GetObject",),
    "link": ("s3:GetObject",),
    "put": ("s3:PutObject",),
    "put_file": ("s3:PutObject",),
    "upload_link": ("s3:PutObject",),
    "copy": ("s3:GetObject", "s3:PutObject"),
    "drop": ("s3:DeleteObject",),
    "clear": ("s3:DeleteObject",),
    "names": (),
}
LISTS = {"get", "part", "fetch", "size", "copy", "names", "clear"}
"""Methods that list, or that must tell a missing blob from a forbidden one."""


@pytest.fixture(scope="module")
def code(root: Path) -> Code:
    """The package, read."""
    return Code(
        root / "layers/core/python/quintet",
        ("services", "adapters", "steps", "web", "dialects/automations", "dialects/etl", "dialects/jobs"),
    )


def prefixes(module: str, action: str) -> list[str]:
    """The prefixes of the blobs on which a module does something."""
    named = WRITTEN.get(module, BLOBS[module]) if action == "s3:PutObject" else BLOBS[module]
    return named.split()


def needed(code: Code, roots: list[Node]) -> set[Need]:
    """What a function asks AWS for, on whatever path."""
    reached = code.reached(roots)
    found: set[Need] = set()
    for port, method in reached:
        if port in PORTS and method != "__init__" and port != "Blobs":
            found |= asked(code, port, method)
    if any(port in {"Files", "Queries", "BigQueries"} and method != "__init__" for port, method in reached):
        found.add(FILES)
    if ("BigQueries", "query") in reached:
        found |= ATHENA
    for node in reached:
        for port, method in code.leads(node):
            if (
                port == "Blobs"
                and method in OBJECTS
                and (home := code.body(node))
                and not home[0].startswith("adapters/")
            ):
                found |= {
                    (f"blobs/{prefix}", action) for action in OBJECTS[method] for prefix in prefixes(home[0], action)
                }
                found |= {("blobs", "s3:ListBucket")} if method in LISTS else set()
    return found


def asked(code: Code, port: str, method: str) -> set[Need]:
    """What one method of a port asks AWS for, as its adapter is written."""
    serves = code.adapters() | {"Functions": "LambdaFunctions"}
    bodies = [home[1] for node in code.reached([(serves[port], method)])
              if (home := code.body(node)) and home[0].startswith("adapters/")]  # fmt: skip
    used = {operation for body in bodies for operation in operations(body)}
    written = {text for body in bodies for text in texts(body)}
    assert used, (port, method)
    if port in TABLES:
        behind = {("DataTable", "dynamodb:Query")} if (port, method) == ("Collections", "page") else set()
        return _items(TABLES[port], used, written) | behind  # a page is behind what the index skips
    if port in CALLED:
        assert used == {"invoke"}
        return {(name, "lambda:InvokeFunction") for name in CALLED[port]}
    if port == "Vault":
        return {("VaultKey", f"kms:{operation.title()}") for operation in used}
    found = {(QUEUES[port], "sqs:SendMessage")} if "send_message" in used else set()
    words = {"start_execution": "stateMachine", "describe_execution": "execution", "stop_execution": "execution"}
    machine = used - {"send_message"}
    return found | {(f"{words[one]}:{MACHINES[port]}", f"states:{one.title().replace('_', '')}") for one in machine}


def _items(table: str, used: set[str], written: set[str]) -> set[Need]:
    indexes = INDEXES[table] & written
    found = {(table, f"dynamodb:{WRITES[one]}") for one in used if one in WRITES}
    for one in used & READS.keys():
        places = [f"{table}/{name}" for name in indexes] if one == "query" and indexes else [table]
        found |= {(place, f"dynamodb:{READS[one]}") for place in places}
    if "transact_write_items" in used:
        found |= {(table, f"dynamodb:{VERBS[verb]}") for verb in VERBS if verb in written}
    assert used <= {*READS, *WRITES, "transact_write_items"}
    return found


def taken(resources: dict[str, Any], name: str) -> set[Need]:
    """What the queues that call a function ask of it."""
    found: set[Need] = set()
    for one in resources.values():
        if one["Type"] == "AWS::Lambda::EventSourceMapping" and one["Properties"]["FunctionName"] == {"Ref": name}:
            found |= {(_resource(one["Properties"]["EventSourceArn"]), action) for action in TAKING}
    return found


def granted(function: dict[str, Any]) -> set[Need]:
    """What a function's policies allow, in the same words."""
    found: set[Need] = set()
    for policy in function["Policies"]:
        for statement in policy["Statement"]:
            assert statement["Effect"] == "Allow"
            actions, resources = statement["Action"], statement["Resource"]
            for action in [actions] if isinstance(actions, str) else actions:
                for resource in resources if isinstance(resources, list) else [resources]:
                    found.add((_resource(resource), action))
    return found


def _resource(written: dict[str, Any]) -> str:
    if "Fn::GetAtt" in written:
        return "blobs" if written["Fn::GetAtt"][0] == "BlobsBucket" else str(written["Fn::GetAtt"][0])
    text = written["Fn::Sub"]
    if index := re.fullmatch(r"\$\{(\w+)\.Arn\}/index/(\w+)", text):
        return f"{index[1]}/{index[2]}"
    if blobs := re.fullmatch(r"\$\{BlobsBucket\.Arn\}/([\w-]+)/\*", text):
        return f"blobs/{blobs[1]}"
    if other := re.fullmatch(r"arn:.*:(?:athena|glue):.*:(workgroup|catalog|database|table)\b.*", text):
        return other[1]
    function = re.fullmatch(r"arn:.*:lambda:.*:function:\$\{AWS::StackName\}-(\w+)", text)
    if function:  # what a function grants itself names it, since it must not depend on itself
        return f"{function[1].title()}Function"
    arn = "arn:${AWS::Partition}:states:${AWS::Region}:${AWS::AccountId}:"
    states = re.fullmatch(re.escape(arn) + r"(stateMachine|execution):\$\{AWS::StackName\}-(\w+)(:\*)?", text)
    assert states and (states[1] == "execution") == bool(states[3]), text
    return f"{states[1]}:{states[2]}"


@pytest.mark.parametrize("name", [*ROOTS, *APIS])
def test_a_function_may_do_what_its_code_does_and_no_more(
    code: Code, resources: dict[str, Any], functions: dict[str, Any], name: str
) -> None:
    """A request that the policy forgot fails only on AWS; one that it allows for nothing is a hole."""
    roots = ROOTS.get(name) or [
        node for home, nodes in code.modules.items() if home.startswith(APIS[name]) for node in nodes
    ]
    needs, has = needed(code, roots) | taken(resources, name), granted(functions[name])
    assert sorted(needs - has) == [], "the policy lacks"
    assert sorted(has - needs) == [], "the policy allows, and no code asks"


def test_athena_is_asked_for_what_is_granted(code: Code) -> None:
    """No request of its adapter that the list above lacks."""
    bodies = [
        home[1]
        for node in code.reached([("Athena", "query")])
        if (home := code.body(node)) and home[0] == "adapters/athena.py"
    ]
    assert {operation for body in bodies for operation in operations(body)} == ASKED_OF_ATHENA


def test_every_function_with_policies_is_looked_at(functions: dict[str, Any]) -> None:
    """The SQL function has no services and a test of its own."""
    assert {name for name, one in functions.items() if "Policies" in one} == {*ROOTS, *APIS, "SqlFunction"}


def test_the_code_is_followed_to_where_it_is_known_to_go(code: Code) -> None:
    """A few paths that a person has looked up: were one not found, the test above would find nothing either."""
    work = code.reached(ROOTS["WorkFunction"])
    assert {
        ("Fanouts", "start"),
        ("Carriers", "start"),
        ("Timers", "start"),
        ("Functions", "call"),
        ("Logs", "write"),
        ("Blobs", "put"),
    } <= work
    assert ("StartChild", "__call__") in code.reached(ROOTS["CarryFunction"])
    assert asked(code, "Timers", "start") == {
        ("Wakes", "sqs:SendMessage"), ("stateMachine:park", "states:StartExecution")
    }  # fmt: skip
    assert asked(code, "Fanouts", "stop") == {
        ("execution:fanout", "states:DescribeExecution"), ("execution:fanout", "states:StopExecution")
    }  # fmt: skip
    assert asked(code, "Runs", "due") >= {("RunsTable/due", "dynamodb:Query"), ("RunsTable", "dynamodb:BatchGetItem")}
    assert ("JobsTable", "dynamodb:DeleteItem") in asked(code, "Jobs", "delete")
