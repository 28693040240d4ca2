"""How long a failed step rests before its next attempt."""

from quintet.domain.definition import RetryPolicy, Strategy


def delay(policy: RetryPolicy, attempt: int, chance: float = 0.5, retry_after: float | None = None) -> float | None:
    """Seconds until the attempt after number `attempt` (1-based), or None when there is none left.

    `chance` in 0..1 places the delay inside the jitter band (0.5 is its middle). `retry_after` is the endpoint's own wish: it can
    lengthen the delay, never past `max_delay` when one is set.
    """
    if attempt >= policy.max_attempts:
        return None
    seconds = _unjittered(policy, attempt)
    if policy.jitter:
        seconds *= 1 + policy.jitter * (2 * chance - 1)
    if retry_after is not None:
        seconds = max(seconds, retry_after)
    if policy.max_delay is not None:
        seconds = min(seconds, policy.max_delay)
    return max(seconds, 0.0)


def _unjittered(policy: RetryPolicy, attempt: int) -> float:
    match policy.strategy:
        case Strategy.FIXED:
            return policy.initial_delay
        case Strategy.LINEAR:
            return policy.initial_delay * attempt
        case Strategy.CUSTOM:
            return policy.delays[min(attempt, len(policy.delays)) - 1] if policy.delays else policy.initial_delay
        case Strategy.EXPONENTIAL:
            # 2**1023 is the largest power a float holds; a cap far beyond any real delay keeps huge attempt numbers finite.
            return float(policy.initial_delay * 2.0 ** min(attempt - 1, 64))
