"""Paths with line breaks in their names.

Fault: a route's parameters are matched by a pattern in which no character stands for a line break, so that `/v1/jobs/a%0Ab` finds no
route and is answered by the gateway; on AWS it reaches the function like any other name.

Repair: any character may stand in a parameter.

Asserted: the line of `_extract_path_params` that matches.
"""

from ministack.services import apigateway

from .source import rewrite


def repair() -> None:
    """Match across line breaks."""
    rewrite(
        apigateway,
        "_extract_path_params",
        (
            '    m = re.fullmatch("".join(pattern_parts), request_path)\n',
            '    m = re.fullmatch("".join(pattern_parts), request_path, re.DOTALL)\n',
        ),
    )
