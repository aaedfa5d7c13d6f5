"""`python -m flowy_watch.cli`"""

from flowy_watch.cli import main

main()
