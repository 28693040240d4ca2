"""The examples: each is a definition that the API takes, and each does what its description says."""

import csv
import json
from collections import defaultdict
from datetime import date, timedelta
from typing import Any

import pytest
from tests.unit.examples.workbench import EXAMPLES, Bench, automation, plan_of

from quintet.domain.status import RunStatus, StepStatus
from quintet_cli.demo import load

NAMES = sorted(path.parent.name for path in EXAMPLES.glob("*/automation.json"))
WEATHER_CSV = EXAMPLES / "weather/seattle-weather.csv"


@pytest.fixture(scope="module")
def weather() -> tuple[Bench, str]:
    """The weather example after its run, and the run's id."""
    bench = Bench()
    return bench, bench.run(automation("weather"), _weather_input())


def _weather_input() -> dict[str, Any]:
    (example,) = [example for example in load(EXAMPLES) if example.name == "weather"]
    return example.run_input


def _days() -> list[dict[str, Any]]:
    """The file as the csv module reads it: {day, rain, warmest, coldest, wind}."""
    with WEATHER_CSV.open(newline="") as lines:
        return [
            {
                "day": date(*map(int, row["date"].split("/"))),
                "rain": float(row["precipitation"]),
                "warmest": float(row["temp_max"]),
                "coldest": float(row["temp_min"]),
                "wind": float(row["wind"]),
            }
            for row in csv.DictReader(lines)
        ]


def _expected_year(year: int, bar: float) -> dict[str, Any]:
    days = [row for row in _days() if row["day"].year == year]
    by_month: dict[str, float] = defaultdict(float)
    for row in days:
        by_month[row["day"].strftime("%Y-%m")] += row["rain"]
    return {
        "year": str(year),
        "mean_c": pytest.approx(sum((row["warmest"] + row["coldest"]) / 2 for row in days) / len(days), abs=0.051),
        "warmest_c": max(row["warmest"] for row in days),
        "coldest_c": min(row["coldest"] for row in days),
        "rain_mm": pytest.approx(sum(row["rain"] for row in days), abs=0.051),
        "wet_days": sum(row["rain"] >= 1 for row in days),
        "wettest_month": max(by_month, key=lambda month: by_month[month]),
        "strongest_wind": max(row["wind"] for row in days),
        "hot_days": sum(row["warmest"] > bar for row in days),
    }


def test_there_are_examples() -> None:
    """The tests below look at something."""
    assert NAMES == ["approval", "fanout", "weather"]


@pytest.mark.parametrize("name", NAMES)
def test_a_definition_is_taken(name: str) -> None:
    """The API's translation and every check of the plan find no fault, and every step has a name for people."""
    plan = plan_of(automation(name))
    assert Bench().services.checks.problems(plan) == []
    assert [step.key for step in plan.walk() if not step.name] == []


@pytest.mark.parametrize("name", NAMES)
def test_a_definition_is_described_beside_it(name: str) -> None:
    """Each example says in its folder what it shows."""
    assert (EXAMPLES / name / "README.md").read_text().startswith("# ")


def test_the_weather_report_is_right(weather: tuple[Bench, str]) -> None:
    """The report equals what the csv module and plain arithmetic make of the same file."""
    bench, run_id = weather
    run, _ = bench.state(run_id)
    assert (run.status, run.error) == (RunStatus.COMPLETED, None)
    bar = float(bench.result(run_id, "heat")["last"]["above"]["preview"][0]["bar"])
    report = bench.result(run_id, "report")["preview"]
    assert report == [_expected_year(year, bar) for year in (2012, 2013, 2014, 2015)]


def test_the_weather_months_are_right(weather: tuple[Bench, str]) -> None:
    """The joined dataset holds each of the 48 months, with the sums of its days."""
    bench, run_id = weather
    monthly = bench.result(run_id, "monthly")
    assert monthly["rowCount"] == 48
    days = [row for row in _days() if (row["day"].year, row["day"].month) == (2012, 2)]
    (february,) = [row for row in monthly["preview"] if row["month"] == "2012-02"]
    assert february == {
        "month": "2012-02",
        "days": 29,
        "mean": pytest.approx(sum((row["warmest"] + row["coldest"]) / 2 for row in days) / 29),
        "warmest": max(row["warmest"] for row in days),
        "coldest": min(row["coldest"] for row in days),
        "rain": pytest.approx(sum(row["rain"] for row in days)),
        "wet_days": sum(row["rain"] >= 1 for row in days),
        "strongest": max(row["wind"] for row in days),
    }


def test_the_weather_loop_ends_when_heat_is_rare(weather: tuple[Bench, str]) -> None:
    """The bar rises by 2.5 °C until at most 20 days are above it, and not once more."""
    bench, run_id = weather
    above = {bar: sum(row["warmest"] > bar for row in _days()) for bar in (27.5, 30.0, 32.5)}
    assert [days > 20 for days in above.values()] == [True, True, False]
    heat = bench.result(run_id, "heat")
    assert heat["iterations"] == 3
    assert heat["last"]["above"]["preview"] == [{"bar": 32.5, "days": above[32.5]}]


def test_the_weather_example_shows_a_retry_and_a_skipped_branch(weather: tuple[Bench, str]) -> None:
    """One step fails once and then completes; the branch for missing days is skipped; every other step completes at once."""
    _, state = weather[0].state(weather[1])
    attempts = {path: (step.status, step.attempt) for path, step in state.steps.items() if step.prefix == ""}
    assert attempts.pop("wind") == (StepStatus.COMPLETED, 2)
    assert attempts.pop("fill") == (StepStatus.SKIPPED, 0)
    assert attempts.pop("gaps")[0] is StepStatus.COMPLETED
    assert set(attempts.values()) == {(StepStatus.COMPLETED, 1)}


