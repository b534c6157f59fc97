"""A few captures that stand for many: filters, sampling, and the cheapest set that covers every kind of request."""
