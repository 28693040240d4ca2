"""How long a failed step rests."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quintet.domain.definition import RetryPolicy, Strategy
from quintet.domain.retry import delay

FEW = settings(max_examples=200, deadline=None, derandomize=True, database=None)


def policy(strategy: Strategy, initial: float = 2.0, **fields: object) -> RetryPolicy:
    """A policy of five attempts."""
    return RetryPolicy(5, strategy, initial, **fields)  # type: ignore[arg-type]  # fields of a policy


@pytest.mark.parametrize(
    ("given_policy", "delays"),
    [
        (policy(Strategy.FIXED), [2, 2, 2, 2, None]),
        (policy(Strategy.LINEAR), [2, 4, 6, 8, None]),
        (policy(Strategy.EXPONENTIAL), [2, 4, 8, 16, None]),
        (policy(Strategy.CUSTOM, delays=(1.0, 30.0, 5.0)), [1, 30, 5, 5, None]),
        (policy(Strategy.CUSTOM), [2, 2, 2, 2, None]),
        (policy(Strategy.EXPONENTIAL, max_delay=7.0), [2, 4, 7, 7, None]),
        (policy(Strategy.LINEAR, max_delay=5.0), [2, 4, 5, 5, None]),
        (policy(Strategy.FIXED, max_delay=1.0), [1, 1, 1, 1, None]),
        (policy(Strategy.CUSTOM, delays=(1.0, 30.0), max_delay=10.0), [1, 10, 10, 10, None]),
        (policy(Strategy.FIXED, 0.0), [0, 0, 0, 0, None]),
        (policy(Strategy.EXPONENTIAL, 0.0), [0, 0, 0, 0, None]),
        (RetryPolicy(), [None]),
        (RetryPolicy(2), [1, None]),
    ],
)
def test_delays_grow_as_the_strategy_says(given_policy: RetryPolicy, delays: list[float | None]) -> None:
    """After attempt 1, 2, 3, ...: the delay, and None when no attempt is left."""
    assert [delay(given_policy, attempt) for attempt in range(1, len(delays) + 1)] == delays


@pytest.mark.parametrize(
    ("chance", "seconds"), [(0.0, 5.0), (0.25, 7.5), (0.5, 10.0), (0.75, 12.5), (0.999999, 14.99999)]
)
def test_jitter_spreads_the_delay_evenly_around_itself(chance: float, seconds: float) -> None:
    """Half the delay less to half the delay more, for a jitter of one half."""
    assert delay(policy(Strategy.FIXED, 10.0, jitter=0.5), 1, chance) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("wish", "cap", "seconds"),
    [
        (None, None, 10),
        (3.0, None, 10),
        (60.0, None, 60),
        (60.0, 30.0, 30),
        (60.0, 90.0, 60),
        (0.0, None, 10),
        (-5.0, None, 10),
    ],
)
def test_the_endpoints_wish_lengthens_but_never_beyond_the_cap(
    wish: float | None, cap: float | None, seconds: float
) -> None:
    """Retry-After counts when it is longer than the policy's own delay, up to max_delay."""
    assert delay(policy(Strategy.FIXED, 10.0, max_delay=cap), 1, retry_after=wish) == seconds


def test_a_wish_gives_no_further_attempt() -> None:
    """An endpoint can't lengthen the policy."""
    assert delay(RetryPolicy(1), 1, retry_after=5.0) is None
    assert delay(RetryPolicy(3), 7, retry_after=5.0) is None


def test_huge_attempt_numbers_stay_finite() -> None:
    """Doubling thousands of times is capped, not infinite."""
    endless = RetryPolicy(10_000, Strategy.EXPONENTIAL, 1.0, max_delay=3600.0)
    assert delay(endless, 5_000) == 3600.0


policies = st.builds(
    RetryPolicy,
    max_attempts=st.integers(1, 100),
    strategy=st.sampled_from(Strategy),
    initial_delay=st.floats(0, 1e6),
    max_delay=st.none() | st.floats(0, 1e6),
    delays=st.lists(st.floats(0, 1e6), max_size=5).map(tuple),
    jitter=st.floats(0, 1),
)


@FEW
@given(policies, st.integers(1, 120), st.floats(0, 1, exclude_max=True), st.none() | st.floats(0, 1e5))
def test_every_delay_lies_within_its_bounds(
    given_policy: RetryPolicy, attempt: int, chance: float, wish: float | None
) -> None:
    """Never negative, never above the cap, inside the jitter band, and there exactly while attempts are left."""
    found = delay(given_policy, attempt, chance, wish)
    assert (found is None) == (attempt >= given_policy.max_attempts)
    if found is None:
        return
    middle = delay(
        RetryPolicy(1000, given_policy.strategy, given_policy.initial_delay, None, given_policy.delays), attempt
    )
    assert middle is not None
    highest = max(middle * (1 + given_policy.jitter), wish or 0)
    lowest = middle * (1 - given_policy.jitter)
    cap = given_policy.max_delay
    assert 0 <= found <= highest * (1 + 1e-9)
    if cap is None:
        assert found >= lowest * (1 - 1e-9)
    else:
        assert found <= cap
        assert found >= min(cap, lowest) * (1 - 1e-9)
