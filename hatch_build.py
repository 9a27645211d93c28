"""Builds the studio's page into the package, so that whoever installs a wheel needs no Node."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NO_NODE = "ganvas: building the studio's page needs Node 20.19 or newer, and npm was not found"


class CustomBuildHook(BuildHookInterface):
    """Runs ``npm ci`` and ``npm run build`` in ``web/``."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the page and have it packed, though git ignores it.

        An editable install leaves it to ``make web``; a source distribution brings it along. A wheel from a checkout
        on a machine without Node is built with the page that is there, if any, as all but the studio works without.

        Raises:
            SystemExit: npm failed, or a source distribution is to be made without; the message is one line.
        """
        root = Path(self.root)
        page = root / "src" / "ganvas" / "studio" / "static" / "index.html"
        if version == "editable":
            return
        build_data["artifacts"].append("/src/ganvas/studio/static/**")
        if (root / "PKG-INFO").is_file() and page.is_file():
            return
        npm = shutil.which("npm")
        if npm is None and self.target_name == "wheel":
            self.app.display_warning(
                f"{NO_NODE}; `ganvas studio` gets {'the page as it was built' if page.is_file() else 'no page'}."
            )
            return
        if npm is None:
            raise SystemExit(f"{NO_NODE}; install Node.")
        for command in (["ci"], ["run", "build"]):
            done = subprocess.run([npm, *command], cwd=root / "web", check=False)
            if done.returncode != 0:
                raise SystemExit(f"ganvas: `npm {' '.join(command)}` failed in web/; its output above says why.")
