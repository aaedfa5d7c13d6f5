"""Whether the process lives, and whether it is of use: for probes, which need no token and learn nothing else."""

from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from flowy_watch.web.visit import Visit

if TYPE_CHECKING:
    from flowy_watch.web.site import Site


async def alive(_request: Request) -> Response:
    """The web's thread answers: at once, whatever workers and polls are busy with."""
    return PlainTextResponse("ok\n")


def ready(site: "Site", visit: Visit) -> Response:
    """The database answers, and polls come: the last one, good or not, is not older than three intervals."""
    with site.store.read() as work:
        polls = work.usage.last_polls(1)
    if not polls:
        return PlainTextResponse("no poll yet\n", 503)
    if visit.now - polls[0].taken_at > 3 * site.settings.poll.every:
        return PlainTextResponse("the last poll is too old\n", 503)
    return PlainTextResponse("ready\n")
