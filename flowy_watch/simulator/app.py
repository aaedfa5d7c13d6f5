"""The apps of the simulated workspace, and two of somebody else's."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from flowy_watch.simulator.credits import Credits, Microcredits, microcredits


class Owner(StrEnum):
    WORKSPACE = "workspace"
    STRANGER = "stranger"


@dataclass(frozen=True, slots=True)
class Input:
    node_id: str
    label: str
    kind: str
    required: bool


@dataclass(frozen=True, slots=True)
class Output:
    node_id: str
    label: str
    output_type: str


@dataclass(frozen=True, slots=True)
class App:
    """`price` is what one run costs; no documented answer shows it. `takes` is how long a run works after its queue."""

    id: str
    slug: str
    title: str
    description: str
    price: Microcredits
    takes: timedelta
    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    published: bool = True
    owner: Owner = Owner.WORKSPACE

    @property
    def thumbnail_url(self) -> str:
        return f"https://files.example/thumbnails/{self.slug}.webp"

    @property
    def visible(self) -> bool:
        """To the workspace's keys: a published app of anybody, or one of its own."""
        return self.published or self.owner is Owner.WORKSPACE

    def missing(self, inputs: Mapping[str, object]) -> list[str]:
        return [each.label for each in self.inputs if each.required and each.node_id not in inputs]


def _app(
    slug: str,
    title: str,
    price: Credits,
    *,
    kind: str,
    takes: int,
    published: bool = True,
    owner: Owner = Owner.WORKSPACE,
) -> App:
    return App(
        id=f"app_{slug}",
        slug=slug,
        title=title,
        description=f"{title}, from a short brief.",
        price=microcredits(price),
        takes=timedelta(seconds=takes),
        inputs=(
            Input("brief", "Brief", "text", required=True),
            Input("reference", "Reference", "image", required=False),
        ),
        outputs=(Output("result", title, kind),),
        published=published,
        owner=owner,
    )


APPS = {
    app.id: app
    for app in (
        _app("product-photo", "Product photo", 4, kind="image", takes=15),
        _app("product-video", "Product video", 35, kind="video", takes=90),
        _app("voice-over", "Voice-over", 1.5, kind="audio", takes=10),
        _app("caption", "Caption writer", 0.25, kind="text", takes=3),
        _app("banner-set", "Banner set", 12, kind="image", takes=30),
        _app("cutout", "Background remover", 0.75, kind="image", takes=5, published=False),
        _app("upscale", "Community upscaler", 2, kind="image", takes=20, owner=Owner.STRANGER),
        _app("in-the-lab", "In the lab", 9, kind="image", takes=20, published=False, owner=Owner.STRANGER),
    )
}
