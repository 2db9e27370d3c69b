"""The steps of a planning run: start, plan, shard, merge, commit, finish."""
