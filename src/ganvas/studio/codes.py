"""Every reason for which the studio itself refuses something: its code, its kind, and its words in English.

Pages in other languages have words of their own by code (``web/src/lib/words/server.ko.json``), with the same names in
braces; a test holds them to this table and to the codes of :class:`ganvas.errors.GanvasError`, which the model's own
refusals have. A code stays as it is: programs know it.
"""

from __future__ import annotations

# Kind -> (status, title).
KINDS = {
    "unauthorised": (401, "A token is needed"),
    "forbidden": (403, "Not from there"),
    "not-found": (404, "Not found"),
    "superseded": (409, "A newer request took its place"),
    "conflict": (409, "Not now"),
    "too-large": (413, "Too large"),
    "not-a-picture": (415, "Not a picture"),
    "invalid": (422, "Cannot be done as asked"),
    "failed": (500, "The studio failed"),
    "not-here": (501, "Not on this system"),
    "busy": (503, "Too much at once"),
}
# What has no code of its own: the reason is told in English.
OTHER = "other"
# Code -> (kind, one line for people).
CODES = {
    "token-needed": ("unauthorised", "open the address with ?token= that `ganvas studio` was started with"),
    "wrong-host": (
        "forbidden",
        "the Host header is '{host:.80}', expected localhost: open the address that was printed",
    ),
    "wrong-origin": ("forbidden", "a page of '{origin:.80}' may not use the studio"),
    "cross-site": ("forbidden", "a page of another origin may not use the studio"),
    "no-address": ("not-found", "there is nothing at this address"),
    "no-page": (
        "not-found",
        "the studio's page has not been built: run `make web` in the source checkout, which needs Node 20.19 or newer, "
        "and then install again unless it was installed by `pip install --editable`",
    ),
    "no-model": ("not-found", "no model '{model:.80}'.{hint}"),
    "no-example": ("not-found", "no example {number}: there are {count}"),
    "no-job": ("not-found", "no job '{job:.80}': finished ones are kept for a while only"),
    "no-recipe": ("not-found", "no recipe '{recipe:.80}'.{hint}"),
    "no-run": ("not-found", "no run '{run:.80}'"),
    "no-samples": ("not-found", "run '{run:.80}' has no samples of {images:,} images"),
    "newer-request": ("superseded", "a newer request of the same page took its place"),
    "page-gone": ("superseded", "the page went away"),
    "name-taken": ("conflict", "there is a run or folder '{run}' already: choose another name"),
    "run-not-running": ("conflict", "run '{run}' is not under way: it is {state}"),
    "run-elsewhere": ("conflict", "run '{run}' was started elsewhere: stop it there, by Ctrl-C"),
    "run-running": ("conflict", "run '{run}' is running"),
    "run-complete": ("conflict", "run '{run}' is complete"),
    "run-without-recipe": ("conflict", "run '{run}' has no recipe.toml to go on with"),
    "job-running": ("conflict", "{done} of {total} pictures are done: wait for the rest"),
    "job-failed": ("conflict", "the job has failed: {reason}"),
    "body-bytes": ("too-large", "the request has more than the {most:,} bytes that are taken here"),
    "picture-bytes": ("too-large", "{picture} has {found:,.1f} MB, at most {most:,} are taken"),
    "picture-pixels": (
        "too-large",
        "{picture} has {width:,} x {height:,} pixels, at most {most:,} are taken: make it smaller",
    ),
    "picture-bomb": ("too-large", "{picture} has far more than the {most:,} pixels that are taken: make it smaller"),
    "picture-side": (
        "too-large",
        "{picture} has {width:,} x {height:,} pixels, and no side may be longer than {most:,}: make it smaller, or "
        "cut it into pieces",
    ),
    "picture-strip": (
        "invalid",
        "{picture} is a strip of {width:,} x {height:,} pixels, and the longer side may be at most {most} times the "
        "shorter: cut it into pieces",
    ),
    "files-many": ("too-large", "{count:,} pictures, at most {most:,} are taken at once: send them in parts"),
    "not-a-picture": ("not-a-picture", "{picture} is no picture: expected {kinds}"),
    "unreadable-picture": ("not-a-picture", "{picture} cannot be read as a picture ({reason:.80})"),
    "bad-request": ("invalid", "{where}: {reason}"),
    "unknown-recipe": ("invalid", "no recipe '{recipe:.80}'.{hint}"),
    "run-name": ("invalid", "'{run:.80}' cannot name a run: use letters, digits, '_', '-' and '.', at most 100"),
    "no-data": ("invalid", "data.path: there is nothing at '{path}'"),
    "data-outside": (
        "invalid",
        "data.path '{path:.80}' is neither in the runs' folder nor in one of --data: start the studio with "
        "--data FOLDER",
    ),
    "palette-outside": (
        "invalid",
        "data.palette '{path:.80}' is neither one of {known} nor a file in the runs' folder or one of --data",
    ),
    "model-outside": ("invalid", "init.model '{path:.80}' is neither a shipped model nor in the runs' folder"),
    "draws-without-picture": ("invalid", "model '{model}' draws without a picture to start from"),
    "label-needed": ("invalid", "model '{model}' draws for a class: give label, one of {known}"),
    OTHER: ("invalid", "{reason}"),
    "model-unusable": ("failed", "{reason}"),
    "unforeseen": ("failed", "an unforeseen error, which the studio's terminal shows; please report it"),
    "run-killed": ("failed", "it ended without saying why, as what is killed does; the last line of its log: {line}"),
    "run-killed-mute": ("failed", "it ended without saying why, as what is killed does; its log is empty"),
    "no-training": ("not-here", "runs are started by the studio on Linux and macOS: use `ganvas train`"),
    "queue-full": ("busy", "{count:,} drawings wait for this model: try again in a moment"),
    "models-full": ("busy", "{count} models are at work, and no more may be loaded"),
    "streams-full": ("busy", "{count} pages listen to the studio, and no more may: close one of them"),
    "jobs-full": ("busy", "{count} jobs are kept: wait, or delete one"),
    "closing": ("busy", "the studio is being closed, or has unloaded the model: try again"),
}
