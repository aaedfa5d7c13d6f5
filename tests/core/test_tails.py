"""Three tails, held against exact sums and closed forms."""

from collections.abc import Callable
from math import atan, comb, exp, fsum, isfinite, lgamma, log, log10, pi, sqrt

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from flowy_watch.core.tails import MOST, beta_prime_surprise, gamma_surprise, student_surprise

CLOSE = 1e-5  # of a decimal digit


def surprise(probability: float) -> float:
    return min(-log10(probability), MOST) if probability > 0 else MOST


@given(st.integers(1, 400), st.floats(1e-3, 900))
@example(100, 100.0)
@example(100, 101.0)
@example(1, 600.0)
def test_a_gamma_tail_of_whole_shape_is_a_poisson_sum(shape: int, x: float) -> None:
    at_most = fsum(exp(k * log(x) - x - lgamma(k + 1)) for k in range(shape))

    if at_most > 1e-280:
        assert gamma_surprise(shape, x) == pytest.approx(surprise(at_most), abs=CLOSE)


@given(st.integers(1, 40), st.integers(1, 40), st.floats(1e-3, 1e3))
@example(3, 3, 1.0)
@example(40, 1, 1e3)
@example(1, 40, 1e3)
def test_a_beta_prime_tail_of_whole_parameters_is_a_binomial_sum(shape: int, evidence: int, x: float) -> None:
    p, n = 1 / (1 + x), shape + evidence - 1
    at_least = fsum(comb(n, k) * p**k * (x / (1 + x)) ** (n - k) for k in range(evidence, n + 1))

    assert beta_prime_surprise(shape, evidence, x) == pytest.approx(surprise(at_least), abs=CLOSE)


@given(st.floats(1e-3, 1e8))
def test_students_tail_with_one_degree_of_freedom_is_cauchys(z: float) -> None:
    assert student_surprise(z, 1) == pytest.approx(surprise(atan(1 / z) / pi), abs=CLOSE)


@given(st.floats(1e-3, 1e8))
def test_students_tail_with_two_degrees_of_freedom_has_a_closed_form(z: float) -> None:
    root = sqrt(2 + z * z)

    assert student_surprise(z, 2) == pytest.approx(surprise(1 / (root * (root + z))), abs=CLOSE)


@pytest.mark.parametrize("evidence", [1e3, 1e6])
def test_with_much_evidence_a_beta_prime_tail_is_that_of_the_gamma(evidence: float) -> None:
    assert beta_prime_surprise(5, evidence, 20 / evidence) == pytest.approx(gamma_surprise(5, 20), rel=20 / evidence)


def test_with_little_evidence_the_same_spend_surprises_less() -> None:
    surprises = [beta_prime_surprise(1, evidence, 10 / evidence) for evidence in (0.5, 2, 8, 32)]

    assert surprises == sorted(surprises)
    assert surprises[0] < surprises[-1] / 2


USED = (1e-6, 1e-3, 0.5, 1.0, 30.0, 1e4, 1e6)  # shapes and evidences that callers can come with
EXTREME = (1e-300, *USED)
POINTS = sorted(
    [0.0, -1.0, 1e-300, 1e-30, 1e30, 1e300]
    + [10 ** (n / 4) for n in range(-40, 41)]
    + [around * (1 + off) for around in USED for off in (-0.03, -1e-3, 0, 1e-3, 0.03)]
)
TAILS: dict[str, Callable[[float, float, float], float]] = {
    "gamma": lambda a, b, x: gamma_surprise(a, x),
    "beta prime": beta_prime_surprise,
    "student": lambda a, b, x: student_surprise(x, a),
}


@pytest.mark.parametrize("tail", TAILS.values(), ids=TAILS)
def test_more_is_never_less_surprising(tail: Callable[[float, float, float], float]) -> None:
    for a in USED:
        for b in USED:
            highest = 0.0
            for x in POINTS:
                found = tail(a, b, x)
                assert found >= highest - 0.01, (a, b, x)
                highest = max(highest, found)


@pytest.mark.parametrize("tail", TAILS.values(), ids=TAILS)
def test_no_figure_is_too_extreme_for_a_tail(tail: Callable[[float, float, float], float]) -> None:
    found = [tail(a, b, x) for a in EXTREME for b in EXTREME for x in POINTS]

    assert all(isfinite(one) and 0 <= one <= MOST for one in found)


@pytest.mark.parametrize("tail", TAILS.values(), ids=TAILS)
def test_nothing_is_no_surprise(tail: Callable[[float, float, float], float]) -> None:
    assert [tail(2.0, 2.0, x) for x in (0.0, -5.0)] == [0, 0]


def test_what_has_no_shape_cannot_happen() -> None:
    assert (gamma_surprise(0, 1), beta_prime_surprise(0, 5, 1)) == (MOST, MOST)
