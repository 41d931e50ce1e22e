"""What can be asked about customers and the organisation: one class a question."""

from services.customers.views.directory import CustomerDirectory
from services.customers.views.organisation import AuthorityMatrix, FunctionRegistry
from services.customers.views.timeline import CustomerTimeline

VIEWS = (CustomerDirectory(), CustomerTimeline(), FunctionRegistry(), AuthorityMatrix())
"""All of them; they share one database and one checkpoint."""
