"""`python -m flowy_watch`"""

from flowy_watch.cli import main

main()
