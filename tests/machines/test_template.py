"""What template.yaml promises beyond what cfn-lint knows."""

import ast
import json
import re
from pathlib import Path
from typing import Any

from quintet.settings import Settings

Properties = dict[str, Any]
Resources = dict[str, dict[str, Any]]

NOT_SET_BY_THE_TEMPLATE = {"QUINTET_METER"}
"""A benchmark's. (What begins with AWS_ is set by Lambda or, locally, by the local cloud.)"""


def of_type(resources: Resources, kind: str) -> dict[str, Properties]:
    """The properties of the resources of a type."""
    return {name: item["Properties"] for name, item in resources.items() if item["Type"] == kind}


def handler(root: Path, function: Properties) -> Path:
    """A function's handler file."""
    return root / str(function["CodeUri"]) / "handler.py"


def imports(path: Path) -> set[str]:
    """The modules that a file names in its imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def builds(path: Path) -> bool:
    """Tells whether a handler builds the services, itself or by its dialect."""
    return any(module.startswith(("quintet.bootstrap", "quintet.dialects")) for module in imports(path))


def variables(function: Properties) -> dict[str, Any]:
    """A function's own environment."""
    found: dict[str, Any] = function.get("Environment", {}).get("Variables", {})
    return found


def statements(resources: Resources) -> list[tuple[str, dict[str, Any]]]:
    """Every policy statement of the template with whose it is."""
    found = []
    for name, item in resources.items():
        alone = [item["Properties"]] if item["Type"] == "AWS::IAM::Policy" else []
        for policy in item["Properties"].get("Policies", alone):
            document = policy.get("PolicyDocument", policy)
            found += [(name, statement) for statement in document["Statement"]]
    return found


def actions(statement: dict[str, Any]) -> list[str]:
    """A statement's actions, be it one or a list."""
    found = statement["Action"]
    return [found] if isinstance(found, str) else list(found)


def test_every_function_has_a_folder_and_every_folder_a_function(root: Path, functions: dict[str, Properties]) -> None:
    """functions/<name>/ is deployed as one function each, none is forgotten, none is missing."""
    folders = {path.name for path in (root / "functions").iterdir() if path.is_dir() and path.name[0] not in "._"}

    assert {function["CodeUri"] for function in functions.values()} == {f"functions/{name}/" for name in folders}
    for name, function in functions.items():
        words = re.findall("[A-Z][a-z]+", name.removesuffix("Function"))
        assert function["CodeUri"] == f"functions/{'_'.join(words).lower()}/"


def test_a_handler_parses_calls_and_answers(root: Path, functions: dict[str, Properties]) -> None:
    """Each handler is at most 40 lines and defines `handler(event, context)`."""
    for name, function in functions.items():
        source = handler(root, function).read_text()
        assert len(source.splitlines()) <= 40, name
        module = ast.parse(source)
        defined = {node.name: node for node in module.body if isinstance(node, ast.FunctionDef)}
        assigned = {target.id for node in module.body if isinstance(node, ast.Assign)
                    for target in node.targets if isinstance(target, ast.Name)}  # fmt: skip
        assert "handler" in assigned or len(defined["handler"].args.args) == 2, name


def test_the_runner_may_do_nothing(resources: Resources, functions: dict[str, Properties]) -> None:
    """People's own code gets no layer, no environment, no network of ours, and a role that writes its own log."""
    runner = functions["RunnerFunction"]
    role = resources["RunnerRole"]["Properties"]
    [statement] = [one for policy in role["Policies"] for one in policy["PolicyDocument"]["Statement"]]

    assert runner["Role"] == {"Fn::GetAtt": ["RunnerRole", "Arn"]}
    assert not {"Policies", "Layers", "Environment", "VpcConfig"} & set(runner)
    assert "ManagedPolicyArns" not in role
    assert sorted(actions(statement)) == ["logs:CreateLogStream", "logs:PutLogEvents"]
    assert statement["Resource"] == {"Fn::GetAtt": ["RunnerLogs", "Arn"]}


