"""Upper tails of three distributions, as surprise: minus the decimal logarithm of the probability.

Own code because the one library that has them (SciPy) costs 60 MB of memory and half a second at every start. The
continued fractions are those of Numerical Recipes (3rd ed., 6.2 and 6.4), after Lentz; tests hold them against exact
sums.
"""

from math import exp, lgamma, log, log1p, log10

MOST = 300.0
"""No surprise is larger: the probability would leave the range of a float."""

_TINY = 1e-300
_ROUNDS = 400
_CLOSE = 1e-8


def gamma_surprise(shape: float, x: float) -> float:
    """How surprising it is that a gamma variable of this shape (and scale 1) reaches x or more."""
    if x <= 0:
        return 0.0
    if shape <= 0:
        return MOST
    front = shape * log(x) - x - lgamma(shape)
    if x < shape + 1:
        return _surprise(1 - exp(front) * _gamma_series(shape, x))
    return _surprise_of_log(front + log(_gamma_fraction(shape, x)))


def beta_prime_surprise(shape: float, evidence: float, x: float) -> float:
    """The same for a gamma variable whose scale is itself known only from `evidence` earlier ones: a beta prime.

    The predictive distribution of a gamma sum under an inverse-gamma scale (Gelman et al., Bayesian Data Analysis,
    3rd ed., 2.6); with much evidence it is the gamma, with little its tail is as heavy as ignorance is.
    """
    if x <= 0:
        return 0.0
    return _beta_surprise(evidence, shape, 1 / (1 + x)) if shape > 0 else MOST


def student_surprise(z: float, freedom: float) -> float:
    """The same for Student's t with these degrees of freedom."""
    if z <= 0:
        return 0.0
    return min(_beta_surprise(freedom / 2, 0.5, freedom / (freedom + z * z)) + log10(2), MOST)


def _beta_surprise(a: float, b: float, x: float) -> float:
    """Of the regularised incomplete beta function I_x(a, b)."""
    if x <= 0:
        return MOST
    if x >= 1:
        return 0.0
    front = lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x)
    if x < (a + 1) / (a + b + 2):
        return _surprise_of_log(front + log(max(_beta_fraction(a, b, x), _TINY)) - log(a))
    return _surprise(1 - exp(front) * _beta_fraction(b, a, 1 - x) / b)


def _beta_fraction(a: float, b: float, x: float) -> float:
    # Half of what a storm of odd spend costs is spent here: nothing is called.
    d = 1 - (a + b) * x / (a + 1)
    d = 1 / (d if d > _TINY or d < -_TINY else _TINY)
    c, value = 1.0, d
    for m in range(1, _ROUNDS):
        place = a + 2 * m
        even = m * (b - m) * x / ((place - 1) * place)
        odd = -(a + m) * (a + b + m) * x / (place * (place + 1))
        for step in (even, odd):
            d, c = 1 + step * d, 1 + step / c
            d = 1 / (d if d > _TINY or d < -_TINY else _TINY)
            c = c if c > _TINY or c < -_TINY else _TINY
            value *= d * c
        if -_CLOSE < d * c - 1 < _CLOSE:
            break
    return value


def _gamma_series(a: float, x: float) -> float:
    term = total = 1 / a
    for n in range(1, _ROUNDS):
        term *= x / (a + n)
        total += term
        if term < total * _CLOSE:
            break
    return total


def _gamma_fraction(a: float, x: float) -> float:
    b = x + 1 - a
    c, d = 1 / _TINY, 1 / _away_from_zero(b)
    value = d
    for n in range(1, _ROUNDS):
        step = -n * (n - a)
        b += 2
        d, c = 1 / _away_from_zero(step * d + b), _away_from_zero(b + step / c)
        value *= d * c
        if abs(d * c - 1) < _CLOSE:
            break
    return value


def _away_from_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY


def _surprise(probability: float) -> float:
    return min(max(-log10(max(probability, _TINY)), 0.0), MOST)


def _surprise_of_log(natural: float) -> float:
    return min(max(-natural / log(10), 0.0), MOST)
