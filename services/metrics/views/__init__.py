"""What equity is figured from, in DuckDB: one class a question."""

from services.metrics.views.customers import Customers
from services.metrics.views.fits import Fits
from services.metrics.views.policies import Policies
from services.metrics.views.purchases import Purchases

VIEWS = (Customers(), Purchases(), Fits(), Policies())
"""All of them; they share one database and one checkpoint. Purchases join on Customers."""
