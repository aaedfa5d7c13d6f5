"""The simulated workspace's people and programs, with caps a careful owner would set."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta

from flowy_watch.simulator.app import APPS
from flowy_watch.simulator.credits import MICRO, Microcredits, TopUp
from flowy_watch.simulator.key import PUBLISHABLE_PREFIX, Key, Status, instant
from flowy_watch.simulator.profile import Profile, Week, every_day, hours, on_days, on_weekdays
from flowy_watch.simulator.traffic import Stream, mixed
from flowy_watch.simulator.world import World

PHOTO, VIDEO, VOICE = "app_product-photo", "app_product-video", "app_voice-over"
CAPTION, BANNER, CUTOUT = "app_caption", "app_banner-set", "app_cutout"
NEVER: Week = every_day(hours(0))
BUSY_DAYS = every_day(hours(14, begin=7, end=19, otherwise=8))
BUSY_UNTIL_EVENING = every_day(hours(20, begin=8, end=20, otherwise=6))
TUESDAY, THURSDAY = 1, 3

CAP_IN_BUSIEST_DAYS = 2.5
OPENING_DAYS, TOP_UP_DAYS, LOW_DAYS = 28, 14, 21  # the balance, in days of usual spend


@dataclass(frozen=True, slots=True)
class Purpose:
    """What a key is for. `idle_for` is how long it has not been used; `sleeping_cap` is in credits, for idle keys."""

    name: str
    profile: Profile
    shape: str = "flw_sk_"
    idle_for: timedelta = timedelta(0)
    sleeping_cap: int = 0
    status: Status = Status.ACTIVE


PURPOSES = (
    Purpose("prod-render", Profile(BUSY_DAYS, (PHOTO, PHOTO, VIDEO, PHOTO, BANNER))),
    Purpose("prod-api", Profile(BUSY_UNTIL_EVENING, (CUTOUT, PHOTO, CAPTION, CUTOUT, VOICE))),
    Purpose("nightly-batch", Profile(every_day(hours(40, begin=1, end=4)), (BANNER, PHOTO, CAPTION))),
    Purpose(
        "marketing-site",
        Profile(every_day(hours(12, begin=7, end=22, otherwise=2)), (CAPTION, CUTOUT)),
        shape=PUBLISHABLE_PREFIX,
    ),
    Purpose("design-team", Profile(on_weekdays(hours(8, begin=8, end=17)), (PHOTO, BANNER, PHOTO))),
    Purpose("social-scheduler", Profile(every_day(hours(6, begin=7, end=10)), (BANNER, CAPTION))),
    Purpose("newsletter-images", Profile(on_days(hours(10, begin=8, end=10), TUESDAY, THURSDAY), (BANNER,))),
    Purpose("dev-laptop-ana", Profile(on_weekdays(hours(1.2, begin=8, end=17)), (PHOTO, CAPTION, CUTOUT))),
    Purpose("ci-smoke-tests", Profile(every_day(hours(2)), (CAPTION,)), shape="flowy_"),
    Purpose("legacy-import", Profile(NEVER, (PHOTO,)), idle_for=timedelta(days=143), sleeping_cap=200),
    Purpose("partner-sandbox", Profile(NEVER, (CAPTION,)), idle_for=timedelta(days=97), sleeping_cap=50),
    Purpose(
        "old-webhook",
        Profile(NEVER, (PHOTO,)),
        idle_for=timedelta(days=205),
        sleeping_cap=100,
        status=Status.REVOKED,
    ),
)


def make_world(keys: int | None = None, *, seed: int = 1, start: datetime) -> World:
    """The twelve keys of `PURPOSES`, or that many in the same mix; standing at `start`.

    The world begins at the midnight (UTC) before, so that what was spent today is there already.
    """
    midnight = datetime.combine(start.astimezone(UTC), time(), UTC)
    purposes = PURPOSES if keys is None else tuple(_nth_purpose(number, seed) for number in range(keys))
    streams = [Stream(place, each.profile, mixed(seed << 32 | place)) for place, each in enumerate(purposes)]
    usual = sum(_week_spend(each.profile) for each in purposes) // 7 or MICRO
    world = World(
        workspace=(f"ws_{mixed(seed):016x}"[:11], "Northlight Studio"),
        keys=[_key(each, stream, midnight) for each, stream in zip(purposes, streams, strict=True)],
        apps=APPS,
        streams=streams,
        balance=round_up(OPENING_DAYS * usual),
        usual_daily_spend=usual,
        top_up=TopUp(package=round_up(TOP_UP_DAYS * usual), below=LOW_DAYS * usual),
        start=midnight,
    )
    world.advance(start)
    return world


def make_key(name: str, number: int, *, created_at: datetime, shape: str = "flw_sk_") -> Key:
    """`number` decides the id and the secret."""
    secret = "".join(f"{mixed(number * 4 + part):016x}" for part in range(3))
    return Key(id=f"key_{mixed(number):016x}"[:16], name=name, secret=shape + secret[:40], created_at=created_at)


def round_up(amount: Microcredits) -> Microcredits:
    """To two digits and whole credits, as people choose limits."""
    step = max(MICRO, int(10 ** (len(str(amount)) - 2)))
    return -(-amount // step) * step


def _key(purpose: Purpose, stream: Stream, midnight: datetime) -> Key:
    age = purpose.idle_for + timedelta(days=60 + stream.base % 300)
    key = make_key(purpose.name, stream.base, created_at=midnight - age, shape=purpose.shape)
    busiest = max(_day_spend(purpose.profile, day) for day in range(7))
    key.daily_cap = round_up(int(CAP_IN_BUSIEST_DAYS * busiest)) if busiest else purpose.sleeping_cap * MICRO
    key.status = purpose.status
    before = stream.last_request_before(int(midnight.timestamp()))
    key.last_used_at = instant(before.second) if before else midnight - purpose.idle_for
    return key


def _nth_purpose(number: int, seed: int) -> Purpose:
    """Not quite as busy as its model: two fifths to one and a fifth."""
    model = PURPOSES[number % len(PURPOSES)]
    factor = 0.4 + 0.8 * (mixed(seed ^ mixed(number)) % 1000) / 1000
    return replace(model, name=f"{model.name}-{number:03d}", profile=model.profile.times(factor))


def _day_spend(profile: Profile, day: int) -> Microcredits:
    price = sum(APPS[app_id].price for app_id in profile.apps) / len(profile.apps)
    return int(sum(profile.week[day]) * price)


def _week_spend(profile: Profile) -> Microcredits:
    return sum(_day_spend(profile, day) for day in range(7))
