"""A chart as a picture, for mail and files."""

import re

from flowy_watch.render.environment import templates_folder
