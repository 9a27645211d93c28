"""The page in a real browser (Debian's Chromium, headless, driven by Playwright), with a server behind it and without.

What draws is either `ganvas studio`, or the browser itself in a folder that `ganvas export --to web` wrote and Python's
own server of files serves; the same tests hold for both, where both have the view.
"""
