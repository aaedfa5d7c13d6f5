"""A metering reverse proxy in front of one Flowy: forwards everything unchanged and counts what was answered.

It runs in its own process on one asyncio loop. A `Client` (a connection of the user's servers) begins an `Exchange`
for each request, which takes an `Upstream` (a connection to Flowy) from the `Pool`. What was answered goes into the
`Tally`, which a thread of its own writes to the ledger twice a second; the `Guard` decides what is not forwarded.
"""