def test_the_sql_function_sees_rows_only(resources: Resources) -> None:
    """Its every permission ends at the datasets and the rows on their way in the bucket, and at leashes, which it looks for."""
    allowed = [statement for name, statement in statements(resources) if name == "SqlFunction"]
    objects = {
        statement["Resource"]["Fn::Sub"]: sorted(actions(statement))
        for statement in allowed
        if actions(statement) != ["s3:ListBucket"]
    }
    [listing] = [statement for statement in allowed if actions(statement) == ["s3:ListBucket"]]

    assert objects == {
        "${BlobsBucket.Arn}/datasets/*": ["s3:GetObject", "s3:PutObject"],
        "${BlobsBucket.Arn}/rows/*": ["s3:GetObject", "s3:PutObject"],
        "${BlobsBucket.Arn}/leashes/*": ["s3:GetObject"],
    }
    assert listing["Condition"] == {"StringLike": {"s3:prefix": ["datasets/*", "leashes/*", "rows/*"]}}


def test_spark_programs_reach_their_programs_datasets_and_logs_only(resources: Resources) -> None:
    """People's own code again: every permission of their role ends at three prefixes of the bucket, and programs are not written."""
    allowed = [statement for name, statement in statements(resources) if name == "SparkJobRole"]
    reach = {prefix: "${BlobsBucket.Arn}/" + f"{prefix}/*" for prefix in ("programs", "datasets", "spark-logs")}
    by_place = {json.dumps(one["Resource"]): actions(one) for one in allowed}

    assert by_place.pop(json.dumps({"Fn::GetAtt": ["BlobsBucket", "Arn"]})) == ["s3:ListBucket"]
    assert by_place.keys() == {json.dumps({"Fn::Sub": place}) for place in reach.values()}
    assert by_place[json.dumps({"Fn::Sub": reach["programs"]})] == ["s3:GetObject"]
    assert all(action.startswith("s3:") for found in by_place.values() for action in found)
    [lists] = [one for one in allowed if actions(one) == ["s3:ListBucket"]]
    assert lists["Condition"] == {"StringLike": {"s3:prefix": [f"{prefix}/*" for prefix in reach]}}


def test_the_park_machine_may_run_hear_of_and_cancel_jobs_of_its_application(resources: Resources) -> None:
    """What the service's guide asks for a job that is waited for; without CancelJobRun a stopped run would go on costing."""
    allowed = {action for name, one in statements(resources) if name == "ParkSparkPolicy" for action in actions(one)}

    assert allowed == {
        "emr-serverless:StartJobRun", "emr-serverless:GetJobRun", "emr-serverless:CancelJobRun", "iam:PassRole",
        "events:PutTargets", "events:PutRule", "events:DescribeRule",
    }  # fmt: skip


def test_a_deployment_without_spark_has_nothing_of_it(resources: Resources, template: dict[str, Any]) -> None:
    """Its parts hang on one condition, and keep no workers warm: they cost nothing while no job runs."""
    spark = {name for name, item in resources.items() if item.get("Condition") == "HasSpark"}

    assert spark == {"SparkApplication", "SparkJobRole", "ParkSparkPolicy"}
    assert template["Parameters"]["Spark"]["Default"] == "enabled"
    assert "InitialCapacity" not in resources["SparkApplication"]["Properties"]
    assert resources["SparkApplication"]["Properties"]["AutoStopConfiguration"]["Enabled"] is True