def test_a_slow_aggregation_does_not_hold_up_the_others(weather: tuple[Bench, str]) -> None:
    """The three aggregations need nothing of each other: two are done and the loop too while the third still rests before its retry."""
    steps = weather[0].state(weather[1])[1].steps
    wind = steps["wind"].ended_at
    assert wind is not None
    others = [steps[key].ended_at for key in ("temperature", "rain", "heat")]
    assert [at is not None and at < wind for at in others] == [True, True, True]


def test_a_missing_day_takes_the_other_branch() -> None:
    """Without two of its days the file is completed from the days before, and every later step sees them."""
    bench = Bench()
    text = _weather_input()["csv"]
    gone = ("2013/03/04", "2013/03/05")
    lines = [line for line in text.splitlines() if not line.startswith(gone)]
    run_id = bench.run(automation("weather"), {"csv": "\n".join(lines)})
    _, state = bench.state(run_id)
    assert bench.result(run_id, "validate")["missing"] == ["2013-03-04", "2013-03-05"]
    assert state.steps["fill"].status is StepStatus.COMPLETED
    filled = {row["day"]: row for row in bench.result(run_id, "fill")["rows"]}
    assert filled["2013-03-05"] == {**filled["2013-03-03"], "day": "2013-03-05"}
    assert bench.result(run_id, "daily")["rowCount"] == 1461


def test_impossible_measurements_fail_the_run() -> None:
    """A day that is colder at its warmest than at its coldest is named, and nothing after it begins."""
    bench = Bench()
    run_id = bench.run(
        automation("weather"), {"csv": _weather_input()["csv"].replace("0.0,12.8,5.0,", "0.0,1.8,5.0,", 1)}
    )
    run, state = bench.state(run_id)
    assert run.status is RunStatus.FAILED
    error = state.steps["validate"].error or {}
    assert error["message"] == "impossible measurements on 2012-01-01"
    assert state.steps["gaps"].started_at is None


def test_the_data_is_the_published_file() -> None:
    """The rows are one a day from 2012 to 2015, as DATA.md says."""
    days = [row["day"] for row in _days()]
    assert days == [date(2012, 1, 1) + timedelta(days=n) for n in range(1461)]


def test_a_large_payment_waits_for_a_person() -> None:
    """The gate asks with the payment's own words; after the answer and the wait, the release names who approved."""
    bench = Bench()
    run_id = bench.run(automation("approval"))
    (reason,) = bench.services.reading.waiting("default", run_id)
    assert (reason["reason"], reason["step"]) == ("input", "approval")
    assert reason["detail"] == "Release 2500 EUR to Paper & Ink?"
    bench.services.answer_step("default", run_id, "approval", approved=True, by="me", fields={"costCentre": "IT-7"})
    bench.drive()
    bench.pass_time(3)
    assert bench.state(run_id)[0].status is RunStatus.COMPLETED
    released = {"payee": "Paper & Ink", "amount": 2500, "costCentre": "IT-7", "approvedBy": "me"}
    assert bench.result(run_id, "release") == released


def test_a_small_payment_passes_at_once() -> None:
    """Below the limit the gate and the wait behind it are skipped."""
    bench = Bench()
    run_id = bench.run(automation("approval"), {"payee": "Paper & Ink", "amount": 40})
    run, state = bench.state(run_id)
    assert run.status is RunStatus.COMPLETED
    assert state.steps["approval"].status is state.steps["second_thoughts"].status is StepStatus.SKIPPED
    assert bench.result(run_id, "release")["costCentre"] == "petty cash"


def test_a_rejected_payment_is_not_released() -> None:
    """A rejection fails the gate and with it the run."""
    bench = Bench()
    run_id = bench.run(automation("approval"))
    bench.services.answer_step("default", run_id, "approval", approved=False, by="me", comment="twice")
    bench.drive()
    run, state = bench.state(run_id)
    assert run.status is RunStatus.FAILED
    assert state.steps["release"].started_at is None


def test_the_fan_out_tolerates_its_one_bad_item() -> None:
    """Every number is factored in its place; the item that is no number leaves a hole and fails nothing."""
    bench = Bench()
    run_id = bench.run(automation("fanout"))
    assert bench.state(run_id)[0].status is RunStatus.COMPLETED
    each = bench.result(run_id, "each")
    numbers = automation("fanout")["config"]["input"]["numbers"]
    assert [item and item["number"] for item in each] == [*numbers[:-1], None]
    products = [_product(item["factors"]) for item in each if item]
    assert products == numbers[:-1]
    assert bench.result(run_id, "summary") == {"factored": 5, "primes": [9973, 65537]}


def _product(factors: list[int]) -> int:
    product = 1
    for factor in factors:
        product *= factor
    return product


def test_the_demo_runs_the_weather_example_and_shows_its_report() -> None:
    """What `make demo` loads is complete, and the step it shows is one of the automation's."""
    (example,) = load(EXAMPLES)
    keys = [step["key"] for step in example.automation["config"]["steps"]]
    assert (example.name, example.show) == ("weather", "report")
    assert example.show in keys
    assert json.loads(json.dumps(example.run_input))["csv"] == WEATHER_CSV.read_text()
