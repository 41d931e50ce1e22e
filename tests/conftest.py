"""Property tests are judged by what they find, never by how long a slow machine takes."""

from hypothesis import settings

settings.register_profile("unhurried", parent=settings.default, deadline=None)
settings.load_profile("unhurried")