def test_functions_have_every_variable_that_the_code_reads(root: Path, functions: dict[str, Properties]) -> None:
    """Whoever builds the services gets all names that the settings and adapters read."""
    package = root / "layers/core/python/quintet"
    source = "\n".join(path.read_text() for path in [package / "settings.py", *(package / "adapters").rglob("*.py")])
    read = set(re.findall(r'(?:_env\(|environ\.get\(|environ\[|getenv\()"([A-Z0-9_]+)"', source))
    read = {name for name in read if not name.startswith("AWS_")}
    assert {"RUNS_TABLE", "BURST_MACHINE_ARN", "QUINTET_STAGE"} <= read

    builders = {name: function for name, function in functions.items() if builds(handler(root, function))}
    assert {"WorkFunction", "CarryFunction", "TickFunction"} <= set(builders)
    for name, function in builders.items():
        assert not read - NOT_SET_BY_THE_TEMPLATE - set(variables(function)), name
        assert function["Layers"] == [{"Ref": "CoreLayer"}, {"Ref": "DepsLayer"}], name


def test_every_setting_is_a_variable(
    functions: dict[str, Properties], template: dict[str, Any], monkeypatch: Any
) -> None:
    """With the template's variables set, no setting but the local cloud's is left empty."""
    defaults = {name: str(item.get("Default", "")) for name, item in template["Parameters"].items()}
    for name, value in variables(functions["WorkFunction"]).items():
        monkeypatch.setenv(name, defaults.get(value.get("Ref", "")) or json.dumps(value))
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    settings = Settings()

    assert [name for name in Settings.__slots__ if not getattr(settings, name)] == []


def test_machines_and_functions_go_by_the_names_in_the_environment(
    resources: Resources, functions: dict[str, Properties]
) -> None:
    """The names in variables and policies, written out because references would go round in circles, are the real ones."""
    machines = {item["Name"]["Fn::Sub"].rpartition("-")[2]: name
                for name, item in of_type(resources, "AWS::Serverless::StateMachine").items()}  # fmt: skip
    named = {function["FunctionName"]["Fn::Sub"] for function in functions.values()}
    for name, function in functions.items():
        for variable, value in variables(function).items():
            if variable.endswith("_MACHINE_ARN"):
                word = value["Fn::Sub"].rpartition("-")[2]
                assert machines[word] == f"{variable.removesuffix('_MACHINE_ARN').title()}Machine", name
            elif variable.endswith("_FUNCTION"):
                assert value["Fn::Sub"] in named, name
    in_policies = {word for text in re.findall(r'stateMachine:\$\{AWS::StackName\}-(\w+)', json.dumps(resources))
                   for word in [text]}  # fmt: skip
    assert in_policies == set(machines)


def test_permissions_are_written_out(resources: Resources) -> None:
    """No statement allows all actions of anything, or everything; log delivery, which knows no resources, excepted."""
    found = statements(resources)
    assert len(found) > 30
    for name, statement in found:
        assert not [action for action in actions(statement) if "*" in action], name
        if not all(action.startswith("logs:") for action in actions(statement)):
            assert statement["Resource"] != "*", name


def test_nobody_scans(resources: Resources) -> None:
    """Reading never grows with what is stored: no function may scan a table."""
    assert not [name for name, statement in statements(resources) if "dynamodb:Scan" in actions(statement)]


def test_every_route_ends_in_a_function_that_may_be_called(resources: Resources) -> None:
    """Each route has an integration, each integration a function, and API Gateway the right to call it."""
    integrations = of_type(resources, "AWS::ApiGatewayV2::Integration")
    allowed = {permission["FunctionName"]["Ref"] for permission in of_type(resources, "AWS::Lambda::Permission").values()
               if permission["Principal"] == "apigateway.amazonaws.com"}  # fmt: skip
    routes = of_type(resources, "AWS::ApiGatewayV2::Route")

    assert {route["RouteKey"] for route in routes.values()} >= {
        "ANY /api/v1/{proxy+}", "ANY /v1/{proxy+}", "ANY /health", "ANY /api/health", "ANY /webrobot/{proxy+}",
        "ANY /api/webrobot/{proxy+}", "ANY /api/strapi-tables/{proxy+}", "ANY /api/api/strapi-tables/{proxy+}",
    }  # fmt: skip
    for route in routes.values():
        integration = integrations[re.fullmatch(r"integrations/\$\{(\w+)\}", route["Target"]["Fn::Sub"])[1]]  # type: ignore[index]  # a miss is the failure
        assert integration["PayloadFormatVersion"] == "2.0"
        assert integration["IntegrationUri"]["Fn::GetAtt"][0] in allowed


