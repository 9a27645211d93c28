"""The studio: an HTTP server on FastAPI with the page to draw on. The extra ``studio`` brings what it needs.

Start reading at :mod:`ganvas.studio.app`. What the page may ask for is in ``docs/studio.md`` and in ``/openapi.json``.
"""
