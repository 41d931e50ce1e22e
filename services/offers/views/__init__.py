"""What can be asked about offers: one class a question."""

from services.offers.views.book import OfferBook

VIEWS = (OfferBook(),)
"""All of them; they share one database and one checkpoint."""
