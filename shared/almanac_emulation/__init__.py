"""Almanac's cloud on one machine, for development and tests; not part of the installed package.

The functions run under functions-framework in their own processes. Pub/Sub is Google's emulator,
Cloud Storage a strict emulator of our own (cloud_storage/). Only `almanac emulate`, the tests and
the scripts import this package, and only from a checkout of the repository.
"""