def test_every_rule_calls_a_function_that_lets_it(resources: Resources) -> None:
    """Each rule's target is a function with a permission for that very rule."""
    permissions = of_type(resources, "AWS::Lambda::Permission").values()
    for name, rule in of_type(resources, "AWS::Events::Rule").items():
        for target in rule["Targets"]:
            function = target["Arn"]["Fn::GetAtt"][0]
            assert any(
                permission["FunctionName"] == {"Ref": function}
                and permission.get("SourceArn") == {"Fn::GetAtt": [name, "Arn"]}
                for permission in permissions
            ), name


def test_what_is_called_asynchronously_is_not_repeated_and_not_lost(functions: dict[str, Properties]) -> None:
    """Carry, Tick and Sweep are repeated by the engine's own rules; what Lambda gives up goes to the dead letters."""
    for name in ("CarryFunction", "TickFunction", "SweepFunction"):
        setting = functions[name]["EventInvokeConfig"]
        assert setting["MaximumRetryAttempts"] == 0
        assert setting["DestinationConfig"]["OnFailure"]["Destination"] == {"Fn::GetAtt": ["DeadLetters", "Arn"]}


def test_what_people_keep_outlives_the_stack(resources: Resources) -> None:
    """Tables, bucket and key stay when the stack goes; tables are encrypted, restorable to any moment, and expire by ttl."""
    kept = {name for name, item in resources.items() if item.get("DeletionPolicy") == "Retain"}
    tables = of_type(resources, "AWS::DynamoDB::Table")

    assert kept == {*tables, "BlobsBucket", "VaultKey"}
    for table in tables.values():
        assert table["BillingMode"] == "PAY_PER_REQUEST"
        assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
        assert table["SSESpecification"] == {"SSEEnabled": True}
        assert table["TimeToLiveSpecification"] == {"AttributeName": "ttl", "Enabled": True}
    assert all(of_type(resources, "AWS::S3::Bucket")["BlobsBucket"]["PublicAccessBlockConfiguration"].values())


def test_tables_have_the_indexes_that_the_adapters_ask(root: Path, resources: Resources) -> None:
    """Every index is asked somewhere, and every one asked exists."""
    folder = root / "layers/core/python/quintet/adapters/dynamodb"
    source = "\n".join(path.read_text() for path in folder.glob("*.py"))
    has = {index["IndexName"] for table in of_type(resources, "AWS::DynamoDB::Table").values()
           for index in table.get("GlobalSecondaryIndexes", [])}  # fmt: skip

    assert set(re.findall(r'"?IndexName"?\s*[:=]\s*"(\w+)"', source)) <= has
    assert {name for name in has if f'"{name}"' in source} == has


def test_a_named_log_group_is_kept_for_the_days_chosen(resources: Resources, template: dict[str, Any]) -> None:
    """No log group lives for ever, and every function writes into one of them."""
    groups = of_type(resources, "AWS::Logs::LogGroup")

    assert all(group["RetentionInDays"] == {"Ref": "LogRetentionDays"} for group in groups.values())
    assert template["Globals"]["Function"]["LoggingConfig"]["LogGroup"]["Ref"] in groups


def test_the_dashboard_is_json(resources: Resources) -> None:
    """Its body parses, and names resources that exist."""
    body = resources["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    names = set(re.findall(r"\$\{(\w+)[.}]", body))

    assert json.loads(body)["widgets"]
    assert names <= set(resources)
