"""A comparison that is like life: 50 tenants, a broker far away, bursts, replies, one noisy tenant.

`load.py` says what comes when, `contestants.py` who receives it and what stands in their books,
`measure.py` runs and tells, `bill.py` says what a million messages cost.
"""
