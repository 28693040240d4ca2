"""The program of the task `clean`: one tidy row a day, without the days that can't be true."""

import logging
from collections.abc import Iterator
from typing import Any

NUMBERS = ("precipitation", "temp_max", "temp_min")


def main(given: Any) -> Iterator[dict[str, Any]]:
    """Yields {day, rain, mean, warmest, coldest}, in mm and °C; what is yielded becomes the task's dataset."""
    most = given.params.get("most_rain", 300)
    for row in given.rows:
        try:
            rain, warmest, coldest = (float(row[name]) for name in NUMBERS)
        except (TypeError, ValueError):
            logging.warning("%s: a figure is missing", row["date"])
            continue
        if warmest < coldest or not 0 <= rain <= most:
            logging.warning("%s: can't be true", row["date"])
            continue
        day, mean = str(row["date"]).replace("/", "-"), round((warmest + coldest) / 2, 2)
        yield {"day": day, "rain": rain, "mean": mean, "warmest": warmest, "coldest": coldest}
