"""What the kinds of channels that are an address have in common: hostile answers."""

import gzip
from datetime import timedelta

from flowy_watch.channels.poster import Poster

from .receiver import Receiver


def test_a_packed_answer_is_not_unpacked() -> None:
    bomb = gzip.compress(bytes(1_000_000))
    poster = Poster("hook", host="the program", option="url", timeout=timedelta(seconds=5))
    with Receiver() as receiver:
        receiver.then(body=bomb, Content_Encoding="gzip")
        answer = poster.post(receiver.url, b"{}", {})
    poster.close()

    assert receiver.requests[0].headers["accept-encoding"] == "identity"
    assert answer.text == bomb[:512].decode("utf-8", "replace")
