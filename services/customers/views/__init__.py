"""What can be asked about customers: one class a question."""

from services.customers.views.directory import CustomerDirectory
from services.customers.views.timeline import CustomerTimeline

VIEWS = (CustomerDirectory(), CustomerTimeline())
"""All of them; they share one database and one checkpoint."""
